// The parts of the page that are looked at. Each gives a section, or nothing where its data is not there.

const section = (id, title, lead, ...children) => h("section", { id, "aria-labelledby": id + "-title" }, h("h2", { id: id + "-title" }, title), lead ? h("p", { class: "lead" }, lead) : null, children);
const tiers = D.tiers.tiers;
const swatch = (colour) => h("span", { class: "swatch", style: { background: colour }, "aria-hidden": "true" });
const tierName = (index) => h("span", {}, swatch(tierColour(index)), named(tiers[index]));
const dayOf = (text) => String(text ?? "").slice(0, 10);
const difference = (now, before) => (before === undefined ? t("none") : [signed(now - before), now > before ? "up" : now < before ? "down" : "none"]);

// As the run has it, to the last customer; the cells sum up to the same.
const tierRevenue = (tier) => shareOf(tier.revenue, D.tiers.revenue);
const FAULTS_ASKED_FOR = ["filtered", "after_as_of", "before_window", "refund_dropped", "duplicate", "no_order"];
const overview = () => {
  const rows = D.rows, rejected = Object.values(rows.rejected ?? {}).reduce((a, b) => a + b, 0);
  const faults = Object.entries(rows.rejected ?? {}).filter(([reason]) => !FAULTS_ASKED_FOR.includes(reason)).reduce((sum, [, n]) => sum + n, 0);
  // As `max-rejected` counts.
  const lookedAt = rows.read - (rows.rejected?.filtered ?? 0) - (rows.rejected?.duplicate ?? 0);
  const warnings = D.tiers.warnings ?? [], why = [];
  const serious = warnings.filter((warning) => warning.code !== "net_not_positive");
  if (rows.read !== rows.used + rejected) why.push(t("whyRows"));
  if (D.drift?.verdict && D.drift.verdict !== "ok") why.push(t("whyDrift", { verdict: D.drift.verdict }));
  if (faults > lookedAt / 1000) why.push(t("whyRejected", { share: percent(faults / lookedAt) }));
  if (serious.length) why.push(t(serious.length === 1 ? "whyWarning" : "whyWarnings", { n: serious.length }));
  const k = tiers.length, customers = integer(D.tiers.customers);
  const figure = (name, value, small) => h("div", {}, h("dt", {}, name), h("dd", {}, value, small ? h("small", {}, small) : null));
  const best = tiers[0];
  const element = h("section", { id: "overview", "aria-labelledby": "overview-title" }, h("h2", { id: "overview-title", class: "sr" }, t("nav_overview")),
    h("div", { class: "verdict" + (why.length ? " look" : "") },
      h("p", {}, t(why.length ? "verdictLook" : "verdictOk", { customers, k, why: why.join(view.lang === "zh" ? "；" : "; ") })),
      h("p", {}, t(D.tiers.revenue > 0 ? "topTier" : "topTierPlain", { customers: percent(best.customer_share), revenue: tierRevenue(best) }))),
    h("dl", { class: "figures" },
      figure(t("customers"), customers), figure(t("revenue"), number(D.tiers.revenue, 0), `${money(D.tiers.revenue / D.tiers.customers)} ${t("perCustomer")}`), figure(t("tiersN"), integer(k)),
      figure(t("rowsUsed"), integer(rows.used), t("ofRead", { n: integer(rows.read) })), figure(t("rejected"), integer(rejected)), figure(t("warnings"), warnings.length ? integer(warnings.length) : t("noWarnings"))),
    warnings.length ? h("ul", { class: "warnings", "aria-label": t("warnings") }, warnings.map(warningItem)) : null);
  return element;
};

// The code of a tier as that of the eight: a band above the middle of its dimension is good.
const digits = (tier) => [...tier.code.padStart(3, "0")].map(Number);
const deepest = DIMS.map((_, d) => Math.max(1, ...tiers.map((tier) => digits(tier)[d])));
const kindOf = (tier) => digits(tier).map((digit, d) => (digit * 2 > deepest[d] - (deepest[d] > 1 ? 0 : 1) ? 1 : 0)).join("");
// Whether the tiers differ in a dimension; a single one has nothing to differ from. Where they do not, a code says nothing of it, and neither do words.
const differs = DIMS.map((name) => new Set(tiers.filter((tier) => tier[name]).map((tier) => `${tier[name].median} ${tier[name].mean}`)).size > 1 || tiers.filter((tier) => tier[name]).length < 2);
const profileOf = (tier) => {
  if (!tier.recency_days) return t("empty");
  if (!differs.includes(true)) return t("profileAlike");
  const days = tier.recency_days.median, orders = tier.frequency.median, ago = days < 1 ? t("today") : days === 1 ? t("oneDay") : t("nDays", { n: number(days, 0) });
  const parts = [
    differs[1] && (orders === 1 ? t("oneOrder") : t("nOrders", { n: number(orders, 1, 0) })),
    differs[2] && t(D.monetary === "mean" ? "profileMean" : "profileAmount", { amount: money(tier.monetary.median) }),
    differs[0] && t(differs[1] ? "profileLast" : "profileLastOrder", { days: ago }),
  ];
  return t("profile", { parts: parts.filter(Boolean).join(view.lang === "zh" ? "，" : ", ") });
};
const playOf = (tier) => {
  const code = kindOf(tier), language = view.lang === "zh" ? 1 : 0;
  if (differs.every(Boolean)) return (EIGHT[code] ?? EIGHT["000"])[2 + language];
  const words = PLAYS.map((both, d) => (differs[d] ? both[Number(code[d])][language] : null)).filter(Boolean);
  return words.length ? words.join(language ? "" : " ") : t("playAlike");
};
const shareBar = (key) => (key === "revenue_share" && !(D.tiers.revenue > 0) ? h("span", {}, t("none")) : h("div", { class: "bar", "aria-hidden": "true" }, tiers.map((tier, index) => {
  const share = Math.max(tier[key] ?? 0, 0), colour = tierColour(index);
  return h("span", { style: { background: colour, "flex-grow": share, "flex-basis": 0, color: inkOn(colour) } }, share > 0.07 ? percent(share, 0) : "");
})));
const tiersSection = () => {
  const median = (tier, d) => (tier[DIMS[d]] ? quantity(d, tier[DIMS[d]].median) : t("none"));
  const rows = tiers.map((tier, index) => [integer(tier.rank), tierName(index), h("span", { class: "mono" }, tier.code), integer(tier.customers), percent(tier.customer_share), money(tier.revenue), tierRevenue(tier), ...[0, 1, 2].map((d) => median(tier, d))]);
  const columns = [[t("rank")], [t("tier"), "text wide"], [t("code"), "text"], [t("customers")], [t("share")], [t("revenue")], [t("share")], ...DIMS.map((_, d) => [dimension(d)])];
  const card = (tier, index) => {
    return h("article", { class: "card", style: { "--tier": tierColour(index) } },
      h("h3", {}, `${tier.rank}. ${named(tier)}`, h("span", { class: "code mono" }, tier.code)),
      h("p", { class: "share" }, t("cardShare", { customers: percent(tier.customer_share), revenue: tierRevenue(tier) })),
      h("p", {}, profileOf(tier)), h("p", { class: "play" }, h("b", {}, t("playbook")), playOf(tier)));
  };
  return section("tiers", t("tiersTitle"), t("tiersLead"),
    h("div", { class: "bars", role: "img", "aria-label": t("tierShares") }, h("span", {}, t("customers")), shareBar("customer_share"), h("span", {}, t("revenue")), shareBar("revenue_share")),
    table(t("tiersCaption"), columns, rows, { wide: 1, foot: ["", t("total"), "", integer(D.tiers.customers), "", money(D.tiers.revenue), "", "", "", ""] }),
    h("div", { class: "cards" }, tiers.map(card)));
};

const changes = () => {
  const before = D.previous, drift = D.drift, parts = [];
  // Of another number of tiers none is the same as one of ours: only the totals are.
  const alike = before && (before.same_model || before.tiers.length === tiers.length);
  if (before) {
    const old = new Map(alike ? before.tiers.map((tier) => [tier.key, tier]) : []);
    const rows = (alike ? tiers : []).map((tier, index) => {
      const was = old.get(tier.key);
      old.delete(tier.key);
      return [tierName(index), was ? integer(was.customers) : t("newTier"), integer(tier.customers), difference(tier.customers, was?.customers), was ? money(was.revenue) : t("none"), money(tier.revenue), difference(Math.round(tier.revenue), was && Math.round(was.revenue))];
    });
    for (const tier of old.values()) rows.push([named(tier), integer(tier.customers), t("goneTier"), difference(0, tier.customers), money(tier.revenue), t("none"), t("none")]);
    const foot = [t("total"), integer(before.customers), integer(D.tiers.customers), difference(D.tiers.customers, before.customers), money(before.revenue), money(D.tiers.revenue), difference(Math.round(D.tiers.revenue), Math.round(before.revenue))];
    parts.push(table(t("changesCaption"), [[t("tier"), "text wide"], [`${t("customers")}, ${t("before")}`], [t("now")], [t("change")], [`${t("revenue")}, ${t("before")}`], [t("now")], [t("change")]], rows, { foot }));
  }
  if (drift) {
    parts.push(h("h3", {}, t("driftTitle")), h("p", {}, t("driftVerdict", { verdict: drift.verdict }), (drift.reasons ?? []).map((reason) => h("span", { lang: "en" }, ` · ${typeof reason === "string" ? reason : reason.message ?? JSON.stringify(reason)}`))));
    const features = Object.entries(drift.features ?? {});
    if (features.length) parts.push(table(t("driftCaption"), [["", "text"], ["PSI"], ["KS"]], features.map(([name, own]) => [name, number(own.psi, 3), number(own.ks, 3)])));
  }
  return parts.length ? section("changes", t("changesTitle"), before ? t("changesLead", { day: dayOf(before.as_of), id: before.run_id, how: t(before.same_model ? "changesModel" : alike ? "changesRank" : "changesCount", { then: before.tiers.length, now: tiers.length }) }) : null, parts) : null;
};

const legend = () => h("ul", { class: "legend" }, tiers.map((tier, index) => h("li", {}, swatch(tierColour(index)), `${tier.rank} ${named(tier)}`)));
let maps = [];
const mapSection = () => {
  const pairs = [[0, 2], [0, 1], [1, 2]];
  const figures = pairs.map(([x, y]) => {
    const title = `${dimension(x)} × ${dimension(y)}`;
    const element = chart(310, densityMap(x, y), t("mapAlt", { x: dimension(x), y: dimension(y) }));
    return [element, h("figure", {}, h("figcaption", {}, title), element)];
  });
  maps = figures.map(([element]) => element);
  const rows = tiers.map((tier, index) => [tierName(index), ...DIMS.map((name, d) => (Number.isFinite(tier.centroid?.[name]) ? quantity(d, tier.centroid[name]) : t("none")))]);
  return section("map", t("mapTitle"), t("mapLead"), legend(), h("div", { class: "grid-3" }, figures.map(([, figure]) => figure)),
    h("details", {}, h("summary", {}, t("centres")), table(t("centres"), [[t("tier"), "text"], ...DIMS.map((_, d) => [dimension(d)])], rows)));
};

// A cell shaded by a share of the accent.
const SHADES = 64, shades = new Map();
const shadeOf = (share) => {
  const step = Math.round(Math.sqrt(Math.max(0, Math.min(1, share))) * SHADES), key = `${view.theme} ${step}`;
  if (!shades.has(key)) {
    const colour = mix(view.theme === "dark" ? "#1b1f25" : "#ffffff", view.theme === "dark" ? "#6cc4cf" : "#14606b", step / SHADES);
    shades.set(key, `background:${colour};color:${inkOn(colour)}`);
  }
  return shades.get(key);
};
const shaded = (share, ...content) => {
  const cell = h("td", { class: "shade" }, content);
  cell.style.cssText = shadeOf(share);
  return cell;
};
// Cut points by every scheme of thresholds.json, with their intervals.
const thresholdsSection = () => {
  const dimensions = D.thresholds?.dimensions;
  if (!dimensions) return null;
  const parts = DIMS.map((name, d) => {
    const rows = Object.entries(dimensions[name] ?? {}).flatMap(([scheme, all]) => (Array.isArray(all) ? all : []).map((one) => [
      schemeName(scheme), integer(one.bands), one.cut_points.map((cut, at) => asRead(d, cut) + (one.interval?.[at] ? ` (${[...new Set(one.interval[at].map((end) => asRead(d, end)))].join(" – ")})` : "")).join("; "), number(one.gvf, 3),
    ]));
    return rows.length ? h("details", { open: d === 0 }, h("summary", {}, dimension(d)), table(t("schemesOf", { dimension: dimension(d) }), [[t("scheme"), "text"], [t("bandsN")], [t("cutPoints"), "text wide"], [t("gvf")]], rows)) : null;
  });
  return section("thresholds", t("thresholdsTitle"), t("thresholdsLead") + t(whole[0] ? "thresholdsWhole" : "thresholdsWholeOrders"), parts);
};

const gridSection = () => {
  if (!D.scores) return null;
  const cuts = (name, d) => [...new Set(D.scores[name].map((cut) => nearestEdge(d, cut)))];
  const result = recount([cuts(DIMS[0], 0), cuts(DIMS[1], 1), []]);
  // Equal cut points leave scores empty: the best keeps its number, as in the run.
  const number_ = (d, band) => {
    const all = D.scores[DIMS[d]].map((cut) => nearestEdge(d, cut)), kept = [...new Set(all)];
    const below = band === 0 ? 0 : all.lastIndexOf(kept[band - 1]) + 1;
    return d === 0 ? all.length + 1 - below : below + 1;
  };
  const own = new Map(result.segments.map((segment) => [`${number_(0, segment.bands[0])} ${number_(1, segment.bands[1])}`, segment]));
  const most = Math.max(...result.segments.map((segment) => segment.customers));
  const top = [D.scores[DIMS[0]].length + 1, D.scores[DIMS[1]].length + 1];
  const up = (n) => Array.from({ length: n }, (_, at) => at + 1);
  const row = (f) => h("tr", {}, h("th", { scope: "row" }, t("fScore", { n: f })), up(top[0]).map((r) => {
    const segment = own.get(`${r} ${f}`);
    return segment?.customers ? shaded(segment.customers / most, integer(segment.customers), h("small", {}, money(segment.revenue / cells.unit / segment.customers))) : shaded(0, t("none"));
  }));
  return section("grid", t("gridTitle"), t("gridLead"), h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("gridTitle") }, h("table", {}, h("caption", {}, t("gridCaption")),
    h("thead", {}, h("tr", {}, h("td", {}), up(top[0]).map((r) => h("th", { scope: "col", style: { "text-align": "center" } }, t("rScore", { n: r }))))),
    h("tbody", {}, up(top[1]).reverse().map(row)))));
};

// Points of a Lorenz curve of groups, the poorest customers first.
const curve = (groups) => {
  const sorted = groups.filter((group) => group.customers).sort((a, b) => a.revenue / a.customers - b.revenue / b.customers);
  let [n, sum] = [0, 0];
  return [[0, 0], ...sorted.map((group) => [(n += group.customers) / total.customers, (sum += group.revenue) / total.revenue])];
};
const giniOf = (points) => 1 - points.slice(1).reduce((area, [x, y], at) => area + (x - points[at][0]) * (y + points[at][1]), 0);
// What the best fifth brings, along the curve.
const fifthOf = (points) => {
  const at = points.findIndex(([x]) => x >= 0.8), [x1, y1] = points[at], [x0, y0] = points[Math.max(at - 1, 0)];
  return 1 - (x1 > x0 ? y0 + ((0.8 - x0) / (x1 - x0)) * (y1 - y0) : y1);
};
const lorenzSection = () => {
  if (total.revenue <= 0) return null;
  const byTier = tiers.map(() => ({ customers: 0, revenue: 0 })), bySegment = Array.from({ length: cells.segments + 1 }, () => ({ customers: 0, revenue: 0 }));
  for (let i = 0; i < cells.n; i++) {
    for (const group of [byTier[cells.tier[i]], bySegment[cells.segment[i]]]) {
      group.customers += cells.customers[i];
      group.revenue += cells.revenue[i];
    }
  }
  // Bins of what a customer spends per order are not in the order of what customers bring.
  const lines = [
    ...(D.monetary === "mean" ? [] : [{ name: t("lorenzEach"), points: curve(byBin[2]), colour: () => css("--soft"), width: 1.5 }]),
    { name: t("tiersTitle"), points: curve(byTier), colour: () => css("--accent"), symbol: true, width: 2.5 },
  ];
  if (D.rules) lines.push({ name: t("set_rules", { name: D.rules.name }), points: curve(bySegment), colour: () => SCALE[view.theme][4], symbol: true });
  const rows = lines.map((line) => [line.name, number(giniOf(line.points), 3), percent(fifthOf(line.points))]);
  lines.push({ name: t("lorenzEven"), points: [[0, 0], [1, 1]], colour: () => css("--line"), width: 1, dash: "dashed" });
  return section("lorenz", t("lorenzTitle"), t(D.monetary === "mean" ? "lorenzLeadMean" : "lorenzLead"), h("div", { class: "grid-2" },
    h("figure", {}, h("ul", { class: "legend" }, lines.map((line) => h("li", {}, swatch(line.colour()), line.name))), chart(330, shareLines(lines), t("lorenzTitle"))),
    table(t("lorenzCaption"), [[t("lorenzOf"), "text"], [t("gini")], [t("topFifth")]], rows)));
};

const kSection = () => {
  const all = D.tiers.k_table ?? [];
  if (!all.length) return null;
  const chosen = tiers.length;
  const rows = all.map((one) => [[h("span", {}, integer(one.k), one.k === chosen ? ` (${t("chosen")})` : ""), ""], money(one.inertia), number(one.silhouette, 3), number(one.simplified_silhouette, 3), integer(one.calinski_harabasz), number(one.davies_bouldin, 3), percent(one.smallest_share), one.stability === null || one.stability === undefined ? t("none") : `${number(one.stability, 2)} ± ${number(one.stability_spread ?? 0, 2)}`]);
  const most = Math.max(...all.map((one) => one.inertia));
  const line = (name, of, colour) => ({ type: "line", name, data: all.map((one) => [one.k, of(one)]), symbol: "circle", symbolSize: 6, lineStyle: { width: 2, color: colour }, itemStyle: { color: colour }, emphasis: { disabled: true } });
  const colours = () => [css("--soft"), css("--accent"), SCALE[view.theme][4]];
  const names = [t("inertiaRel"), t("silhouette"), t("stability")];
  const option = () => ({
    ...base(), grid: { left: 36, right: 16, top: 10, bottom: 26 },
    xAxis: { type: "value", min: all[0].k, max: all.at(-1).k, interval: 1, splitLine: { show: false }, axisLabel: { color: css("--soft") }, axisLine: { lineStyle: { color: css("--line") } } },
    yAxis: { type: "value", max: 1, splitLine: { lineStyle: { color: css("--faint") } }, axisLabel: { color: css("--soft") } },
    tooltip: tooltip(({ seriesName, value }) => tip(`k = ${value[0]}`, `${seriesName} ${number(value[1], 3)}`)),
    series: [line(names[0], (one) => one.inertia / most, colours()[0]), { ...line(names[1], (one) => one.silhouette, colours()[1]), markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: css("--ink"), type: "dashed" }, data: [{ xAxis: chosen }] } }, line(names[2], (one) => one.stability, colours()[2])],
  });
  return section("k", t("kTitle"), kReason(),
    all.length > 1 ? h("figure", {}, h("ul", { class: "legend" }, names.map((name, at) => h("li", {}, swatch(colours()[at]), name))), chart(250, option, t("kTitle"))) : null,
    table(t("kCaption"), [[t("k"), "text"], [t("inertia")], [t("silhouette")], [t("simplified")], [t("calinski")], [t("davies")], [t("smallest")], [t("stability")]], rows));
};

// A cross table, shaded by the share of its row.
const crossRow = ({ name, counts }) => {
  const sum = counts.reduce((a, b) => a + b, 0);
  return h("tr", {}, h("th", { scope: "row", class: "text" }, name), Array.from(counts, (count) => (count ? shaded((count / sum) * 0.6, integer(count)) : h("td", { class: "shade none" }, "·"))));
};
const crossTable = (caption, first, columns, rows) => h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, h("table", { class: "cross" }, h("caption", {}, caption),
  h("thead", {}, h("tr", {}, h("th", { scope: "col" }, first), columns.map((column) => h("th", { scope: "col", class: "column" }, column)))),
  h("tbody", {}, rows.map(crossRow))));
const crossSection = () => {
  if (!D.rules) return null;
  const rows = [...D.rules.segments, { name: t("noSegment") }].map((segment) => ({ name: named(segment), counts: new Float64Array(cells.tiers) }));
  for (let i = 0; i < cells.n; i++) rows[cells.segment[i]].counts[cells.tier[i]] += cells.customers[i];
  const some = rows.filter((row, at) => at < D.rules.segments.length || row.counts.some((n) => n));
  const ari = D.comparison?.adjusted_rand;
  return section("cross", t("crossTitle"), t(Number.isFinite(ari) ? "crossLead" : "crossLeadPlain", { name: D.rules.name, ari: number(ari, 3) }), crossTable(t("crossCaption"), t("segment"), tiers.map((_, index) => tierName(index)), some));
};

const backtestSection = () => {
  const all = Object.entries(D.backtest?.tierings ?? {});
  if (!all.length) return null;
  const bounds = (own, key, digits, as = number) => (own.intervals?.[key] ? h("small", { class: "none" }, ` ${own.intervals[key].map((end) => as(end, digits)).join(" – ")}`) : "");
  const figureOf = (own, key, digits, as = number) => [h("span", {}, as(own[key], digits), bounds(own, key, digits, as)), ""];
  const rows = all.map(([name, own]) => [name, figureOf(own, "gini", 3), figureOf(own, "lift", 2), figureOf(own, "top_capture", 1, percent), figureOf(own, "capture_20", 1, percent), figureOf(own, "rank_correlation", 3)]);
  const figure = ([key, title]) => {
    const some = all.filter(([, own]) => own.intervals?.[key]);
    if (!some.length) return null;
    const option = () => ({
      ...base(), grid: { left: 90, right: 20, top: 10, bottom: 24 }, xAxis: { type: "value", scale: true, splitLine: { lineStyle: { color: css("--faint") } }, axisLabel: { color: css("--soft") } },
      yAxis: { type: "category", data: some.map(([name]) => name), inverse: true, axisTick: { show: false }, axisLine: { show: false }, axisLabel: { color: css("--ink"), width: 82, overflow: "truncate" } },
      tooltip: tooltip(({ dataIndex }) => tip(some[dataIndex][0], number(some[dataIndex][1][key], 3), some[dataIndex][1].intervals[key].map((end) => number(end, 3)).join(" – "))),
      series: [
        { type: "custom", encode: { x: [1, 2], y: 0 }, data: some.map(([, own], at) => [at, ...own.intervals[key]]), renderItem: (_, api) => { const [x0, y] = api.coord([api.value(1), api.value(0)]), [x1] = api.coord([api.value(2), api.value(0)]); return { type: "line", shape: { x1: x0, y1: y, x2: x1, y2: y }, style: { stroke: css("--accent"), lineWidth: 3 } }; } },
        { type: "scatter", symbolSize: 10, z: 5, data: some.map(([, own], at) => [own[key], at]), itemStyle: { color: css("--card"), borderColor: css("--accent"), borderWidth: 2.5 } },
      ],
    });
    return h("figure", {}, h("figcaption", {}, title), chart(40 + 34 * some.length, option, title));
  };
  const differences = (D.backtest.differences ?? []).filter((one) => one.measure === "gini");
  return section("backtest", t("backTitle"), t("backLead", { at: dayOf(D.backtest.at), days: D.backtest.horizon_days }), h("div", {}, backtestWords()), h("div", { class: "grid-2" }, [["gini", t("gini")], ["lift", t("lift")]].map(figure)),
    table(t("backCaption"), [[t("tiering"), "text"], [t("gini")], [t("lift")], [t("topCapture")], [t("topFifth")], [t("rankCorr")]], rows),
    differences.length ? [h("h3", {}, t("backDiff")), table(`${t("backDiff")} · ${t("gini")}`, [["A", "text"], ["B", "text"], [t("difference")], [t("interval")], [t("verdict"), "text"]], differences.map((one) => [one.a, one.b, number(one.difference, 3), `${number(one.low, 3)} – ${number(one.high, 3)}`, differenceWord(one)]))] : null);
};

const migrationSection = () => {
  const found = D.migration;
  if (!found?.customers?.length) return null;
  const label = (tier) => (typeof tier === "string" ? tier : named(tier));
  const from = found.tiers.from.map(label), to = found.tiers.to.map(label);
  const option = () => ({
    ...base(), tooltip: tooltip(({ data, name }) => (data.source ? tip(`${data.source.slice(2)} → ${data.target.slice(2)}`, t("tipCustomers", { n: integer(data.value) })) : tip(name.slice(2)))),
    series: [{
      type: "sankey", left: 8, right: Math.min(200, innerWidth / 3), top: 8, bottom: 8, draggable: false, layoutIterations: 0, emphasis: { focus: "adjacency" }, lineStyle: { color: "source", opacity: 0.35 }, label: { color: css("--ink"), formatter: ({ name }) => name.slice(2) },
      data: [...from.map((name, at) => ({ name: "a " + name, itemStyle: { color: tierColour(at, from.length) } })), ...to.map((name, at) => ({ name: "b " + name, itemStyle: { color: tierColour(at, to.length) } }))],
      links: found.customers.flatMap((row, a) => row.map((value, b) => ({ source: "a " + from[a], target: "b " + to[b], value }))).filter((link) => link.value),
    }],
  });
  return section("migration", t("migTitle"), t("migLead", { from: found.from, to: found.to }), chart(360, option, t("migTitle")), crossTable(t("migCaption"), t("tier"), to, from.map((name, at) => ({ name, counts: found.customers[at] }))));
};

const rowsSection = () => {
  const rows = D.rows, reasons = Object.entries(rows.rejected ?? {}), sum = reasons.reduce((all, [, n]) => all + n, rows.used);
  return section("rows", t("rowsTitle"), t("rowsLead"), table(t("rowsCaption"), [["", "text"], [t("rowsN")], [t("share")]],
    [[t("rowsUsedWord"), integer(rows.used), percent(rows.used / rows.read)], ...reasons.map(([reason, n]) => [[[reasonWords(reason), " ", h("code", {}, reason)], ""], integer(n), percent(n / rows.read, 2)])], { foot: [t("rowsRead"), integer(rows.read), ""] }),
    h("p", { class: "note" }, t(sum === rows.read ? "sumOk" : "sumBad")));
};

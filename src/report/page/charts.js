// Charts: drawn when they come into view, and again when colours, language or width change.

const SCALE = { light: ["#46338f", "#33659c", "#1f8a88", "#6f9f45", "#c79a1e"], dark: ["#9a8cf5", "#62a4e6", "#41bfae", "#a5cc6f", "#ecc65f"] };
const mix = (a, b, share) => "#" + [1, 3, 5].map((at) => Math.round(parseInt(a.slice(at, at + 2), 16) * (1 - share) + parseInt(b.slice(at, at + 2), 16) * share).toString(16).padStart(2, "0")).join("");
// The colour of a rank among so many: one scale, from best to worst, that also colour-blind people can order.
const tierColour = (index, of = D.tiers.tiers.length) => {
  const scale = SCALE[view.theme], place = of < 2 ? 0 : (index / (of - 1)) * (scale.length - 1);
  const low = Math.min(Math.floor(place), scale.length - 2);
  return mix(scale[low], scale[low + 1], place - low);
};
const luminance = (colour) => {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16) / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
// Black or white, whichever reads better on a colour: one of them always has a contrast of 4.5.
const inkOn = (colour) => (luminance(colour) > 0.179 ? "#000000" : "#ffffff");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const drawn = new Map();
// Said outright: without a layout ECharts would take "100%" for 100 pixels.
const sizeOf = (element) => ({ width: element.clientWidth, height: element.clientHeight });
const draw = (element) => {
  const entry = drawn.get(element);
  if (!entry || !element.clientWidth) return;
  entry.chart ??= echarts.init(element, null, { renderer: "svg", ...sizeOf(element) });
  entry.chart.resize(sizeOf(element));
  entry.chart.setOption(entry.option(), { notMerge: true });
};
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watcher.unobserve(entry.target);
    draw(entry.target);
  }
}, { rootMargin: "300px" });
const resized = new ResizeObserver((entries) => entries.forEach(({ target }) => { if (target.clientWidth) drawn.get(target)?.chart?.resize(sizeOf(target)); }));
// A picture for the eyes; whoever cannot see it has the table beside it.
const chart = (height, option, label) => {
  const element = h("div", { class: "chart", role: "img", "aria-label": label, style: { height: height + "px" } });
  drawn.set(element, { option });
  watcher.observe(element);
  resized.observe(element);
  return element;
};
const redraw = (element) => { if (drawn.get(element)?.chart) draw(element); };
const forget = () => {
  for (const [element, { chart }] of drawn) {
    watcher.unobserve(element);
    resized.unobserve(element);
    chart?.dispose();
  }
  drawn.clear();
};

const base = () => ({ animation: false, textStyle: { fontFamily: "inherit", color: css("--soft"), fontSize: 12 } });
const tooltip = (formatter, trigger = "item") => ({
  trigger, formatter, confine: true, backgroundColor: css("--card"), borderColor: css("--line"), padding: [6, 10], extraCssText: "box-shadow:none", textStyle: { color: css("--ink"), fontSize: 13 },
});
const tip = (title, ...lines) => h("div", { class: "tip" }, h("b", {}, title), lines.map((line) => h("div", {}, line)));

// Money and orders are shown by their logarithm, days as they are.
const place = (d, value) => (d === 0 ? value : Math.sign(value) * Math.log1p(Math.abs(value)));
// Whole numbers are drawn around their middle: a bar for 3 reaches from 2.5 to 3.5, and a cut at 2.87 lies between 2 and 3.
const wholeDays = D.tiers.tiers.every((tier) => !tier.recency_days || [tier.recency_days.min, tier.recency_days.max].every(Number.isInteger));
const whole = [wholeDays, true, false];
const spot = (d, value) => place(d, whole[d] ? Math.floor(value) + 0.5 : value);
// As a bound of whole numbers is read: up to 2.87 is up to 2.
const asRead = (d, value) => quantity(d, whole[d] ? Math.floor(value) : value);
const extent = (d) => {
  const edges = cells.edges[d], last = spot(d, edges.at(-1)), first = spot(d, edges[0]);
  const least = Math.min(edges[0], ...D.tiers.tiers.map((tier) => tier[DIMS[d]]?.min ?? Infinity));
  const low = whole[d] ? place(d, Math.floor(least) - 0.5) : place(d, least) - (last - first) / 80;
  return [low < first ? low : first - 1, last > low ? last : low + 1];
};
const startOf = (d, bin) => (bin ? spot(d, cells.edges[d][bin - 1]) : extent(d)[0]);
const ticks = (d, width) => {
  const [low, high] = extent(d), most = Math.max(3, Math.floor(width / 52));
  if (d === 0) {
    const step = [1, 2, 5, 7, 10, 15, 30, 60, 90, 180, 365, 730, 1825, 3650].find((one) => high / one <= most) ?? high;
    return Array.from({ length: Math.floor(high / step) + 1 }, (_, at) => at * step);
  }
  const inside = (value) => place(d, value) >= low && place(d, value) <= high;
  const all = [];
  for (let power = 0; power < 16; power++) for (const digit of [1, 2, 5]) all.push(digit * 10 ** power);
  const both = d === 2 ? [...all.map((value) => -value).reverse(), 0, ...all] : all;
  let found = both.filter(inside);
  while (found.length > most) found = found.filter((_, at) => at % 2 === (found.length - 1) % 2);
  return found;
};
const compact = (value) => new Intl.NumberFormat(locale(), { notation: Math.abs(value) >= 10000 ? "compact" : "standard", maximumFractionDigits: 1 }).format(value);
const axis = (d, width, vertical = false) => {
  const [min, max] = extent(d), at = ticks(d, width), values = at.map((value) => place(d, value));
  return {
    type: "value", min, max, splitLine: { show: false }, axisLine: { show: true, onZero: false, lineStyle: { color: css("--line") } },
    axisTick: { show: true, customValues: values, lineStyle: { color: css("--line") } },
    axisLabel: { color: css("--soft"), customValues: values, hideOverlap: true, formatter: (value) => compact(at[values.findIndex((own) => Math.abs(own - value) < 1e-6)] ?? 0) },
    name: vertical ? "" : "", axisPointer: { show: false },
  };
};

const rectangle = (api, x0, x1, y0, y1, style) => {
  const [left, bottom] = api.coord([x0, y0]), [right, top] = api.coord([x1, y1]);
  return { type: "rect", shape: { x: left, y: top, width: Math.max(right - left - 0.4, 0.6), height: Math.max(bottom - top, 0) }, style };
};

// Half of the longest label of an axis, as "-10K" or "−1,000", which else would lose its sign at the edge.
const HIST_SIDE = 20;
// Customers by bin, stacked by tier; the area is their number, since bins are not equally wide.
const histogram = (d) => () => {
  const density = [];
  let most = 0;
  byBin[d].forEach((bin, at) => {
    const from = startOf(d, at), to = spot(d, cells.edges[d][at]), width = Math.max(to - from, 1e-9);
    if (!bin.customers) return;
    most = Math.max(most, bin.customers / width);
    let below = 0;
    for (let tier = cells.tiers - 1; tier >= 0; tier--) {
      const n = bin.tiers[tier];
      if (n) density.push([from, to, below / width, (below + n) / width, tier, at]);
      below += n;
    }
  });
  return {
    ...base(), grid: { left: HIST_SIDE, right: HIST_SIDE, top: 26, bottom: 22 },
    xAxis: axis(d, 420), yAxis: { type: "value", show: false, min: 0, max: most * 1.02 },
    tooltip: tooltip(({ data }) => {
      const bin = byBin[d][data[5]], own = D.tiers.tiers[data[4]];
      return tip(rangeText(d, data[5], data[5]), t("tipCustomers", { n: integer(bin.customers) }), t("tipRevenue", { n: money(bin.revenue / cells.unit) }), `${named(own)}: ${integer(bin.tiers[data[4]])}`);
    }),
    series: [{
      type: "custom", data: density, clip: true, encode: { x: [0, 1], y: [2, 3] },
      renderItem: (_, api) => rectangle(api, api.value(0), api.value(1), api.value(2), api.value(3), { fill: tierColour(api.value(4)) }),
    }],
  };
};
// The bounds of the bins from one to another, as people write them.
const rangeText = (d, from, to) => {
  const edges = cells.edges[d], last = edges.length - 1;
  const upper = quantity(d, edges[to]);
  if (from === 0) return to === last ? t("all") : t("atMost", { v: upper });
  if (to === last) return t("above", { v: quantity(d, edges[from - 1]) });
  // Whole numbers are said by their first and last; nobody is between them.
  if (whole[d]) {
    const [a, b] = [Math.floor(edges[from - 1]) + 1, Math.floor(edges[to])];
    return a === b ? quantity(d, b) : t("between", { a: quantity(d, a), b: quantity(d, b) });
  }
  return t("between", { a: quantity(d, edges[from - 1]), b: upper });
};

const MAP_BINS = 34;
// Bins of the cells brought together to squares that the eye can tell apart.
const squares = (d) => {
  const [low, high] = extent(d), width = (high - low) / MAP_BINS, of = [], ends = [];
  let start = low;
  cells.edges[d].forEach((edge, bin) => {
    of.push(ends.length);
    const at = spot(d, edge);
    if (at - start >= width * 0.98 || bin === cells.edges[d].length - 1) {
      ends.push([start, at]);
      start = at;
    }
  });
  return { of, ends };
};
const mapGroups = (x, y) => {
  const columns = squares(x), rows = squares(y), found = new Map();
  for (let i = 0; i < cells.n; i++) {
    const column = columns.of[cells.bins[x][i]], row = rows.of[cells.bins[y][i]], key = column * 1000 + row;
    if (!found.has(key)) found.set(key, { column, row, customers: 0, revenue: 0, tiers: new Float64Array(cells.tiers) });
    const group = found.get(key);
    group.customers += cells.customers[i];
    group.revenue += cells.revenue[i];
    group.tiers[cells.tier[i]] += cells.customers[i];
  }
  return [...found.values()].map((group) => ({ ...group, x: columns.ends[group.column], y: rows.ends[group.row], tier: group.tiers.indexOf(Math.max(...group.tiers)) }));
};
const densityMap = (x, y) => {
  const groups = mapGroups(x, y), most = Math.max(...groups.map((group) => group.customers));
  return () => {
    const lines = [
      ...state.cuts[x].map((cut) => ({ xAxis: spot(x, cells.edges[x][cut]) })),
      ...state.cuts[y].map((cut) => ({ yAxis: spot(y, cells.edges[y][cut]) })),
    ];
    const centres = D.tiers.tiers.map((tier, at) => ({ tier, at })).filter(({ tier }) => Number.isFinite(tier.centroid?.[DIMS[x]]) && Number.isFinite(tier.centroid?.[DIMS[y]]));
    return {
      ...base(), grid: { left: 46, right: 20, top: 10, bottom: 24 }, xAxis: axis(x, 260), yAxis: axis(y, 400, true),
      tooltip: tooltip(({ data, seriesType, dataIndex }) => (seriesType === "custom"
        ? tip(t("tipCustomers", { n: integer(groups[dataIndex].customers) }), t("tipRevenue", { n: money(groups[dataIndex].revenue / cells.unit) }), t("tipMostly", { tier: named(D.tiers.tiers[groups[dataIndex].tier]) }))
        : data.tier ? tip(named(data.tier), `${dimension(x)} ${quantity(x, data.tier.centroid[DIMS[x]])}`, `${dimension(y)} ${quantity(y, data.tier.centroid[DIMS[y]])}`) : null)),
      series: [
        {
          type: "custom", clip: true, encode: { x: [0, 1], y: [2, 3] },
          data: groups.map((group) => [...group.x, ...group.y, group.tier, 0.16 + 0.84 * (Math.log1p(group.customers) / Math.log1p(most))]),
          renderItem: (_, api) => rectangle(api, api.value(0), api.value(1), api.value(2), api.value(3), { fill: tierColour(api.value(4)), opacity: api.value(5) }),
        },
        {
          type: "scatter", symbolSize: 19, z: 5,
          data: centres.map(({ tier, at }) => ({ value: [place(x, tier.centroid[DIMS[x]]), place(y, tier.centroid[DIMS[y]])], tier, itemStyle: { color: css("--card"), borderColor: tierColour(at), borderWidth: 3 } })),
          label: { show: true, formatter: ({ data }) => String(data.tier.rank), color: css("--ink"), fontSize: 11, fontWeight: 600 },
          markLine: { silent: true, symbol: "none", label: { show: false }, lineStyle: { color: css("--ink"), type: "dashed", width: 1, opacity: 0.75 }, data: lines },
        },
      ],
    };
  };
};

// Curves of shares against shares.
const shareLines = (lines) => () => ({
  ...base(), grid: { left: 48, right: 28, top: 12, bottom: 42 },
  xAxis: { type: "value", min: 0, max: 1, name: t("lorenzX"), nameLocation: "middle", nameGap: 26, nameTextStyle: { color: css("--soft") }, axisLabel: { color: css("--soft"), formatter: (v) => percent(v, 0) }, splitLine: { lineStyle: { color: css("--faint") } }, axisLine: { show: true, lineStyle: { color: css("--line") } } },
  yAxis: { type: "value", min: Math.min(0, ...lines.flatMap((line) => line.points.map((p) => p[1]))), max: 1, axisLabel: { color: css("--soft"), formatter: (v) => percent(v, 0) }, splitLine: { lineStyle: { color: css("--faint") } } },
  tooltip: tooltip(({ seriesName, value }) => tip(seriesName, `${t("customers")} ${percent(value[0])}`, `${t("revenue")} ${percent(value[1])}`)),
  series: lines.map((line) => ({ type: "line", name: line.name, data: line.points, showSymbol: line.symbol ?? false, symbolSize: 6, symbol: "circle", lineStyle: { width: line.width ?? 2, type: line.dash ?? "solid", color: line.colour() }, itemStyle: { color: line.colour() }, emphasis: { disabled: true } })),
});

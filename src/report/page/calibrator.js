// The calibrator: cut points under the hand, and what they make of the customers.

// Segments up to this number are all listed; of more, those with customers.
const FEW = 27;
// Outlives the calibrator, which is made anew in another language.
let format = "toml";
const calibrator = () => {
  const live = document.getElementById("live");
  let result = recount(state.cuts), saying;
  const say = (text) => { live.textContent = text; };
  const largest = () => result.segments.reduce((most, one) => (one.customers > most.customers ? one : most));
  const announce = () => {
    clearTimeout(saying);
    saying = setTimeout(() => say(t("recounted", { segments: integer(result.segments.filter((one) => one.customers).length), name: named(largest()), customers: integer(largest().customers) })), 350);
  };

  // Undo, redo, sets, link.
  const button = (id, text, onclick, kind = "") => h("button", { type: "button", id, class: kind || null, onclick }, text);
  const select = (id, label, value, options, onchange) => {
    const box = h("select", { id, onchange: (event) => onchange(event.target.value) }, options.map(([key, text]) => h("option", { value: key }, text)));
    box.value = value;
    return h("label", { for: id }, label, box);
  };
  const options = () => sets.map((set) => [set.id, set.label()]);
  const undo = button("undo", t("undo"), () => { if (step(true)) say(t("undone")); });
  const redo = button("redo", t("redo"), () => { if (step(false)) say(t("redone")); });
  const reset = button("reset", t("reset"), () => { takeSet(state.from); say(t("wasReset", { set: setOf(state.from).label() })); });
  const copy = async (text, from) => {
    try {
      await navigator.clipboard.writeText(text);
      say(t("copied"));
    } catch {
      from?.select?.();
      say(from && document.execCommand?.("copy") ? t("copied") : t("copyFailed"));
    }
  };
  const link = button("link", t("copyLink"), () => { remember(); copy(location.href); });
  const fromBox = select("from", t("startFrom"), state.from, options(), takeSet);
  const againstBox = select("against", t("compareWith"), state.against, options(), (id) => { state.against = id; remember(); tell("move"); });
  const tools = h("div", { class: "tools", role: "group", "aria-label": t("calTitle") }, fromBox, againstBox, h("span", { class: "gap" }), undo, redo, reset, link);

  // Moves cut `at` of dimension `d` to an edge, between its neighbours.
  const placeCut = (cuts, d, at, edge) => {
    const own = cuts[d], low = at ? own[at - 1] + 1 : 0, high = at + 1 < own.length ? own[at + 1] - 1 : cells.edges[d].length - 2;
    own[at] = Math.max(low, Math.min(Math.max(high, low), edge));
    return cuts;
  };
  const atMost = (d, cut) => byBin[d].slice(0, cut + 1).reduce((sum, bin) => sum + bin.customers, 0);

  const panels = DIMS.map((name, d) => {
    const handles = h("div", { class: "handles" }), inputs = h("div", { class: "inputs" }), bands = h("div", { id: "bands-" + KEYS[d] }), snapped = h("p", { class: "note", hidden: true });
    const picture = chart(176, histogram(d), t("histAlt", { dimension: dimension(d) }));
    const plot = h("div", { class: "plot", id: "plot-" + KEYS[d] }, picture, handles);
    const [low, high] = extent(d);
    const alongOf = (cut) => (spot(d, cells.edges[d][cut]) - low) / (high - low);
    const sit = (handle, cut) => {
      handle.style.left = `calc(${HIST_SIDE}px + (100% - ${2 * HIST_SIDE}px) * ${alongOf(cut)})`;
      const value = quantity(d, cells.edges[d][cut]);
      handle.firstChild.textContent = value;
      handle.setAttribute("aria-valuenow", cells.edges[d][cut]);
      handle.setAttribute("aria-valuetext", t("cutValue", { value, customers: integer(atMost(d, cut)) }));
    };
    const edgeAt = (x) => {
      const box = plot.getBoundingClientRect(), share = (x - box.left - HIST_SIDE) / (box.width - 2 * HIST_SIDE), at = low + share * (high - low);
      let best = 0;
      cells.edges[d].forEach((edge, index) => { if (Math.abs(spot(d, edge) - at) < Math.abs(spot(d, cells.edges[d][best]) - at)) best = index; });
      return best;
    };
    // A drag counts once for each picture of the screen, and is one thing to undo.
    const drag = (at) => (event) => {
      if (event.button) return;
      event.preventDefault();
      const handle = event.currentTarget, before = copyOf(state.cuts);
      let frame = 0;
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      handle.classList.add("drag");
      const move = (moved) => {
        const cuts = placeCut(copyOf(state.cuts), d, at, edgeAt(moved.clientX));
        if (cuts[d][at] === state.cuts[d][at]) return;
        state.cuts = cuts;
        frame ||= requestAnimationFrame(() => { frame = 0; tell("drag"); });
      };
      const end = () => {
        handle.classList.remove("drag");
        handle.removeEventListener("pointermove", move);
        const after = state.cuts;
        if (after[d][at] === before[d][at]) return;
        cancelAnimationFrame(frame);
        frame = 0;
        state.cuts = before;
        change(after, "move");
      };
      handle.addEventListener("pointermove", move);
      handle.addEventListener("lostpointercapture", end, { once: true });
    };
    const keys = (at) => (event) => {
      const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 5, PageDown: -5, Home: -1e6, End: 1e6 }[event.key];
      if (event.key === "Delete" && state.cuts[d].length > 1) return void removeCut(at);
      if (!steps) return;
      event.preventDefault();
      const cuts = placeCut(copyOf(state.cuts), d, at, state.cuts[d][at] + steps);
      if (cuts[d][at] !== state.cuts[d][at]) change(cuts, "move");
    };
    const type = (at) => (event) => {
      const typed = event.target.value.trim().replace(/\s|'|(?<=\d),(?=\d{3}(\D|$))/g, ""), value = Number(typed);
      if (!typed || !Number.isFinite(value)) return void update();
      const cuts = placeCut(copyOf(state.cuts), d, at, nearestEdge(d, value));
      const found = cells.edges[d][cuts[d][at]];
      if (cuts[d][at] !== state.cuts[d][at]) change(cuts, "move"); else update();
      const words = found === value ? "" : t("snapped", { typed: number(value, 8, 0), value: quantity(d, found) });
      snapped.textContent = words;
      snapped.hidden = !words;
      if (words) { clearTimeout(saying); say(words); }
    };
    const removeCut = (at) => {
      const cuts = copyOf(state.cuts);
      cuts[d].splice(at, 1);
      change(cuts);
      inputs.querySelector(".add")?.focus();
    };
    // A new cut halves the band that holds the most customers.
    const addCut = () => {
      const own = [-1, ...state.cuts[d], cells.edges[d].length - 1];
      let best = null;
      for (let band = 0; band + 1 < own.length; band++) {
        const customers = result.bands[d][band].customers;
        if (own[band + 1] - own[band] > 1 && (!best || customers > best.customers)) best = { from: own[band] + 1, to: own[band + 1] - 1, customers };
      }
      if (!best) return;
      let half = best.from, sum = 0;
      while (half < best.to && (sum += byBin[d][half].customers) < best.customers / 2) half++;
      const cuts = copyOf(state.cuts);
      cuts[d] = [...cuts[d], half].sort((a, b) => a - b);
      change(cuts);
      handles.children[cuts[d].indexOf(half)]?.focus();
    };
    const shape = () => {
      handles.replaceChildren(...state.cuts[d].map((cut, at) => {
        const handle = h("div", {
          class: "cut", role: "slider", tabindex: "0", "data-cut": at, "aria-orientation": "horizontal", "aria-label": t("cutLabel", { dimension: dimension(d), n: at + 1 }),
          "aria-valuemin": cells.edges[d][0], "aria-valuemax": cells.edges[d].at(-1), onpointerdown: drag(at), onkeydown: keys(at),
        }, h("span"));
        sit(handle, cut);
        return handle;
      }));
      inputs.replaceChildren(
        ...state.cuts[d].map((cut, at) => h("span", { class: "one" },
          h("input", { type: "text", inputmode: "decimal", autocomplete: "off", "aria-label": t("cutInput", { dimension: dimension(d), n: at + 1 }), onchange: type(at) }),
          state.cuts[d].length > 1 ? h("button", { type: "button", "aria-label": t("removeCut", { n: at + 1, dimension: dimension(d) }), onclick: () => removeCut(at) }, "×") : null)),
        ...(state.cuts[d].length < MOST_CUTS && state.cuts[d].length < cells.edges[d].length - 1 ? [h("button", { type: "button", class: "add", onclick: addCut }, t("addCut"))] : []));
    };
    const update = () => {
      [...handles.children].forEach((handle, at) => sit(handle, state.cuts[d][at]));
      [...inputs.querySelectorAll("input")].forEach((input, at) => { input.value = String(+cells.edges[d][state.cuts[d][at]].toPrecision(8)); });
      const old = published.bands[d], own = state.cuts[d];
      const rows = result.bands[d].map((band, at) => {
        const text = rangeText(d, at ? own[at - 1] + 1 : 0, at < own.length ? own[at] : cells.edges[d].length - 1);
        const was = old.length === result.bands[d].length ? old[at].customers : undefined;
        return [text, integer(d === 0 ? own.length + 1 - at : at + 1), integer(band.customers), percent(band.customers / total.customers), money(band.revenue / cells.unit), revenueShare(band.revenue), difference(band.customers, was)];
      });
      bands.replaceChildren(table(t("bands", { dimension: dimension(d) }), [[t("band"), "text"], [t("score")], [t("customers")], [t("share")], [t("revenue")], [t("share")], [t("delta")]], rows));
    };
    const heading = h("h3", { id: "dim-" + KEYS[d] }, dimension(d), h("span", { class: "code" }, t(["daysWord", "ordersWord", "amountWord"][d])));
    return { shape, update, element: h("div", { class: "dimension", role: "group", "aria-labelledby": "dim-" + KEYS[d] }, h("div", {}, heading, plot, inputs, snapped), bands) };
  });

  // Segments and cross tables.
  let published = recount(setOf(state.against).cuts), publishedId = state.against;
  const out = h("div", { id: "outcome" });
  const headings = [t("segments"), t("crossTiers"), t("crossRules", { name: D.rules?.name })].map((text) => h("h3", {}, text));
  const [listOf, tiersOf, rulesOf] = [lasting(), lasting(), lasting()];
  const outcome = () => {
    const same = published.counts.every((count, d) => count === result.counts[d]);
    const old = new Map(published.segments.map((segment) => [segment.code, segment]));
    const some = result.segments.filter((segment) => segment.customers || result.segments.length <= FEW);
    const was = ({ code }) => (same ? old.get(code) : undefined);
    const columns = [[t("segment"), "text"], [t("code"), "text"], [t("customers")], [t("share")], [t("revenue")], [t("share")], [`${t("delta")} ${t("customers")}`], [`${t("delta")} ${t("revenue")}`]];
    const row = (segment) => {
      const revenue = segment.revenue / cells.unit, before = was(segment);
      return [named(segment), [segment.code, "mono"], integer(segment.customers), percent(segment.customers / total.customers), money(revenue), revenueShare(segment.revenue), difference(segment.customers, before?.customers), difference(Math.round(revenue), before && Math.round(before.revenue / cells.unit))];
    };
    const caption = t("segmentsCaption", { set: setOf(state.against).label() }), foot = [t("total"), "", integer(total.customers), "", money(total.revenue / cells.unit), "", "", ""];
    const list = listOf(caption, () => table(caption, columns, [], { foot }), some, (segment) => [segment.code, segment.name, segment.customers, segment.revenue, was(segment)?.customers, was(segment)?.revenue].join(), (segment) => tableRow(columns, row(segment)));
    list.id = "segments";
    list.classList.toggle("tall", some.length > FEW);
    const filled = some.filter((segment) => segment.customers);
    const cross = (of, id, caption_, columns_, counts) => {
      const element = of(columns_.length, () => crossTable(caption_, t("segment"), columns_, []), filled, (segment) => `${segment.code} ${segment.name} ${counts(segment).join()}`, (segment) => crossRow({ name: named(segment), counts: counts(segment) }));
      element.id = id;
      element.classList.toggle("tall", filled.length > FEW);
      return element;
    };
    const parts = [headings[0], list, headings[1], cross(tiersOf, "cross-tiers", t("crossTiersCaption"), tiers.map((_, index) => tierName(index)), (segment) => segment.tiers)];
    if (D.rules) {
      const names = [...D.rules.segments.map(named), t("noSegment")], unmatched = filled.some((segment) => segment.rules[names.length - 1]), shown = unmatched ? names.length : names.length - 1;
      parts.push(headings[2], cross(rulesOf, "cross-rules", t("crossRulesCaption"), names.slice(0, shown), (segment) => segment.rules.subarray(0, shown)));
    }
    if (parts.some((part, at) => out.children[at] !== part)) out.replaceChildren(...parts);
  };

  // Export.
  const text = h("textarea", { id: "export-text", readonly: true, spellcheck: "false", "aria-label": t("exportText") });
  const exported = () => EXPORTS[format][1](result);
  const formats_ = h("div", { class: "switch", role: "group", "aria-label": t("format") }, Object.keys(EXPORTS).map((key) => h("button", { type: "button", "data-format": key, "aria-pressed": String(key === format), onclick: () => {
    format = key;
    formats_.querySelectorAll("button").forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.format === key)));
    text.value = exported();
  } }, key.toUpperCase())));
  const download = button("download", t("download"), () => {
    const [name, , type] = EXPORTS[format];
    const url = URL.createObjectURL(new Blob([exported()], { type }));
    h("a", { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  }, "main");
  const copyText = button("copy", t("copy"), () => copy(exported(), text));
  const exportBox = h("div", { class: "export" }, h("h3", {}, t("exportTitle")), h("p", { class: "note" }, rich(t("exportLead"))), h("div", { class: "tools" }, formats_, download, copyText), text);

  let redrawing;
  const refresh = (kind) => {
    const start = performance.now();
    result = recount(state.cuts);
    if (publishedId !== state.against) {
      published = recount(setOf(state.against).cuts);
      publishedId = state.against;
    }
    if (kind === "shape") panels.forEach((panel) => panel.shape());
    panels.forEach((panel) => panel.update());
    outcome();
    undo.disabled = !past.length;
    redo.disabled = !future.length;
    fromBox.querySelector("select").value = state.from;
    document.documentElement.dataset.recount = (performance.now() - start).toFixed(1);
    // Maps and the text follow when the hand rests; what is taken away is made when it is asked for.
    clearTimeout(redrawing);
    redrawing = setTimeout(() => {
      text.value = exported();
      maps.forEach(redraw);
    }, kind === "drag" ? 200 : 20);
    if (kind !== "quiet") announce();
  };
  listeners.length = 0;
  onChange(refresh);
  const element = section("calibrate", t("calTitle"), t("calLead"), tools, legend(), panels.map((panel) => panel.element),
    h("p", { class: "note" }, t("histNote"), " ", t("resolution", { r: integer(cells.edges[0].length - 1), f: integer(cells.edges[1].length - 1), m: integer(cells.edges[2].length - 1) })), out, exportBox);
  panels.forEach((panel) => panel.shape());
  refresh("quiet");
  return element;
};

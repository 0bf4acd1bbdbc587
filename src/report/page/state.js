// Where the cuts are, how they got there, and the fragment that remembers it.

// Named sets of cut points: those of the run, of thresholds.json, and the means.
const sets = (() => {
  const found = [];
  const add = (id, label, cuts) => {
    const places = DIMS.map((name, d) => [...new Set((cuts[name] ?? []).map((cut) => nearestEdge(d, cut)))].sort((a, b) => a - b));
    if (places.some((own) => own.length) && places.every((own) => own.length < 9)) found.push({ id, label, cuts: places });
  };
  for (const set of D.sets) add(set.id, () => t("set_" + set.id, { name: set.name }), set.cuts);
  const dimensions = D.thresholds?.dimensions ?? {};
  const entries = (d, scheme) => { const all = dimensions[DIMS[d]]?.[scheme]; return Array.isArray(all) ? all.filter((one) => one.cut_points?.length) : []; };
  const schemes = new Map();
  for (const scheme of new Set(DIMS.flatMap((name) => Object.keys(dimensions[name] ?? {})))) {
    for (const { bands } of DIMS.flatMap((_, d) => entries(d, scheme))) schemes.set(`${scheme}-${bands}`, { scheme, bands });
  }
  // The mean of the thresholds is that of the page; one of the two is enough.
  if (!schemes.has("mean-2")) add("mean", () => t("set_mean"), Object.fromEntries(DIMS.map((name, d) => [name, [D.means[d]]])));
  for (const [id, one] of schemes) {
    // The rules in force are a set of their own already.
    if (one.scheme === "rules" && found.some((set) => set.id === "rules")) continue;
    // What a dimension lacks is taken from the nearest number of bands, the fewer of two; where it has none at all, it stays whole.
    const nearest = DIMS.map((_, d) => entries(d, one.scheme).sort((a, b) => Math.abs(a.bands - one.bands) - Math.abs(b.bands - one.bands) || a.bands - b.bands)[0]);
    const label = () => {
      const set = t("set_scheme", { bands: one.bands, scheme: schemeName(one.scheme) });
      const lacking = nearest.map((entry, d) => (entry?.bands === one.bands ? null : entry ? t("lackTaken", { dimension: dimension(d), bands: entry.bands }) : t("lackUncut", { dimension: dimension(d) }))).filter(Boolean);
      return lacking.length ? t("set_lacking", { set, what: lacking.join(view.lang === "zh" ? "；" : "; ") }) : set;
    };
    add(id, label, Object.fromEntries(DIMS.map((name, d) => [name, nearest[d]?.cut_points ?? []])));
  }
  return found;
})();
// Links of before named the page's own mean.
const setOf = (id) => sets.find((set) => set.id === id) ?? (id === "mean" ? sets.find((set) => set.id === "mean-2") : undefined);
// What is published comes first, then the mean. Scores of five bands make 125 segments: no place to begin.
const firstSet = sets.find((set) => set.id === "rules" || set.id === "breaks") ?? setOf("mean") ?? sets.find((set) => set.id !== "scores") ?? sets[0];

const MOST_CUTS = 4;
const copyOf = (cuts) => cuts.map((own) => [...own]);
const state = { cuts: copyOf(firstSet.cuts), from: firstSet.id, against: firstSet.id };
const past = [], future = [];
const listeners = [];
const onChange = (listener) => listeners.push(listener);
const tell = (kind) => listeners.forEach((listener) => listener(kind));

// A change that can be undone. `kind` says what has to be drawn again: "move" of a cut, or another "shape".
const change = (cuts, kind = "shape") => {
  past.push({ cuts: copyOf(state.cuts), from: state.from });
  future.length = 0;
  state.cuts = copyOf(cuts);
  remember();
  tell(kind);
};
const step = (back) => {
  const [from, to] = back ? [past, future] : [future, past];
  if (!from.length) return false;
  to.push({ cuts: copyOf(state.cuts), from: state.from });
  Object.assign(state, from.pop());
  remember();
  tell("shape");
  return true;
};
const takeSet = (id) => {
  const set = setOf(id);
  if (!set || (state.from === id && JSON.stringify(state.cuts) === JSON.stringify(set.cuts))) return;
  past.push({ cuts: copyOf(state.cuts), from: state.from });
  future.length = 0;
  state.from = id;
  state.cuts = copyOf(set.cuts);
  remember();
  tell("shape");
};

const KEYS = ["r", "f", "m"];
const fragment = () => {
  const parts = new URLSearchParams();
  KEYS.forEach((key, d) => parts.set(key, state.cuts[d].map((cut) => cells.edges[d][cut]).join(",")));
  parts.set("from", state.from);
  parts.set("against", state.against);
  parts.set("lang", view.lang);
  parts.set("theme", view.theme);
  return "#" + parts.toString().replace(/%2C/g, ",");
};
let remembered = "";
const remember = () => {
  remembered = fragment();
  try {
    history.replaceState(null, "", remembered);
  } catch {
    location.hash = remembered;
  }
};
const recall = () => {
  const parts = new URLSearchParams(location.hash.slice(1));
  const lang = parts.get("lang") ?? (navigator.languages ?? [navigator.language]).find((own) => /^(en|zh)/.test(own ?? ""))?.slice(0, 2);
  view.lang = lang === "zh" ? "zh" : "en";
  const theme = parts.get("theme") ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  view.theme = theme === "dark" ? "dark" : "light";
  const from = setOf(parts.get("from"));
  if (from) Object.assign(state, { from: from.id, cuts: copyOf(from.cuts) });
  state.against = setOf(parts.get("against"))?.id ?? state.against;
  KEYS.forEach((key, d) => {
    const text = parts.get(key);
    if (text === null) return;
    const values = text.split(",").filter(Boolean).map(Number).filter(Number.isFinite);
    const places = [...new Set(values.map((value) => nearestEdge(d, value)))].sort((a, b) => a - b).slice(0, 8);
    if (places.length || text === "") state.cuts[d] = places;
  });
};

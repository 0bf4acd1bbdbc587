// The cells: unpacked once, counted again whenever a cut point moves.

const cells = (() => {
  const source = D.cells;
  const edges = DIMS.map((name) => source.edges[name]);
  const bytes = Uint8Array.from(atob(source.packed), (c) => c.charCodeAt(0));
  const n = source.cells;
  const bins = [new Uint16Array(n), new Uint16Array(n), new Uint16Array(n)];
  const tier = new Uint16Array(n), segment = new Uint16Array(n), customers = new Float64Array(n), revenue = new Float64Array(n);
  const unit = 10 ** source.decimals;
  let at = 0, key = 0;
  const varint = () => {
    let value = 0, scale = 1, byte;
    do {
      byte = bytes[at++];
      value += (byte & 127) * scale;
      scale *= 128;
    } while (byte & 128);
    return value;
  };
  for (let i = 0; i < n; i++) {
    key += varint();
    customers[i] = varint();
    const zigzag = varint();
    // Whole units: sums of them are exact below 2^53.
    revenue[i] = zigzag % 2 ? -(zigzag + 1) / 2 : zigzag / 2;
    let rest = key;
    segment[i] = rest % (source.segments + 1); rest = Math.floor(rest / (source.segments + 1));
    tier[i] = rest % source.tiers; rest = Math.floor(rest / source.tiers);
    bins[2][i] = rest % edges[2].length; rest = Math.floor(rest / edges[2].length);
    bins[1][i] = rest % edges[1].length;
    bins[0][i] = Math.floor(rest / edges[1].length);
  }
  return { n, edges, bins, tier, segment, customers, revenue, unit, tiers: source.tiers, segments: source.segments };
})();

const total = { customers: cells.customers.reduce((a, b) => a + b, 0), revenue: cells.revenue.reduce((a, b) => a + b, 0) };

// Customers and revenue by bin and tier of a dimension.
const byBin = DIMS.map((_, d) => {
  const found = cells.edges[d].map(() => ({ customers: 0, revenue: 0, tiers: new Float64Array(cells.tiers) }));
  for (let i = 0; i < cells.n; i++) {
    const bin = found[cells.bins[d][i]];
    bin.customers += cells.customers[i];
    bin.revenue += cells.revenue[i];
    bin.tiers[cells.tier[i]] += cells.customers[i];
  }
  return found;
});

// The place of the edge that is nearest to a value; where two are, the lower.
const nearestEdge = (d, value) => {
  const edges = cells.edges[d];
  let best = 0;
  for (let i = 1; i < edges.length; i++) if (Math.abs(edges[i] - value) < Math.abs(edges[best] - value)) best = i;
  return best;
};

// The band of every bin, from 0: the number of cuts below it. Cuts are places of edges.
const bandOfBins = (d, cuts) => {
  const bands = new Uint8Array(cells.edges[d].length);
  for (let bin = 0; bin < bands.length; bin++) bands[bin] = cuts.filter((cut) => cut < bin).length;
  return bands;
};

// Everything that depends on the cuts. Segments are in the order of their scores, the best first; the eight in that of their map,
// which asks for the amount first.
const recount = (cuts) => {
  const counts = cuts.map((own) => own.length + 1);
  const bandOf = cuts.map((own, d) => bandOfBins(d, own));
  const bands = counts.map((count) => Array.from({ length: count }, () => ({ customers: 0, revenue: 0 })));
  const segments = Array.from({ length: counts[0] * counts[1] * counts[2] }, () => ({
    customers: 0, revenue: 0, tiers: new Float64Array(cells.tiers), rules: new Float64Array(cells.segments + 1),
  }));
  const [r, f, m] = cells.bins;
  const [ofR, ofF, ofM] = bandOf;
  for (let i = 0; i < cells.n; i++) {
    const own = segments[(ofR[r[i]] * counts[1] + ofF[f[i]]) * counts[2] + ofM[m[i]]];
    const customers = cells.customers[i];
    own.customers += customers;
    own.revenue += cells.revenue[i];
    own.tiers[cells.tier[i]] += customers;
    own.rules[cells.segment[i]] += customers;
  }
  const eight = counts.every((count) => count === 2);
  segments.forEach((segment, at) => {
    const m_ = at % counts[2], f_ = Math.floor(at / counts[2]) % counts[1], r_ = Math.floor(at / counts[2] / counts[1]);
    // The fewest days are the best score.
    segment.scores = [counts[0] - r_, f_ + 1, m_ + 1];
    segment.bands = [r_, f_, m_];
    segment.bands.forEach((band, d) => {
      bands[d][band].customers += segment.customers;
      bands[d][band].revenue += segment.revenue;
    });
    const code = segment.scores.map((score) => score - 1).join("");
    segment.code = eight ? code : `R${segment.scores[0]}F${segment.scores[1]}M${segment.scores[2]}`;
    [segment.name, segment.name_zh] = eight ? EIGHT[code] : [segment.code, segment.code];
  });
  const order = eight ? [2, 0, 1] : [0, 1, 2];
  segments.sort((a, b) => order.reduce((found, d) => found || b.scores[d] - a.scores[d], 0));
  return { counts, bands, segments, eight };
};

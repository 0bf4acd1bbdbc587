// The cut points as a rule file, as JSON, as SQL.

const RULE_DIMS = ["recency", "frequency", "monetary"];
const tomlText = (text) => JSON.stringify(text).replace(/\u007f/g, "\\u007F");
// TOML tells floats from integers: both are cut points to tiermill.
const plain = (value) => String(value);
const cutValues = (d) => state.cuts[d].map((cut) => cells.edges[d][cut]);

const exportToml = (result) => {
  const lines = [
    `# Cut points set on the report page of run ${D.run_id}; upper bounds, inclusive. Score 1 is the worst.`,
    `name = "calibrated"`, `name-zh = "校准"`,
    `description = ${tomlText(`Set on the report page of run ${D.run_id}, as of ${D.tiers.as_of}.`)}`,
    `fitted-as-of = ${tomlText(D.tiers.as_of)}`, "",
  ];
  RULE_DIMS.forEach((name, d) => {
    if (state.cuts[d].length) lines.push(`[scores.${name}]`, `method = "fixed"`, `cuts = [${cutValues(d).map(plain).join(", ")}]`, "");
  });
  for (const segment of result.segments) {
    lines.push(`[[segments]] # ${integerText(segment.customers)} customers`, `name = ${tomlText(segment.name)}`, `name-zh = ${tomlText(segment.name_zh)}`);
    ["r", "f", "m"].forEach((key, d) => {
      if (state.cuts[d].length) lines.push(`${key} = ${segment.scores[d]}`);
    });
    // Without any cut there is one segment, of all.
    if (state.cuts.every((own) => !own.length)) lines.push("otherwise = true");
    lines.push("");
  }
  return lines.join("\n");
};
const integerText = (value) => String(value);

const exportJson = (result) => JSON.stringify({
  name: "calibrated", run_id: D.run_id, as_of: D.tiers.as_of,
  cut_points: Object.fromEntries(DIMS.map((name, d) => [name, cutValues(d)])),
  cut_points_are: "upper bounds, inclusive",
  customers: total.customers, revenue: total.revenue / cells.unit,
  segments: result.segments.map((segment) => ({
    code: segment.code, name: segment.name, name_zh: segment.name_zh,
    scores: Object.fromEntries(["r", "f", "m"].map((key, d) => [key, segment.scores[d]])),
    customers: segment.customers, revenue: segment.revenue / cells.unit,
  })),
}, null, 2) + "\n";

const exportSql = (result) => {
  const bound = (d, band) => {
    const cuts = cutValues(d), name = DIMS[d], parts = [];
    if (band > 0) parts.push(`${name} > ${plain(cuts[band - 1])}`);
    if (band < cuts.length) parts.push(`${name} <= ${plain(cuts[band])}`);
    return parts;
  };
  const lines = [`-- Cut points set on the report page of run ${D.run_id}. Works on assignments.parquet, and on any table of these three columns.`, "CASE"];
  for (const segment of result.segments) {
    const when = segment.bands.flatMap((band, d) => bound(d, band)).join(" AND ") || "1 = 1";
    lines.push(`  WHEN ${when} THEN '${segment.name.replace(/'/g, "''")}'`);
  }
  lines.push("END AS segment", "");
  return lines.join("\n");
};
const EXPORTS = { toml: ["rules.toml", exportToml, "application/toml"], json: ["rules.json", exportJson, "application/json"], sql: ["rules.sql", exportSql, "application/sql"] };

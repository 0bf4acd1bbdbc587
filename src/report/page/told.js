// What the run says in English sentences: in Chinese it is said again from the same facts, and what has none stays as it is, marked
// as English.

// Why a row was not used: short words for each code.
const REASONS = {
  filtered: ["`where` does not hold", "不满足 `where` 条件"], duplicate: ["exact copy of another row", "与另一行完全重复"],
  null_customer: ["no customer", "无客户"], empty_customer: ["empty customer", "客户为空字符串"],
  null_time: ["no time", "无时间"], bad_time: ["not an ISO time, or before 1900", "时间不是 ISO 格式，或早于 1900 年"],
  bad_amount: ["amount null, NaN or infinite", "金额为空、NaN 或无穷"], null_order: ["no order id", "无订单号"],
  after_as_of: ["at or after as-of", "在截止时刻或其后"], before_window: ["before the window", "早于时间窗口"],
  refund_dropped: ["negative amount, dropped", "负金额，按设定丢弃"], refund_rejected: ["negative amount, rejected", "负金额，按设定剔除"],
  no_order: ["refunds only, no order", "客户只有退款，没有订单"], bad_recency: ["days since the last order are no number from 0", "距最近一单的天数无效"],
  bad_frequency: ["number of orders is not whole, or below 1", "订单数不是整数，或小于 1"], bad_tenure: ["days since the first order fewer than since the last", "距首单的天数无效，或少于距最近一单的天数"],
};
const WARNINGS = {
  amounts_rounded: "部分金额的小数位过多，已四舍五入", constant_feature: "某一特征对所有客户都相同", customers_without_label: "部分客户没有标签",
  dominant_band: "某一分段占了大多数客户", dominant_tier: "某一层占了大多数客户", empty_scores: "部分评分没有客户", few_bands: "不同取值太少，分段数少于所求",
  low_fidelity: "规则对层级的还原度偏低", map_has_gaps: "规则有空缺：部分情形无客群", map_overlaps: "规则有重叠：部分情形属于多个客群", map_unreachable: "规则中有无法到达的客群",
  name_and_path: "名称同时是路径", net_not_positive: "部分客户的净额不大于 0", no_font: "图片缺少部分文字的字体", no_mixture: "部分层数找不到高斯混合，未参与比较", no_k_passes: "没有一个层数通过全部检验", no_order: "部分客户只有退款，没有订单", no_segment: "部分客户不属于任何客群",
  no_structure: "数据中没有明显的分群结构", not_converged: "聚类未收敛", null_customers: "部分行没有客户", only_in_one: "部分客户只出现在一方", other_as_of: "两方的截止日期不同",
  rules_from_the_future: "规则的断点取自回测时点之后的数据，比较偏向该规则", small_tiers: "部分层级的客户过少", thin_band: "部分分段的客户过少", tier_without_rule: "部分层级没有对应的规则", unlisted_event: "部分事件没有权重，按 0 计", unreadable_history: "部分历史批次无法读取", without_orders: "部分客户没有订单",
};
const reasonWords = (code) => rich(REASONS[code]?.[view.lang === "zh" ? 1 : 0] ?? code);
const english = (text) => (view.lang === "zh" ? h("span", { lang: "en" }, text) : text);
const warningItem = ({ code, message }) => h("li", {}, view.lang === "zh" && WARNINGS[code] ? h("strong", {}, WARNINGS[code]) : null, h("code", {}, code), h(view.lang === "zh" ? "div" : "span", { lang: "en" }, rich(message)));

// The sentence on the number of tiers, clause by clause.
const K_CLAUSES = [
  [/^k = (\d+) was set$/, "k = $1 由配置指定"], [/^the model has k = (\d+)$/, "模型的层数为 k = $1"],
  [/^k = (\d+) has the highest silhouette \(([\d.−-]+)\) of k = (\d+\.\.\d+)$/, "在 k = $3 中，k = $1 的轮廓系数最高（$2）"],
  [/^k = (\d+) has the highest silhouette \(([\d.−-]+)\) of k = (\d+\.\.\d+) that pass the guards$/, "在 k = $3 通过检验的各值中，k = $1 的轮廓系数最高（$2）"],
  [/^k = (\d+) has the highest silhouette \(([\d.−-]+)\) of k = (\d+\.\.\d+) and, like all of them, fails a guard$/, "在 k = $3 中，k = $1 的轮廓系数最高（$2），但与其余各值一样未通过检验"],
  [/^not k = ([\d, ]+): too small a tier \(`min-share` ([^)]+)\)$/, "排除 k = $1：有一层过小（`min-share` $2）"],
  [/^not k = ([\d, ]+): other customers would give other tiers \(stability under ([\d.]+)\)$/, "排除 k = $1：换一批客户会得到不同的层级（稳定性低于 $2）"],
  [/^inertia has its elbow there too$/, "惯量的拐点也在此处"], [/^inertia has its elbow at k = (\d+)$/, "惯量的拐点在 k = $1"], [/^inertia has no elbow$/, "惯量没有拐点"],
  [/^there are only (\d+) distinct points$/, "只有 $1 个不同的点"],
  [/^natural breaks cut the features into bands: (.+)$/, "自然断点将各特征切分：$1"], [/^(\d+) of the (\d+) tiers have customers$/, "$2 层中有 $1 层有客户"],
];
const kReason = () => {
  const said = D.tiers.k_reason;
  if (!said || view.lang !== "zh") return rich(said ?? "");
  const clauses = said.split("; ").map((clause) => {
    const [pattern, words] = K_CLAUSES.find(([own]) => own.test(clause)) ?? [];
    return pattern && clause.replace(pattern, words).replace(/(\d+) of (`\w+`)/g, "$2 $1 段");
  });
  if (clauses.every(Boolean)) return rich(clauses.join("；") + "。");
  return [`已选 k = ${tiers.length}：`, english(said)];
};

const listed = (all) => all.join(view.lang === "zh" ? "、" : ", ");
// A difference between two tierings, in a word.
const differenceWord = (one) => {
  if (view.lang !== "zh") return one.verdict;
  if (one.better) return `${one.better} 更优`;
  return Number.isFinite(one.difference) && Number.isFinite(one.low) ? "无法区分" : "无法判定";
};
// The answer of a backtest: the words of the run, or the same from its figures.
const backtestWords = () => {
  const { verdict, tierings, differences = [] } = D.backtest, said = verdict?.words ?? [];
  if (view.lang !== "zh") return said.map((words) => h("p", {}, words));
  const best = tierings[verdict?.best];
  if (!best) return said.length ? [h("p", {}, "无法判定：该期间客户没有带来收入。")] : [];
  const own = verdict.best, others = Object.entries(tierings).filter(([name]) => name !== own && name !== "random");
  const ours = (measure) => differences.filter((one) => one.measure === measure && [one.a, one.b].includes(own));
  const less = (figure) => (Number.isFinite(figure) ? -figure : figure);
  // From the side of the best, whichever of the two was named first.
  const from = (one) => (one.a === own ? { ...one, other: one.b } : { ...one, other: one.a, difference: less(one.difference), low: less(one.high), high: less(one.low) });
  const kinds = [["优于", (one) => one.better === own], ["无法区分：", (one) => !one.better], ["劣于", (one) => one.better && one.better !== own]];
  const gini = ours("gini"), groups = kinds.map(([word, of]) => [word, gini.filter(of).map(from)]);
  const parts = groups.filter(([, all]) => all.length).map(([word, all]) => `${word} ${listed(all.map((one) => `${one.other} ${number(one.difference, 3)}（${number(one.low, 3)} 至 ${number(one.high, 3)}）`))}`);
  const [beaten, even] = groups.map(([, all]) => all.length);
  const place = !parts.length ? "" : !beaten ? "排在首位，但不优于任何一种" : even ? "排在首位" : "最佳";
  const lines = [`${own} ${place}（其后收入的基尼系数 ${number(best.gini, 3)}）${parts.length ? "：" + parts.join("；") : ""}。`];
  const but = [["capture_20", "前五分之一客户带来的收入"], ["rank_correlation", "秩相关"]].map(([measure, words]) => {
    const winners = ours(measure).filter((one) => one.better && one.better !== own).map((one) => one.better);
    return winners.length ? `${listed(winners)} 的${words}更优` : null;
  });
  const fewer = others.filter(([, one]) => one.tiers.length < best.tiers.length).map(([name, one]) => `${name} ${one.tiers.length} 层`);
  if (fewer.length) but.push(`层数越多，说明越细：${own} ${best.tiers.length} 层，${listed(fewer)}`);
  const against = but.filter(Boolean);
  if (against.length) lines.push(`但：${against.join("；")}。`);
  const gains = (verdict.gains ?? []).map((gain) => `比 ${gain.over} ${gain.revenue < 0 ? "少" : "多"} ${integer(Math.abs(gain.revenue))}`);
  if (Number.isFinite(best.capture_20)) lines.push(`其前五分之一客户带来收入的 ${percent(best.capture_20)}${gains.length ? "：" + listed(gains) : ""}。`);
  const top = [[own, best], ...others].map(([name, one]) => one.tiers[0] && `${name} 的“${named(one.tiers[0])}”：${integer(one.tiers[0].customers)} 位客户，${percent(one.tiers[0].repeat_rate)} 再次购买，人均 ${number(one.tiers[0].revenue_per_customer, 2)}`);
  if (top.every(Boolean)) lines.push(`各自的最优层：${top.join("；")}。`);
  return lines.map((words) => h("p", {}, words));
};

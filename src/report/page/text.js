// Words and numbers in both languages.

const D = JSON.parse(document.getElementById("data").textContent);
const DIMS = ["recency_days", "frequency", "monetary"];
const view = { lang: "en", theme: "light" };

const TEXT = {
  en: {
    title: "Customer tiers", asOf: "as of {day}", run: "run {id}", skip: "Skip to content", language: "Language", theme: "Colours", light: "Light", dark: "Dark",
    contents: "Contents", licences: "Licences", colophon: "Made by tiermill {version}. One file, nothing is loaded from a network. It holds counts of customers and no customer.",
    nav_overview: "Verdict", nav_tiers: "Tiers", nav_changes: "Changes", nav_map: "Where they lie", nav_calibrate: "Calibrate", nav_grid: "Scores", nav_lorenz: "Concentration", nav_k: "How many", nav_cross: "Against the rules", nav_backtest: "Backtest", nav_migration: "Movement", nav_rows: "Rows",
    verdictOk: "{customers} customers in {k} tiers. Every row is accounted for.", verdictLook: "{customers} customers in {k} tiers. Please look: {why}.",
    whyRows: "rows read are not rows used plus rows rejected", whyDrift: "drift says {verdict}", whyWarnings: "{n} warnings", whyWarning: "1 warning", whyRejected: "{share} of the rows are faulty",
    topTier: "The best tier holds {customers} of the customers and {revenue} of the revenue.", topTierPlain: "The best tier holds {customers} of the customers. The total revenue is not above 0, so shares of it say nothing.",
    customers: "Customers", revenue: "Revenue", tiersN: "Tiers", rowsUsed: "Rows used", ofRead: "of {n} read", rejected: "Rejected", warnings: "Warnings", noWarnings: "none", perCustomer: "per customer", share: "Share",
    tiersTitle: "Tiers", tiersLead: "Ranked by what their customers are worth, best first. Recency, orders and amount are medians; a code says which of the three is better than the mean of all customers (1) and which is not (0).",
    tier: "Tier", rank: "#", code: "Code", recency: "Recency", orders: "Orders", amount: "Amount", amountMean: "Amount per order", days: "{n} days", daysWord: "days", ordersWord: "orders", amountWord: "amount",
    tierShares: "Shares of the tiers in customers and revenue", tiersCaption: "All tiers with their customers, revenue and medians", total: "Total",
    cardShare: "{customers} of customers, {revenue} of revenue", profile: "Typically {parts}.", profileAmount: "{amount} in all", profileMean: "{amount} an order", profileLast: "the last one {days} ago", profileLastOrder: "the last order {days} ago", profileAlike: "In recency, orders and amount like the other tiers.", playAlike: "The tiers do not differ in recency, orders or amount: look at the features that they were made of.", oneOrder: "one order", nOrders: "{n} orders", today: "less than a day", oneDay: "a day", nDays: "{n} days", playbook: "What to do", empty: "Nobody is in this tier tonight.",
    changesTitle: "What changed", changesLead: "Against the run of {day} ({id}). {how}", changesModel: "Both placed customers by one model: tiers are matched by their key.", changesRank: "Each run found its tiers anew, so they stand side by side by rank, and their borders may have moved.", changesCount: "There were {then} tiers then and there are {now} now, so that only the totals can be compared.", before: "Before", now: "Now", change: "Change", newTier: "new", goneTier: "gone", driftTitle: "Drift", driftVerdict: "Verdict: {verdict}", changesCaption: "Tiers now and in the run before", driftCaption: "Shift of each feature since the model was fitted",
    mapTitle: "Where they lie", mapLead: "Each square is a group of customers, in the colour of the tier that most of them are in; the fuller, the more customers. Rings are the centres of the tiers. Lines are the cut points of the calibrator below, and follow it.",
    mapAlt: "{x} against {y}: density of customers by tier, with centres and cut points", centres: "Centres of the tiers",
    calTitle: "Calibrate", calLead: "Move a cut point, or type it, and everything counts again: bands, segments, and both cross tables. A cut point is the upper bound of a band, inclusive. Take the result away as a rule file, as JSON or as SQL.",
    startFrom: "Start from", compareWith: "Compare with", undo: "Undo", redo: "Redo", reset: "Reset", copyLink: "Copy link", copied: "Copied", copyFailed: "Could not copy: take it from the address bar or the text field",
    histAlt: "Customers by {dimension}, stacked by tier", histNote: "The area of a bar is its customers.", cutLabel: "{dimension}, cut {n}", cutValue: "{value}: {customers} customers at or below", cutInput: "{dimension}: value of cut {n}", addCut: "Add a cut", removeCut: "Remove cut {n} of {dimension}",
    bands: "Bands of {dimension}", band: "Band", atMost: "≤ {v}", above: "> {v}", between: "{a} – {b}", all: "all", score: "Score",
    segments: "Segments", segment: "Segment", segmentsCaption: "Segments of these cut points, and what differs from “{set}”", delta: "Δ", crossTiers: "Against the tiers", crossRules: "Against the rules in force: {name}", crossTiersCaption: "Customers of each segment (rows) by tier (columns)", crossRulesCaption: "Customers of each segment (rows) by segment of the rules in force (columns)", noSegment: "no segment", notThere: "not in it",
    resolution: "Resolution: a cut point can lie at {r} days, {f} numbers of orders and {m} amounts, all published cut points among them. At these the counts are exact, since cells are counted and not estimated; between them a cut point snaps to the nearest.",
    exportTitle: "Take it away", exportLead: "The rule file goes into `tiermill compare`, `run --rules` and `backtest --against` as it is, and gives the counts shown here.", download: "Download", copy: "Copy", format: "Format", exportText: "Exported text",
    snapped: "{typed} snapped to {value}", recounted: "{segments} segments with customers; the largest is {name} with {customers}", undone: "Undone", redone: "Redone", wasReset: "Reset to “{set}”",
    set_rules: "rules in force: {name}", set_breaks: "bands of the tiers", set_scores: "scores of the run", set_mean: "mean of all customers", set_scheme: "{scheme}, {bands} bands", set_lacking: "{set} ({what})", lackTaken: "{dimension}: {bands} bands", lackUncut: "{dimension}: no cut",
    "scheme_natural-breaks": "natural breaks", "scheme_natural-breaks-log": "natural breaks of logarithms", scheme_quantile: "quantiles", scheme_mean: "mean", scheme_median: "median", "scheme_top-percent": "best fifth", scheme_rules: "rules in force", scheme_kmeans: "between the tiers ({method})", method_kmeans: "k-means", method_gmm: "Gaussian mixture", method_breaks: "natural breaks",
    nav_thresholds: "Schemes", thresholdsTitle: "Cut points by scheme", thresholdsLead: "Where each scheme cuts, with its 90 % interval in brackets. The calibrator can start from any of them. GVF is the share of the variance that lies between the bands.", thresholdsWhole: " Days and orders are whole: a cut point between two of them is read as the lower.", thresholdsWholeOrders: " Orders are whole: a cut point between two of them is read as the lower.", schemesOf: "Schemes for {dimension}", scheme: "Scheme", bandsN: "Bands", cutPoints: "Cut points", gvf: "GVF",
    gridTitle: "Scores", gridLead: "Customers by recency and frequency score, as the run gave them; the darker, the more. The best are top right. Below each number is the revenue per customer.", gridCaption: "Customers by recency score (columns, the best right) and frequency score (rows, the best on top)", rScore: "R {n}", fScore: "F {n}",
    lorenzTitle: "Concentration", lorenzLead: "Share of the revenue that a share of the customers brings, the smallest first. The closer tiers come to the curve of the customers, the more they tell; on the diagonal they tell nothing.", lorenzLeadMean: "Share of the revenue that a share of the customers brings, those of the poorest tiers first. On the diagonal they tell nothing.", lorenzEach: "each customer", lorenzEven: "all alike", lorenzX: "share of customers", lorenzY: "share of revenue", lorenzCaption: "How unequal, by Gini coefficient (0 all alike)", gini: "Gini", topFifth: "Best 20 % of customers bring", lorenzOf: "Tiering",
    kTitle: "How many tiers", k: "k", inertia: "Inertia", silhouette: "Silhouette", simplified: "Simplified", calinski: "Caliński-Harabasz", davies: "Davies-Bouldin", smallest: "Smallest", stability: "Stability", kCaption: "Quality of each number of tiers that was tried; the chosen one is marked", chosen: "chosen", inertiaRel: "inertia, share of the largest",
    crossTitle: "Tiers against the rules", crossLead: "The rules in force ({name}) in rows, the tiers in columns. Adjusted Rand {ari}: 1 is the same, 0 is as by chance.", crossLeadPlain: "The rules in force ({name}) in rows, the tiers in columns.", crossCaption: "Customers by segment of the rules and by tier",
    backTitle: "Backtest", backLead: "Tiers as they would have been on {at}, judged by the {days} days after. Bars are 90 % intervals.", tiering: "Tiering", lift: "Lift", topCapture: "Best tier brings", rankCorr: "Rank correlation", backCaption: "How each tiering foretold", difference: "Difference", verdict: "Verdict", measure: "Measure", interval: "90 % interval", backDiff: "Differences between tierings",
    migTitle: "Movement", migLead: "Where the customers of each tier of {from} are in {to}.", migCaption: "Customers by tier before (rows) and now (columns)",
    rowsTitle: "Rows", rowsLead: "Each row of the input was used, or rejected for one reason.", rowsRead: "Read", rowsUsedWord: "Used", reason: "Reason", rowsN: "Rows", rowsCaption: "Where every row of the input went", sumOk: "The parts add up.", sumBad: "The parts do not add up.",
    tipCustomers: "{n} customers", tipRevenue: "revenue {n}", tipMostly: "mostly {tier}", none: "—",
  },
  zh: {
    title: "客户分层", asOf: "截至 {day}", run: "批次 {id}", skip: "跳到正文", language: "语言", theme: "配色", light: "浅色", dark: "深色",
    contents: "目录", licences: "许可证", colophon: "由 tiermill {version} 生成。单个文件，不访问网络；只含客户计数，不含任何客户。",
    nav_overview: "结论", nav_tiers: "层级", nav_changes: "变化", nav_map: "分布", nav_calibrate: "校准", nav_grid: "评分", nav_lorenz: "集中度", nav_k: "层数", nav_cross: "对照规则", nav_backtest: "回测", nav_migration: "流动", nav_rows: "数据行",
    verdictOk: "{customers} 位客户分为 {k} 层，每一行数据都有着落。", verdictLook: "{customers} 位客户分为 {k} 层。请查看：{why}。",
    whyRows: "读取行数不等于使用与剔除之和", whyDrift: "漂移判定为 {verdict}", whyWarnings: "{n} 条警告", whyWarning: "1 条警告", whyRejected: "{share} 的行有问题",
    topTier: "最优层占客户的 {customers}，占收入的 {revenue}。", topTierPlain: "最优层占客户的 {customers}。总收入不大于 0，收入占比没有意义。",
    customers: "客户数", revenue: "收入", tiersN: "层数", rowsUsed: "使用行数", ofRead: "共读取 {n} 行", rejected: "剔除", warnings: "警告", noWarnings: "无", perCustomer: "人均", share: "占比",
    tiersTitle: "层级", tiersLead: "按客户价值排序，最优在前。最近购买、订单数与金额均为中位数；代码表示三者各自是否优于全体均值（1 优于，0 不优于）。",
    tier: "层级", rank: "#", code: "代码", recency: "最近购买", orders: "订单数", amount: "金额", amountMean: "单均金额", days: "{n} 天", daysWord: "天", ordersWord: "单", amountWord: "金额",
    tierShares: "各层客户与收入占比", tiersCaption: "各层的客户、收入与中位数", total: "合计",
    cardShare: "占客户 {customers}，占收入 {revenue}", profile: "典型客户：{parts}。", profileAmount: "共 {amount}", profileMean: "每单 {amount}", profileLast: "最近一单在 {days}前", profileLastOrder: "最近一单在 {days}前", profileAlike: "最近购买、订单数与金额均与其他各层相同。", playAlike: "各层在最近购买、订单数与金额上没有差别：请查看分层所用的特征。", oneOrder: "1 单", nOrders: "{n} 单", today: "不到一天", oneDay: "1 天", nDays: "{n} 天", playbook: "运营建议", empty: "今晚本层没有客户。",
    changesTitle: "变化", changesLead: "与 {day} 的批次（{id}）相比。{how}", changesModel: "两次使用同一模型，按层级键对应。", changesRank: "两次各自重新分层，按名次对应，边界可能已移动。", changesCount: "当时有 {then} 层，现在有 {now} 层，因此只比较合计。", before: "之前", now: "现在", change: "变化", newTier: "新增", goneTier: "消失", driftTitle: "漂移", driftVerdict: "判定：{verdict}", changesCaption: "本次与上次批次的层级", driftCaption: "自模型拟合以来各特征的偏移",
    mapTitle: "分布", mapLead: "每个方块是一群客户，颜色为其中多数所在的层级，越实人数越多。圆环为各层中心。线为下方校准器的切点，随之移动。",
    mapAlt: "{x}对{y}：按层级着色的客户密度，含中心与切点", centres: "各层中心",
    calTitle: "校准", calLead: "拖动或输入切点，分段、客群与两张交叉表随即重新计数。切点是该段的上界（含）。结果可导出为规则文件、JSON 或 SQL。",
    startFrom: "起点", compareWith: "对比", undo: "撤销", redo: "重做", reset: "重置", copyLink: "复制链接", copied: "已复制", copyFailed: "无法复制：请从地址栏或文本框中取用",
    histAlt: "按{dimension}的客户分布，按层级堆叠", histNote: "柱的面积表示客户数。", cutLabel: "{dimension}，切点 {n}", cutValue: "{value}：{customers} 位客户不超过此值", cutInput: "{dimension}：切点 {n} 的值", addCut: "添加切点", removeCut: "删除{dimension}的切点 {n}",
    bands: "{dimension}的分段", band: "分段", atMost: "≤ {v}", above: "> {v}", between: "{a} – {b}", all: "全部", score: "评分",
    segments: "客群", segment: "客群", segmentsCaption: "这些切点形成的客群，以及与“{set}”的差异", delta: "Δ", crossTiers: "对照层级", crossRules: "对照现行规则：{name}", crossTiersCaption: "各客群（行）按层级（列）的客户数", crossRulesCaption: "各客群（行）按现行规则客群（列）的客户数", noSegment: "无客群", notThere: "不存在",
    resolution: "分辨率：切点可取 {r} 个天数、{f} 个订单数与 {m} 个金额，所有已发布的切点都在其中。在这些位置计数精确（逐一计数而非估计）；其间的切点取最近者。",
    exportTitle: "导出", exportLead: "规则文件可原样用于 `tiermill compare`、`run --rules` 与 `backtest --against`，得到与此处相同的计数。", download: "下载", copy: "复制", format: "格式", exportText: "导出的文本",
    snapped: "{typed} 取最近的 {value}", recounted: "{segments} 个客群有客户；最大的是 {name}，{customers} 人", undone: "已撤销", redone: "已重做", wasReset: "已重置为“{set}”",
    set_rules: "现行规则：{name}", set_breaks: "层级的分段", set_scores: "本次评分", set_mean: "全体均值", set_scheme: "{scheme}，{bands} 段", set_lacking: "{set}（{what}）", lackTaken: "{dimension}：{bands} 段", lackUncut: "{dimension}：不切分",
    "scheme_natural-breaks": "自然断点", "scheme_natural-breaks-log": "自然断点（对数）", scheme_quantile: "分位数", scheme_mean: "均值", scheme_median: "中位数", "scheme_top-percent": "最优五分之一", scheme_rules: "现行规则", scheme_kmeans: "层级之间（{method}）", method_kmeans: "k-means", method_gmm: "高斯混合", method_breaks: "自然断点",
    nav_thresholds: "方案", thresholdsTitle: "各方案的切点", thresholdsLead: "各方案的切点，括号内为 90 % 区间；校准器可从任一方案开始。GVF 为段间方差占比。", thresholdsWhole: "天数与订单数为整数：介于两者之间的切点读作较小者。", thresholdsWholeOrders: "订单数为整数：介于两者之间的切点读作较小者。", schemesOf: "{dimension}的各方案", scheme: "方案", bandsN: "段数", cutPoints: "切点", gvf: "GVF",
    gridTitle: "评分", gridLead: "按最近购买与频次评分的客户数，以本次运行为准；颜色越深人数越多，右上最优。数字下方为人均收入。", gridCaption: "按最近购买评分（列，右优）与频次评分（行，上优）的客户数", rScore: "R {n}", fScore: "F {n}",
    lorenzTitle: "集中度", lorenzLead: "从小到大累计的客户占比所带来的收入占比。层级曲线越接近客户曲线，区分力越强；落在对角线上则毫无区分力。", lorenzLeadMean: "从低到高累计的客户占比所带来的收入占比。落在对角线上则毫无区分力。", lorenzEach: "逐个客户", lorenzEven: "完全均等", lorenzX: "客户占比", lorenzY: "收入占比", lorenzCaption: "不均等程度，以基尼系数衡量（0 为完全均等）", gini: "基尼系数", topFifth: "前 20 % 客户带来", lorenzOf: "分层方式",
    kTitle: "层数的选择", k: "k", inertia: "惯量", silhouette: "轮廓系数", simplified: "简化轮廓", calinski: "Caliński-Harabasz", davies: "Davies-Bouldin", smallest: "最小层", stability: "稳定性", kCaption: "各候选层数的质量，已选者有标记", chosen: "已选", inertiaRel: "惯量（相对最大值）",
    crossTitle: "层级对照规则", crossLead: "行为现行规则（{name}），列为层级。调整兰德指数 {ari}：1 为相同，0 为随机。", crossLeadPlain: "行为现行规则（{name}），列为层级。", crossCaption: "按规则客群与层级的客户数",
    backTitle: "回测", backLead: "以 {at} 当日本会得到的层级，由其后 {days} 天检验。横线为 90 % 区间。", tiering: "分层方式", lift: "提升", topCapture: "最优层带来", rankCorr: "秩相关", backCaption: "各分层方式的预测力", difference: "差异", verdict: "判定", measure: "指标", interval: "90 % 区间", backDiff: "分层方式之间的差异",
    migTitle: "流动", migLead: "{from} 各层客户在 {to} 的去向。", migCaption: "按之前层级（行）与现在层级（列）的客户数",
    rowsTitle: "数据行", rowsLead: "输入的每一行或被使用，或因唯一原因被剔除。", rowsRead: "读取", rowsUsedWord: "使用", reason: "原因", rowsN: "行数", rowsCaption: "输入各行的去向", sumOk: "合计相符。", sumBad: "合计不符。",
    tipCustomers: "{n} 位客户", tipRevenue: "收入 {n}", tipMostly: "多为 {tier}", none: "—",
  },
};

// The eight segments of two bands each, by code of R, F, M (1 good): names, and what to do with such customers.
const EIGHT = {
  111: ["Key value", "重要价值客户", "Keep them close: early access, personal service, thanks. They need no discount; ask them for reviews and referrals.", "重点维系：优先体验、专属服务与致谢；无需打折，可邀请评价与转介绍。"],
  101: ["Key develop", "重要发展客户", "They spend much but seldom. Give a reason to come again soon: replenishment, bundles, membership.", "金额高但次数少：以补货提醒、组合装、会员权益促成更频繁的复购。"],
  "011": ["Key keep", "重要保持客户", "They were among the best and have gone quiet. Call or write in person, ask what changed, and offer something made for them.", "曾是优质客户，近期沉默：主动联系，了解原因，给出专属方案。"],
  "001": ["Key retain", "重要挽留客户", "Large orders, long ago. One strong win-back offer on what they bought; stop if they do not answer.", "曾有大额订单但久未购买：针对旧购商品给一次有力的召回，未响应则停止投入。"],
  110: ["General value", "一般价值客户", "Loyal with small baskets. Raise the basket: add-ons, thresholds for free delivery, the next category.", "忠诚但客单价低：以加购、满额包邮、跨品类推荐提升客单价。"],
  100: ["General develop", "一般发展客户", "New or light. Help with the first use, then bring the second order within its usual gap.", "新客或轻度客户：做好首次体验引导，在常见复购间隔内促成第二单。"],
  "010": ["General keep", "一般保持客户", "Regulars with small baskets who are slipping away. Remind cheaply and automatically.", "低客单老客正在流失：以低成本的自动触达提醒。"],
  "000": ["General retain", "一般挽留客户", "Few, small, long ago. Only what costs next to nothing: newsletter, seasonal mail; do not spend on them.", "次数少、金额低、久未购买：仅用几乎零成本的触达，不做专项投入。"],
};

// Where a dimension is the same for all: what the others say, low and high, each on its own.
const PLAYS = [
  [["Their last order lies further back than that of others: remind them at low cost.", "最近购买比其他客户久远：以低成本方式提醒。"], ["They bought more lately than others: keep in touch.", "最近购买比其他客户更近：保持联系。"]],
  [["They order less often than others: give a reason to come again.", "下单次数较少：给出再次购买的理由。"], ["They order more often than others: thank them, and make it worth their while.", "下单次数较多：致谢，并给予会员权益。"]],
  [["They bring less than others: raise the basket with add-ons, at low cost.", "金额较低：以加购提升客单价，控制投入。"], ["They bring more than others: serve them in person; they need no discount.", "金额较高：专属服务，无需打折。"]],
];

const t = (key, values = {}) => {
  const text = TEXT[view.lang][key] ?? TEXT.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
};
const locale = () => (view.lang === "zh" ? "zh-CN" : "en-US");
const formats = new Map();
const number = (value, digits = 0, least = digits) => {
  if (value === null || value === undefined || Number.isNaN(value)) return t("none");
  const key = `${locale()} ${digits} ${least}`;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(locale(), { maximumFractionDigits: digits, minimumFractionDigits: least, signDisplay: "negative" }));
  return formats.get(key).format(value);
};
const integer = (value) => number(value, 0);
const money = (value) => number(value, Math.abs(value) < 1000 && value % 1 !== 0 ? 2 : 0);
const percent = (share, digits = 1) => (share === null || share === undefined || !Number.isFinite(share) ? t("none") : number(share * 100, digits) + " %");
// Of a whole that is not above 0, no part is a share.
const shareOf = (part, whole, digits = 1) => (whole > 0 ? percent(part / whole, digits) : t("none"));
const revenueShare = (part) => shareOf(part, total.revenue);
// A value of a dimension: as short as it can be told from its neighbours.
const quantity = (d, value) => (d === 2 ? money(value) : number(value, value % 1 === 0 ? 0 : 2, 0));
const signed = (value) => (value > 0 ? "+" : value < 0 ? "−" : "±") + integer(Math.abs(value));
const dimension = (d) => t(["recency", "orders", D.monetary === "mean" ? "amountMean" : "amount"][d]);
// Schemes that look at the tiers are called after the method that made these.
const schemeName = (scheme) => t(`scheme_${scheme}`, { method: t(`method_${D.method ?? "kmeans"}`) });
// A backtest names its tiers in English only: those of this run and of the eight are known here, and what it calls the others.
const CHINESE = new Map([{ name: "(none)", name_zh: "无客群" }, ...Object.values(EIGHT).map(([name, name_zh]) => ({ name, name_zh })), ...(D.rules?.segments ?? []), ...D.tiers.tiers].filter((one) => one.name_zh && one.name_zh !== one.name).map((one) => [one.name, one.name_zh]));
const chinese = ({ name, name_zh }) => name_zh || CHINESE.get(name) || name?.replace(/^score (\d+)$/, "总分 $1");
const named = (thing) => (view.lang === "zh" && chinese(thing)) || thing.name;

// An element; children that are no elements become text, whatever they hold.
const h = (tag, attributes = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.entries(value).forEach(([key, to]) => element.style.setProperty(key, to));
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map((child) => (child instanceof Node ? child : String(child))));
  return element;
};
// A text of ours, in which `…` is code.
const rich = (text) => text.split("`").map((part, at) => (at % 2 ? h("code", {}, part) : part));
// A table: columns are [heading, class], cells are texts, nodes or [content, class].
const tableCell = (tag, content, column, scope) => {
  const [inner, kind] = Array.isArray(content) ? content : [content, ""];
  return h(tag, { class: [column[1], kind].filter(Boolean).join(" ") || null, scope }, inner);
};
const tableRow = (columns, row, heads = 0) => h("tr", {}, row.map((content, at) => tableCell(at === heads ? "th" : "td", content, columns[at] ?? [""], at === heads ? "row" : null)));
const table = (caption, columns, rows, { foot, wide } = {}) => {
  const line = (row) => tableRow(columns, row, wide);
  return h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    h("table", {}, h("caption", {}, caption), h("thead", {}, h("tr", {}, columns.map((column) => tableCell("th", column[0], column, "col")))), h("tbody", {}, rows.map(line)), foot ? h("tfoot", {}, line(foot)) : null));
};
// A table that stays where it is, and of which only rows that say something else are made again. `make` gives it without rows; it is
// called where `key` is another.
const lasting = () => {
  let element, made, rows = new Map();
  return (key, make, items, says, line) => {
    if (made !== key) [element, made, rows] = [make(), key, new Map()];
    const kept = new Map(items.map((item) => {
      const said = says(item);
      return [said, rows.get(said) ?? line(item)];
    }));
    const body = element.querySelector("tbody"), wanted = new Set(kept.values());
    [...body.children].forEach((own) => wanted.has(own) || own.remove());
    let at = body.firstChild;
    for (const own of wanted) {
      if (own === at) at = at.nextSibling; else body.insertBefore(own, at);
    }
    rows = kept;
    return element;
  };
};

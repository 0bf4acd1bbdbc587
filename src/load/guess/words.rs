//! The words that names of columns are made of, in English and Chinese.
//!
//! In: a name such as `CustomerID`, `custid` or `客户ID`. Out: what its words speak of, in their order.
//! Invariant: of two words that overlap the longer one holds, and a word means one thing. It knows nothing of values.

/// What a word in the name of a column speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Customer,
    Order,
    /// A product, a shop, a seller: what has an id but is neither customer nor order.
    Thing,
    Id,
    /// An address or number under which one reaches a person.
    Contact,
    Name,
    Date,
    Days,
    First,
    Last,
    /// That an order was made.
    Placed,
    Total,
    Paid,
    Price,
    Quantity,
    Count,
    /// What makes an amount of `discount`: `after discount`.
    After,
    /// What makes a time or an amount the wrong one: `updated`, `shipping`, `tax`.
    Against,
    Event,
    Type,
    Recency,
    Tenure,
    /// A figure already judged: a score, a segment.
    Score,
    Unit,
    Glue,
    Unknown,
}

/// A word, and how much it says among its like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) word: Word,
    pub(super) weight: i32,
}

/// The weight of the plain words for a total, which make a total even of a price: `total price`.
pub(super) const TOTAL: i32 = 60;

/// The dictionary.
const WORDS: &[(Word, i32, &str)] = &[
    (
        Word::Customer,
        62,
        "customer cust client buyer shopper consumer guest patron donor payer purchaser subscriber \
         客户 会员 买家 顾客 消费者",
    ),
    (
        Word::Customer,
        60,
        "user member player household uid openid unionid 用户",
    ),
    (
        Word::Customer,
        45,
        "account visitor contact master person patient device cookie profile card viewer reader \
         账号 帐号 账户 帐户 访客 卡号 设备 联系人 粉丝",
    ),
    (Word::Order, 60, "order invoice 订单 单号 发票 流水号"),
    (
        Word::Order,
        57,
        "transaction txn trans receipt bill booking reservation checkout sale trade 交易 小票 账单",
    ),
    (
        Word::Order,
        50,
        "session visit basket ticket cart 会话 访问 购物篮",
    ),
    (
        Word::Thing,
        0,
        "product item sku stock article line row category brand store shop merchant seller vendor \
         supplier staff employee campaign lineitem \
         商品 产品 货品 店铺 门店 商家 类目 品牌 卖家 物流 快递 运单 明细",
    ),
    (
        Word::Id,
        0,
        "id no number num nr key code uuid guid hash unique ref reference 编号 编码 号 号码 代码 标识",
    ),
    (
        Word::Contact,
        0,
        "email mail phone mobile tel telephone cellphone 手机号 手机 手机号码 电话 邮箱 微信号",
    ),
    (Word::Name, 0, "name nickname 姓名 名 名称 昵称"),
    (
        Word::Date,
        0,
        "date dat datetime time timestamp ts dt day at on when 日期 时间 时刻 日",
    ),
    (Word::Days, 0, "days 天数 天"),
    (Word::First, 0, "first earliest 首次 首单 第一次"),
    (
        Word::Last,
        0,
        "last latest recent 最近 最后 末次 上次 未购 未购买 未消费 未下单",
    ),
    (
        Word::Placed,
        20,
        "ordered purchase purchased placed bought booked transacted invoiced 下单 购买 成交 消费",
    ),
    (Word::Placed, 10, "created create occurred 创建"),
    (
        Word::Paid,
        70,
        "paid payment 实付 实付款 实收 实际支付 支付 付款",
    ),
    (
        Word::Total,
        64,
        "revenue sales spend spent spending gmv turnover monetary \
         销售额 成交额 交易额 消费额 营业额 收入",
    ),
    (
        Word::Total,
        TOTAL,
        "amount amt total sum money 金额 总额 总价 总计 合计",
    ),
    (Word::Total, 50, "subtotal gross value val charge 应付 小计"),
    (Word::Price, 40, "price 单价 价格 售价 价"),
    (Word::Price, 35, "msrp 原价 标价"),
    (
        Word::Quantity,
        0,
        "quantity qty units pieces pcs 数量 件数 个数",
    ),
    (
        Word::Count,
        0,
        "count orders purchases visits transactions invoices sessions frequency freq times \
         次数 频次 频率 订单数 订单量 订单数量 笔数 单数",
    ),
    (
        Word::After,
        0,
        "after before incl excl including excluding 后 含 不含 折后 优惠后",
    ),
    (
        Word::Against,
        0,
        "updated update modified deleted canceled cancelled shipped ship shipping delivery \
         delivered due expiry expires birth birthday dob registered registration register signup \
         joined end finished closed refund refunded return returned approved estimated loaded etl \
         ingested login discount tax vat fee freight cost profit margin balance tip points budget \
         limit rate percent pct ratio avg average mean min max median commission deposit \
         更新 修改 发货 收货 到货 生日 出生 注册 退款 取消 结束 截止 入会 完成 签收 登录 折扣 优惠 运费 \
         邮费 税 税额 成本 利润 余额 积分 立减 率 平均 客单价 佣金 抵扣 返现",
    ),
    (
        Word::Event,
        0,
        "event action activity behavior behaviour interaction 行为 事件 动作 操作",
    ),
    (Word::Type, 0, "type kind 类型 种类"),
    (Word::Recency, 0, "recency 距今"),
    (Word::Tenure, 0, "tenure"),
    (
        Word::Score,
        0,
        "score rank segment tier label level grade quintile decile cluster \
         得分 评分 等级 分组 标签",
    ),
    (
        Word::Unit,
        0,
        "usd eur gbp cny rmb jpy cents 元 分 美元 人民币",
    ),
    (
        Word::Glue,
        0,
        "a s of the by in for per since unit net grand my 总 的 最",
    ),
];

/// The words of a name, in their order.
pub(super) fn words(name: &str) -> Vec<Said> {
    tokens(name).iter().flat_map(|token| parts(token)).collect()
}

/// Cuts at everything but letters, before capitals and between scripts; in small letters.
fn tokens(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let at = |i: Option<usize>| i.and_then(|i| chars.get(i)).copied().unwrap_or(' ');
    let mut tokens = vec![String::new()];
    for (i, &c) in chars.iter().enumerate() {
        let (before, after) = (at(i.checked_sub(1)), at(i.checked_add(1)));
        let begins = c.is_uppercase() && (before.is_lowercase() || after.is_lowercase());
        if !c.is_alphabetic() || begins || c.is_ascii() != before.is_ascii() {
            tokens.push(String::new());
        }
        if let (true, Some(token)) = (c.is_alphabetic(), tokens.last_mut()) {
            token.extend(c.to_lowercase());
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

/// The words in a token: English has to fit whole, Chinese may have unknown words between.
fn parts(token: &str) -> Vec<Said> {
    let unknown = Said {
        word: Word::Unknown,
        weight: 0,
    };
    if token.is_ascii() {
        return compound(token).unwrap_or_else(|| vec![unknown]);
    }
    let mut said = Vec::new();
    let mut rest = token;
    while let Some(first) = rest.chars().next() {
        let ends = rest.char_indices().map(|(at, c)| at + c.len_utf8()).rev();
        let mut known = ends.filter_map(|end| Some((look_up(rest.get(..end)?)?, end)));
        let (word, end) = known.next().unwrap_or((unknown, first.len_utf8()));
        if word != unknown || said.last() != Some(&unknown) {
            said.push(word);
        }
        rest = rest.get(end..).unwrap_or_default();
    }
    said
}

/// `orderdate` as `order` and `date`, if all of it is known.
fn compound(token: &str) -> Option<Vec<Said>> {
    if let Some(said) = look_up(token) {
        return Some(vec![said]);
    }
    (2..token.len()).rev().find_map(|end| {
        let (head, tail) = token.split_at_checked(end)?;
        let mut said = vec![look_up(head)?];
        said.extend(compound(tail)?);
        Some(said)
    })
}

fn look_up(word: &str) -> Option<Said> {
    let find = |wanted: &str| {
        let has = |list: &str| list.split_whitespace().any(|known| known == wanted);
        let found = WORDS.iter().find(|(_, _, list)| has(list));
        found.map(|&(word, weight, _)| Said { word, weight })
    };
    let singular = || word.strip_suffix('s').filter(|stem| 2 < stem.len());
    find(word).or_else(|| find(singular()?))
}

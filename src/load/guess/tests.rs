//! Guesses about tables as they are found in the wild.
//!
//! In: profiles of real and of typical tables. Out: the keys that are set, and those that are offered.
//! Invariant: the figures of CDNOW and Online Retail are those of the files. It opens none of them.

use super::*;

fn column(name: &str, kind: Kind, dtype: &str, rows: u64, distinct: u64) -> ColumnProfile {
    ColumnProfile {
        name: name.to_owned(),
        kind,
        dtype: dtype.to_owned(),
        rows,
        nulls: 0,
        distinct,
        min: None,
        max: None,
        negative_share: 0.0,
        samples: Vec::new(),
        dates_share: 0.0,
    }
}

impl ColumnProfile {
    fn nulls(self, nulls: u64) -> Self {
        Self { nulls, ..self }
    }

    fn range(self, min: f64, max: f64) -> Self {
        let (min, max) = (Some(min), Some(max));
        Self { min, max, ..self }
    }

    fn negative(self, negative_share: f64) -> Self {
        Self {
            negative_share,
            ..self
        }
    }

    fn samples(self, samples: &[&str]) -> Self {
        let samples = samples.iter().map(|&text| text.to_owned()).collect();
        Self { samples, ..self }
    }

    fn iso(self) -> Self {
        Self {
            dates_share: 1.0,
            ..self
        }
    }
}

fn text(name: &str, rows: u64, distinct: u64) -> ColumnProfile {
    column(name, Kind::Text, "str", rows, distinct)
}

fn float(name: &str, rows: u64, distinct: u64) -> ColumnProfile {
    column(name, Kind::Float, "f64", rows, distinct)
}

fn int(name: &str, rows: u64, distinct: u64) -> ColumnProfile {
    column(name, Kind::Integer, "i64", rows, distinct)
}

fn time(name: &str, rows: u64, distinct: u64) -> ColumnProfile {
    column(name, Kind::Datetime, "datetime[μs]", rows, distinct)
}

pub(in crate::load) fn cdnow() -> Vec<ColumnProfile> {
    let rows = 69_659;
    vec![
        text("customer_id", rows, 23_570).samples(&["00001", "00002"]),
        column("date", Kind::Date, "date", rows, 546).samples(&["1997-01-01", "1997-01-12"]),
        column("units", Kind::Integer, "i32", rows, 45).range(1.0, 99.0),
        float("amount", rows, 8_209).range(0.0, 1286.01),
    ]
}

pub(in crate::load) fn online_retail() -> Vec<ColumnProfile> {
    let rows = 541_909;
    let invoices = ["536365", "536366", "C536379", "536367", "C536383", "536368"];
    vec![
        text("invoice_no", rows, 25_900).samples(&invoices),
        text("stock_code", rows, 4_070).samples(&["85123A", "71053"]),
        text("description", rows, 4_211).nulls(1_454),
        column("quantity", Kind::Integer, "i32", rows, 722)
            .range(-80_995.0, 80_995.0)
            .negative(0.019_605),
        time("invoice_date", rows, 23_260).samples(&["2010-12-01 08:26:00"]),
        float("unit_price", rows, 1_630)
            .range(-11_062.06, 38_970.0)
            .negative(0.000_004),
        text("customer_id", rows, 4_372)
            .nulls(135_080)
            .samples(&["17850", "13047"]),
        text("country", rows, 38).samples(&["United Kingdom", "France"]),
    ]
}

pub(in crate::load) fn chinese() -> Vec<ColumnProfile> {
    let rows = 100_000;
    vec![
        text("订单编号", rows, rows).samples(&["202401010001"]),
        int("用户ID", rows, 31_400).range(10_001.0, 98_765.0),
        text("会员等级", rows, 4).samples(&["金卡", "银卡"]),
        text("下单时间", rows, 99_120)
            .iso()
            .samples(&["2024-01-01 09:30:12"]),
        text("更新时间", rows, 99_800)
            .iso()
            .samples(&["2024-01-02 09:30:12"]),
        column("单价", Kind::Decimal, "decimal[10,2]", rows, 900).range(1.0, 999.0),
        int("数量", rows, 12).range(1.0, 20.0),
        column("优惠金额", Kind::Decimal, "decimal[18,2]", rows, 300).range(0.0, 50.0),
        column("实付金额", Kind::Decimal, "decimal[18,2]", rows, 15_312).range(0.01, 8888.0),
    ]
}

pub(in crate::load) fn shop_export() -> Vec<ColumnProfile> {
    let rows = 20_000;
    vec![
        text("Name", rows, 12_000).samples(&["#1001", "#1002", "#1003"]),
        text("Customer Email", rows, 7_400).samples(&["a@example.com"]),
        text("Financial Status", rows, 3).samples(&["paid", "refunded"]),
        time("Paid at", rows, 11_000).nulls(8_600),
        time("Created at", rows, 11_950).samples(&["2024-03-01 10:00:00"]),
        float("Subtotal", rows, 5_000)
            .nulls(8_000)
            .range(0.0, 900.0),
        float("Shipping", rows, 9).nulls(8_000).range(0.0, 20.0),
        float("Total", rows, 5_500).nulls(8_000).range(0.0, 920.0),
        float("Discount Amount", rows, 60)
            .nulls(8_000)
            .range(0.0, 90.0),
        int("Lineitem quantity", rows, 10).range(1.0, 12.0),
        float("Lineitem price", rows, 400).range(1.0, 300.0),
        text("Lineitem name", rows, 380),
    ]
}

pub(in crate::load) fn event_log() -> Vec<ColumnProfile> {
    let rows = 100_000;
    let events = ["view", "comment", "like", "purchase"];
    vec![
        text("session_id", rows, 21_000),
        int("user_id", rows, 5_200).range(1.0, 90_000.0),
        text("event", rows, 4).samples(&events),
        time("ts", rows, 98_000).samples(&["2024-05-01 00:00:03"]),
        int("item_id", rows, 9_000),
    ]
}

pub(in crate::load) fn ready_customers() -> Vec<ColumnProfile> {
    let rows = 4_338;
    vec![
        text("customer_id", rows, rows).samples(&["12346"]),
        int("days_since_last_order", rows, 349).range(1.0, 374.0),
        int("orders", rows, 59).range(1.0, 209.0),
        float("total_spend", rows, 4_256).range(3.75, 280_206.02),
        column("last_order_date", Kind::Date, "date", rows, 349),
    ]
}

pub(in crate::load) fn hopeless() -> Vec<ColumnProfile> {
    vec![float("a", 50, 50), float("b", 50, 48), float("c", 50, 50)]
}

pub(in crate::load) fn quoted_names() -> Vec<ColumnProfile> {
    let rows = 1_000;
    vec![
        text("the \"best\" customer's id", rows, 300).nulls(50),
        time("order\ndate", rows, 900),
        float("unit \\ price", rows, 80).range(1.0, 9.0),
        int("Quantity \"pcs\"", rows, 9)
            .range(-2.0, 9.0)
            .negative(0.1),
    ]
}

/// What was guessed, as `key=value`; what is only offered in brackets.
fn picks(columns: &[ColumnProfile]) -> String {
    let guess = guess(columns);
    let all = [
        ("customer", &guess.customer),
        ("time", &guess.time),
        ("amount", &guess.amount),
        ("order", &guess.order),
        ("event", &guess.event),
        ("where", &guess.filter),
        ("count", &guess.count),
        ("recency", &guess.recency),
        ("frequency", &guess.frequency),
        ("monetary", &guess.monetary),
        ("tenure", &guess.tenure),
    ];
    let found = all
        .iter()
        .filter_map(|(key, pick)| Some((key, pick.as_ref()?)));
    let texts: Vec<String> = found
        .map(|(key, pick)| {
            let pair = format!("{key}={}", pick.value);
            if pick.active {
                pair
            } else {
                format!("[{pair}]")
            }
        })
        .collect();
    texts.join(", ")
}

fn check(columns: &[ColumnProfile], expected: &str) {
    assert_eq!(picks(columns), expected);
}

fn notes(columns: &[ColumnProfile]) -> String {
    guess(columns).notes.join("\n")
}

#[test]
fn cdnow_has_an_amount_and_needs_no_product_of_units() {
    check(
        &cdnow(),
        "customer=customer_id, time=date, amount=amount, [count=days]",
    );
    assert_eq!(guess(&cdnow()).level, Level::Orders);
    assert_eq!(guess(&cdnow()).notes, Vec::<String>::new());
}

#[test]
fn a_customer_id_wins_over_another_id_of_the_same_customer() {
    let mut columns = cdnow();
    columns.insert(0, text("master_id", 69_659, 23_570));
    let customer = guess(&columns).customer.unwrap();
    assert_eq!(customer.value, "customer_id");
    assert_eq!(customer.alternatives, ["master_id"]);
}

#[test]
fn online_retail_gets_a_product_and_leaves_rows_without_customer_out() {
    check(
        &online_retail(),
        "customer=customer_id, time=invoice_date, amount=quantity * unit_price, order=invoice_no, \
         where=customer_id IS NOT NULL",
    );
    let guess = guess(&online_retail());
    assert_eq!(
        guess.filter.unwrap().alternatives,
        [
            "customer_id IS NOT NULL AND quantity > 0 AND unit_price > 0 AND invoice_no NOT LIKE 'C%'"
        ]
    );
    assert!(guess.notes[0].starts_with("orders such as `C536379` look cancelled"));
}

#[test]
fn capitals_are_quoted_in_expressions_and_only_there() {
    let rows = 500;
    let columns = [
        text("Invoice", rows, 200),
        int("Quantity", rows, 9),
        time("InvoiceDate", rows, 190),
        float("Price", rows, 50),
        int("Customer ID", rows, 80).nulls(6),
    ];
    check(
        &columns,
        "customer=Customer ID, time=InvoiceDate, amount=\"Quantity\" * \"Price\", order=Invoice, \
         where=\"Customer ID\" IS NOT NULL",
    );
}

#[test]
fn gaps_within_the_limit_need_no_condition() {
    let mut columns = cdnow();
    columns[0].nulls = 696;
    assert_eq!(guess(&columns).filter, None);
    columns[3].nulls = 1;
    let filter = guess(&columns).filter.unwrap();
    assert_eq!(
        filter.value,
        "customer_id IS NOT NULL AND amount IS NOT NULL"
    );
}

#[test]
fn negative_amounts_alone_only_offer_a_condition() {
    let mut columns = cdnow();
    columns[3].negative_share = 0.03;
    check(
        &columns,
        "customer=customer_id, time=date, amount=amount, [where=amount > 0], [count=days]",
    );
    assert!(notes(&columns).contains("`refunds = \"net\"` (the default) handles this"));
}

#[test]
fn a_chinese_table_is_read_as_well() {
    check(
        &chinese(),
        "customer=用户ID, time=下单时间, amount=实付金额, [order=订单编号]",
    );
    let amount = guess(&chinese()).amount.unwrap();
    assert_eq!(amount.alternatives, ["\"数量\" * \"单价\""]);
}

#[test]
fn a_shop_export_names_the_order_name_and_has_totals_on_first_lines_only() {
    check(
        &shop_export(),
        "customer=Customer Email, time=Created at, amount=Total, order=Name, \
         where=\"Total\" IS NOT NULL",
    );
}

#[test]
fn an_activity_log_has_sessions_and_offers_its_events() {
    check(
        &event_log(),
        "customer=user_id, time=ts, order=session_id, [event=event]",
    );
    assert_eq!(
        guess(&event_log()).event_values,
        ["view", "comment", "like", "purchase"]
    );
}

#[test]
fn without_sessions_the_days_of_an_activity_log_are_counted() {
    check(
        &event_log()[1..],
        "customer=user_id, time=ts, [event=event], count=days",
    );
}

#[test]
fn where_every_event_has_a_price_only_purchases_count() {
    let rows = 100_000;
    let columns = [
        time("event_time", rows, 80_000),
        text("event_type", rows, 3).samples(&["view", "cart", "purchase"]),
        int("product_id", rows, 20_000),
        text("brand", rows, 900),
        float("price", rows, 9_000).range(0.5, 2_574.0),
        int("user_id", rows, 15_000),
        text("user_session", rows, 23_000),
    ];
    check(
        &columns,
        "customer=user_id, time=event_time, amount=price, order=user_session, \
         where=event_type = 'purchase'",
    );
}

#[test]
fn a_table_of_customers_is_told_by_ready_columns() {
    check(
        &ready_customers(),
        "customer=customer_id, recency=days_since_last_order, frequency=orders, \
         monetary=total_spend",
    );
    assert_eq!(guess(&ready_customers()).level, Level::Customers);
    assert!(notes(&ready_customers()).contains("`as-of` must be set"));
    let rows = 23_570;
    let plain = [
        text("customer_id", rows, rows),
        int("recency", rows, 546).range(1.0, 546.0),
        int("frequency", rows, 59).range(1.0, 171.0),
        float("monetary", rows, 10_873).range(0.0, 13_990.93),
    ];
    check(
        &plain,
        "customer=customer_id, recency=recency, frequency=frequency, monetary=monetary",
    );
    let chinese = [
        int("会员号", rows, rows),
        int("最近一次消费距今天数", rows, 300),
        int("购买次数", rows, 40),
        float("累计消费金额", rows, 9_000),
        int("首次消费距今天数", rows, 900),
    ];
    check(
        &chinese,
        "customer=会员号, recency=最近一次消费距今天数, frequency=购买次数, \
         monetary=累计消费金额, tenure=首次消费距今天数",
    );
}

#[test]
fn the_letters_r_f_and_m_are_enough_unless_they_are_scores() {
    let rows = 800;
    let table = |most: f64| {
        [
            text("会员ID", rows, rows),
            int("R", rows, 300).range(1.0, most),
            int("F", rows, 40).range(1.0, 40.0),
            float("M", rows, 790).range(1.0, 900.0),
        ]
    };
    check(
        &table(365.0),
        "customer=会员ID, recency=R, frequency=F, monetary=M",
    );
    assert_eq!(guess(&table(5.0)).recency, None);
}

#[test]
fn the_date_of_the_last_order_does_not_stand_in_for_recency() {
    let mut columns = ready_customers();
    columns.remove(1);
    assert_eq!(guess(&columns).missing(), ["recency-column"]);
    assert!(notes(&columns).contains("`last_order_date` is a date"));
}

#[test]
fn recency_of_a_lifetime_table_counts_from_the_other_end() {
    let rows = 2_357;
    let columns = [
        text("customer_id", rows, rows),
        float("frequency", rows, 26).range(0.0, 29.0),
        float("recency", rows, 270).range(0.0, 38.4),
        float("T", rows, 85).range(27.0, 38.9),
        float("monetary_value", rows, 700).range(0.0, 299.0),
    ];
    assert_eq!(guess(&columns).missing(), ["recency-column"]);
    assert!(notes(&columns).contains("`T - recency`"));
}

#[test]
fn a_hopeless_table_gets_no_guess() {
    check(&hopeless(), "");
    assert_eq!(guess(&hopeless()).missing(), ["customer", "time"]);
    check(&[], "");
}

#[test]
fn nameless_columns_are_taken_only_where_one_is_left() {
    let rows = 900;
    let date = || column("d", Kind::Date, "date", rows, 200);
    let one = [text("cn", rows, 300), date(), float("v", rows, 800)];
    check(&one, "customer=cn, time=d, [count=days]");
    let reason = guess(&one).customer.unwrap().reason;
    assert!(reason.contains("so check it"), "{reason}");
    check(
        &[text("cn", rows, 300), text("cm", rows, 200), date()],
        "time=d",
    );
}

#[test]
fn an_id_of_each_order_is_not_the_customer() {
    let rows = 99_441;
    let columns = [
        text("order_id", rows, rows),
        text("customer_id", rows, rows),
        text("customer_unique_id", rows, 96_096),
        time("order_purchase_timestamp", rows, 98_875),
        time("order_approved_at", rows, 90_000).nulls(160),
        time("order_delivered_customer_date", rows, 95_000).nulls(2_965),
        float("freight_value", rows, 6_000),
        float("payment_value", rows, 29_000),
        int("payment_installments", rows, 24),
    ];
    check(
        &columns,
        "customer=customer_unique_id, time=order_purchase_timestamp, amount=payment_value, \
         [order=order_id]",
    );
}

#[test]
fn fewer_orders_than_customers_are_no_orders() {
    let rows = 10_000;
    let columns = [
        int("user_id", rows, 1_000),
        int("order_number", rows, 100),
        column("day", Kind::Date, "date", rows, 300),
    ];
    check(&columns, "customer=user_id, time=day, [count=days]");
    assert!(notes(&columns).contains("only 100 values for 1,000 customers"));
}

#[test]
fn totals_of_rows_go_before_prices_and_those_before_totals_of_orders() {
    let rows = 1_000;
    let mut columns = vec![
        text("order_id", rows, 400),
        int("client_no", rows, 90),
        column("order_date", Kind::Date, "date", rows, 200),
        float("unit_price", rows, 80),
        int("qty", rows, 9),
        float("order_total", rows, 390),
    ];
    let amount = |columns: &[ColumnProfile]| guess(columns).amount.unwrap().value;
    assert_eq!(amount(&columns), "qty * unit_price");
    columns.push(float("line_total", rows, 600));
    assert_eq!(amount(&columns), "line_total");
    columns.retain(|column| column.name != "line_total" && column.name != "qty");
    assert_eq!(amount(&columns), "order_total");
    assert!(notes(&columns).contains("M counts it several times"));
}

#[test]
fn what_is_no_amount_is_not_taken_for_one() {
    for name in "amount_id, discount_amount, tax, shipping fee, total_orders, sales_channel_id, \
        payment_type, 价格等级, 优惠金额, 运费, avg_order_value, balance, 退款金额"
        .split(", ")
    {
        assert_eq!(guess(&[float(name, 100, 90)]).amount, None, "{name}");
    }
    for name in
        "amount, Total, TotalAmount, sales, revenue_usd, paid_amount, 金额(元), gmv, 订单金额, \
        total_after_discount, 折后金额, net_amount, grandtotal, amountExclTax"
            .split(", ")
    {
        let amount = guess(&[float(name, 100, 90)]).amount;
        assert_eq!(amount.map(|pick| pick.value).as_deref(), Some(name));
    }
}

#[test]
fn names_of_customers_are_known_in_many_forms() {
    for name in "customer, CustomerID, cust_no, custid, client-id, user_id, userId, UID, \
        memberno, buyer_key, account number, visitorid, contact_email, 手机号, 客户编号, 会员卡号, \
        买家, 顾客ID, household_key, id_customer, customer's no, email"
        .split(", ")
    {
        let guess = guess(&[text(name, 1_000, 300), text("city", 1_000, 200)]);
        assert_eq!(guess.customer.map(|pick| pick.value).as_deref(), Some(name));
    }
    for name in "customer_country, 客户等级, user_agent, customer_segment, member_type, \
        account_created"
        .split(", ")
    {
        let others = [text("cm", 1_000, 300), text("cn", 1_000, 300)];
        let guess = guess(&[&[text(name, 1_000, 300)], &others[..]].concat());
        assert_eq!(guess.customer, None, "{name}");
    }
}

#[test]
fn a_type_that_cannot_be_read_is_told_and_not_taken() {
    let rows = 1_000;
    let columns = [
        float("CustomerID", rows, 300).nulls(200),
        text("InvoiceDate", rows, 900).samples(&["12/1/2010 8:26"]),
        int("event_ts", rows, 900).range(1_433_221_332_117.0, 1_442_545_187_788.0),
        int("date_key", rows, 300).range(20_100_101.0, 20_111_231.0),
        int("DAY", rows, 300).range(1.0, 711.0),
        text("Description", rows, 500),
        text("amount", rows, 800).samples(&["12.50", "3"]),
    ];
    check(&columns, "amount=CAST(amount AS DOUBLE)");
    let notes = notes(&columns);
    for expected in [
        "`CustomerID` is named like a customer but is f64",
        "`InvoiceDate` is named like a time but is str, which does not read as ISO times",
        "`event_ts` is named like a time but is i64, which looks like milliseconds since 1970",
        "`DAY` is named like a time but is i64: make it a Date",
        "`date_key` is named like a time but is i64, which looks like days as 20240131",
    ] {
        assert!(notes.contains(expected), "{notes}");
    }
}

#[test]
fn the_time_of_the_order_wins_over_other_times() {
    for other in "updated_at, ship_date, birth_date, 更新时间, customer_since, created_at, \
        first_order_date"
        .split(", ")
    {
        let columns = [time(other, 1_000, 900), time("order_date", 1_000, 900)];
        let time = guess(&columns).time.unwrap();
        assert_eq!(time.value, "order_date", "{other}");
    }
    assert_eq!(guess(&[time("birthday", 1_000, 900)]).time, None);
}

#[test]
fn identifiers_are_quoted_where_sql_needs_it() {
    for name in ["unit_price", "_x1"] {
        assert_eq!(identifier(name), name);
    }
    for name in ["order", "Total", "unit price", "单价", "1st", ""] {
        assert_eq!(identifier(name), format!("\"{name}\""));
    }
    assert_eq!(identifier("a\"b"), "\"a\"\"b\"");
}

#[test]
fn numbers_read_well() {
    let counts = [999, 1_000, 541_909].map(thousands);
    assert_eq!(counts, ["999", "1,000", "541,909"]);
    let shares = [0.249_267, 0.4, 0.000_004, 0.0].map(percent);
    assert_eq!(shares, ["24.9 %", "40 %", "under 0.1 %", "0 %"]);
}

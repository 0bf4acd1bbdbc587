//! What a row of an order table is: its customer, time, amount and order, and whether it counts.
//!
//! In: a [`Source`] and the config. Out: [`Rows`]: a lazy frame with those columns added under names of our own, and the
//! rules by which a row is rejected.
//! Invariant: a row has the first reason that holds, and is usable where none does. Nothing is read here but types.

use polars::prelude::*;

use super::meaning::{AMOUNT, Money, check_customer, is_empty_customer, time_expr};
use super::moment::{Clock, Moment};
use super::needed::{Needed, column_names, condition, exact, type_of};
use super::reconcile::Reason;
use super::source::Source;
use crate::config::{Columns, InputConfig, Refunds};
use crate::error::{Error, Result};

/// Time in microseconds since 1970 (wall clock, or UTC where the column has a zone), Int64.
pub(super) const TIME: &str = "__tiermill_time";
/// Amount in units of 10^-decimals, Int64 or Int128; null where there is none or where it does not fit.
pub(super) const UNITS: &str = "__tiermill_units";
/// Code of the reason, 0 for a usable row.
pub(super) const CODE: &str = "__tiermill_code";
/// Code of a row whose amount does not fit; it stops the run.
pub(super) const TOO_LARGE: i32 = 255;
/// Column of rejected.parquet: how many rows a line stands for.
pub(super) const COPIES: &str = "__tiermill_copies";
/// Column of rejected.parquet with the file of the row.
const FILE: &str = "source_file";

/// Microseconds of 1900-01-01: earlier orders are placeholders such as 0001-01-01.
const EARLIEST: i64 = -2_208_988_800_000_000;

/// The rows of an order table, not yet read.
pub(super) struct Rows {
    /// Column of the customer.
    pub(super) customer: String,
    /// Type of its ids.
    pub(super) customer_type: DataType,
    /// Column of the order, if it is mapped.
    pub(super) order: Option<String>,
    /// How times are read.
    pub(super) clock: Clock,
    /// Decimals of [`UNITS`].
    pub(super) decimals: u32,
    /// How amounts become [`UNITS`].
    pub(super) money: Money,
    /// Whether negative amounts are refunds, which are no orders.
    pub(super) refunds_are_no_orders: bool,
    columns: Vec<String>,
    needed: Vec<String>,
    unique: Option<DataFrame>,
    time: Expr,
    amount: Option<Expr>,
    filter: Option<Expr>,
    refunds: Refunds,
    rules: Vec<(Reason, Expr)>,
}

impl Rows {
    /// Resolves columns, types and expressions.
    pub(super) fn new(source: &Source, input: &InputConfig, refunds: Refunds) -> Result<Self> {
        let Columns::Orders {
            time,
            amount,
            order,
            events,
        } = &input.columns
        else {
            return Err(Error::Missing {
                key: "time",
                hint: "set `level = \"orders\"` and `time`".to_owned(),
            });
        };
        let mut needed = Needed::new(source);
        needed.column("customer", &input.customer)?;
        needed.column("time", time)?;
        if let Some(order) = order {
            needed.column("order", order)?;
        }
        let filter = input.filter.as_deref();
        let filter = filter
            .map(|text| needed.expression("where", text))
            .transpose()?;
        let worth = needed.worth(amount.as_deref(), events.as_ref())?;
        let only_needed = needed.columns.clone();
        let columns = needed.or_everything(input.deduplicate)?;
        let mut scan = source.scan(&columns)?;
        let types = scan
            .collect_schema()
            .map_err(|error| source.unreadable(error))?;
        check_customer(source, &input.customer, types.get(&input.customer))?;
        let (time, clock) = time_expr(source, time, types.get(time), input.timezone)?;
        let filter = match (&filter, &input.filter) {
            (Some(expr), Some(text)) => Some(condition(&types, expr, text)?),
            _ => None,
        };
        let (amount, money) = priced(source, &types, worth, input.decimals)?;
        let mut rows = Self {
            customer: input.customer.clone(),
            customer_type: customer_type(&types, &input.customer),
            order: order.clone(),
            clock,
            decimals: money.decimals,
            refunds_are_no_orders: amount.is_some() && refunds != Refunds::Keep,
            columns,
            needed: only_needed,
            unique: None,
            time,
            amount,
            money,
            filter,
            refunds,
            rules: Vec::new(),
        };
        rows.rules = rows.standing_rules(&types);
        if input.deduplicate {
            rows.unique = Some(rows.find_unique(source)?);
        }
        Ok(rows)
    }

    /// The rules that do not depend on as-of.
    fn standing_rules(&self, types: &Schema) -> Vec<(Reason, Expr)> {
        let customer = || col(self.customer.as_str());
        let mut rules = Vec::new();
        if let Some(filter) = &self.filter {
            rules.push((Reason::Filtered, filter.clone().fill_null(lit(false)).not()));
        }
        rules.push((Reason::NullCustomer, customer().is_null()));
        if let Some(empty) = is_empty_customer(&self.customer, types.get(&self.customer)) {
            rules.push((Reason::EmptyCustomer, empty));
        }
        let raw_time = col(self.raw_time_column());
        rules.push((Reason::NullTime, raw_time.is_null()));
        rules.push((
            Reason::BadTime,
            col(TIME).is_null().or(col(TIME).lt(lit(EARLIEST))),
        ));
        if self.amount.is_some() {
            let missing = col(AMOUNT).is_null();
            rules.push((
                Reason::BadAmount,
                if self.money.is_float {
                    missing.or(col(AMOUNT).is_finite().not())
                } else {
                    missing
                },
            ));
        }
        if let Some(order) = &self.order {
            rules.push((Reason::NullOrder, col(order.as_str()).is_null()));
        }
        if let (Some(reason), true) = (self.refund_reason(), self.amount.is_some()) {
            rules.push((reason, col(UNITS).lt(lit(0_i64))));
        }
        rules
    }

    /// Why refunds are rejected, where they are.
    fn refund_reason(&self) -> Option<Reason> {
        match self.refunds {
            Refunds::Drop => Some(Reason::RefundDropped),
            Refunds::Reject => Some(Reason::RefundRejected),
            Refunds::Net | Refunds::Keep => None,
        }
    }

    /// Adds the rules of time, which need as-of. They come before that of refunds: a refund after as-of is not of today.
    pub(super) fn bound(&mut self, as_of: Moment, window_start: Option<Moment>) {
        let refund = self.refund_reason();
        let last = self.rules.last().map(|(reason, _)| *reason);
        let place = self.rules.len() - usize::from(refund.is_some() && last == refund);
        let after = (Reason::AfterAsOf, col(TIME).gt_eq(lit(as_of.micros)));
        let before = |start: Moment| (Reason::BeforeWindow, col(TIME).lt(lit(start.micros)));
        let rules = std::iter::once(after).chain(window_start.map(before));
        self.rules.splice(place..place, rules);
    }

    /// All rows with [`TIME`] and [`UNITS`]; with `deduplicate`, rows for which `where` holds, each once.
    pub(super) fn all(&self, source: &Source) -> Result<LazyFrame> {
        match &self.unique {
            Some(unique) => Ok(self.with_meaning(unique.clone().lazy())),
            None => Ok(self.with_meaning(source.scan(&self.columns)?)),
        }
    }

    /// The rows for which `where` holds, each once: found once and kept, since every later pass needs them.
    fn find_unique(&self, source: &Source) -> Result<DataFrame> {
        let needed: Vec<Expr> = self.needed.iter().map(|name| col(name.as_str())).collect();
        let unique = self
            .filtered(source.scan(&self.columns)?)
            .unique(None, UniqueKeepStrategy::Any)
            .select(needed);
        source.collect(unique)
    }

    /// All rows with every column that the files share, and the file of each row where that is known.
    pub(super) fn whole(&self, source: &Source) -> Result<LazyFrame> {
        let scan = self.whole_scan(source)?;
        Ok(self.with_meaning(if self.deduplicated() {
            self.filtered(scan).unique(None, UniqueKeepStrategy::Any)
        } else {
            scan
        }))
    }

    /// No rows, with the columns of [`Self::whole`].
    pub(super) fn nothing(&self, source: &Source) -> Result<LazyFrame> {
        Ok(self.whole_scan(source)?.limit(0))
    }

    fn whole_scan(&self, source: &Source) -> Result<LazyFrame> {
        let columns = source.common_columns();
        // A row that stands in two files has no one file.
        if self.deduplicated() || columns.iter().any(|name| name == FILE) {
            source.scan(&columns)
        } else {
            source.scan_with_file(&columns, FILE)
        }
    }

    /// The rows that stand more than once, once, with a count of the surplus `copies`.
    pub(super) fn duplicates(&self, source: &Source) -> Result<LazyFrame> {
        Ok(surplus(
            self.filtered(source.scan(&self.columns)?),
            &self.columns,
        ))
    }

    /// Rows for which `where` does not hold, of an input whose duplicates are dropped.
    pub(super) fn left_out(&self, source: &Source) -> Result<Option<LazyFrame>> {
        match (&self.filter, self.deduplicated()) {
            (Some(filter), true) => {
                let left_out = filter.clone().fill_null(lit(false)).not();
                Ok(Some(source.scan(&self.columns)?.filter(left_out)))
            }
            _ => Ok(None),
        }
    }

    fn filtered(&self, scan: LazyFrame) -> LazyFrame {
        match &self.filter {
            Some(filter) => scan.filter(filter.clone().fill_null(lit(false))),
            None => scan,
        }
    }

    fn with_meaning(&self, scan: LazyFrame) -> LazyFrame {
        let mut columns = vec![self.time.clone().alias(TIME)];
        if let Some(amount) = &self.amount {
            columns.push(amount.clone().alias(AMOUNT));
        }
        scan.with_columns(columns)
            .with_columns([self.money.units.clone().alias(UNITS)])
    }

    /// Holds where no rule rejects the row.
    pub(super) fn usable(&self) -> Expr {
        // A bad amount has no units, so the last condition covers it.
        self.rules
            .iter()
            .filter(|(reason, _)| *reason != Reason::BadAmount)
            .map(|(_, rejects)| rejects.clone().not())
            .reduce(Expr::and)
            .unwrap_or_else(|| lit(true))
            .and(col(UNITS).is_not_null())
    }

    /// The code of the first rule that rejects the row, 0 for none.
    pub(super) fn code(&self) -> Expr {
        code(&self.rules)
    }

    /// The calendar day of [`TIME`], in the zone of the data.
    pub(super) fn day(&self) -> Expr {
        let time = |zone: Option<&str>| {
            let zone = zone.and_then(|name| TimeZone::opt_try_new(Some(name)).ok().flatten());
            col(TIME).cast(DataType::Datetime(TimeUnit::Microseconds, zone))
        };
        match self.clock.zone {
            None => time(None).dt().date(),
            Some(zone) => {
                let name = zone.name();
                match TimeZone::opt_try_new(Some(name)) {
                    Ok(Some(zone)) => time(Some("UTC")).dt().convert_time_zone(zone).dt().date(),
                    _ => time(None).dt().date(),
                }
            }
        }
    }

    /// The amount as it is.
    pub(super) fn amount(&self) -> Expr {
        if self.amount.is_some() {
            col(AMOUNT)
        } else {
            lit(1.0)
        }
    }

    /// The amounts of which the fixed point may have cut decimals; `None` where they have none to lose.
    pub(super) fn floats(&self) -> Option<Expr> {
        self.money
            .is_float
            .then(|| col(AMOUNT).cast(DataType::Float64))
    }

    /// Whether copies of rows are left out.
    pub(super) fn deduplicated(&self) -> bool {
        self.unique.is_some()
    }

    fn raw_time_column(&self) -> String {
        column_names(&self.time)
            .into_iter()
            .next()
            .unwrap_or_default()
    }
}

fn customer_type(types: &Schema, customer: &str) -> DataType {
    types.get(customer).cloned().unwrap_or(DataType::Null)
}

/// The amount, in arithmetic that does not wrap, and how it becomes units; without amounts each row is worth one.
fn priced(
    source: &Source,
    types: &Schema,
    worth: Option<(Expr, String)>,
    decimals: u32,
) -> Result<(Option<Expr>, Money)> {
    let Some((amount, name)) = worth else {
        return Ok((None, Money::count()));
    };
    let amount = exact(types, &amount);
    let dtype = type_of(types, &amount, "amount", &name)?;
    let money = Money::new(source, &name, &dtype, decimals)?;
    Ok((Some(amount), money))
}

/// The code of the first rule that rejects a row, [`TOO_LARGE`] where none does and the amount has no units.
pub(super) fn code(rules: &[(Reason, Expr)]) -> Expr {
    let fits = when(col(UNITS).is_null())
        .then(lit(TOO_LARGE))
        .otherwise(lit(0));
    rules.iter().rev().fold(fits, |rest, (reason, rejects)| {
        when(rejects.clone())
            .then(lit(*reason as i32))
            .otherwise(rest)
    })
}

/// The rows that stand more than once, once, with a count of their surplus.
pub(super) fn surplus(rows: LazyFrame, columns: &[String]) -> LazyFrame {
    let every: Vec<Expr> = columns.iter().map(|name| col(name.as_str())).collect();
    rows.group_by_stable(every)
        .agg([(len().cast(DataType::Int64) - lit(1_i64)).alias(COPIES)])
        .filter(col(COPIES).gt(lit(0_i64)))
}

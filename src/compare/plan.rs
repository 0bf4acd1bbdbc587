//! What changes, tier by tier, if B takes the place of A.
//!
//! In: a cross table and its matching. Out: a [`SegmentPlan`] for each tier of B.
//! Invariant: before − leave + enter = after, in customers and in whole units of money; the tiers of A that nothing stands
//! for have no customers, so all of them are told.

use serde::Serialize;

use super::{CrossTable, Matching};

/// One tier of B, and the tiers of A that it stands for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SegmentPlan {
    /// Tier of B.
    pub segment: String,
    /// Tiers of A that it takes the place of; none for a new one.
    pub was: Vec<String>,
    /// In customers.
    pub customers: Change<i64>,
    /// In amounts.
    pub revenue: Change<f64>,
}

/// How one number changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// In the tiers of A.
    pub before: T,
    /// Who leaves them for another tier.
    pub leave: T,
    /// Who comes from others.
    pub enter: T,
    /// In the tier of B.
    pub after: T,
    /// After less before.
    pub net: T,
}

/// Plans the change from A to B.
pub(super) fn plan(table: &CrossTable, matching: &Matching) -> Vec<SegmentPlan> {
    let segment = |(column, name): (usize, &String)| {
        let stands_for = |row: &usize| matching.counterparts[*row] == Some(column);
        let was: Vec<usize> = (0..table.rows.len()).filter(stands_for).collect();
        let customers = change(&table.customers, &was, column, |&n| i128::from(n));
        let units = change(&table.units, &was, column, |&units| units);
        SegmentPlan {
            segment: name.clone(),
            was: was.iter().map(|&row| table.rows[row].clone()).collect(),
            customers: customers.map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
            revenue: units.map(|units| table.amount(units)),
        }
    };
    table.columns.iter().enumerate().map(segment).collect()
}

fn change<T>(
    cells: &[Vec<T>],
    was: &[usize],
    column: usize,
    value: impl Fn(&T) -> i128,
) -> Change<i128> {
    let before = was.iter().flat_map(|&row| &cells[row]).map(&value).sum();
    let stay: i128 = was.iter().map(|&row| value(&cells[row][column])).sum();
    let after = cells.iter().map(|row| value(&row[column])).sum();
    Change {
        before,
        leave: before - stay,
        enter: after - stay,
        after,
        net: after - before,
    }
}

impl<T: Copy> Change<T> {
    fn map<U>(self, to: impl Fn(T) -> U) -> Change<U> {
        Change {
            before: to(self.before),
            leave: to(self.leave),
            enter: to(self.enter),
            after: to(self.after),
            net: to(self.net),
        }
    }
}

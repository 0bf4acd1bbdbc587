//! Two tierings of the same customers: do they agree, which tells customers apart better, and who changes places.
//!
//! In: [`Customers`], the fitted features, and a label for every customer from either side ([`Tiering`]). Out: a
//! [`Comparison`] (comparison.json) and the customers who move ([`Moves`]).
//! Invariant: every figure is counted over all customers, in one space for both sides, and depends on their order only
//! through ids that sort them; silhouettes of many customers are measured on a sketch, and say so. It finds no tiers and reads no files. What tiers of the
//! past were good for is asked in [`backtest`].

mod agreement;
pub mod backtest;
mod matching;
mod moved;
mod plan;
mod random;
mod table;
pub mod value;

use ndarray::Array2;
use rayon::prelude::*;
use serde::Serialize;

pub use agreement::{Agreement, agreement, expected_mutual_information};
pub use matching::{Matching, Pairing, assignment};
pub use moved::{Flow, Moved, Moves};
pub use plan::{Change, SegmentPlan};
pub use random::Floor;
pub use table::CrossTable;
pub use value::{Figures, Value};
use value::{QUANTITIES, Spread, raw_value};

use crate::cluster::Effort;
use crate::error::{CompareFault, Error, Result};
use crate::features::sketch::{Sketched, sketch};
use crate::features::{Fitted, matrix};
use crate::load::Customers;

/// What is done for the silhouette of a tiering. All pairs of 30,000 customers take about a second on two cores.
const SILHOUETTE: Effort = Effort {
    exact: 30_000,
    pieces: 8_192,
    sample: 2_000,
};

/// One tiering of the customers, wherever it comes from. Row *i* is customer *i*.
#[derive(Debug, Clone, PartialEq)]
pub struct Tiering {
    /// What to call it: `rules eight`, a run id, a file.
    pub name: String,
    /// Names of the tiers, best first where the source knows ranks.
    pub names: Vec<String>,
    /// For each customer an index into `names`.
    pub labels: Vec<u32>,
    /// Whether `names` go from best to worst.
    pub ranked: bool,
    /// Distance to the border, 0 to 1 (DESIGN §2), where a model placed the customers; NaN where it is not known.
    pub margins: Option<Vec<f32>>,
}

impl Tiering {
    /// Customers in each tier.
    pub fn sizes(&self) -> Vec<u64> {
        let mut sizes = vec![0; self.names.len()];
        for &label in &self.labels {
            sizes[label as usize] += 1;
        }
        sizes
    }

    /// Refuses labels that are not one of the names for each customer.
    fn check(&self, customers: usize) -> Result<()> {
        let bad = |found: usize, expected: usize| {
            Error::from(CompareFault::Labels {
                tiering: self.name.clone(),
                found,
                expected,
            })
        };
        if self.labels.len() != customers {
            return Err(bad(self.labels.len(), customers));
        }
        match self.labels.iter().max() {
            Some(&label) if self.names.len() <= label as usize => {
                Err(bad(label as usize + 1, self.names.len()))
            }
            _ => Ok(()),
        }
    }
}

/// The customers with the space in which both sides are measured.
#[derive(Debug)]
pub struct Space<'a> {
    customers: &'a Customers,
    columns: &'a [Fitted],
    /// Customers × features, scaled.
    matrix: Array2<f64>,
    sketched: Sketched,
    /// Of each column of the matrix.
    spreads: Vec<Spread>,
    /// Of R, F and M in original units.
    raw_spreads: Vec<Spread>,
}

impl<'a> Space<'a> {
    /// Puts the customers into the space of the fitted features.
    ///
    /// # Errors
    /// As [`matrix`] and [`sketch`].
    pub fn new(customers: &'a Customers, columns: &'a [Fitted]) -> Result<Self> {
        let matrix = matrix(customers, columns)?;
        let sketched = sketch(matrix.view())?;
        Ok(Self::of(customers, columns, (matrix, sketched)))
    }

    /// The customers.
    pub fn customers(&self) -> &'a Customers {
        self.customers
    }

    /// The same where matrix and sketch are there already.
    pub fn of(
        customers: &'a Customers,
        columns: &'a [Fitted],
        (matrix, sketched): (Array2<f64>, Sketched),
    ) -> Self {
        let n = customers.len();
        let spreads = (0..columns.len()).into_par_iter();
        let raw = QUANTITIES.par_iter();
        Self {
            spreads: spreads
                .map(|column| Spread::of(n, |row| matrix[[row, column]]))
                .collect(),
            raw_spreads: raw
                .map(|&quantity| Spread::of(n, |row| raw_value(customers, quantity, row)))
                .collect(),
            customers,
            columns,
            matrix,
            sketched,
        }
    }
}

/// comparison.json.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Customers that both tierings have.
    pub customers: u64,
    /// Their total amount.
    pub revenue: f64,
    /// Name of the one.
    pub a: String,
    /// Name of the other.
    pub b: String,
    /// Who is where, in both.
    pub cross_table: CrossTable,
    /// How far they agree.
    #[serde(flatten)]
    pub agreement: Agreement,
    /// How well each tells customers apart, beside random tiers.
    pub value: Values,
    /// Gini coefficient of the amounts of single customers: what no tiering can exceed.
    pub gini_of_customers: Option<f64>,
    /// Who changes places.
    pub moved: Moved,
    /// What changes, by tier of B, if B takes the place of A.
    pub plan: Vec<SegmentPlan>,
}

/// What each side is worth, and what tiers of the same sizes without any sense would be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Values {
    /// The one.
    pub a: Value,
    /// The other.
    pub b: Value,
    /// Random tiers of the sizes of A.
    pub random: Floor,
    /// Random tiers of the sizes of B.
    pub random_b: Floor,
}

/// Compares two tierings of the same customers.
///
/// # Errors
/// [`CompareFault::Labels`] where a side does not have a tier for each customer, [`CompareFault::NothingInCommon`] without customers.
pub fn compare(
    space: &Space<'_>,
    a: &Tiering,
    b: &Tiering,
    seed: u64,
) -> Result<(Comparison, Moves)> {
    let customers = space.customers;
    a.check(customers.len())?;
    b.check(customers.len())?;
    if customers.is_empty() {
        return Err(Error::from(CompareFault::NothingInCommon {
            a: a.name.clone(),
            b: b.name.clone(),
        }));
    }
    let cross_table = CrossTable::new(a, b, &customers.revenue, customers.decimals);
    let matching = Matching::new(&cross_table, (a.ranked, b.ranked));
    let (told, moves) = moved::moved(space, (a, b), &matching, &cross_table);
    let value = |tiering: &Tiering| value::measure(space, tiering, SILHOUETTE);
    let (of_a, of_b) = rayon::join(|| value(a), || value(b));
    let (random, random_b) = random::floors(space, (a, &of_a), (b, &of_b), seed);
    let comparison = Comparison {
        customers: customers.len() as u64,
        revenue: customers.total_revenue(),
        a: a.name.clone(),
        b: b.name.clone(),
        agreement: agreement(&cross_table),
        value: Values {
            a: of_a,
            b: of_b,
            random,
            random_b,
        },
        gini_of_customers: value::gini_of_each(&customers.revenue),
        plan: plan::plan(&cross_table, &matching),
        moved: told,
        cross_table,
    };
    Ok((comparison, moves))
}

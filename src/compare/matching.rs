//! Which tier of B stands for a tier of A: without that, nobody can be said to move.
//!
//! In: a cross table, and which sides know ranks. Out: a [`Matching`].
//! Invariant: each tier of A with customers has one counterpart. Tiers of the same names belong together; else ranks, where
//! both sides have them and are equally many; else the assignment in which most customers stay, as far as its pairs make
//! sense: one that holds neither most customers of its tier of A nor of its tier of B is only what was left. Tiers of A
//! without such a pair go where most of their customers are. A tier of B that is left over stands for none.

use serde::Serialize;

use super::CrossTable;

/// How tiers were matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// Both sides have the same names.
    Names,
    /// Both sides are ranked, and equally many.
    Ranks,
    /// So that most customers stay (Kuhn 1955).
    Overlap,
}

/// The counterpart of each tier of A.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matching {
    /// How they were found.
    pub by: Pairing,
    /// For each tier of A a tier of B; `None` for a tier without customers that nothing stands for.
    pub counterparts: Vec<Option<usize>>,
}

impl Matching {
    /// Matches the tiers of a table; `ranked` says of A and B whether their tiers go from best to worst.
    pub fn new(table: &CrossTable, ranked: (bool, bool)) -> Self {
        if let Some(counterparts) = by_name(&table.rows, &table.columns) {
            return Self {
                by: Pairing::Names,
                counterparts,
            };
        }
        if ranked == (true, true) && table.rows.len() == table.columns.len() {
            return Self {
                by: Pairing::Ranks,
                counterparts: (0..table.rows.len()).map(Some).collect(),
            };
        }
        let assigned = assignment(&table.customers, table.columns.len());
        let most = |cells: &mut dyn Iterator<Item = u64>| cells.max().unwrap_or(0);
        let makes_sense = |row: &[u64], column: usize| {
            let of_column = &mut table.customers.iter().map(|row| row[column]);
            let of_row = &mut row.iter().copied();
            0 < row[column] && (row[column] == most(of_row) || row[column] == most(of_column))
        };
        let counterparts = table.customers.iter().zip(assigned);
        Self {
            by: Pairing::Overlap,
            counterparts: counterparts
                .map(|(row, assigned)| {
                    let pair = assigned.filter(|&column| makes_sense(row, column));
                    pair.or(largest(row))
                })
                .collect(),
        }
    }

    /// Whether a customer with these two labels stays.
    pub fn stays(&self, a: u32, b: u32) -> bool {
        self.counterparts[a as usize] == Some(b as usize)
    }
}

/// Tiers of the same names, whatever their order.
fn by_name(rows: &[String], columns: &[String]) -> Option<Vec<Option<usize>>> {
    let place = |name: &String| columns.iter().position(|column| column == name);
    let places: Option<Vec<usize>> = rows.iter().map(place).collect();
    let places = places.filter(|_| rows.len() == columns.len())?;
    Some(places.into_iter().map(Some).collect())
}

/// Where most customers of a row are; of two alike the first. `None` without any.
fn largest(row: &[u64]) -> Option<usize> {
    let most = row.iter().copied().max().filter(|&most| 0 < most)?;
    row.iter().position(|&customers| customers == most)
}

/// For each row a column of its own, so that the sum of the cells is as large as can be; `None` for rows that are too many.
///
/// The Hungarian method (Kuhn 1955) with potentials, one row after the other: rows × columns × the smaller of both steps.
pub fn assignment(gains: &[Vec<u64>], columns: usize) -> Vec<Option<usize>> {
    let rows = gains.len();
    if columns < rows {
        // The method wants no more rows than columns.
        let turned: Vec<Vec<u64>> = (0..columns)
            .map(|column| gains.iter().map(|row| row[column]).collect())
            .collect();
        let mut assigned = vec![None; rows];
        for (column, row) in assignment(&turned, rows).into_iter().enumerate() {
            if let Some(row) = row {
                assigned[row] = Some(column);
            }
        }
        return assigned;
    }
    // Column 0 is where a path begins; owner[column] is the row that has it, from 1, or 0.
    let mut owner = vec![0; columns + 1];
    let mut of_row = vec![0_i128; rows + 1];
    let mut of_column = vec![0_i128; columns + 1];
    for row in 1..=rows {
        owner[0] = row;
        let (end, before) = shortest(gains, &owner, (&mut of_row, &mut of_column));
        let mut column = end;
        while column != 0 {
            owner[column] = owner[before[column]];
            column = before[column];
        }
    }
    let mut assigned = vec![None; rows];
    for column in 1..=columns {
        if 0 < owner[column] {
            assigned[owner[column] - 1] = Some(column - 1);
        }
    }
    assigned
}

/// The shortest path from the row that begins it to a column that is free; moves the potentials along it. Returns its last
/// column, and for each column the one before.
fn shortest(
    gains: &[Vec<u64>],
    owner: &[usize],
    (of_row, of_column): (&mut [i128], &mut [i128]),
) -> (usize, Vec<usize>) {
    let columns = owner.len() - 1;
    let mut least = vec![i128::MAX; columns + 1];
    let mut before = vec![0; columns + 1];
    let mut visited = vec![false; columns + 1];
    let mut at = 0;
    while owner[at] != 0 {
        visited[at] = true;
        let row = owner[at];
        let (mut next, mut step) = (0, i128::MAX);
        for column in (1..=columns).filter(|&column| !visited[column]) {
            let cost = -i128::from(gains[row - 1][column - 1]) - of_row[row] - of_column[column];
            if cost < least[column] {
                least[column] = cost;
                before[column] = at;
            }
            if least[column] < step {
                (next, step) = (column, least[column]);
            }
        }
        for column in 0..=columns {
            if visited[column] {
                of_row[owner[column]] += step;
                of_column[column] -= step;
            } else if least[column] < i128::MAX {
                least[column] -= step;
            }
        }
        at = next;
    }
    (at, before)
}

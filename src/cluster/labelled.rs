//! The silhouette of groups that were not found here: rules, or somebody else's labels.
//!
//! In: a sketch with its rows, and a label for every customer. Out: their mean silhouette, and how near it is.
//! Invariant: it is exact, all pairs, where few enough customers differ. Elsewhere pieces stand for customers: those of one
//! label in one cell, so that a border between two groups cuts a cell where it passes; what that costs is measured on a
//! sample of finer pieces, taken off, and told with its error.

use super::kmeans::Points;
use super::quality::{Pieces, SILHOUETTE_CELLS, mean_of, silhouettes};
use crate::features::sketch::Sketched;

/// Cells that are tried, one after the other, until there are few enough pieces.
const CELLS: [usize; 6] = [SILHOUETTE_CELLS, 4_096, 2_048, 1_024, 256, 64];
/// Cells of the finer pieces that are drawn.
const FINE_CELLS: usize = 65_536;

/// How much is done for a silhouette.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effort {
    /// Different customers (with different labels) up to which all pairs are taken.
    pub exact: usize,
    /// Pieces of which all pairs are taken elsewhere (a few more where there are many labels).
    pub pieces: usize,
    /// Finer pieces by which that is corrected; fewer than two: it is not.
    pub sample: usize,
}

/// A mean silhouette.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Silhouette {
    /// −1 to 1 (Rousseeuw 1987).
    pub mean: f64,
    /// Whether it is that of all pairs of customers.
    pub exact: bool,
    /// Two standard errors of a corrected one; none where it is exact, or not corrected.
    pub error: Option<f64>,
}

/// The customers of one label in one place, or one cell.
#[derive(Clone)]
struct Piece {
    label: u32,
    /// Number of the place or cell.
    cell: u32,
    weight: f64,
    sums: Vec<f64>,
}

/// Mean silhouette of customers with given labels (by row of the matrix that was sketched). `None` where fewer than two
/// labels occur.
pub fn silhouette_of_labels(
    sketched: &Sketched,
    labels: &[u32],
    effort: Effort,
) -> Option<Silhouette> {
    let groups = labels.iter().max().map_or(0, |&label| label as usize + 1);
    let mut occurs = vec![false; groups];
    for &row in &sketched.order.rows {
        occurs[labels[row as usize] as usize] = true;
    }
    let occurring = occurs.iter().filter(|&&occurs| occurs).count();
    if occurring < 2 {
        return None;
    }
    let d = sketched.sketch.n_features();
    if let Some(places) = places(sketched, effort.exact) {
        let distinct = merge(&pieces(sketched, labels, &places), |place| place);
        if distinct.len() <= effort.exact {
            let pieces = by_label(&distinct, groups, d);
            let each = silhouettes(&pieces, 0..pieces.points.len());
            return Some(Silhouette {
                mean: mean_of(&pieces, &each),
                exact: true,
                error: None,
            });
        }
    }
    let numbers = sketched.sketch.wider(FINE_CELLS);
    let fine = merge(
        &pieces(sketched, labels, &by_place(sketched, &numbers)),
        |cell| cell,
    );
    let (above, merged) = few(sketched, (&numbers, &fine), effort.pieces);
    let coarse = by_label(&merged, groups, d);
    let each = silhouettes(&coarse, 0..coarse.points.len());
    let found = Silhouette {
        mean: mean_of(&coarse, &each),
        exact: false,
        error: None,
    };
    let drawn = evenly(fine.iter().map(|piece| piece.weight), effort.sample);
    if drawn.len() < 2 {
        return Some(found);
    }
    let of_fine = silhouettes(&by_label(&fine, groups, d), drawn.iter().copied());
    let differences = drawn.iter().zip(of_fine).map(|(&at, of_fine)| {
        let key = (fine[at].label, above[fine[at].cell as usize]);
        let piece = merged.partition_point(|piece| (piece.label, piece.cell) < key);
        of_fine - each[piece]
    });
    Some(corrected(found.mean, &differences.collect::<Vec<f64>>()))
}

/// A figure with the mean of its differences to a finer one taken off.
fn corrected(mean: f64, differences: &[f64]) -> Silhouette {
    let n = differences.len() as f64;
    let off = differences.iter().sum::<f64>() / n;
    let squares: f64 = differences.iter().map(|x| (x - off) * (x - off)).sum();
    Silhouette {
        mean: mean + off,
        exact: false,
        error: Some(2.0 * (squares / (n - 1.0) / n).sqrt()),
    }
}

/// For each place in the order of the sketch a number of the point there, ascending; none where more than `most` differ.
fn places(sketched: &Sketched, most: usize) -> Option<Vec<u32>> {
    if most < sketched.sketch.len() {
        return None;
    }
    let d = sketched.sketch.n_features();
    let mut number = 0;
    let mut numbers = Vec::with_capacity(sketched.order.rows.len());
    let mut last: Option<&[f64]> = None;
    for point in sketched.points.chunks_exact(d) {
        // Equal rows are neighbours.
        number += u32::from(last.is_some_and(|last| last != point));
        if most <= number as usize {
            return None;
        }
        last = Some(point);
        numbers.push(number);
    }
    Some(numbers)
}

/// For each place the number of its cell.
fn by_place(sketched: &Sketched, numbers: &[u32]) -> Vec<u32> {
    let mut of_places = vec![0; sketched.order.rows.len()];
    for (cell, &number) in numbers.iter().enumerate() {
        of_places[sketched.order.cell(cell)].fill(number);
    }
    of_places
}

/// Pieces so wide that there are at most so many, and for each fine cell the number of its wide one.
fn few(
    sketched: &Sketched,
    (numbers, fine): (&[u32], &[Piece]),
    most: usize,
) -> (Vec<u32>, Vec<Piece>) {
    let mut above: Vec<u32> = Vec::new();
    let mut merged = Vec::new();
    for cells in CELLS {
        let wider = sketched.sketch.wider(cells);
        above = vec![0; wider.len()];
        for (&number, &wider) in numbers.iter().zip(&wider) {
            above[number as usize] = wider;
        }
        merged = merge(fine, |cell| above[cell as usize]);
        if merged.len() <= most {
            break;
        }
    }
    (above, merged)
}

/// So many places of a list, evenly spread over its weights. A list in the order of labels and cells is drawn from label by
/// label, cell by cell.
pub(super) fn evenly(weights: impl Iterator<Item = f64> + Clone, sample: usize) -> Vec<usize> {
    let all: f64 = weights.clone().sum();
    let mut drawn = Vec::with_capacity(sample);
    let mut so_far = 0.0;
    for (at, weight) in weights.enumerate() {
        so_far += weight;
        while drawn.len() < sample && (drawn.len() as f64 + 0.5) * all < so_far * sample as f64 {
            drawn.push(at);
        }
    }
    drawn
}

/// The rows of each number, by label; in the order of the numbers, which ascend.
fn pieces(sketched: &Sketched, labels: &[u32], numbers: &[u32]) -> Vec<Piece> {
    let d = sketched.sketch.n_features();
    let groups = labels.iter().max().map_or(0, |&label| label as usize + 1);
    // Where the piece of a label stands, and of which number: cheaper than a map for each.
    let mut last: Vec<Option<(u32, usize)>> = vec![None; groups];
    let mut pieces: Vec<Piece> = Vec::new();
    for (place, (&row, &number)) in sketched.order.rows.iter().zip(numbers).enumerate() {
        let label = labels[row as usize];
        let at = match last[label as usize] {
            Some((of, at)) if of == number => at,
            _ => {
                pieces.push(Piece {
                    label,
                    cell: number,
                    weight: 0.0,
                    sums: vec![0.0; d],
                });
                last[label as usize] = Some((number, pieces.len() - 1));
                pieces.len() - 1
            }
        };
        let weights = sketched.weights.as_ref();
        let weight = weights.map_or(1.0, |weights| weights[place] as f64);
        let piece = &mut pieces[at];
        piece.weight += weight;
        for (sum, x) in piece.sums.iter_mut().zip(&sketched.points[place * d..]) {
            *sum += weight * x;
        }
    }
    pieces
}

/// Pieces of wider cells, label by label.
fn merge(fine: &[Piece], wider: impl Fn(u32) -> u32) -> Vec<Piece> {
    let mut order: Vec<&Piece> = fine.iter().collect();
    order.sort_by_key(|piece| (piece.label, wider(piece.cell)));
    let mut merged: Vec<Piece> = Vec::new();
    for piece in order {
        let cell = wider(piece.cell);
        match merged.last_mut() {
            Some(last) if last.label == piece.label && last.cell == cell => {
                last.weight += piece.weight;
                for (sum, more) in last.sums.iter_mut().zip(&piece.sums) {
                    *sum += more;
                }
            }
            _ => merged.push(Piece {
                label: piece.label,
                cell,
                weight: piece.weight,
                sums: piece.sums.clone(),
            }),
        }
    }
    merged
}

fn by_label(pieces: &[Piece], groups: usize, n_features: usize) -> Pieces {
    let mut starts = vec![0; groups + 1];
    for piece in pieces {
        starts[piece.label as usize + 1] += 1;
    }
    for label in 0..groups {
        starts[label + 1] += starts[label];
    }
    let sums: Vec<(f64, Vec<f64>)> = pieces
        .iter()
        .map(|piece| (piece.weight, piece.sums.clone()))
        .collect();
    Pieces {
        points: Points::of_sums(&sums, n_features),
        starts,
    }
}

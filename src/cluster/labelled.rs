//! The silhouette of groups that were not found here: rules, or somebody else's labels.
//!
//! In: a sketch with its rows, and a label for every customer. Out: their mean silhouette.
//! Invariant: the pieces are the customers of one label in one cell, so that a border between two groups cuts a cell where
//! it passes; as long as a cell is one place and there are few enough pieces, the figure is exact.

use super::kmeans::Points;
use super::quality::{Pieces, SILHOUETTE_CELLS, silhouette_of};
use crate::features::sketch::Sketched;

/// Cells that are tried, one after the other, until there are few enough pieces.
const CELLS: [usize; 6] = [SILHOUETTE_CELLS, 4_096, 2_048, 1_024, 256, 64];

/// The customers of one label in one cell.
struct Piece {
    label: u32,
    /// Number of the wider cell.
    cell: u32,
    weight: f64,
    sums: Vec<f64>,
}

/// Mean silhouette, −1 to 1 (Rousseeuw 1987), of customers with given labels (by row of the matrix that was sketched),
/// measured among at most `most` pieces (a few more where there are many labels). `None` where fewer than two labels occur.
pub fn silhouette_of_labels(sketched: &Sketched, labels: &[u32], most: usize) -> Option<f64> {
    let numbers = sketched.sketch.wider(CELLS[0]);
    let fine = pieces(sketched, labels, &numbers);
    let groups = fine.iter().map(|piece| piece.label as usize + 1).max()?;
    let mut occurs = vec![false; groups];
    for piece in &fine {
        occurs[piece.label as usize] = true;
    }
    let occurring = occurs.iter().filter(|&&occurs| occurs).count();
    if occurring < 2 {
        return None;
    }
    let mut merged = merge(&fine, |cell| cell);
    for cells in &CELLS[1..] {
        if merged.len() <= most {
            break;
        }
        let wider = sketched.sketch.wider(*cells);
        let mut above = vec![0; wider.len()];
        for (&number, &wider) in numbers.iter().zip(&wider) {
            above[number as usize] = wider;
        }
        merged = merge(&fine, |cell| above[cell as usize]);
    }
    Some(silhouette_of(
        &by_label(&merged, groups, sketched.sketch.n_features()),
        occurring,
    ))
}

/// The rows of each cell of a number, by label; in the order of the numbers, which ascend.
fn pieces(sketched: &Sketched, labels: &[u32], numbers: &[u32]) -> Vec<Piece> {
    let d = sketched.sketch.n_features();
    let groups = labels.iter().max().map_or(0, |&label| label as usize + 1);
    // Where the piece of a label stands, and in which cell: cheaper than a map for each cell.
    let mut last: Vec<Option<(u32, usize)>> = vec![None; groups];
    let mut pieces: Vec<Piece> = Vec::new();
    for (cell, &number) in numbers.iter().enumerate() {
        for place in sketched.order.cell(cell) {
            let label = labels[sketched.order.rows[place] as usize];
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
            let weight = sketched
                .weights
                .as_ref()
                .map_or(1.0, |weights| weights[place] as f64);
            let piece = &mut pieces[at];
            piece.weight += weight;
            for (sum, x) in piece.sums.iter_mut().zip(&sketched.points[place * d..]) {
                *sum += weight * x;
            }
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

//! A map as people and programs look at it.
//!
//! In: a [`RuleSet`]. Out: a [`ShownMap`], plain data: segments with their cells, and cells with their segment.
//! Invariant: what is shown is the grid by which customers are placed.

use serde::Serialize;

use super::condition::Quantity;
use super::grid::Grid;
use super::proof::Proof;
use super::set::RuleSet;
use crate::error::Result;

/// A map, cell by cell.
#[derive(Debug, Clone, Serialize)]
pub struct ShownMap {
    /// Its name.
    pub name: String,
    /// Chinese name, if it has one.
    pub name_zh: Option<String>,
    /// Where it comes from, in words.
    pub description: String,
    /// As-of of the data in which its cut points were found, where it says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fitted_as_of: Option<String>,
    /// The proof.
    #[serde(flatten)]
    pub proof: Proof,
    /// The segments in order.
    pub list: Vec<ShownSegment>,
    /// Keys of the axes: `r`, `f`, `m`, `recency_days`, …
    pub axes: Vec<&'static str>,
    /// Steps of each axis.
    #[serde(skip)]
    pub steps: Vec<usize>,
    /// For each cell, the last axis running fastest: its segments by index into `list`, the first one takes it.
    #[serde(skip)]
    pub takers: Vec<Vec<u32>>,
}

/// A segment of a map.
#[derive(Debug, Clone, Serialize)]
pub struct ShownSegment {
    /// English.
    pub name: String,
    /// Chinese.
    pub name_zh: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// The cells that it takes.
    pub cells: Vec<String>,
}

impl RuleSet {
    /// Lays the map out, cell by cell.
    ///
    /// # Errors
    /// [`RuleFault::TooManyCells`](crate::RuleFault::TooManyCells).
    pub fn show(&self) -> Result<ShownMap> {
        let grid = Grid::new(self)?;
        let mut list: Vec<ShownSegment> = self
            .segments
            .iter()
            .map(|segment| ShownSegment {
                name: segment.name.en.clone(),
                name_zh: segment.name.zh.clone(),
                aliases: segment.aliases.clone(),
                cells: Vec::new(),
            })
            .collect();
        for (index, takers) in grid.matches.iter().enumerate() {
            let cell = grid.cell(index);
            if let (Some(&first), true) = (takers.first(), cell.can_be(self)) {
                list[first as usize].cells.push(cell.code());
            }
        }
        Ok(ShownMap {
            name: self.name.clone(),
            name_zh: self.name_zh.clone(),
            description: self.description.clone(),
            fitted_as_of: self.fitted_as_of.clone(),
            proof: self.proof()?,
            list,
            axes: grid.axes.iter().map(|axis| axis.quantity.key()).collect(),
            steps: grid.axes.iter().map(|axis| axis.intervals.len()).collect(),
            takers: grid.matches,
        })
    }
}

impl ShownMap {
    /// Whether all axes are scores.
    pub fn is_of_scores(&self) -> bool {
        let scores = Quantity::SCORES.map(Quantity::key);
        self.axes.iter().all(|axis| scores.contains(axis))
    }
}

//! The proof that a map takes every customer exactly once (mutually exclusive, collectively exhaustive).
//!
//! In: a [`RuleSet`]. Out: a [`Proof`]: cells that nothing takes, cells that several segments take, segments that take none.
//! Invariant: every cell is looked at. A cell that no customer can be in (a last order before the first one) counts for
//! nothing.

use serde::Serialize;

use super::grid::Grid;
use super::set::RuleSet;
use crate::error::{Result, RuleFault, Warning};

/// What was found; the form of `tiermill maps --check --format json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Name of the map.
    pub map: String,
    /// Cells that a customer can be in.
    pub cells: usize,
    /// Number of segments.
    pub segments: usize,
    /// Cells that no segment takes: scores of the dimensions in use in the order R, F, M, and conditions.
    pub uncovered: Vec<String>,
    /// Cells that more than one segment matches; the first one takes them.
    pub overlapping: Vec<String>,
    /// English names of the segments that take no cell.
    pub unreachable: Vec<String>,
    /// Whether there is none of all these.
    pub mece: bool,
    /// For each overlapping cell the segments that match, in order.
    pub overlaps: Vec<Overlap>,
    /// Where a gap lies between two whole numbers: how to close it.
    #[serde(skip)]
    pub fraction: Option<String>,
}

/// A cell that several segments match.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The cell.
    pub code: String,
    /// English names.
    pub segments: Vec<String>,
}

/// One kind of fault that a proof found.
struct Fault {
    /// Code of the warning, where it is allowed.
    code: &'static str,
    /// The key that allows it.
    allow: &'static str,
    message: String,
}

/// Looks at every cell.
fn prove(rules: &RuleSet) -> Result<Proof> {
    let grid = Grid::new(rules)?;
    let name = |segment: u32| rules.segments[segment as usize].name.en.clone();
    let mut proof = Proof {
        map: rules.name.clone(),
        cells: 0,
        segments: rules.segments.len(),
        uncovered: Vec::new(),
        overlapping: Vec::new(),
        unreachable: Vec::new(),
        mece: false,
        overlaps: Vec::new(),
        fraction: None,
    };
    let mut reached = vec![false; rules.segments.len()];
    for (index, matches) in grid.matches.iter().enumerate() {
        let cell = grid.cell(index);
        if !cell.can_be(rules) {
            continue;
        }
        proof.cells += 1;
        match matches.as_slice() {
            [] => {
                proof.fraction = proof.fraction.or_else(|| cell.between_whole());
                proof.uncovered.push(cell.code());
            }
            [first, rest @ ..] => {
                reached[*first as usize] = true;
                if !rest.is_empty() {
                    proof.overlapping.push(cell.code());
                    proof.overlaps.push(Overlap {
                        code: cell.code(),
                        segments: matches.iter().map(|&segment| name(segment)).collect(),
                    });
                }
            }
        }
    }
    let unreached = (0..).zip(&reached).filter(|&(_, &reached)| !reached);
    proof.unreachable = unreached.map(|(segment, _)| name(segment)).collect();
    proof.mece = proof.is_whole();
    Ok(proof)
}

impl RuleSet {
    /// The proof, cell by cell.
    ///
    /// # Errors
    /// [`RuleFault::TooManyCells`].
    pub fn proof(&self) -> Result<Proof> {
        prove(self)
    }

    /// Proves the map whole, or what the file says of its holes.
    ///
    /// # Errors
    /// [`RuleFault::NotWhole`] for holes and overlaps that the file does not allow.
    pub fn check(&self) -> Result<Vec<Warning>> {
        let proof = self.proof()?;
        let faults = proof.faults();
        let refused: Vec<&'static str> = faults
            .iter()
            .map(|fault| fault.allow)
            .filter(|&key| match key {
                "allow-gaps" => !self.allow_gaps,
                _ => !self.allow_overlap,
            })
            .collect();
        if refused.is_empty() {
            let warning = |fault: &Fault| {
                Warning::new(
                    fault.code,
                    format!("map `{}`: {}", self.name, fault.message),
                )
            };
            return Ok(faults.iter().map(warning).collect());
        }
        let mut allow = refused;
        allow.dedup();
        let messages: Vec<String> = faults.iter().map(|fault| fault.message.clone()).collect();
        Err(RuleFault::NotWhole {
            map: self.name.clone(),
            faults: messages.join("; "),
            allow,
            fraction: proof.fraction,
        }
        .into())
    }
}

impl Proof {
    /// Whether every customer is taken exactly once and every segment takes somebody.
    pub fn is_whole(&self) -> bool {
        self.uncovered.is_empty() && self.overlapping.is_empty() && self.unreachable.is_empty()
    }

    /// The faults in words, with the key that would allow each.
    fn faults(&self) -> Vec<Fault> {
        let cells = |what: &str, cells: &[String]| {
            format!(
                "{} of {} cells {what} ({})",
                cells.len(),
                self.cells,
                first_few(cells)
            )
        };
        let kinds = [
            (
                "map_has_gaps",
                "allow-gaps",
                &self.uncovered,
                cells("uncovered", &self.uncovered),
            ),
            (
                "map_overlaps",
                "allow-overlap",
                &self.overlapping,
                cells("matched by several segments", &self.overlapping),
            ),
            (
                "map_unreachable",
                "allow-overlap",
                &self.unreachable,
                format!("nobody can be in {}", first_few(&self.unreachable)),
            ),
        ];
        kinds
            .into_iter()
            .filter(|(_, _, found, _)| !found.is_empty())
            .map(|(code, allow, _, message)| Fault {
                code,
                allow,
                message,
            })
            .collect()
    }
}

/// Up to eight, then how many more.
fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names[..names.len().min(SHOWN)].join("; ");
    if SHOWN < names.len() {
        format!("{shown}; and {} more", names.len() - SHOWN)
    } else {
        shown
    }
}

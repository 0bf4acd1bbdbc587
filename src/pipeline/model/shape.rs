//! Whether the parts of a model fit together.
//!
//! In: a [`Model`] as it was read. Out: nothing, or the field that no fit could have written.
//! Invariant: a model that passes places every customer without an index out of range, a NaN or a silent 0.

use std::path::Path;

use super::Model;
use crate::config::Transform;
use crate::error::{Error, Result};
use crate::features::Fitted;

/// Cut points between the five bands of a score.
const CUTS: usize = 4;
/// Tiers that a model has at least.
const FEWEST: usize = 2;

/// Refuses a model whose lists differ in length, or whose numbers cannot be.
pub(super) fn check(model: &Model, path: &Path) -> Result<()> {
    let counted = counts(model)
        .into_iter()
        .find(|(_, found, expected)| found != expected);
    let fault = || {
        let faults = faults(model).into_iter();
        let mut faults = faults.map(|(what, found)| (what, found, 0));
        faults.find(|&(_, found, _)| 0 < found)
    };
    match counted.or_else(fault) {
        None => Ok(()),
        Some((what, found, expected)) => Err(Error::ModelBroken {
            path: path.to_owned(),
            what,
            found,
            expected,
        }),
    }
}

/// What there has to be so many of.
fn counts(model: &Model) -> Vec<(String, usize, usize)> {
    let mut counts = vec![
        ("tiers".to_owned(), model.tiers.len(), model.k.max(FEWEST)),
        ("centroids".to_owned(), model.centroids.len(), model.k),
    ];
    for centroid in &model.centroids {
        let what = "coordinates in a centroid".to_owned();
        counts.push((what, centroid.len(), model.features.len()));
    }
    for (name, cuts) in scores(model) {
        counts.push((format!("cut points in `scores.{name}`"), cuts.len(), CUTS));
    }
    counts
}

/// What there has to be none of. (Numbers that JSON can hold are finite.)
fn faults(model: &Model) -> Vec<(String, usize)> {
    let features = |what: &str, sound: fn(&Fitted) -> bool| {
        let unsound = model.features.iter().filter(|column| !sound(column));
        (format!("features {what}"), unsound.count())
    };
    let ranks = model.tiers.iter().map(|tier| tier.rank).zip(1..);
    let mut faults = vec![
        features("without a finite center and a spread above 0", |column| {
            0.0 < column.spread
        }),
        features("without a `weight` above 0", |column| 0.0 < column.weight),
        features("with a `winsor` whose ends are swapped", |column| {
            column.winsor.is_none_or(|[low, high]| low <= high)
        }),
        features(
            "with a `lambda` that their transform cannot have",
            |column| match column.transform {
                Transform::YeoJohnson => column.lambda.is_some_and(f64::is_finite),
                Transform::Log1p | Transform::None => column.lambda.is_none(),
            },
        ),
        features(
            "with `quantiles` that are not two or more, ascending",
            |column| {
                let quantiles = column.quantiles.as_ref();
                quantiles.is_none_or(|values| 2 <= values.len() && values.is_sorted())
            },
        ),
        (
            "`tiers` out of the order of their rank".to_owned(),
            ranks.filter(|(found, expected)| found != expected).count(),
        ),
    ];
    let unfit = model.rules.as_ref().is_some_and(|rules| !rules.fits());
    faults.push((
        "`cuts` in `rules` that do not fit their scores".to_owned(),
        usize::from(unfit),
    ));
    for (name, cuts) in scores(model) {
        let what = format!("lists in `scores.{name}` that do not ascend");
        faults.push((what, usize::from(!cuts.is_sorted())));
    }
    faults
}

fn scores(model: &Model) -> [(&'static str, &[f64]); 3] {
    [
        ("recency_days", &model.scores.recency_days),
        ("frequency", &model.scores.frequency),
        ("monetary", &model.scores.monetary),
    ]
}

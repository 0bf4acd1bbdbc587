//! What tiers without any sense would be worth: the floor under a figure.
//!
//! In: two tierings and a seed. Out: a [`Floor`] for each.
//! Invariant: a draw deals the same labels to the customers in another order, so sizes stay; it is a function of the seed
//! and the customers alone.

use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use rayon::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::value::{Figures, Value, measure};
use super::{Space, Tiering};
use crate::cluster::Effort;

/// Draws of which the floor is the mean.
const DRAWS: u64 = 5;
/// What is done for the silhouette of a draw: it is about 0, wherever cells end.
const SILHOUETTE: Effort = Effort {
    exact: 2_048,
    pieces: 2_048,
    sample: 0,
};

/// Means over random tiers of the same sizes. The top tier is the one that is top in the tiering itself, so its capture is
/// about its share; the Gini coefficient is that of tiers sorted by what chance gave them, so it is a little above 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Floor {
    /// Means over the draws.
    #[serde(flatten)]
    pub figures: Figures,
    /// Standard deviations between draws.
    pub spread: Figures,
    /// Draws behind both.
    pub draws: u64,
}

/// The floors of both sides. One shuffle serves both.
pub(super) fn floors(
    space: &Space<'_>,
    (a, of_a): (&Tiering, &Value),
    (b, of_b): (&Tiering, &Value),
    seed: u64,
) -> (Floor, Floor) {
    let drawn: (Vec<Value>, Vec<Value>) = (0..DRAWS)
        .into_par_iter()
        .map(|number| {
            let mut order: Vec<u32> = (0..).take(space.customers.len()).collect();
            let seed = seed.wrapping_add(number);
            order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
            let of = |tiering, top| draw(space, tiering, top, &order);
            (of(a, of_a.top), of(b, of_b.top))
        })
        .unzip();
    (floor(&drawn.0), floor(&drawn.1))
}

/// A tiering with its labels dealt out in another order, its top tier kept in front.
fn draw(space: &Space<'_>, tiering: &Tiering, top: usize, order: &[u32]) -> Value {
    let front = |label: usize| match label {
        0 => top,
        label if label == top => 0,
        label => label,
    };
    let dealt = Tiering {
        name: String::new(),
        names: (0..tiering.names.len())
            .map(|tier| tiering.names[front(tier)].clone())
            .collect(),
        labels: order
            .iter()
            .map(|&row| front(tiering.labels[row as usize] as usize))
            .map(|label| u32::try_from(label).unwrap_or(0))
            .collect(),
        ranked: true,
        margins: None,
    };
    measure(space, &dealt, SILHOUETTE)
}

fn floor(draws: &[Value]) -> Floor {
    let n = draws.len() as f64;
    let mean = |found: &[f64]| found.iter().sum::<f64>() / n;
    let deviation = |found: &[f64]| {
        let mean = mean(found);
        let squares: f64 = found.iter().map(|x| (x - mean) * (x - mean)).sum();
        (squares / (n - 1.0)).sqrt()
    };
    Floor {
        figures: over(draws, &mean),
        spread: over(draws, &deviation),
        draws: DRAWS,
    }
}

/// Each figure of the draws put into one.
fn over(draws: &[Value], one: &dyn Fn(&[f64]) -> f64) -> Figures {
    let of = |figure: &dyn Fn(&Figures) -> Option<f64>| {
        let found: Option<Vec<f64>> = draws.iter().map(|value| figure(&value.figures)).collect();
        found.map(|found| one(&found))
    };
    let of_map = |map: &dyn Fn(&Figures) -> &Map<String, Json>| {
        let first = draws.first().map(|value| map(&value.figures));
        let names = first.into_iter().flat_map(Map::keys);
        names
            .map(|name| {
                let figure = of(&|figures| map(figures).get(name).and_then(Json::as_f64));
                (name.clone(), Json::from(figure))
            })
            .collect()
    };
    Figures {
        gini: of(&|figures| figures.gini),
        top_share: of(&|figures| Some(figures.top_share)).unwrap_or(0.0),
        top_capture: of(&|figures| figures.top_capture),
        capture_20: of(&|figures| figures.capture_20),
        eta2: of_map(&|figures| &figures.eta2),
        eta2_scaled: of_map(&|figures| &figures.eta2_scaled),
        silhouette: of(&|figures| figures.silhouette),
        balance: of(&|figures| figures.balance),
    }
}

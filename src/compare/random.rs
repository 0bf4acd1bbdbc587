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

use super::value::{Value, measure};
use super::{Space, Tiering};

/// Draws of which the floor is the mean.
const DRAWS: u64 = 5;
/// Pieces among which the silhouette of a draw is measured: it is about 0, wherever cells end.
const PIECES: usize = 2_048;

/// Means over random tiers of the same sizes. The top tier is the one that is top in the tiering itself, so its capture is
/// about its share; the Gini coefficient is that of tiers sorted by what chance gave them, so it is a little above 0.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Floor {
    /// As in [`Value`].
    pub gini: Option<f64>,
    /// As in [`Value`].
    pub top_share: f64,
    /// As in [`Value`].
    pub top_capture: Option<f64>,
    /// As in [`Value`].
    pub capture_20: Option<f64>,
    /// As in [`Value`].
    pub eta2: Map<String, Json>,
    /// As in [`Value`].
    pub eta2_scaled: Map<String, Json>,
    /// As in [`Value`].
    pub silhouette: Option<f64>,
    /// As in [`Value`].
    pub balance: Option<f64>,
    /// Draws behind the means.
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
    (mean(&drawn.0), mean(&drawn.1))
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
    measure(space, &dealt, PIECES)
}

fn mean(draws: &[Value]) -> Floor {
    let of = |figure: &dyn Fn(&Value) -> Option<f64>| {
        let found: Option<Vec<f64>> = draws.iter().map(figure).collect();
        found.map(|found| found.iter().sum::<f64>() / draws.len() as f64)
    };
    let of_map = |map: &dyn Fn(&Value) -> &Map<String, Json>| {
        let names = draws.first().map(map).into_iter().flat_map(Map::keys);
        names
            .map(|name| {
                let figure = of(&|value| map(value).get(name).and_then(Json::as_f64));
                (name.clone(), Json::from(figure))
            })
            .collect()
    };
    Floor {
        gini: of(&|value| value.gini),
        top_share: of(&|value| Some(value.top_share)).unwrap_or(0.0),
        top_capture: of(&|value| value.top_capture),
        capture_20: of(&|value| value.capture_20),
        eta2: of_map(&|value| &value.eta2),
        eta2_scaled: of_map(&|value| &value.eta2_scaled),
        silhouette: of(&|value| value.silhouette),
        balance: of(&|value| value.balance),
        draws: DRAWS,
    }
}

//! Segment maps: what is proven of those that are built in, published and generated.

use std::path::Path;

use tiermill::rules::{BUILT_IN, RuleSet};

#[track_caller]
fn map(text: &str) -> RuleSet {
    RuleSet::read(text, Path::new("map.toml"))
        .unwrap_or_else(|error| panic!("{error}: {:?}", error.hint()))
}

#[test]
fn the_published_maps_have_the_holes_that_were_counted_in_them() {
    // Cells, uncovered, matched by two or more, never reached (MAPS: checked cell by cell).
    for (name, cells, uncovered, overlapping, unreachable) in [
        (
            "rfm-r-0.2",
            125,
            36,
            39,
            vec!["New Customers", "Promising", "Can't Lose Them"],
        ),
        ("rfm-r-0.3", 125, 10, 58, vec![]),
        (
            "putler-11",
            125,
            0,
            76,
            vec!["Recent Customers", "Promising", "Can't Lose Them", "Lost"],
        ),
        ("grid-10", 25, 0, 0, vec![]),
        ("enumerated-11", 125, 0, 0, vec![]),
        ("pymc", 64, 18, 0, vec![]),
        ("eight", 8, 0, 0, vec![]),
        ("eight-b", 8, 0, 0, vec![]),
        ("bands-27", 27, 0, 0, vec![]),
    ] {
        let proof = RuleSet::built_in(name).unwrap().proof().unwrap();
        let found = (proof.cells, proof.uncovered.len(), proof.overlapping.len());
        assert_eq!(found, (cells, uncovered, overlapping), "{name}");
        assert_eq!(proof.unreachable, unreachable, "{name}");
        assert_eq!(
            proof.mece,
            uncovered + overlapping + unreachable.len() == 0,
            "{name}"
        );
    }
}

#[test]
fn the_uncovered_codes_are_those_of_the_publication() {
    let codes = |name| RuleSet::built_in(name).unwrap().proof().unwrap().uncovered;
    assert_eq!(
        codes("rfm-r-0.3").join(" "),
        "215 241 251 252 341 351 441 451 541 551"
    );
    assert_eq!(
        codes("pymc").join(" "),
        "121 131 141 142 213 221 231 241 242 321 331 341 342 421 431 432 441 442"
    );
}

#[test]
fn every_built_in_map_is_found_by_its_name_and_loads() {
    for built_in in BUILT_IN {
        for name in built_in.aliases.iter().chain([&built_in.name]) {
            let rules = RuleSet::built_in(name).unwrap();
            assert_eq!(rules.name, built_in.name);
            rules.check().unwrap();
            // The very text that users would write.
            assert_eq!(map(built_in.text), rules);
        }
    }
}

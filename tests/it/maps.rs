//! Segment maps: what is proven of those that are built in, published and generated.

use std::path::Path;
use std::sync::OnceLock;

use insta::assert_snapshot;
use proptest::prelude::*;
use serde_json::Value;
use tiermill::config::{Monetary, Recency};
use tiermill::load::Customers;
use tiermill::rules::{BUILT_IN, CutLists, Meaning, RuleSet};

use crate::support::{Workdir, customers};

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

/// Recency, frequency and monetary at every bound of [`Bounded`], between and beyond them.
fn everybody() -> &'static (Customers, Vec<[f64; 3]>) {
    static ALL: OnceLock<(Customers, Vec<[f64; 3]>)> = OnceLock::new();
    ALL.get_or_init(|| {
        let steps = [5, 10, 15, 20, 25, 30, 35].map(f64::from);
        let mut rows = Vec::new();
        for recency in steps {
            for frequency in 1..=5 {
                for monetary in steps {
                    rows.push((recency, frequency, monetary));
                }
            }
        }
        let values = rows.iter().map(|&(r, f, m)| [r, f as f64, m]).collect();
        (customers(&rows), values)
    })
}

/// A comparison in a generated map.
#[derive(Debug, Clone)]
struct Bounded {
    key: &'static str,
    sign: &'static str,
    bound: i32,
}

impl Bounded {
    /// Whether it holds, computed without any of the code under test.
    fn holds(&self, values: &[f64; 3]) -> bool {
        let [r, f, m] = scores(values);
        let found = match self.key {
            "r" => r,
            "f" => f,
            "m" => m,
            "fm" => (f + m) / 2.0,
            "sum" => r + f + m,
            "recency_days" => values[0],
            "frequency" => values[1],
            _ => values[2],
        };
        let bound = f64::from(self.bound);
        match self.sign {
            "<" => found < bound,
            "<=" => found <= bound,
            ">" => found > bound,
            ">=" => found >= bound,
            _ => found == bound,
        }
    }
}

/// Scores by the cut points of [`text`].
fn scores(values: &[f64; 3]) -> [f64; 3] {
    let above = |value: f64, cuts: [f64; 2]| cuts.iter().filter(|cut| **cut < value).count() as f64;
    [
        3.0 - above(values[0], [10.0, 20.0]),
        1.0 + above(values[1], [1.0, 3.0]),
        1.0 + above(values[2], [10.0, 30.0]),
    ]
}

type Generated = Vec<(bool, Vec<Bounded>)>;

fn text(segments: &Generated) -> String {
    let mut text = String::from(
        "allow-gaps = true\nallow-overlap = true\n[scores]\nrecency.cuts = [10, 20]\nfrequency.cuts = [1, 3]\nmonetary.cuts = [10, 30]\n",
    );
    for (index, (otherwise, conditions)) in segments.iter().enumerate() {
        text += &format!("[[segments]]\nname = 's{index}'\notherwise = {otherwise}\n");
        for Bounded { key, sign, bound } in conditions {
            text += &format!("{key} = '{sign} {bound}'\n");
        }
    }
    text
}

fn bounded() -> impl Strategy<Value = Bounded> {
    let keys = prop::sample::select(vec![
        ("r", 1..=3),
        ("f", 1..=3),
        ("m", 1..=3),
        ("fm", 1..=3),
        ("sum", 3..=9),
        ("recency_days", 1..=3),
        ("frequency", 1..=4),
        ("monetary", 1..=3),
    ]);
    let signs = prop::sample::select(vec!["<", "<=", ">", ">=", "="]);
    (keys, signs).prop_flat_map(|((key, bounds), sign)| {
        let wide = matches!(key, "recency_days" | "monetary");
        bounds.prop_map(move |bound| Bounded {
            key,
            sign,
            bound: if wide { bound * 10 } else { bound },
        })
    })
}

fn generated() -> impl Strategy<Value = Generated> {
    let conditions = prop::collection::vec(bounded(), 1..4).prop_map(|mut conditions| {
        conditions.sort_by_key(|condition| condition.key);
        conditions.dedup_by_key(|condition| condition.key);
        conditions
    });
    let last = prop::option::of(Just((true, Vec::new())));
    (
        prop::collection::vec((prop::bool::weighted(0.3), conditions), 1..6),
        last,
    )
        .prop_map(|(segments, last)| segments.into_iter().chain(last).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_proof_of_any_map_agrees_with_trying_everybody(segments in generated()) {
        let (people, values) = everybody();
        let rules = map(&text(&segments));
        let proof = rules.proof().unwrap();
        let found = rules.fit(people).unwrap().segments(people).unwrap();
        let (mut nobody, mut several, mut reached) = (false, false, vec![false; segments.len()]);
        for (row, values) in values.iter().enumerate() {
            let mut matching: Vec<usize> = Vec::new();
            for (index, (otherwise, conditions)) in segments.iter().enumerate() {
                let late = *otherwise && !matching.is_empty();
                if !late && conditions.iter().all(|condition| condition.holds(values)) {
                    matching.push(index);
                }
            }
            nobody |= matching.is_empty();
            several |= 1 < matching.len();
            if let Some(&first) = matching.first() {
                reached[first] = true;
            }
            let label = found.labels[row].map(|label| label as usize);
            prop_assert_eq!(label, matching.first().copied(), "{:?} in\n{}", values, text(&segments));
        }
        prop_assert_eq!(!proof.uncovered.is_empty(), nobody, "{:?}\n{}", proof.uncovered, text(&segments));
        prop_assert_eq!(!proof.overlapping.is_empty(), several, "{:?}\n{}", proof.overlaps, text(&segments));
        let never: Vec<String> = (0..segments.len()).filter(|&index| !reached[index]).map(|index| format!("s{index}")).collect();
        prop_assert_eq!(&proof.unreachable, &never, "{}", text(&segments));
        prop_assert_eq!(proof.mece, !nobody && !several && never.is_empty());
    }
}

#[test]
fn cut_points_that_are_given_are_not_shifted_by_a_map() {
    let people = customers(&[
        (1.0, 1, 40.0),
        (9.0, 2, 50.0),
        (50.0, 3, 51.0),
        (90.0, 9, 500.0),
    ]);
    let scored = |definition: &str| {
        let definition = format!("merge-equal = true\n{definition}");
        let meaning = Meaning::default();
        let rules = RuleSet::of_config(Some("rfm-r-0.3"), &definition.parse().unwrap(), meaning);
        let fitted = rules.unwrap().fit(&people).unwrap();
        let cuts = |lists: &Option<CutLists>| lists.as_ref().unwrap().values()[0].clone();
        let scores = fitted.segments(&people).unwrap().scores.monetary;
        (
            cuts(&fitted.cuts.recency_days),
            cuts(&fitted.cuts.monetary),
            scores,
        )
    };
    let (usual, shifted, _) = scored("");
    let own = "[scores.monetary]\ncuts = [50, 100, 200, 400]";
    let (recency, monetary, scores) = scored(own);
    assert_eq!(monetary, [50.0, 100.0, 200.0, 400.0]);
    assert_eq!(scores, [1, 1, 2, 5], "50 lies on the cut point, and below");
    assert_eq!(recency, usual, "the others are cut as the map has it");
    // What was said for all dimensions holds, and what was said for this one before it.
    let (_, monetary, scores) = scored(&format!(
        "[scores]\nside = 'lower-inclusive'\noffset = 2\n{own}"
    ));
    assert_eq!(monetary, [52.0, 102.0, 202.0, 402.0]);
    assert_eq!(scores, [1, 1, 1, 5]);
    let (_, monetary, scores) = scored(&format!("{own}\nside = 'lower-inclusive'\noffset = -1"));
    assert_eq!(monetary, [49.0, 99.0, 199.0, 399.0]);
    assert_eq!(scores, [1, 2, 2, 5]);
    // A change without a method of its own stays on the map's.
    let (_, monetary, _) = scored("[scores.monetary]\nbands = 5");
    assert_eq!(monetary, shifted);
}

#[test]
fn every_cell_of_every_built_in_map_has_the_segment_that_its_customers_get() {
    for built_in in BUILT_IN {
        // Fixed cut points, so that a customer of each code can be made.
        let bands = match built_in.name {
            "eight" | "eight-b" => 2,
            "bands-27" => 3,
            "pymc" => 4,
            _ => 5,
        };
        let cuts: Vec<String> = (1..bands).map(|cut| cut.to_string()).collect();
        let scores = format!(
            "cuts = [{}]\noffset = 0\nside = 'upper-inclusive'\n",
            cuts.join(", ")
        );
        let definition = format!(
            "[scores.recency]\n{scores}[scores.frequency]\n{scores}[scores.monetary]\n{scores}"
        );
        let rules = RuleSet::of_config(
            Some(built_in.name),
            &definition.parse().unwrap(),
            Meaning::default(),
        )
        .unwrap();
        let shown = rules.show().unwrap();
        let mut rows = Vec::new();
        let mut codes = Vec::new();
        for r in 1..=bands {
            for f in 1..=bands {
                for m in 1..=bands {
                    rows.push((f64::from(bands + 1 - r), i64::from(f), f64::from(m)));
                    codes.push(if shown.axes.len() == 2 {
                        format!("{r}{f}")
                    } else {
                        format!("{r}{f}{m}")
                    });
                }
            }
        }
        let people = customers(&rows);
        let found = rules.fit(&people).unwrap().segments(&people).unwrap();
        for (code, label) in codes.iter().zip(&found.labels) {
            let owner = shown
                .list
                .iter()
                .find(|segment| segment.cells.contains(code));
            let name = label.map(|label| &found.names[label as usize].en);
            assert_eq!(
                name,
                owner.map(|segment| &segment.name),
                "{} {code}",
                built_in.name
            );
            assert_eq!(
                name.is_none(),
                shown.proof.uncovered.contains(code),
                "{} {code}",
                built_in.name
            );
        }
    }
}

#[test]
fn conditions_on_quantities_are_proven_by_their_intervals() {
    let proof = |text: &str| map(text).proof().unwrap();
    let holes = proof(
        "segments = [
            { name = 'cold', recency_days = '> 730' },
            { name = 'warm', recency_days = '>= 365 and < 730' },
            { name = 'hot', recency_days = '<= 365' },
        ]",
    );
    assert_eq!(holes.cells, 5);
    assert_eq!(holes.uncovered, ["recency_days = 730"]);
    assert_eq!(holes.overlapping, ["recency_days = 365"]);
    assert_eq!(holes.overlaps[0].segments, ["warm", "hot"]);
    // Between 2 and 3 orders there is nobody.
    assert!(proof("segments = [{ name = 'few', frequency = '<= 2' }, { name = 'many', frequency = '>= 3' }]").mece);
    // Nobody's last order is before the first.
    let impossible = proof(
        "segments = [
            { name = 'lost', recency_days = '> 365' },
            { name = 'new', recency_days = '<= 365', tenure_days = '<= 365' },
            { name = 'old', recency_days = '<= 365', tenure_days = '> 365' },
            { name = 'never', recency_days = '> 365', tenure_days = '<= 365' },
        ]",
    );
    assert_eq!(impossible.unreachable, ["never"]);
    assert_eq!((impossible.cells, impossible.overlapping.len()), (3, 0));
}

#[test]
fn days_are_whole_unless_the_config_says_exact() {
    let text = "segments = [
        { name = 'warm', recency_days = [0, 30] },
        { name = 'cold', recency_days = '>= 31' },
    ]";
    let under = |recency: Recency, ready: bool| {
        let meaning = Meaning {
            recency,
            ready,
            ..Meaning::default()
        };
        map(text).under(meaning)
    };
    assert!(under(Recency::Floor, false).proof().unwrap().mece);
    assert!(under(Recency::Calendar, false).proof().unwrap().mece);
    for rules in [under(Recency::Exact, false), under(Recency::Floor, true)] {
        assert_eq!(rules.proof().unwrap().uncovered, ["30 < recency_days < 31"]);
        let hint = rules.check().unwrap_err().hint().unwrap();
        assert!(
            hint.starts_with("`recency_days` may lie between 30 and 31 here: write `\"> 30\"` in place of `\">= 31\"`;"),
            "{hint}"
        );
    }
    // The same for amounts, which are never whole.
    let amounts = map(
        "segments = [{ name = 'low', monetary = '<= 99' }, { name = 'high', monetary = '>= 100' }]",
    );
    let hint = amounts.check().unwrap_err().hint().unwrap();
    assert!(
        hint.starts_with("`monetary` may lie between 99 and 100 here"),
        "{hint}"
    );
}

#[test]
fn tenure_follows_from_the_first_order() {
    let never = |recency: Recency, conditions: &str| {
        let text = format!(
            "allow-gaps = true\nallow-overlap = true\n[[segments]]\nname = 'a'\n{conditions}\n[[segments]]\nname = 'b'\notherwise = true"
        );
        let meaning = Meaning {
            recency,
            ..Meaning::default()
        };
        let proof = map(&text).under(meaning).proof().unwrap();
        proof.unreachable == ["a"]
    };
    let within = |tenure: &str| format!("first_order = 'within 30d'\ntenure_days = '{tenure}'");
    for recency in [Recency::Floor, Recency::Calendar, Recency::Exact] {
        assert!(never(recency, &within("> 60")));
        assert!(!never(recency, &within("< 30")));
        let before = "first_order = 'not within 30d'\ntenure_days = '< 20'";
        assert!(never(recency, before));
    }
    // A customer of 30 days of the calendar: up to 31 days may have passed by the clock, 30 by the calendar.
    assert!(never(Recency::Calendar, &within("> 30")));
    assert!(!never(Recency::Floor, &within("> 30")));
    assert!(never(Recency::Floor, &within("> 31")));
    // The last order lies no further back than the first may.
    assert!(never(
        Recency::Floor,
        "first_order = 'within 30d'\nrecency_days = '> 31'"
    ));
    assert!(!never(
        Recency::Floor,
        "first_order = 'within 30d'\nrecency_days = '>= 31'"
    ));
}

#[test]
fn what_an_order_is_worth_follows_from_the_total() {
    let text = "segments = [
        { name = 'one large', frequency = 1, monetary = '> 100' },
        { name = 'one small', frequency = 1, aov = '<= 100' },
        { name = 'regular', frequency = '>= 2' },
    ]";
    let rules = map(text);
    assert!(rules.proof().unwrap().mece, "{:?}", rules.proof());
    // Of a ready table nobody knows how its monetary was made.
    let ready = Meaning {
        ready: true,
        ..Meaning::default()
    };
    assert!(!map(text).under(ready).proof().unwrap().mece);
    // Where M is a mean it is the worth of an order, whatever the frequency.
    let text = "segments = [
        { name = 'large', monetary = '> 100' },
        { name = 'small', aov = '<= 100' },
    ]";
    let mean = Meaning {
        monetary: Monetary::Mean,
        ..Meaning::default()
    };
    assert!(!map(text).proof().unwrap().mece);
    assert!(map(text).under(mean).proof().unwrap().mece);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn cells_of_frequency_total_and_mean_are_those_that_somebody_can_be_in(
        frequency in prop::sample::select(vec!["= 1", "= 3", ">= 2", "<= 4", "> 5"]),
        monetary in (prop::sample::select(vec!["<", "<=", ">", ">=", "="]), -3..=6_i32),
        aov in (prop::sample::select(vec!["<", "<=", ">", ">=", "="]), -3..=6_i32),
    ) {
        let text = format!(
            "allow-gaps = true\nallow-overlap = true\n[[segments]]\nname = 'a'\nfrequency = '{frequency}'\nmonetary = '{} {}'\naov = '{} {}'\n[[segments]]\nname = 'b'\notherwise = true",
            monetary.0, monetary.1 * 12, aov.0, aov.1 * 6
        );
        let holds = |sign: &str, value: i64, bound: i64| match sign {
            "<" => value < bound,
            "<=" => value <= bound,
            ">" => value > bound,
            ">=" => value >= bound,
            _ => value == bound,
        };
        // Amounts in steps of 1, as fine as the bounds ask for; the mean of an order is compared crosswise.
        let somebody = (1..=40_i64).any(|orders| {
            let (sign, bound) = frequency.split_once(' ').unwrap();
            holds(sign, orders, bound.parse().unwrap())
                && (-1600..=1600_i64).any(|total| {
                    holds(monetary.0, total, i64::from(monetary.1) * 12)
                        && holds(aov.0, total, i64::from(aov.1) * 6 * orders)
                })
        });
        let proof = map(&text).proof().unwrap();
        prop_assert_eq!(!proof.unreachable.contains(&"a".to_owned()), somebody, "{}", text);
    }
}

#[test]
fn a_map_with_holes_is_refused_unless_it_says_so() {
    let text = "segments = [{ name = 'good', r = '>= 4' }, { name = 'better', r = 5 }]";
    let parse = |allow: &str| RuleSet::parse(&format!("{allow}\n{text}"), Path::new("mine.toml"));
    let error = parse("").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert_snapshot!(error.to_string(), @"map `mine` is not whole: 3 of 5 cells uncovered (1; 2; 3); 1 of 5 cells matched by several segments (5); nobody can be in better");
    assert_snapshot!(error.hint().unwrap(), @"`tiermill maps --check FILE` lists the cells of a rule file; mend the map, add a segment with `otherwise = true`, or allow it with `allow-gaps = true` and `allow-overlap = true`");
    assert!(
        parse("allow-gaps = true")
            .unwrap_err()
            .to_string()
            .contains("several")
    );
    let rules = parse("allow-gaps = true\nallow-overlap = true").unwrap();
    let warnings = rules.check().unwrap();
    let codes: Vec<&str> = warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(codes, ["map_has_gaps", "map_overlaps", "map_unreachable"]);
}

#[test]
fn a_map_too_large_to_look_at_is_refused_and_not_tried() {
    let bounds = |key: &str| {
        (0..300)
            .map(|bound| format!("{{ {key} = {bound} }}"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let text = format!(
        "segments = [{{ name = 'a', any = [{}, {}, {}] }}, {{ name = 'b', otherwise = true }}]",
        bounds("recency_days"),
        bounds("monetary"),
        bounds("aov")
    );
    let error = map(&text).proof().unwrap_err();
    assert_eq!(
        error.to_string(),
        "map `map` has 217081801 cells, expected at most 1000000"
    );
}

#[test]
fn maps_are_listed_shown_and_checked_on_the_command_line() {
    let work = Workdir::new();
    let list: Value =
        serde_json::from_str(&work.tiermill("maps --format json").success().stdout).unwrap();
    let maps = list["maps"].as_array().unwrap();
    assert_eq!(maps.len(), BUILT_IN.len());
    let eight = &maps[0];
    assert_eq!(
        (
            eight["name"].as_str(),
            eight["cells"].as_u64(),
            eight["segments"].as_u64(),
            eight["mece"].as_bool()
        ),
        (Some("eight"), Some(8), Some(8), Some(true))
    );

    let checked = work.tiermill("maps --check rfm-r-0.3 --format json");
    assert_eq!(checked.code, 1, "{}", checked.stderr);
    let proof: Value = serde_json::from_str(&checked.stdout).unwrap();
    assert_eq!(proof["uncovered"].as_array().unwrap().len(), 10);
    assert_eq!(proof["overlapping"].as_array().unwrap().len(), 58);
    assert_eq!(
        (
            proof["map"].as_str(),
            proof["cells"].as_u64(),
            proof["mece"].as_bool()
        ),
        (Some("rfm-r-0.3"), Some(125), Some(false))
    );
    assert_eq!(proof["unreachable"], serde_json::json!([]));

    assert_eq!(
        work.tiermill("maps --check grid-10")
            .success()
            .stdout
            .lines()
            .count(),
        2
    );
    work.write(
        "my.toml",
        "segments = [{ name = 'a', r = 5 }, { name = 'b', r = '<= 3' }]",
    );
    let holes = work.tiermill("maps --check my.toml");
    assert_eq!(holes.code, 1);
    assert_snapshot!(holes.answer(), @"
    my: 5 cells, 2 segments
    not MECE

    1 uncovered:
      4
    ");
    // What `--toml` prints is a rule file.
    work.write(
        "copy.toml",
        work.tiermill("maps eight --toml").success().stdout,
    );
    work.tiermill("maps --check copy.toml").success();
}

#[test]
fn a_map_is_drawn_with_letters_so_that_colours_are_not_needed() {
    let work = Workdir::new();
    let plain = work.tiermill("maps eight").success();
    assert_snapshot!(plain.answer(), @"
    eight  RFM 八分法
    The eight segments of Chinese user operations: recency, frequency and monetary
    each better than the mean of all customers or not. Score 2 is good, 1 is not;
    naming A, the majority's.

         M = 2  M = 1
    F 2  C A    G E
    F 1  D B    H F
         1 2    1 2    R

        Segment          名称          Cells
     A  Key value        重要价值客户      1  222
     B  Key develop      重要发展客户      1  212
     C  Key keep         重要保持客户      1  122  also: Key win back, 重要唤回客户
     D  Key retain       重要挽留客户      1  112  also: 重要挽回客户
     E  General value    一般价值客户      1  221
     F  General develop  一般发展客户      1  211  also: General new
     G  General keep     一般保持客户      1  121  also: 一般唤回客户
     H  General retain   一般挽留客户      1  111  also: General lost, 一般挽回客户

    MECE: every cell has exactly one segment.
    ");
    assert!(!plain.stdout.contains('\u{1b}'), "a pipe gets no colours");
    let arguments = ["maps".to_owned(), "eight".to_owned()];
    let coloured = work
        .tiermill_with(&arguments, &[("CLICOLOR_FORCE", "1")])
        .stdout;
    assert!(
        coloured.contains("\u{1b}[38;5;16m\u{1b}[48;5;"),
        "{coloured:?}"
    );
    // Without its colours it is the same text.
    let mut stripped = String::new();
    for part in coloured.split('\u{1b}') {
        stripped += part
            .split_once('m')
            .filter(|(code, _)| code.starts_with('['))
            .map_or(part, |(_, rest)| rest);
    }
    let lines = |text: &str| {
        text.lines()
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(lines(&stripped), lines(&plain.stdout));
    for built_in in BUILT_IN {
        let text = work
            .tiermill(&format!("maps {}", built_in.name))
            .success()
            .stdout;
        for segment in RuleSet::built_in(built_in.name).unwrap().names() {
            assert!(
                text.contains(&segment.en) && text.contains(&segment.zh),
                "{}: {text}",
                built_in.name
            );
        }
        let wide = text.lines().find(|line| 120 < line.chars().count());
        assert_eq!(wide, None, "{}", built_in.name);
    }
}

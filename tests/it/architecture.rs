//! The house rules that a compiler does not know: who may import whom, who prints, who reads, who writes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::repository;

/// What each module may import, besides `config` and `error` (DESIGN §7). `lib` and `main` only declare.
const MAY_IMPORT: [(&str, &[&str]); 15] = [
    ("config", &[]),
    ("error", &[]),
    ("load", &[]),
    ("features", &["load"]),
    ("cluster", &["features"]),
    ("tiers", &["load", "features", "cluster"]),
    // Natural breaks of a score are those of `cluster::breaks`: one concept, one place.
    ("rules", &["load", "features", "cluster"]),
    // One adjusted Rand index and one silhouette for the whole program: those of `cluster`.
    (
        "compare",
        &["load", "features", "cluster", "tiers", "rules"],
    ),
    (
        "calibrate",
        &["load", "features", "cluster", "tiers", "rules"],
    ),
    ("generate", &[]),
    ("store", &[]),
    // Results of the stages; it never sees `pipeline`.
    (
        "report",
        &["load", "features", "cluster", "tiers", "rules", "compare"],
    ),
    (
        "pipeline",
        &[
            "load",
            "features",
            "cluster",
            "tiers",
            "rules",
            "compare",
            "calibrate",
            "generate",
            "store",
            "report",
        ],
    ),
    // What the pipeline returns is made of the types of the stages; two small readers and writers are its own.
    (
        "cli",
        &[
            "pipeline",
            "load",
            "cluster",
            "tiers",
            "rules",
            "compare",
            "calibrate",
            "generate",
            "store",
        ],
    ),
    ("lib", &["cli"]),
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let mut files = Vec::new();
    walk(&repository().join("src"), &mut files);
    files.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (
            path.strip_prefix(repository().join("src"))
                .unwrap()
                .to_owned(),
            text,
        )
    };
    files.into_iter().map(read).collect()
}

/// The module at the top that a file belongs to.
fn room(path: &Path) -> String {
    let first = path.iter().next().unwrap().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The code of a file without comments and without its unit tests.
fn code(text: &str) -> String {
    let production = text.split("#[cfg(test)]").next().unwrap();
    production
        .lines()
        .map(|line| line.split("//").next().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The modules of this crate that a piece of code names, as `crate::load` or inside `crate::{…}`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(inside) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for c in inside.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(std::mem::take(&mut word)),
                    c if depth == 0 => word.push(c),
                    _ => {}
                }
            }
            found.push(word);
        } else {
            found.push(rest.to_owned());
        }
    }
    found
        .into_iter()
        .map(|path| {
            path.trim()
                .chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect::<String>()
        })
        .filter(|name| !name.is_empty() && !name.starts_with(char::is_uppercase))
        .collect()
}

#[test]
fn every_module_imports_only_what_the_design_allows() {
    let table: BTreeMap<&str, &[&str]> = MAY_IMPORT.into_iter().collect();
    let mut faults = Vec::new();
    for (path, text) in sources() {
        let room = room(&path);
        if room == "main" {
            continue;
        }
        let allowed = table
            .get(room.as_str())
            .unwrap_or_else(|| panic!("`{room}` is not in the table: add it on purpose"));
        for name in imports(&code(&text)) {
            let own = name == room || name == "error" || name == "config";
            if !own && !allowed.contains(&name.as_str()) {
                faults.push(format!("{} imports crate::{name}", path.display()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn the_scanner_sees_both_forms_of_an_import() {
    let code = "use crate::load::Customers;\nuse crate::{features, rules::{score, Cuts}, Error};";
    assert_eq!(imports(code), ["load", "features", "rules"]);
}

/// Asserts that `needles` stand only in files whose path begins with one of `owners`.
#[track_caller]
fn only_in(needles: &[&str], owners: &[&str]) {
    let mut faults = Vec::new();
    let mut seen = false;
    for (path, text) in sources() {
        let path = path.to_str().unwrap().to_owned();
        for (number, line) in code(&text).lines().enumerate() {
            if !needles.iter().any(|needle| line.contains(needle)) {
                continue;
            }
            if owners.iter().any(|owner| path.starts_with(owner)) {
                seen = true;
            } else {
                faults.push(format!("{path}:{}: {}", number + 1, line.trim()));
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
    assert!(
        seen,
        "nobody uses {needles:?}: the rule has lost its object"
    );
}

#[test]
fn only_cluster_knows_linfa() {
    only_in(&["linfa::", "linfa_clustering::"], &["cluster/"]);
}

#[test]
fn only_cli_prints() {
    only_in(
        &[
            "anstream::stdout",
            "anstream::stderr",
            "println!",
            "eprintln!",
        ],
        &["cli/"],
    );
}

#[test]
fn only_load_opens_input() {
    only_in(&["scan_parquet", "ParquetReader"], &["load/"]);
}

#[test]
fn only_store_writes() {
    only_in(
        &[
            "File::create",
            "fs::write",
            "fs::rename",
            "fs::create_dir",
            "ParquetWriter",
        ],
        &["store/"],
    );
}

#[test]
fn nobody_asks_the_clock() {
    for (path, text) in sources() {
        for forbidden in [
            "SystemTime",
            "Utc::now",
            "Local::now",
            "thread_rng",
            "from_entropy",
        ] {
            assert!(
                !code(&text).contains(forbidden),
                "{} uses {forbidden}",
                path.display()
            );
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for (path, text) in sources() {
        assert!(
            text.starts_with("//! "),
            "{} has no module documentation",
            path.display()
        );
    }
}

#[test]
fn no_file_grows_into_a_monster() {
    for (path, text) in sources() {
        let lines = code(&text).lines().count();
        assert!(lines <= 600, "{} has {lines} lines", path.display());
    }
}

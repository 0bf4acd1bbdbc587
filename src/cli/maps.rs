//! `tiermill maps`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anstyle::{Ansi256Color, Color, Style};
use clap::Args;
use serde::Serialize;

use super::plain::{name as short, plain};
use super::render::{count, table};
use super::{config_file, print, print_json, read_rules};
use crate::config::{Format, Level, is_rule_file};
use crate::error::{Error, Result};
use crate::rules::{BUILT_IN, BuiltIn, Meaning, Proof, RuleSet, ShownMap};

/// Arguments of `tiermill maps`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  tiermill maps                      the built-in maps, and what is proven
  tiermill maps eight                its grid and its segments
  tiermill maps eight --toml         its rule file, to begin your own with
  tiermill maps --check rules.toml   proves a map whole, or prints its holes

Exit code of --check: 0 where every cell has exactly one segment and every
segment a cell, else 1.")]
pub(super) struct MapsArgs {
    /// A built-in map or a rule file; without one, all built-in maps are listed
    #[arg(value_name = "NAME|FILE")]
    map: Option<String>,
    /// Prove this map whole, or print the cells where it is not
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "map")]
    check: Option<String>,
    /// Print the map as a rule file
    #[arg(long, requires = "map", conflicts_with = "format")]
    toml: bool,
    /// Tables for people, or one JSON document for programs
    #[arg(long, value_name = "FORMAT", default_value = "human")]
    format: Format,
    /// Config file that says what recency and monetary are [default: tiermill.toml in this folder, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn maps(args: &MapsArgs) -> Result<ExitCode> {
    let read = |map: &str| Ok::<_, Error>(read(map)?.under(meaning(args.config.as_deref())?));
    match (&args.map, &args.check) {
        (_, Some(map)) => check(&read(map)?, args.format),
        (Some(map), None) if args.toml => show_toml(map),
        (Some(map), None) => show(&read(map)?, args.format),
        (None, None) => list(args.format),
    }
}

/// A built-in map or a rule file, proven or not.
fn read(map: &str) -> Result<RuleSet> {
    if is_rule_file(map) {
        let path = Path::new(map);
        RuleSet::read(&read_rules(path)?, path)
    } else {
        RuleSet::built_in(map)
    }
}

/// What recency and monetary are in the config; as always where there is none.
fn meaning(config: Option<&Path>) -> Result<Meaning> {
    let options = config_file(config)?;
    let usual = Meaning::default();
    Ok(Meaning {
        recency: options.rfm.recency.unwrap_or(usual.recency),
        monetary: options.rfm.monetary.unwrap_or(usual.monetary),
        ready: options.input.level == Some(Level::Customers),
    })
}

/// `maps --format json`.
#[derive(Serialize)]
struct MapList {
    maps: Vec<MapEntry>,
}

#[derive(Serialize)]
struct MapEntry {
    name: &'static str,
    aliases: &'static [&'static str],
    cells: usize,
    segments: usize,
    mece: bool,
    uncovered: usize,
    overlapping: usize,
    unreachable: usize,
    description: String,
}

fn list(format: Format) -> Result<ExitCode> {
    let entry = |map: &BuiltIn| {
        let shown = RuleSet::built_in(map.name)?.show()?;
        let proof = shown.proof;
        Ok(MapEntry {
            name: map.name,
            aliases: map.aliases,
            cells: proof.cells,
            segments: proof.segments,
            mece: proof.mece,
            uncovered: proof.uncovered.len(),
            overlapping: proof.overlapping.len(),
            unreachable: proof.unreachable.len(),
            description: shown.description,
        })
    };
    let maps = BUILT_IN.iter().map(entry).collect::<Result<Vec<_>>>()?;
    if format == Format::Json {
        print_json(&MapList { maps })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = table(&[
        ("Map", false),
        ("Also", false),
        ("Cells", true),
        ("Segments", true),
        ("MECE", false),
        ("Uncovered", true),
        ("Several", true),
        ("Never", true),
    ]);
    for map in &maps {
        text.add_row([
            map.name.to_owned(),
            map.aliases.join(", "),
            map.cells.to_string(),
            map.segments.to_string(),
            if map.mece { "yes" } else { "no" }.to_owned(),
            map.uncovered.to_string(),
            map.overlapping.to_string(),
            map.unreachable.to_string(),
        ]);
    }
    print(&format!(
        "{}\n\nUncovered: cells that no segment takes. Several: cells that more than one matches; the first\none takes them. Never: segments that take no cell. `tiermill maps NAME` shows one.\n",
        text.trim_fmt()
    ))?;
    Ok(ExitCode::SUCCESS)
}

fn check(rules: &RuleSet, format: Format) -> Result<ExitCode> {
    let proof = rules.proof()?;
    match format {
        Format::Json => print_json(&proof)?,
        Format::Human => print(&proof_text(&proof))?,
    }
    Ok(if proof.mece {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn proof_text(proof: &Proof) -> String {
    let mut text = format!(
        "{TITLE}{}{TITLE:#}: {} cells, {} segments\n",
        plain(&proof.map),
        count(proof.cells as u64),
        proof.segments
    );
    if proof.mece {
        text += "MECE: every cell is taken by exactly one segment, and every segment takes one.\n";
        return text;
    }
    text += "not MECE\n";
    if !proof.uncovered.is_empty() {
        let _ = writeln!(text, "\n{} uncovered:", proof.uncovered.len());
        text += &listed(&proof.uncovered);
        if let Some(how) = &proof.fraction {
            let _ = writeln!(text, "  {how}");
        }
    }
    if !proof.overlaps.is_empty() {
        let _ = writeln!(
            text,
            "\n{} matched by more than one segment; the first takes them:",
            proof.overlaps.len()
        );
        for overlap in &proof.overlaps {
            let _ = writeln!(
                text,
                "  {}: {}",
                overlap.code,
                plain(&overlap.segments.join(" > "))
            );
        }
    }
    if !proof.unreachable.is_empty() {
        let _ = writeln!(text, "\n{} never reached:", proof.unreachable.len());
        text += &listed(&proof.unreachable);
    }
    text
}

/// Codes side by side, longer words a line each.
fn listed(words: &[String]) -> String {
    const WIDTH: usize = 76;
    let mut text = String::new();
    let mut line = String::new();
    for word in words.iter().map(|word| plain(word)) {
        let long = word.contains(' ');
        if !line.is_empty() && (long || WIDTH < line.len() + word.len()) {
            let _ = writeln!(text, "  {}", line.trim_end());
            line.clear();
        }
        line += &word;
        line.push(' ');
    }
    let _ = writeln!(text, "  {}", line.trim_end());
    text
}

fn show_toml(map: &str) -> Result<ExitCode> {
    if is_rule_file(map) {
        let path = Path::new(map);
        let text = read_rules(path)?;
        print(&text)?;
    } else {
        print(BuiltIn::find(map)?.text)?;
    }
    Ok(ExitCode::SUCCESS)
}

const TITLE: Style = Style::new().bold();

fn show(rules: &RuleSet, format: Format) -> Result<ExitCode> {
    let map = rules.show()?;
    match format {
        Format::Json => print_json(&map)?,
        Format::Human => print(&shown(&map))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Title, grid, segments, and what is proven.
fn shown(map: &ShownMap) -> String {
    let chinese = map.name_zh.as_ref();
    let chinese = chinese.map_or_else(String::new, |name| format!("  {}", plain(name)));
    let mut text = format!("{TITLE}{}{TITLE:#}{chinese}\n", plain(&map.name));
    for line in textwrapped(&map.description) {
        let _ = writeln!(text, "{}", plain(&line));
    }
    if let Some(as_of) = &map.fitted_as_of {
        let _ = writeln!(text, "Cut points found in data as of {as_of}.");
    }
    let of_scores = map.is_of_scores() && (1..=3).contains(&map.axes.len());
    if of_scores {
        text += &grid(map);
    }
    text += &segments(map, of_scores);
    let proof = &map.proof;
    let verdict = if proof.mece {
        "MECE: every cell has exactly one segment.".to_owned()
    } else {
        format!(
            "not MECE: {} cells uncovered, {} matched by several, {} segments never reached;\n`tiermill maps --check {}` lists them.",
            proof.uncovered.len(),
            proof.overlapping.len(),
            proof.unreachable.len(),
            plain(&proof.map)
        )
    };
    let _ = writeln!(text, "\n{verdict}");
    text
}

/// The letter of a segment: A to Z, then a to z, then a question mark.
fn letter(segment: usize) -> char {
    let letters = ('A'..='Z').chain('a'..='z');
    letters.into_iter().nth(segment).unwrap_or('?')
}

/// Black on a light colour of its own.
fn colour(segment: usize) -> Style {
    const LIGHT: [u8; 12] = [114, 117, 222, 183, 159, 216, 151, 229, 146, 210, 187, 180];
    let background = Ansi256Color(LIGHT[segment % LIGHT.len()]);
    Style::new()
        .fg_color(Some(Color::Ansi256(Ansi256Color(16))))
        .bg_color(Some(Color::Ansi256(background)))
}

/// Recency to the right, frequency upwards, a block for each score of monetary.
fn grid(map: &ShownMap) -> String {
    let steps = |axis: usize| map.steps.get(axis).copied().unwrap_or(1);
    let (columns, rows, blocks) = (steps(0), steps(1), steps(2));
    let name = |axis: usize| {
        map.axes
            .get(axis)
            .map_or_else(String::new, |key| key.to_uppercase())
    };
    let mut text = String::from("\n");
    if 1 < blocks {
        text += "     ";
        for block in (0..blocks).rev() {
            let title = format!("{} = {}", name(2), block + 1);
            let _ = write!(text, "{title:<width$}", width = 2 * columns + 3);
        }
        text = text.trim_end().to_owned() + "\n";
    }
    for row in (0..rows).rev() {
        let label = if 1 < rows {
            format!("{} {}", name(1), row + 1)
        } else {
            String::new()
        };
        let _ = write!(text, "{label:<5}");
        for block in (0..blocks).rev() {
            for column in 0..columns {
                let takers = &map.takers[(column * rows + row) * blocks + block];
                text += &cell(takers);
            }
            text += "   ";
        }
        text = text.trim_end().to_owned() + "\n";
    }
    text += "     ";
    for _ in 0..blocks {
        for column in 1..=columns {
            let _ = write!(text, "{column} ");
        }
        text += "   ";
    }
    let several = map.takers.iter().any(|takers| 1 < takers.len());
    let nobody = map.takers.iter().any(Vec::is_empty);
    let _ = writeln!(
        text,
        "{}{}{}\n",
        name(0),
        if several { "   + several match" } else { "" },
        if nobody { "   · none matches" } else { "" }
    );
    text
}

fn cell(takers: &[u32]) -> String {
    let Some(&first) = takers.first() else {
        return "· ".to_owned();
    };
    let style = colour(first as usize);
    let more = if 1 < takers.len() { '+' } else { ' ' };
    format!("{style}{}{more}{style:#}", letter(first as usize))
}

fn segments(map: &ShownMap, of_scores: bool) -> String {
    /// Cells that are listed before it gets too many.
    const SHOWN: usize = 5;
    let mut text = table(&[
        ("", false),
        ("Segment", false),
        ("名称", false),
        ("Cells", true),
        ("", false),
    ]);
    for (index, segment) in map.list.iter().enumerate() {
        let mark = if of_scores {
            letter(index).to_string()
        } else {
            (index + 1).to_string()
        };
        let between = if of_scores { " " } else { "\n" };
        let shown = &segment.cells[..segment.cells.len().min(SHOWN)];
        let mut cells = shown.join(between);
        if SHOWN < segment.cells.len() {
            let _ = write!(cells, "{between}…");
        }
        if !segment.aliases.is_empty() {
            let _ = write!(cells, "  also: {}", plain(&segment.aliases.join(", ")));
        }
        text.add_lines([
            mark,
            short(&segment.name),
            short(&segment.name_zh),
            segment.cells.len().to_string(),
            cells,
        ]);
    }
    let mut coloured = String::new();
    for (row, line) in text.trim_fmt().lines().enumerate() {
        // The table would count the colours as letters, so they are put in afterwards.
        match (row.checked_sub(1), line.strip_prefix(' ')) {
            (Some(index), Some(rest)) if of_scores => {
                let (style, mark) = (colour(index), rest.chars().next().unwrap_or(' '));
                let rest = &rest[mark.len_utf8()..];
                let _ = writeln!(coloured, " {style}{mark}{style:#}{rest}");
            }
            _ => {
                let _ = writeln!(coloured, "{line}");
            }
        }
    }
    coloured
}

/// Lines of at most 78 letters.
fn textwrapped(text: &str) -> Vec<String> {
    const WIDTH: usize = 78;
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

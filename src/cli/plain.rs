//! Words of others on a terminal: names of tiers, segments, columns and files, as somebody's data has them.
//!
//! In: any text. Out: text without a character that moves the cursor, changes colours or the direction of reading.
//! Invariant: it is for eyes alone; files and JSON keep every name as it is.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table as Lines};

/// Columns of a name in a table.
const WIDEST: usize = 40;

/// A text in one line, control characters written out: `\n`, `\u{1b}`.
pub(super) fn plain(text: &str) -> String {
    escaped(text, false)
}

/// The same of a text that may have several lines.
pub(super) fn plain_lines(text: &str) -> String {
    escaped(text, true)
}

fn escaped(text: &str, lines: bool) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if (c == '\n' && lines) || !moves(c) {
            plain.push(c);
        } else {
            plain.extend(c.escape_default());
        }
    }
    plain
}

/// Whether a terminal does something else with it than to show it.
fn moves(c: char) -> bool {
    let of_direction = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || of_direction
}

/// A name for a table: in one line, and no wider than a column may be.
pub(super) fn name(text: &str) -> String {
    let text = plain(text);
    if width(&text) <= WIDEST {
        return text;
    }
    let mut used = 1;
    let mut short: String = text
        .chars()
        .take_while(|&c| {
            used += columns(c);
            used <= WIDEST
        })
        .collect();
    short.push('…');
    short
}

/// Columns that a text takes: wide characters count twice.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    if '\u{1100}' <= c { 2 } else { 1 }
}

/// A table without lines; nothing in it moves the cursor.
pub(super) struct Table(Lines);

impl Table {
    /// `true` aligns a column to the right.
    pub(super) fn new(columns: &[(&str, bool)]) -> Self {
        let mut lines = Lines::new();
        lines.load_style(NOTHING);
        lines.set_header(columns.iter().map(|(title, _)| name(title)));
        for (index, (_, right)) in columns.iter().enumerate() {
            if let (Some(column), true) = (lines.column_mut(index), *right) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self(lines)
    }

    pub(super) fn add_row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.add_row(cells.into_iter().map(|cell| plain(&cell)));
    }

    /// A row whose cells may have several lines.
    pub(super) fn add_lines(&mut self, cells: impl IntoIterator<Item = String>) {
        let cells = cells.into_iter();
        self.0.add_row(cells.map(|cell| plain_lines(&cell)));
    }

    pub(super) fn trim_fmt(&self) -> String {
        self.0.trim_fmt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_written_out() {
        assert_eq!(plain("a\u{1b}[31mb\r\n\t"), "a\\u{1b}[31mb\\r\\n\\t");
        assert_eq!(
            plain("\u{9b}2J \u{202e}gnorw\u{7f}"),
            "\\u{9b}2J \\u{202e}gnorw\\u{7f}"
        );
        assert_eq!(plain("重要 é “x” \\ '"), "重要 é “x” \\ '");
        assert_eq!(plain_lines("a\nb\u{7}"), "a\nb\\u{7}");
    }

    #[test]
    fn a_long_name_is_cut_to_its_columns() {
        assert_eq!(name(&"x".repeat(40)), "x".repeat(40));
        assert_eq!(name(&"x".repeat(300)), "x".repeat(39) + "…");
        assert_eq!(name(&"重".repeat(300)), "重".repeat(19) + "…");
    }
}

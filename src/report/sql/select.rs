//! Steps of a query, each a SELECT over the one before.
//!
//! In: columns and conditions. Out: `WITH a AS (…), b AS (…) SELECT …`, indented.
//! Invariant: a step names only columns of the steps before it, since not every engine knows an alias in its own SELECT.

use std::fmt::Write as _;

use crate::config::Dialect;

/// One SELECT.
#[derive(Debug, Clone)]
pub(super) struct Select {
    distinct: bool,
    columns: Vec<String>,
    from: String,
    conditions: Vec<String>,
    group_by: Option<String>,
    having: Option<String>,
}

impl Select {
    pub(super) fn from(table: &str) -> Self {
        Self {
            distinct: false,
            columns: Vec::new(),
            from: table.to_owned(),
            conditions: Vec::new(),
            group_by: None,
            having: None,
        }
    }

    #[must_use]
    pub(super) fn distinct(self) -> Self {
        Self {
            distinct: true,
            ..self
        }
    }

    /// A column as it is; `*` for all.
    #[must_use]
    pub(super) fn plain(mut self, column: &str) -> Self {
        self.columns.push(column.to_owned());
        self
    }

    #[must_use]
    pub(super) fn column(mut self, expression: &str, alias: &str) -> Self {
        self.columns.push(format!("{expression} AS {alias}"));
        self
    }

    #[must_use]
    pub(super) fn filter(mut self, condition: &str) -> Self {
        self.conditions.push(condition.to_owned());
        self
    }

    #[must_use]
    pub(super) fn group_by(self, column: &str, having: Option<String>) -> Self {
        Self {
            group_by: Some(column.to_owned()),
            having,
            ..self
        }
    }

    /// The same beside the one row of another step.
    #[must_use]
    pub(super) fn beside(mut self, step: &str) -> Self {
        let _ = write!(self.from, " CROSS JOIN {step}");
        self
    }

    fn text(&self, indent: &str) -> String {
        let word = if self.distinct {
            "SELECT DISTINCT"
        } else {
            "SELECT"
        };
        let columns = self.columns.join(&format!(",\n{indent}  "));
        let mut text = format!(
            "{indent}{word}\n{indent}  {columns}\n{indent}FROM {}",
            self.from
        );
        if !self.conditions.is_empty() {
            let conditions = self.conditions.join(&format!("\n{indent}  AND "));
            let _ = write!(text, "\n{indent}WHERE {conditions}");
        }
        if let Some(column) = &self.group_by {
            let _ = write!(text, "\n{indent}GROUP BY {column}");
        }
        if let Some(having) = &self.having {
            let _ = write!(text, "\n{indent}HAVING {having}");
        }
        text
    }
}

/// The steps of a query.
#[derive(Debug)]
pub(super) struct Steps {
    table: String,
    /// What stands before the parenthesis of a step of customers.
    once: &'static str,
    done: Vec<(&'static str, Select)>,
}

impl Steps {
    /// `table` is what the first step selects from.
    pub(super) fn new(table: String, dialect: Dialect) -> Self {
        Self {
            table,
            // Postgres puts steps into each other: every use of a column would compute it anew, and so on down.
            once: match dialect {
                Dialect::Postgres => "MATERIALIZED ",
                _ => "",
            },
            done: Vec::new(),
        }
    }

    /// What the next step selects from.
    pub(super) fn last(&self) -> String {
        let last = self.done.last();
        last.map_or_else(|| self.table.clone(), |(name, _)| (*name).to_owned())
    }

    pub(super) fn add(&mut self, name: &'static str, select: Select) {
        self.done.push((name, select));
    }

    /// The whole query, with `last` at its end.
    pub(super) fn text(&self, last: &Select) -> String {
        let one = |(name, select): &(&str, Select)| {
            // Rows are looked at once; keeping them would cost as much as the table.
            let once = if name.ends_with("_rows") {
                ""
            } else {
                self.once
            };
            format!("{name} AS {once}(\n{}\n)", select.text("  "))
        };
        let steps: Vec<String> = self.done.iter().map(one).collect();
        format!("WITH {}\n{}\n", steps.join(",\n"), last.text(""))
    }
}

/// `CASE WHEN … THEN … ELSE … END`; null without `otherwise`.
pub(super) fn case(cases: Vec<(String, String)>, otherwise: Option<String>) -> String {
    if cases.is_empty() {
        return otherwise.unwrap_or_else(|| "NULL".to_owned());
    }
    let mut text = String::from("CASE");
    for (holds, value) in cases {
        let _ = write!(text, " WHEN {holds} THEN {value}");
    }
    if let Some(value) = otherwise {
        let _ = write!(text, " ELSE {value}");
    }
    text + " END"
}

/// Conditions of which one has to hold; true without any.
pub(super) fn any(conditions: &[String]) -> String {
    joined(conditions, " OR ")
}

/// Conditions that all have to hold; true without any.
pub(super) fn all(conditions: &[String]) -> String {
    joined(conditions, " AND ")
}

fn joined(conditions: &[String], word: &str) -> String {
    match conditions {
        [] => "1 = 1".to_owned(),
        [one] => one.clone(),
        more => format!("({})", more.join(word)),
    }
}

//! The words in which dialects differ.
//!
//! In: names, numbers, texts, columns of time. Out: how a [`Dialect`] writes them.
//! Invariant: numbers have 17 significant digits and names and texts are quoted, so that nothing is read as something else.
//! Times are whole microseconds since 1970, of the wall clock or of UTC, from the first step on: no engine has a say in them.

use chrono_tz::Tz;

use crate::config::{Dialect, TimeType};
use crate::error::{Error, Result};

/// Microseconds of a day.
pub(super) const DAY: &str = "86400000000";

/// How one engine is spoken to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speech {
    pub(super) dialect: Dialect,
    quote: char,
    /// Plain words stay as they are: quoting them would keep them from their upper-case column.
    bare: bool,
    /// In texts a backslash begins an escape.
    backslash: bool,
    pub(super) double: &'static str,
    pub(super) bigint: &'static str,
    pub(super) text: &'static str,
    pub(super) decimal: &'static str,
    /// ROUND takes halves away from zero, and integers are made without rounding again.
    rounds_halves_away: bool,
}

impl Speech {
    pub(super) fn of(dialect: Dialect) -> Self {
        let usual = Self {
            dialect,
            quote: '"',
            bare: false,
            backslash: false,
            double: "DOUBLE",
            bigint: "BIGINT",
            text: "VARCHAR",
            decimal: "DECIMAL",
            rounds_halves_away: true,
        };
        match dialect {
            Dialect::Duckdb => usual,
            Dialect::Postgres => Self {
                double: "DOUBLE PRECISION",
                rounds_halves_away: false,
                ..usual
            },
            Dialect::Bigquery => Self {
                quote: '`',
                backslash: true,
                double: "FLOAT64",
                bigint: "INT64",
                text: "STRING",
                decimal: "BIGNUMERIC",
                ..usual
            },
            Dialect::Snowflake => Self {
                bare: true,
                backslash: true,
                ..usual
            },
            Dialect::Spark => Self {
                quote: '`',
                backslash: true,
                text: "STRING",
                ..usual
            },
            Dialect::Polars => Self {
                rounds_halves_away: false,
                ..usual
            },
        }
    }

    /// A column or one part of the name of a table.
    pub(super) fn name(&self, name: &str) -> String {
        let mut letters = name.chars();
        let begins = letters
            .next()
            .is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        let plain = begins && letters.all(|c| c.is_ascii_alphanumeric() || c == '_');
        let one_case = !name.contains(|c: char| c.is_ascii_uppercase())
            || !name.contains(|c: char| c.is_ascii_lowercase());
        if self.bare && plain && one_case && !RESERVED.contains(&name.to_uppercase().as_str()) {
            return name.to_owned();
        }
        let quote = self.quote;
        let inner = match self.dialect {
            Dialect::Bigquery => name.replace('\\', "\\\\").replace('`', "\\`"),
            _ => name.replace(quote, &format!("{quote}{quote}")),
        };
        format!("{quote}{inner}{quote}")
    }

    /// A text.
    pub(super) fn string(&self, text: &str) -> String {
        let inner = if self.backslash {
            let escaped = text.replace('\\', "\\\\").replace('\'', "\\'");
            escaped.replace('\n', "\\n").replace('\r', "\\r")
        } else {
            text.replace('\'', "''")
        };
        format!("'{inner}'")
    }

    /// A number of the scaled space or of a unit; always a double, and never the end of a comment.
    pub(super) fn float(value: f64) -> String {
        const WHOLE: f64 = 1e15;
        let text = if value.fract() == 0.0 && value.abs() < WHOLE {
            format!("{value}e0")
        } else {
            format!("{value:.16e}")
        };
        if value < 0.0 {
            format!("({text})")
        } else {
            text
        }
    }

    /// A number as it is in doubles.
    pub(super) fn as_double(&self, expression: &str) -> String {
        format!("CAST({expression} AS {})", self.double)
    }

    /// A double that is not constant, divided by a number: rounded once, as IEEE has it.
    pub(super) fn over(&self, expression: &str, divisor: &str) -> String {
        match self.dialect {
            // polars multiplies by the reciprocal of a constant, which rounds twice; so here it must not look like one.
            Dialect::Polars => format!("{expression} / ({divisor} + 0e0 * {expression})"),
            _ => format!("{expression} / {divisor}"),
        }
    }

    /// A double as the nearest whole number, halves away from zero as `load` rounds amounts.
    pub(super) fn whole(&self, expression: &str) -> String {
        if self.rounds_halves_away {
            return format!("CAST(ROUND({expression}) AS {})", self.bigint);
        }
        let shifted = format!("{expression} + 0.5e0 * SIGN({expression})");
        match self.dialect {
            // A cast would round once more.
            Dialect::Postgres => format!("CAST(TRUNC({shifted}) AS {})", self.bigint),
            _ => format!("CAST({shifted} AS {})", self.bigint),
        }
    }

    /// A column of times in microseconds; null for a text that is no time.
    pub(super) fn micros(&self, column: &str, time: TimeType) -> Result<String> {
        let text = time == TimeType::Text;
        Ok(match (self.dialect, time) {
            (Dialect::Duckdb, _) if text => format!("EPOCH_US(TRY_CAST({column} AS TIMESTAMP))"),
            (Dialect::Duckdb, _) => format!("EPOCH_US({column})"),
            (Dialect::Postgres, _) => {
                let time = if text {
                    format!("CAST({column} AS TIMESTAMP)")
                } else {
                    column.to_owned()
                };
                format!("CAST(EXTRACT(EPOCH FROM {time}) * 1000000 AS BIGINT)")
            }
            (Dialect::Bigquery | Dialect::Spark, TimeType::Instant) => {
                format!("UNIX_MICROS({column})")
            }
            (Dialect::Bigquery, _) => {
                let cast = if text { "SAFE_CAST" } else { "CAST" };
                format!("UNIX_MICROS(TIMESTAMP({cast}({column} AS DATETIME)))")
            }
            (Dialect::Snowflake, TimeType::Instant) => {
                format!("DATE_PART(EPOCH_MICROSECOND, {column})")
            }
            (Dialect::Snowflake, _) => {
                let cast = if text { "TRY_CAST" } else { "CAST" };
                format!("DATE_PART(EPOCH_MICROSECOND, {cast}({column} AS TIMESTAMP_NTZ))")
            }
            (Dialect::Spark, _) => {
                let cast = if text { "TRY_CAST" } else { "CAST" };
                format!(
                    "TIMESTAMPDIFF(MICROSECOND, CAST('1970-01-01 00:00:00' AS TIMESTAMP_NTZ), {cast}({column} AS TIMESTAMP_NTZ))"
                )
            }
            (Dialect::Polars, _) if text => {
                return Err(self.refusal(
                    "a time column of text".to_owned(),
                    "cast it to Datetime before it is registered",
                ));
            }
            (Dialect::Polars, _) => format!("CAST(CAST({column} AS TIMESTAMP) AS BIGINT)"),
        })
    }

    /// The calendar day of microseconds, in days since 1970.
    pub(super) fn day(&self, micros: &str, zone: Option<Tz>) -> Result<String> {
        let Some(zone) = named(zone) else {
            return Ok(self.days(micros));
        };
        let zone = self.string(zone);
        Ok(match self.dialect {
            Dialect::Duckdb => format!(
                "DATE_DIFF('day', DATE '1970-01-01', CAST(TIMEZONE({zone}, TIMEZONE('UTC', MAKE_TIMESTAMP({micros}))) AS DATE))"
            ),
            Dialect::Postgres => format!(
                "(CAST((TIMESTAMP '1970-01-01 00:00:00' + {micros} * INTERVAL '1 microsecond') AT TIME ZONE 'UTC' AT TIME ZONE {zone} AS DATE) - DATE '1970-01-01')"
            ),
            Dialect::Bigquery => format!("UNIX_DATE(DATE(TIMESTAMP_MICROS({micros}), {zone}))"),
            Dialect::Snowflake => format!(
                "DATEDIFF(DAY, CAST('1970-01-01' AS DATE), CAST(CONVERT_TIMEZONE('UTC', {zone}, TO_TIMESTAMP_NTZ({micros}, 6)) AS DATE))"
            ),
            // The shifted time is read as UTC: the zone of the session has no say.
            Dialect::Spark => self.days(&format!(
                "UNIX_MICROS(FROM_UTC_TIMESTAMP(TIMESTAMP_MICROS({micros}), {zone}))"
            )),
            Dialect::Polars => return Err(self.no_zone()),
        })
    }

    /// Whole days in microseconds, rounded down.
    pub(super) fn days(&self, micros: &str) -> String {
        let days = self.over(&self.as_double(micros), &format!("{DAY}e0"));
        format!("CAST(FLOOR({days}) AS {})", self.bigint)
    }

    /// The midnight that begins a calendar day, in microseconds.
    pub(super) fn midnight(&self, day: &str, zone: Option<Tz>) -> Result<String> {
        let Some(zone) = named(zone) else {
            return Ok(format!("({day}) * {DAY}"));
        };
        let zone = self.string(zone);
        Ok(match self.dialect {
            Dialect::Duckdb => format!(
                "EPOCH_US(TIMEZONE({zone}, CAST(DATE '1970-01-01' + CAST({day} AS INTEGER) AS TIMESTAMP)))"
            ),
            Dialect::Postgres => format!(
                "CAST(EXTRACT(EPOCH FROM CAST(DATE '1970-01-01' + CAST({day} AS INTEGER) AS TIMESTAMP) AT TIME ZONE {zone}) * 1000000 AS BIGINT)"
            ),
            Dialect::Bigquery => {
                format!("UNIX_MICROS(TIMESTAMP(DATE_FROM_UNIX_DATE({day}), {zone}))")
            }
            Dialect::Snowflake => format!(
                "DATE_PART(EPOCH_MICROSECOND, CONVERT_TIMEZONE({zone}, 'UTC', TO_TIMESTAMP_NTZ(({day}) * 86400)))"
            ),
            Dialect::Spark => {
                format!("UNIX_MICROS(TO_UTC_TIMESTAMP(TIMESTAMP_MICROS(({day}) * {DAY}), {zone}))")
            }
            Dialect::Polars => return Err(self.no_zone()),
        })
    }

    fn no_zone(&self) -> Error {
        self.refusal(
            "midnights of a zone".to_owned(),
            "convert the times to wall clock before they are registered, or use another dialect",
        )
    }

    /// The refusal of something that the engine has no words for.
    pub(super) fn refusal(&self, what: String, hint: &str) -> Error {
        Error::NoSql {
            what,
            dialect: self.dialect.as_str(),
            hint: hint.to_owned(),
        }
    }
}

/// The name of a zone that is not UTC.
fn named(zone: Option<Tz>) -> Option<&'static str> {
    let utc = [Tz::UTC, Tz::Etc__UTC, Tz::Zulu, Tz::UCT, Tz::Universal];
    zone.filter(|zone| !utc.contains(zone)).map(Tz::name)
}

/// Words that Snowflake does not take for names of columns or tables.
const RESERVED: [&str; 88] = [
    "ACCOUNT",
    "ALL",
    "ALTER",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CHECK",
    "COLUMN",
    "CONNECT",
    "CONNECTION",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DATABASE",
    "DELETE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "EXISTS",
    "FALSE",
    "FOLLOWING",
    "FOR",
    "FROM",
    "FULL",
    "GRANT",
    "GROUP",
    "GSCLUSTER",
    "HAVING",
    "ILIKE",
    "IN",
    "INCREMENT",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "ISSUE",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MINUS",
    "NATURAL",
    "NOT",
    "NULL",
    "OF",
    "ON",
    "OR",
    "ORDER",
    "ORGANIZATION",
    "QUALIFY",
    "REGEXP",
    "REVOKE",
    "RIGHT",
    "RLIKE",
    "ROW",
    "ROWS",
    "SAMPLE",
    "SCHEMA",
    "SELECT",
    "SET",
    "SOME",
    "START",
    "TABLE",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "TRIGGER",
    "TRUE",
    "TRY_CAST",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
];

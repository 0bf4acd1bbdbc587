//! Which columns are needed, and what SQL makes of them.
//!
//! In: names and expressions of the config. Out: the columns to read, and polars expressions.
//! Invariant: a column that an expression names is known to be there, with one type in all files; and arithmetic does
//! not wrap, whatever the width of its columns.

use std::collections::BTreeMap;

use polars::prelude::*;
use polars::sql::sql_expr;

use super::meaning::type_name;
use super::source::Source;
use crate::error::{Error, Result};

/// The name under which an expression is tried.
const TRIED: &str = "__tiermill_tried";

/// The column of an event, and what each type is worth.
type Events = (String, BTreeMap<String, f64>);

/// Collects the columns that are really needed, so that only those are read.
pub(super) struct Needed<'a> {
    source: &'a Source,
    pub(super) columns: Vec<String>,
}

impl<'a> Needed<'a> {
    pub(super) fn new(source: &'a Source) -> Self {
        Self {
            source,
            columns: Vec::new(),
        }
    }

    pub(super) fn column(&mut self, key: &'static str, name: &str) -> Result<DataType> {
        let dtype = self.source.column(key, name)?;
        if !self.columns.iter().any(|known| known == name) {
            self.columns.push(name.to_owned());
        }
        Ok(dtype)
    }

    /// The same for a column that an expression names.
    fn column_of(&mut self, key: &'static str, expression: &str, name: &str) -> Result<DataType> {
        self.column(key, name).map_err(|error| match error {
            Error::MissingColumn {
                place,
                column,
                found,
                ..
            } => Error::MissingInExpression {
                place,
                column,
                key,
                expression: expression.into(),
                found,
            },
            other => other,
        })
    }

    /// Reads an SQL expression and asks for its columns.
    pub(super) fn expression(&mut self, key: &'static str, text: &str) -> Result<Expr> {
        let expr = sql_expr(text).map_err(|source| Error::Expression {
            key,
            text: text.to_owned(),
            source,
        })?;
        if (&expr).into_iter().any(is_of_many_rows) {
            return Err(Error::BadValue {
                key: key.to_owned(),
                found: format!("`{text}`, one value for all rows"),
                expected: "an expression with a value for each row".to_owned(),
            });
        }
        for name in column_names(&expr) {
            self.column_of(key, text, &name)?;
        }
        Ok(expr)
    }

    /// What a row is worth, with the name of it: an amount, or the weight of its event; `None` where all rows are alike.
    pub(super) fn worth(
        &mut self,
        amount: Option<&str>,
        events: Option<&Events>,
    ) -> Result<Option<(Expr, String)>> {
        match (amount, events) {
            (Some(text), _) => Ok(Some((self.amount(text)?, text.to_owned()))),
            (None, Some((event, weights))) => {
                self.column("event", event)?;
                Ok(Some((weighted(event, weights), event.clone())))
            }
            (None, None) => Ok(None),
        }
    }

    /// A column where there is one of that name, else an expression. A lone word is a column that is missing.
    fn amount(&mut self, text: &str) -> Result<Expr> {
        let word = text.chars().all(|c| c.is_alphanumeric() || c == '_');
        if word || self.source.schema().contains(text) {
            self.column("amount", text)?;
            return Ok(col(text));
        }
        self.expression("amount", text)
    }

    /// These, or every column: an exact duplicate is one in all columns, so that all files have to have the same.
    pub(super) fn or_everything(self, everything: bool) -> Result<Vec<String>> {
        if everything {
            self.source.every_column()
        } else {
            Ok(self.columns)
        }
    }
}

/// Whether a part of an expression looks at more than its own row.
fn is_of_many_rows(part: &Expr) -> bool {
    // A list of values (`IN ('a', 'b')`) is an aggregate to polars.
    if matches!(part, Expr::Agg(AggExpr::Implode { .. })) {
        return false;
    }
    matches!(
        part,
        Expr::Agg(_) | Expr::Len | Expr::Over { .. } | Expr::SubPlan(..) | Expr::Explode { .. }
    )
}

/// Names of the columns that an expression reads.
pub(super) fn column_names(expr: &Expr) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for node in expr {
        if let Expr::Column(name) = node
            && !names.iter().any(|known| known == name.as_str())
        {
            names.push(name.to_string());
        }
    }
    names
}

/// What each type of event is worth; a type that is not listed is worth nothing.
fn weighted(event: &str, weights: &BTreeMap<String, f64>) -> Expr {
    let event = col(event).cast(DataType::String);
    weights.iter().fold(lit(0.0), |rest, (name, &weight)| {
        when(event.clone().eq(lit(name.as_str())))
            .then(lit(weight))
            .otherwise(rest)
    })
}

/// Holds for events of a type that no weight names.
pub(super) fn unlisted(event: &str, weights: &BTreeMap<String, f64>) -> Expr {
    let event = col(event).cast(DataType::String);
    weights
        .keys()
        .map(|name| event.clone().eq(lit(name.as_str())))
        .reduce(Expr::or)
        .unwrap_or_else(|| lit(false))
        .fill_null(lit(false))
        .not()
}

/// The type of an expression, found by trying it on no rows at all: what cannot be is an error of the config then, and
/// not of a file.
///
/// # Errors
/// [`Error::Expression`].
pub(super) fn type_of(
    types: &Schema,
    expr: &Expr,
    key: &'static str,
    text: &str,
) -> Result<DataType> {
    let tried = DataFrame::empty_with_schema(types)
        .lazy()
        .select([expr.clone().alias(TRIED)])
        .collect()
        .map_err(|source| Error::Expression {
            key,
            text: text.to_owned(),
            source,
        })?;
    Ok(tried.schema().get(TRIED).cloned().unwrap_or(DataType::Null))
}

/// A `where` that cannot wrap, or the refusal of one that is no condition.
pub(super) fn condition(types: &Schema, filter: &Expr, text: &str) -> Result<Expr> {
    match type_of(types, filter, "where", text)? {
        DataType::Boolean => Ok(widened(types, filter, &DataType::Int128)),
        other => Err(Error::BadValue {
            key: "where".to_owned(),
            found: format!("`{text}` of type {}", type_name(Some(&other))),
            expected: "a condition that is true or false".to_owned(),
        }),
    }
}

/// An amount that cannot wrap: what 128 bits may not hold becomes the largest number there is, which no fixed point
/// holds either.
pub(super) fn exact(types: &Schema, amount: &Expr) -> Expr {
    /// Below 2^127 by more than what the rounding of floats can hide.
    const NEAR: f64 = 1e37;
    let wide = widened(types, amount, &DataType::Int128);
    if wide == *amount || number_type(types, &wide) != Some(DataType::Int128) {
        return wide;
    }
    let rough = widened(types, amount, &DataType::Float64);
    when(rough.abs().gt_eq(lit(NEAR)))
        .then(lit(i128::MAX))
        .otherwise(wide)
}

/// The same expression, computed in wider numbers. polars computes in the type of the columns: two i32 whose product
/// is beyond 32 bits wrap, and two f32 lose the cents.
fn widened(types: &Schema, expr: &Expr, integer: &DataType) -> Expr {
    expr.clone().map_expr(|part| match part {
        Expr::BinaryExpr { left, op, right } if op.is_arithmetic() => {
            let both = [&left, &right].map(|side| number_type(types, side));
            let integers = both.iter().flatten().filter(|dtype| dtype.is_integer());
            let all_integers = integers.count() == 2;
            let [left, right] = [(left, &both[0]), (right, &both[1])].map(|(side, dtype)| {
                let side = Arc::unwrap_or_clone(side);
                match dtype {
                    Some(_) if all_integers => side.cast(integer.clone()),
                    Some(DataType::Float32) => side.cast(DataType::Float64),
                    _ => side,
                }
            });
            binary_expr(left, op, right)
        }
        Expr::Function { input, function } if matches!(function, FunctionExpr::Pow(_)) => {
            let floats = input.into_iter().map(|side| side.cast(DataType::Float64));
            Expr::Function {
                input: floats.collect(),
                function,
            }
        }
        other => other,
    })
}

/// The type of a part of an expression; `None` for what is no number, or wrong.
fn number_type(types: &Schema, expr: &Expr) -> Option<DataType> {
    let dtype = type_of(types, expr, "amount", "").ok()?;
    dtype.is_numeric().then_some(dtype)
}

//! Expressions and tables of a config, in another dialect.
//!
//! In: SQL as polars reads it, over the columns of the input. Out: the same in the words of a dialect, or the part that
//! could mean something else there.
//! Invariant: columns, texts and numbers are written anew; only words and signs that mean the same everywhere pass.

use super::dialect::Speech;
use crate::config::Dialect;
use crate::error::{Error, Result};

/// Words that mean the same everywhere.
const WORDS: [&str; 15] = [
    "AND", "OR", "NOT", "IN", "IS", "NULL", "LIKE", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE",
    "END", "TRUE", "FALSE",
];
/// The same with a parenthesis behind them.
const FUNCTIONS: [&str; 6] = ["ABS", "COALESCE", "FLOOR", "LOWER", "UPPER", "NULLIF"];
/// Signs that mean the same everywhere.
const SIGNS: [&str; 12] = [
    "<=", ">=", "<>", "!=", "<", ">", "=", "(", ")", ",", "+", "*",
];

/// A piece of an expression.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// Letters, as they stand.
    Word(String),
    /// `"…"`, without the quotes.
    Name(String),
    /// `'…'`, without the quotes.
    Text(String),
    Number(String),
    Sign(String),
}

/// A condition for rows.
pub(super) fn condition(text: &str, speech: &Speech) -> Result<String> {
    let tokens = tokens("where", text, speech)?;
    Ok(format!("({})", written("where", (text, &tokens), speech)?))
}

/// What a row is worth. Plain arithmetic is done in doubles, as `load` does not let it wrap; `in_doubles` is false where
/// amounts are Decimals.
pub(super) fn amount(text: &str, speech: &Speech, in_doubles: bool) -> Result<String> {
    let tokens = tokens("amount", text, speech)?;
    let value = |token: &Token| match token {
        Token::Word(word) => !is_word(&WORDS, word) && !is_word(&["CAST", "AS", "DATE"], word),
        Token::Name(_) | Token::Number(_) => true,
        Token::Sign(_) | Token::Text(_) => false,
    };
    let pairs = tokens.iter().zip(tokens.iter().skip(1));
    if let Some((a, b)) = { pairs }.find(|(a, b)| value(a) && value(b)) {
        return Err(speech.refusal(
            format!("{} beside {} of `amount = \"{text}\"`", shown(a), shown(b)),
            "if that is the name of a column, give the table with `--input`, or put the name into double quotes",
        ));
    }
    let arithmetic = |token: &Token| match token {
        Token::Word(word) => !is_word(&WORDS, word) && !is_word(&["CAST", "DATE"], word),
        Token::Sign(sign) => ["+", "-", "*", "/", "(", ")"].contains(&sign.as_str()),
        Token::Name(_) | Token::Number(_) => true,
        Token::Text(_) => false,
    };
    let calls = tokens
        .windows(2)
        .any(|pair| matches!(&pair[0], Token::Word(_)) && pair[1] == Token::Sign("(".to_owned()));
    if !in_doubles || calls || !tokens.iter().all(arithmetic) {
        return Ok(format!("({})", written("amount", (text, &tokens), speech)?));
    }
    let parts = tokens.iter().map(|token| match token {
        Token::Word(name) | Token::Name(name) => speech.as_double(&speech.name(name)),
        Token::Number(digits) => digits
            .parse()
            .map_or_else(|_| digits.clone(), Speech::float),
        Token::Sign(sign) | Token::Text(sign) => sign.clone(),
    });
    Ok(format!("({})", parts.collect::<Vec<_>>().join(" ")))
}

fn written(key: &'static str, (text, tokens): (&str, &[Token]), speech: &Speech) -> Result<String> {
    let refused =
        |what: &str, hint: &str| speech.refusal(format!("{what} of `{key} = \"{text}\"`"), hint);
    let mut parts = Vec::with_capacity(tokens.len());
    for (at, token) in tokens.iter().enumerate() {
        let next = tokens.get(at + 1);
        let opens = next == Some(&Token::Sign("(".to_owned()));
        let follows_as = at.checked_sub(1).is_some_and(
            |before| matches!(&tokens[before], Token::Word(word) if word.eq_ignore_ascii_case("AS")),
        );
        parts.push(match token {
            Token::Text(text) => speech.string(text),
            Token::Number(digits) => digits.clone(),
            Token::Sign(sign) if sign == "!=" => "<>".to_owned(),
            Token::Sign(sign) if sign == "/" || sign == "%" => {
                return Err(refused(
                    &format!("the `{sign}`"),
                    "of whole numbers it means something else in each engine: multiply instead, or compute the column in a view",
                ));
            }
            Token::Sign(sign) => sign.clone(),
            Token::Word(word) if follows_as => {
                let known = data_type(word, &tokens[at + 1..], speech);
                let hint = "DOUBLE, VARCHAR, DATE and DECIMAL with digits and scale, as in DECIMAL(18, 2), mean the same in each engine; for a whole number take FLOOR";
                known
                    .ok_or_else(|| refused(&format!("the type `{word}`"), hint))?
                    .to_owned()
            }
            Token::Word(word) if is_word(&WORDS, word) || is_word(&["AS"], word) => {
                word.to_uppercase()
            }
            Token::Word(word) if is_word(&["DATE"], word) && matches!(next, Some(Token::Text(_))) => {
                "DATE".to_owned()
            }
            Token::Word(word) if opens && (is_word(&FUNCTIONS, word) || is_word(&["CAST"], word)) => {
                word.to_uppercase()
            }
            Token::Word(word) if opens => {
                return Err(refused(
                    &format!("the function `{word}`"),
                    "compute the column in a view, and give `--table` and the column",
                ));
            }
            Token::Word(name) | Token::Name(name) => speech.name(name),
        });
    }
    Ok(parts.join(" "))
}

fn shown(token: &Token) -> String {
    let (Token::Word(text)
    | Token::Name(text)
    | Token::Number(text)
    | Token::Sign(text)
    | Token::Text(text)) = token;
    format!("`{text}`")
}

fn is_word(words: &[&str], word: &str) -> bool {
    words.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// A type of CAST that means the same everywhere. Of fractions integers do not: some engines round, some cut off; nor does a
/// DECIMAL without a scale, which each engine gives another one.
fn data_type(word: &str, behind: &[Token], speech: &Speech) -> Option<&'static str> {
    let sign = |token: &Token, sign: &str| *token == Token::Sign(sign.to_owned());
    let has_scale = || match behind {
        [open, Token::Number(_), comma, Token::Number(_), ..] => {
            sign(open, "(") && sign(comma, ",")
        }
        _ => false,
    };
    Some(match word.to_uppercase().as_str() {
        "DOUBLE" | "FLOAT8" => speech.double,
        "VARCHAR" | "TEXT" | "STRING" => speech.text,
        "DATE" => "DATE",
        "DECIMAL" | "NUMERIC" if has_scale() => "DECIMAL",
        _ => return None,
    })
}

fn tokens(key: &'static str, text: &str, speech: &Speech) -> Result<Vec<Token>> {
    let mut tokens: Vec<Token> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = match first {
            '\'' | '"' | '`' => {
                let (inner, length) = quoted(rest, first).ok_or_else(|| Error::BadValue {
                    key: key.to_owned(),
                    found: format!("`{text}`, where a `{first}` is left open"),
                    expected: "an SQL expression".to_owned(),
                })?;
                let token = if first == '\'' {
                    Token::Text(inner)
                } else {
                    Token::Name(inner)
                };
                (token, length)
            }
            c if c.is_ascii_digit() => {
                let length = number_length(rest);
                (Token::Number(rest[..length].to_owned()), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let end = |c: char| !(c.is_alphanumeric() || c == '_');
                let length = rest.find(end).unwrap_or(rest.len());
                (Token::Word(rest[..length].to_owned()), length)
            }
            _ => {
                let known = SIGNS.into_iter().chain(["-", "/", "%"]);
                let mut known = known.filter(|sign| rest.starts_with(sign));
                let sign = known
                    .next()
                    .filter(|_| !rest.starts_with("--") && !rest.starts_with("/*"));
                let Some(sign) = sign else {
                    return Err(speech.refusal(
                        format!("the `{first}` of `{key} = \"{text}\"`"),
                        "compute the column in a view, and give `--table` and the column",
                    ));
                };
                (Token::Sign(sign.to_owned()), sign.len())
            }
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// What stands between quotes, doubled ones read as one, and the length with quotes.
fn quoted(text: &str, quote: char) -> Option<(String, usize)> {
    let mut inner = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != quote {
            inner.push(letter);
        } else if letters.next_if(|&(_, next)| next == quote).is_some() {
            inner.push(quote);
        } else {
            return Some((inner, at + quote.len_utf8()));
        }
    }
    None
}

/// Digits, a fraction, an exponent.
fn number_length(text: &str) -> usize {
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let mut length = digits(text);
    if text[length..].starts_with('.') {
        length += 1 + digits(&text[length + 1..]);
    }
    if let Some(exponent) = text[length..].strip_prefix(['e', 'E']) {
        let unsigned = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let of_exponent = digits(unsigned);
        if 0 < of_exponent {
            length += 1 + (exponent.len() - unsigned.len()) + of_exponent;
        }
    }
    length
}

/// What to select from: a name in parts, quoted; or an expression with parentheses or a quoted file, as it is.
pub(super) fn table(text: &str, speech: &Speech) -> Result<String> {
    let text = text.trim();
    let bad = |found: &str, expected: &str| Error::BadValue {
        key: "table".to_owned(),
        found: format!("`{text}`{found}"),
        expected: expected.to_owned(),
    };
    if text.is_empty() {
        return Err(bad("", "the name of a table, or an expression"));
    }
    let is_file = speech.dialect == Dialect::Duckdb
        && text.starts_with('\'')
        && quoted(text, '\'').is_some_and(|(_, length)| length == text.len());
    if is_file {
        return Ok(text.to_owned());
    }
    if !text.contains('(') {
        let part = |part: &str| !part.is_empty() && !part.contains(char::is_whitespace);
        let parts: Vec<&str> = text.split('.').collect();
        if parts.iter().all(|name| part(name)) {
            let names: Vec<String> = parts.iter().map(|name| speech.name(name)).collect();
            return Ok(names.join("."));
        }
        return Ok(speech.name(text));
    }
    let mut depth = 0_i32;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '\'' | '"' | '`' => match quoted(rest, first) {
                Some((_, quoted)) => length = quoted,
                None => {
                    return Err(bad(
                        &format!(", where a `{first}` is left open"),
                        "an expression",
                    ));
                }
            },
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth < 0 || first == ';' || rest.starts_with("--") || rest.starts_with("/*") {
            let found = format!(", where `{first}` is out of place");
            return Err(bad(&found, "one expression, without a comment"));
        }
        rest = &rest[length..];
    }
    if depth != 0 {
        return Err(bad(", where a parenthesis is left open", "an expression"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn duck() -> Speech {
        Speech::of(Dialect::Duckdb)
    }

    #[test]
    fn conditions_are_written_anew() {
        let text = "customer_id IS NOT NULL and no NOT LIKE 'C%' AND q>0 AND \"a b\" != 'it''s'";
        assert_eq!(
            condition(text, &duck()).unwrap(),
            r#"("customer_id" IS NOT NULL AND "no" NOT LIKE 'C%' AND "q" > 0 AND "a b" <> 'it''s')"#
        );
        assert_eq!(
            condition("s = 'it''s \\'", &Speech::of(Dialect::Bigquery)).unwrap(),
            r"(`s` = 'it\'s \\')"
        );
        assert_eq!(
            condition("CAST(a AS TEXT) IN ('1')", &Speech::of(Dialect::Spark)).unwrap(),
            "(CAST ( `a` AS STRING ) IN ( '1' ))"
        );
        assert_eq!(
            condition("FLOOR(a) = cast(b AS NUMERIC(18, 2))", &duck()).unwrap(),
            r#"(FLOOR ( "a" ) = CAST ( "b" AS DECIMAL ( 18 , 2 ) ))"#
        );
    }

    #[test]
    fn arithmetic_is_done_in_doubles() {
        assert_eq!(
            amount("quantity * unit_price", &duck(), true).unwrap(),
            r#"(CAST("quantity" AS DOUBLE) * CAST("unit_price" AS DOUBLE))"#
        );
        assert_eq!(
            amount("cents / 100", &duck(), true).unwrap(),
            r#"(CAST("cents" AS DOUBLE) / 100e0)"#
        );
        assert_eq!(
            amount("CASE WHEN paid THEN total ELSE 0.0 END", &duck(), true).unwrap(),
            r#"(CASE WHEN "paid" THEN "total" ELSE 0.0 END)"#
        );
    }

    #[test]
    fn what_could_mean_something_else_is_refused() {
        for (text, what) in [
            ("a / b > 1", "the `/`"),
            ("a % 2 = 0", "the `%`"),
            ("STRFTIME(t, '%Y') = '2024'", "the function `STRFTIME`"),
            ("a || b = 'x'", "the `|`"),
            ("a -- b", "the `-`"),
            ("CAST(a AS BLOB) = 1", "the type `BLOB`"),
            ("CAST(a AS BIGINT) = 1", "the type `BIGINT`"),
            ("CAST(a AS int) = 1", "the type `int`"),
            ("CAST(a AS DECIMAL) = 1", "the type `DECIMAL`"),
            ("CAST(a AS NUMERIC(18)) = 1", "the type `NUMERIC`"),
            ("a = 1; DROP TABLE x", "the `;`"),
        ] {
            let error = condition(text, &duck()).unwrap_err().to_string();
            assert_eq!(
                error,
                format!("{what} of `where = \"{text}\"` cannot be said in the SQL of duckdb")
            );
        }
        assert!(condition("a = 'x", &duck()).is_err());
        let error = amount("amount eur", &duck(), true).unwrap_err().to_string();
        assert_eq!(
            error,
            "`amount` beside `eur` of `amount = \"amount eur\"` cannot be said in the SQL of duckdb"
        );
    }

    #[test]
    fn tables_are_names_or_expressions() {
        for (text, expected) in [
            ("orders", r#""orders""#),
            ("main.orders", r#""main"."orders""#),
            ("my orders", r#""my orders""#),
            ("a\"b", r#""a""b""#),
            ("'; drop table x", r#""'; drop table x""#),
            ("'a/*.parquet'", "'a/*.parquet'"),
            (
                "read_parquet('a (1).parquet')",
                "read_parquet('a (1).parquet')",
            ),
        ] {
            assert_eq!(table(text, &duck()).unwrap(), expected);
        }
        for text in ["", "f(", "f('a)", "f(a); drop", "f(a) -- b", "a) f("] {
            assert!(table(text, &duck()).is_err(), "{text}");
        }
    }
}

//! Errors and warnings as people read them.

use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Mutex;

use anstyle::{AnsiColor, Style};

use super::plain::plain_lines;
use crate::error::{Error, Warning};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();

/// `error: what`, the causes, and after a blank line `hint: what to do`.
pub(super) fn print_error(error: &Error) {
    let said = plain_lines(&error.to_string());
    let mut text = format!("{ERROR}error{ERROR:#}: {said}\n");
    let mut source = std::error::Error::source(error);
    let mut told = String::new();
    while let Some(cause) = source {
        let reason = reason(&cause.to_string());
        // polars wraps an error into itself.
        if reason != told {
            let _ = writeln!(text, "  Caused by: {}", plain_lines(&reason));
        }
        told = reason;
        source = cause.source();
    }
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\n{HINT}hint{HINT:#}: {}\n", plain_lines(&hint));
    }
    print(&text);
}

/// The reason without the query plan that polars shows behind it.
fn reason(text: &str) -> String {
    let end = [
        "Resolved plan until failure",
        "This error occurred with the following context stack",
    ]
    .iter()
    .filter_map(|mark| text.find(mark))
    .min()
    .unwrap_or(text.len());
    text[..end].trim().to_owned()
}

/// One line per warning; notes are for those who read the results.
pub(super) fn print_warnings(warnings: &[Warning]) {
    for warning in warnings.iter().filter(|warning| !warning.note) {
        print(&format!(
            "{WARNING}warning{WARNING:#}: {} [{}]\n",
            plain_lines(&warning.message),
            warning.code
        ));
    }
}

fn print(text: &str) {
    // Nobody is left to tell where stderr is closed.
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// What the last panic said, until somebody catches it.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Keeps what a panic says instead of printing it: `load` catches those that a damaged file causes.
pub(super) fn hold_panics() {
    std::panic::set_hook(Box::new(|info| {
        let message = info
            .payload()
            .downcast_ref::<&str>()
            .map(ToString::to_string)
            .or_else(|| info.payload().downcast_ref::<String>().cloned())
            .unwrap_or_default();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        if let Ok(mut last) = LAST_PANIC.lock() {
            *last = format!("{message} ({place})");
        }
    }));
}

/// A panic that nobody caught is a fault of ours: say so in one sentence instead of a stack trace.
pub(super) fn print_panic() {
    let message = LAST_PANIC
        .lock()
        .map(|last| last.clone())
        .unwrap_or_default();
    print(&format!(
        "{ERROR}error{ERROR:#}: a fault in tiermill itself: {message}\n\n{HINT}hint{HINT:#}: please report this with the command and the config\n"
    ));
}

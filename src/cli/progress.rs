//! Progress on stderr: a bar with stage names on a terminal, plain lines otherwise, nothing with `--quiet`.

use std::io::{IsTerminal, Write};

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::Stage;

/// Shows the stages of one job.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    lines: bool,
    stages: &'static [Stage],
}

impl Progress {
    pub(super) fn new(quiet: bool, stages: &'static [Stage]) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = (terminal && !quiet).then(|| {
            let template = if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
                "{bar:20} {pos}/{len} {msg} {elapsed}"
            } else {
                "{bar:20.cyan} {pos}/{len} {msg:.bold} {elapsed:.dim}"
            };
            let bar = ProgressBar::new(stages.len() as u64);
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━━─"));
            }
            bar.enable_steady_tick(std::time::Duration::from_millis(100));
            bar
        });
        Self {
            lines: bar.is_none() && !quiet,
            bar,
            stages,
        }
    }

    /// A stage begins.
    pub(super) fn stage(&mut self, stage: Stage) {
        let place = self
            .stages
            .iter()
            .position(|&known| known == stage)
            .unwrap_or(0) as u64;
        if let Some(bar) = &self.bar {
            bar.set_position(place);
            bar.set_message(stage.name());
        }
        if self.lines {
            let _ = writeln!(
                anstream::stderr(),
                "tiermill: {}/{} {}",
                place + 1,
                self.stages.len(),
                stage.name()
            );
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Counts up to a known number, on a terminal only.
pub(super) struct Counter(Option<ProgressBar>);

impl Counter {
    pub(super) fn new(total: u64, quiet: bool) -> Self {
        Self((std::io::stderr().is_terminal() && !quiet).then(|| ProgressBar::new(total)))
    }

    /// So many are done.
    pub(super) fn at(&mut self, done: u64) {
        if let Some(bar) = &self.0 {
            bar.set_position(done);
        }
    }
}

impl Drop for Counter {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

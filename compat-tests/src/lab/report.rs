//! What the lab prints: a step, what was expected, what was seen, and the time between.
//!
//! Owns the wording and the count; the last line is `N passed, N failed, N skipped`, which the
//! test command reads. Never decides a step: it compares a time with its limit and prints.
//! Driven by [`super::steps`].

use std::time::Duration;

use super::Result;

/// The result of a step that did what it should, but for the time, which is judged here.
pub(super) struct Seen {
    pub(super) what: String,
    pub(super) times: Vec<Timing>,
}

/// A time from a cause to an effect, and the most that it may be.
pub(super) struct Timing {
    pub(super) what: &'static str,
    pub(super) took: Duration,
    pub(super) limit: Duration,
    /// By how much the machine stalled meanwhile; the limit is widened by it.
    pub(super) stall: Duration,
}

/// Counts of all steps so far.
#[derive(Default)]
pub(super) struct Report {
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Seen {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            times: Vec::new(),
        }
    }

    pub(super) fn with(mut self, timing: Timing) -> Self {
        self.times.push(timing);
        self
    }
}

impl Timing {
    fn in_time(&self) -> bool {
        self.took <= self.limit + self.stall
    }

    fn render(&self) -> String {
        let verdict = if self.in_time() { "" } else { "  TOO LATE" };
        let stall = if self.stall.is_zero() {
            String::new()
        } else {
            format!(
                " + {:.3} s, the longest stall of the machine meanwhile",
                self.stall.as_secs_f64()
            )
        };
        let (took, limit) = (self.took.as_secs_f64(), self.limit.as_secs_f64());
        format!(
            "{}: {took:.3} s (at most {limit:.3} s{stall}){verdict}",
            self.what
        )
    }
}

impl Report {
    pub(super) fn step(&mut self, name: &str, expected: &str, result: Result<Seen>) {
        let good = matches!(&result, Ok(seen) if seen.times.iter().all(Timing::in_time));
        let (word, count) = if good {
            ("PASS", &mut self.passed)
        } else {
            ("FAIL", &mut self.failed)
        };
        *count += 1;
        println!("{word}  {name}");
        field("expected", expected);
        match result {
            Ok(seen) => {
                field("seen", &seen.what);
                for timing in &seen.times {
                    field("time", &timing.render());
                }
            }
            Err(error) => field("seen", &error.to_string()),
        }
    }

    /// Counts steps that were not run, in one line.
    pub(super) fn skip(&mut self, count: usize, reason: &str) {
        self.skipped += count;
        if count > 0 {
            println!("skipped: {reason} ({count} steps)");
        }
    }

    /// Prints the last line; true if nothing failed.
    pub(super) fn finish(&self) -> bool {
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        );
        self.failed == 0
    }
}

/// A label, and a text of one or more lines beside it.
fn field(label: &str, text: &str) {
    for (number, line) in text.trim_end().lines().enumerate() {
        let label = if number == 0 {
            format!("{label}:")
        } else {
            String::new()
        };
        println!("      {label:<10}{line}");
    }
}

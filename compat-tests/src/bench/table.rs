//! The benchmark's one table: what was measured, ours beside the real daemon.
//!
//! Owns the wording of a row, the ratio and the verdict against the goal; never measures.
//! Driven by the measuring modules, which push rows, and by `bin/bench.rs`, which prints them.

use std::fmt;

/// What our figure is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// At most this share of the real daemon's figure of the same run.
    Ratio(f64),
    /// At most this figure, in the row's unit.
    AtMost(f64),
    /// At least this figure, in the row's unit.
    AtLeast(f64),
    /// Less than the real daemon's figure of the same run.
    Below,
    /// Only to be seen.
    None,
}

/// One side's figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// Measured in this run.
    Measured(f64),
    /// Not measured, and why.
    Skipped(String),
}

impl Figure {
    /// No figure, because of this error; of a long one its first line.
    #[must_use]
    pub fn failed(error: impl fmt::Display) -> Self {
        let text = error.to_string();
        Self::Skipped(text.lines().next().unwrap_or("no reason given").to_owned())
    }

    /// The figure, if it was measured.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        match self {
            Self::Measured(value) => Some(*value),
            Self::Skipped(_) => None,
        }
    }
}

impl<E: fmt::Display> From<Result<f64, E>> for Figure {
    fn from(result: Result<f64, E>) -> Self {
        match result {
            Ok(value) => Self::Measured(value),
            Err(error) => Self::failed(error),
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured.
    pub what: String,
    /// Its unit, after the figures.
    pub unit: &'static str,
    /// Our figure.
    pub ours: Figure,
    /// The real daemon's figure.
    pub real: Figure,
    /// What ours is held against.
    pub goal: Goal,
}

impl Row {
    /// Ours divided by the real one's, if both were measured and the latter is not nothing.
    #[must_use]
    pub fn ratio(&self) -> Option<f64> {
        let (ours, real) = (self.ours.value()?, self.real.value()?);
        (real > 0.0).then(|| ours / real)
    }

    /// Whether the goal is met; `None` without goal or figures.
    #[must_use]
    pub fn met(&self) -> Option<bool> {
        match self.goal {
            Goal::Ratio(limit) => {
                let (ours, real) = (self.ours.value()?, self.real.value()?);
                Some(ours <= real * limit)
            }
            Goal::AtMost(limit) => Some(self.ours.value()? <= limit),
            Goal::AtLeast(limit) => Some(self.ours.value()? >= limit),
            Goal::Below => Some(self.ours.value()? < self.real.value()?),
            Goal::None => None,
        }
    }
}

/// All rows of a run, and remarks on how the figures came about.
#[derive(Debug, Default)]
pub struct Table {
    /// In the order of measuring.
    pub rows: Vec<Row>,
    /// Printed below the table: what exactly a figure means.
    pub notes: Vec<String>,
}

impl Table {
    /// Adds a row.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        unit: &'static str,
        figures: [Figure; 2],
        goal: Goal,
    ) {
        let [ours, real] = figures;
        self.rows.push(Row {
            what: what.into(),
            unit,
            ours,
            real,
            goal,
        });
    }

    /// Adds a remark.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }
}

/// Three significant digits, thousands in groups.
fn number(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 100.0 => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let digits = whole.trim_start_matches('-');
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if whole.starts_with('-') { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{grouped}{point}{fraction}")
}

fn cell(figure: &Figure) -> String {
    figure.value().map_or_else(|| "-".to_owned(), number)
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self
            .rows
            .iter()
            .map(|row| row.what.chars().count())
            .max()
            .unwrap_or(0)
            .max(4);
        writeln!(
            f,
            "{:width$}  {:>13} {:>13}  {:9} {:>7}  {:>11}",
            "what", "ours", "real", "unit", "ratio", "goal"
        )?;
        for row in &self.rows {
            let ratio = row
                .ratio()
                .map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
            let goal = match row.goal {
                Goal::Ratio(limit) => format!("<= {limit} x"),
                Goal::AtMost(limit) => format!("<= {}", number(limit)),
                Goal::AtLeast(limit) => format!(">= {}", number(limit)),
                Goal::Below => "< real".to_owned(),
                Goal::None => "-".to_owned(),
            };
            let verdict = match row.met() {
                Some(true) => "ok",
                Some(false) => "MISSED",
                None => "",
            };
            let (ours, real) = (cell(&row.ours), cell(&row.real));
            let line = format!(
                "{:width$}  {ours:>13} {real:>13}  {:9} {ratio:>7}  {goal:>11} {verdict}",
                row.what, row.unit
            );
            writeln!(f, "{}", line.trim_end())?;
        }
        for row in &self.rows {
            for (who, figure) in [("ours", &row.ours), ("real", &row.real)] {
                if let Figure::Skipped(reason) = figure {
                    writeln!(f, "skipped: {} ({who}): {reason}", row.what)?;
                }
            }
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Figure, Goal, Table, number};

    /// Input: figures of several sizes. Output: three digits at least, thousands grouped.
    #[test]
    fn numbers_are_short_and_grouped() {
        let cases = [
            (0.0123, "0.012"),
            (3.0, "3.00"),
            (41.66, "41.7"),
            (19_500.4, "19,500"),
            (-1234.0, "-1,234"),
        ];
        for (value, text) in cases {
            assert_eq!(number(value), text);
        }
    }

    /// Input: one figure above its goal, one row without a peer. Output: a verdict only where there is one.
    #[test]
    fn a_missed_goal_and_a_missing_figure_are_seen() {
        let mut table = Table::default();
        table.row(
            "time",
            "ms",
            [Figure::Measured(7.0), Figure::Measured(10.0)],
            Goal::Ratio(0.6),
        );
        table.row(
            "calls",
            "",
            [Figure::Measured(3.0), Figure::Skipped("no IPVS".to_owned())],
            Goal::AtMost(3.0),
        );
        let measured = [Figure::Measured(7.0), Figure::Measured(7.0)];
        table.row("equal", "", measured.clone(), Goal::Below);
        table.row("enough", "", measured, Goal::AtLeast(7.0));
        let verdicts: Vec<_> = table.rows.iter().map(super::Row::met).collect();
        let expected = [Some(false), Some(true), Some(false), Some(true)];
        assert_eq!(verdicts, expected);
        let text = table.to_string();
        assert!(text.contains("0.700") && text.contains("MISSED"), "{text}");
        assert!(text.contains(" ok\n"), "{text}");
        assert!(text.contains("skipped: calls (real): no IPVS"), "{text}");
    }
}

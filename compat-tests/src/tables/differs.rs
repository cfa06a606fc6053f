//! What differs on purpose, each with its reason.
//!
//! Owns: `differs.txt`: who alone says it (`ours`, `real`), the line of the log or of the table
//! with `*` for whatever is there, and the reason, separated by tabs; `#` begins a remark. Behind
//! `ours` or `real` may stand the only case in which that holds: `real:timeouts`. Driven by `run`
//! and by the tests of reports.

use std::fs;
use std::path::Path;

use crate::bed::{Context, Error, Result};

/// Who says a line that the other does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    /// This program.
    Ours,
    /// The real daemon.
    Real,
}

#[derive(Debug)]
struct Row {
    who: Speaker,
    case: Option<String>,
    pattern: String,
    used: bool,
}

/// All of them.
#[derive(Debug)]
pub struct Differs(Vec<Row>);

impl Differs {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there, or a line has no reason.
    pub fn read(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).context(|| path.display().to_string())?;
        let rows = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows: Result<Vec<Row>> = rows.map(row).collect();
        rows.map(Self)
    }

    /// Whether `who` may say this alone in a case.
    pub fn allows(&mut self, who: Speaker, case: &str, line: &str) -> bool {
        let mut rows = self.0.iter_mut();
        let found = rows.find(|row| {
            row.who == who
                && row.case.as_ref().is_none_or(|only| only == case)
                && is_like(line, &row.pattern)
        });
        found.is_some_and(|row| {
            row.used = true;
            true
        })
    }

    /// Patterns that were never needed.
    pub fn unused(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|row| !row.used)
            .map(|row| row.pattern.as_str())
    }
}

fn row(line: &str) -> Result<Row> {
    let bad = || Error::new(format!("differs.txt: `{line}` is not WHO, LINE, REASON"));
    let mut fields = line.split('\t');
    let (who, pattern, reason) = (fields.next(), fields.next(), fields.next());
    let (who, case) = who.map_or((None, None), |who| match who.split_once(':') {
        Some((who, case)) => (Some(who), Some(case.to_owned())),
        None => (Some(who), None),
    });
    let who = match who {
        Some("ours") => Speaker::Ours,
        Some("real") => Speaker::Real,
        _ => return Err(bad()),
    };
    let pattern = pattern
        .filter(|pattern| !pattern.is_empty())
        .ok_or_else(bad)?;
    reason.filter(|reason| !reason.is_empty()).ok_or_else(bad)?;
    Ok(Row {
        who,
        case,
        pattern: pattern.to_owned(),
        used: false,
    })
}

/// Whether a line is like a pattern in which `*` stands for anything.
fn is_like(line: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| line.strip_prefix(first)) else {
        return false;
    };
    let mut last = None;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = rest.get(at + part.len()..).unwrap_or_default();
        last = Some(part);
    }
    // What stands behind the last `*` is the end of the line.
    match last {
        None => rest.is_empty(),
        Some("") => true,
        Some(part) => rest.is_empty() || line.ends_with(part),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: lines and patterns. Output: which are alike.
    #[test]
    fn a_star_stands_for_anything() {
        assert!(is_like("pid=12, x", "pid=*, x"));
        assert!(is_like("Startup complete", "Startup complete"));
        assert!(is_like("Command line: a b", "Command line:*"));
        assert!(!is_like("Startup complete!", "Startup complete"));
        assert!(!is_like("a pid=12", "pid=*"));
        assert!(is_like("abab", "*ab"));
        assert!(!is_like("abac", "*ab"));
    }
}

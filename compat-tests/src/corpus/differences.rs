//! What differs on purpose, with the reason.
//!
//! Owns `cases/corpus/differences.tsv`: a column of what, a column of why. What is an id (the whole
//! file), `ID exit` (its exit status alone), a message pattern, where `*` stands for anything (a
//! message that fits is left out of both sides), or `THEIRS => OURS`, two patterns for what they and
//! we say of the same line. Never decides what is right: a row is a decision that somebody has made.
//! Driven by [`super::Verdict`].

use std::path::Path;

use super::{Message, Messages};
use crate::bed::{Context, Error, Result};

/// Stands between what they say and what we say.
const ANSWERED: &str = " => ";

/// Deliberate differences.
#[derive(Debug, Clone, Default)]
pub struct Differences {
    rows: Vec<(String, String)>,
}

impl Differences {
    /// Reads the list of this repository.
    ///
    /// # Errors
    /// When it cannot be read or a row gives no reason.
    pub fn load() -> Result<Self> {
        Self::of_group("corpus")
    }

    /// Reads the list of another group of cases.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub fn of_group(group: &str) -> Result<Self> {
        let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
        let path = cases.join(group).join("differences.tsv");
        let text = std::fs::read_to_string(&path).context(|| path.display().to_string())?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let rows = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let rows = rows.map(|row| match row.split_once('\t') {
            Some((what, why)) if !what.is_empty() && !why.trim().is_empty() => {
                Ok((what.to_owned(), why.trim().to_owned()))
            }
            _ => Err(Error::new(format!("differences.tsv: no reason: {row}"))),
        });
        Ok(Self {
            rows: rows.collect::<Result<_>>()?,
        })
    }

    /// Why this file differs as a whole.
    #[must_use]
    pub fn of_file(&self, id: &str) -> Option<&str> {
        self.find(|what| what == id)
    }

    /// Why the exit status of this file differs.
    #[must_use]
    pub fn of_exit(&self, id: &str) -> Option<&str> {
        self.find(|what| what == id || what.strip_suffix(" exit") == Some(id))
    }

    /// The messages that no row is about: of ours and of theirs.
    #[must_use]
    pub fn leave(&self, ours: &Messages, theirs: &Messages) -> (Messages, Messages) {
        let ours_left = self.left(ours, |message, (their, our)| {
            fits(our, &message.text) && says(theirs, message.line, their)
        });
        let theirs_left = self.left(theirs, |message, (their, our)| {
            fits(their, &message.text) && says(ours, message.line, our)
        });
        (ours_left, theirs_left)
    }

    fn left(
        &self,
        messages: &Messages,
        answered: impl Fn(&Message, (&str, &str)) -> bool,
    ) -> Messages {
        let excused = |message: &Message| {
            let row = self.find(|what| match what.split_once(ANSWERED) {
                None => fits(what, &message.text),
                Some(pair) => answered(message, pair),
            });
            row.is_some()
        };
        let left = messages.0.iter().filter(|message| !excused(message));
        Messages(left.cloned().collect())
    }

    fn find(&self, mut fits: impl FnMut(&str) -> bool) -> Option<&str> {
        let row = self.rows.iter().find(|(what, _)| fits(what));
        row.map(|(_, why)| why.as_str())
    }
}

/// Whether a message of this line is as the pattern says.
fn says(messages: &Messages, line: Option<u32>, pattern: &str) -> bool {
    let mut of_line = messages.0.iter().filter(|message| message.line == line);
    of_line.any(|message| fits(pattern, &message.text))
}

/// Whether a text is as the pattern says.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(head) else {
        return false;
    };
    let mut ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
    ends.any(|at| rest.get(at..).is_some_and(|rest| fits(tail, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: rows of each kind. Output: each leaves out what it is about, and nothing else.
    #[test]
    fn rows_leave_out_what_they_are_about() {
        let rows = "# note\n0001\tthe peer crashes\n0002 exit\told\nUnknown * 'x*'\tours knows it\n\
                    Unknown keyword 'old' => old is old\tours knows that, too\n";
        let differences = Differences::parse(rows).unwrap();
        assert_eq!(differences.of_file("0001"), Some("the peer crashes"));
        assert_eq!(differences.of_file("0002"), None);
        assert_eq!(differences.of_exit("0002"), Some("old"));
        let theirs = "(Line 1) Unknown keyword 'x1'\n(Line 2) Unknown keyword 'old'\n\
                      (Line 3) Unknown keyword 'old'\n";
        let ours = "(Line 2) old is old\n(Line 4) old is old\n";
        let said = |text: &str| Messages::of_lines(text.lines());
        let (ours, theirs) = differences.leave(&said(ours), &said(theirs));
        assert_eq!(ours, said("(Line 4) old is old"));
        assert_eq!(theirs, said("(Line 3) Unknown keyword 'old'"));
    }

    // Input: a row without a reason. Output: refused.
    #[test]
    fn a_row_needs_a_reason() {
        assert!(Differences::parse("0001\t \n").is_err());
        assert!(Differences::parse("0001\n").is_err());
    }
}

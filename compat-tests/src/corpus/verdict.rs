//! The comparison of one file.
//!
//! Owns: what counts as equal and the class of what is not. The recorded 2.4.3 is what ours is to
//! equal; a message that 2.2.7 says and 2.4.3 does not is no fault of ours either way. Never runs
//! anything. Driven by [`super::Report`] and the test.

use std::collections::BTreeSet;
use std::fmt;

use super::{Differences, Message, Messages, Run, Surveyed};

/// What our config test says of what it knows and does nothing with.
const INACTIVE: &str = "not active in this version";
/// Exit statuses of a config test that has done its work.
const STATUSES: [i32; 5] = [0, 2, 4, 5, 6];

/// Why a file differs, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Ours died or panicked.
    Crash,
    /// Ours did not end.
    Hang,
    /// Keywords that are not active yet; all else may follow from them.
    Inactive,
    /// The exit status, with equal messages.
    Exit,
    /// The same texts at other lines.
    Line,
    /// Messages that ours does not say.
    Missing,
    /// Messages that only ours says.
    Extra,
    /// Both.
    Messages,
}

/// The comparison of one file.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The file's name.
    pub id: String,
    /// Exit status of ours.
    pub ours: i32,
    /// Exit status of the real one now.
    pub real: Option<i32>,
    /// Exit status of 2.2.7 as recorded.
    pub recorded_old: i32,
    /// Exit status of 2.4.3 as recorded.
    pub recorded: i32,
    /// What 2.4.3 says and ours does not.
    pub missing: Vec<Message>,
    /// What only ours says.
    pub extra: Vec<Message>,
    /// Keywords that ours calls inactive.
    pub inactive: BTreeSet<String>,
    /// Messages of ours without a line where the real one has one.
    pub placeless: Vec<Message>,
    /// The reason, if the file differs and is not meant to.
    pub reason: Option<Reason>,
    /// Why it is meant to.
    pub deliberate: Option<String>,
    /// The exit status differs on purpose.
    pub exit_excused: bool,
    /// Ours panicked, with or without surviving it.
    pub panicked: bool,
}

impl Verdict {
    /// Compares.
    #[must_use]
    pub fn of(surveyed: &Surveyed, differences: &Differences) -> Self {
        let entry = &surveyed.entry;
        let said = Messages::of_ours(&surveyed.ours.output);
        let (inactive, said) = split(said);
        let recorded = &entry.messages;
        let now = surveyed
            .real
            .as_ref()
            .map(|run| Messages::of_lines(run.output.lines()));
        let now = now.unwrap_or_default();
        let mut known = recorded.clone();
        known.0.extend(now.0.iter().cloned());
        let places = |m: &&Message| {
            m.line.is_none() && known.says_with_line(&m.text) && !known.0.contains(m)
        };
        let placeless = said.0.iter().filter(places).cloned().collect();
        let (left, recorded_left) = differences.leave(&said, recorded);
        let mut verdict = Self {
            id: entry.id.clone(),
            ours: surveyed.ours.status,
            real: surveyed.real.as_ref().map(|run| run.status),
            recorded_old: entry.recorded_old,
            recorded: entry.recorded,
            missing: recorded_left.without(&left).cloned().collect(),
            // What may have been cut off cannot be called extra.
            extra: match entry.complete {
                true => left.without(&known).cloned().collect(),
                false => Vec::new(),
            },
            inactive,
            placeless,
            reason: None,
            deliberate: differences.of_file(&entry.id).map(str::to_owned),
            exit_excused: differences.of_exit(&entry.id).is_some(),
            panicked: surveyed.ours.output.contains("panicked at"),
        };
        verdict.reason = verdict.judge();
        verdict
    }

    fn judge(&self) -> Option<Reason> {
        if self.panicked || self.ours < 0 {
            return Some(Reason::Crash);
        }
        if self.ours == Run::HUNG {
            return Some(Reason::Hang);
        }
        let exit = self.exit_is_recorded() || self.exit_excused;
        if self.deliberate.is_some() || exit && self.missing.is_empty() && self.extra.is_empty() {
            // Inactive keywords that make no difference are none here.
            return None;
        }
        if !self.inactive.is_empty() {
            return Some(Reason::Inactive);
        }
        Some(match (self.missing.is_empty(), self.extra.is_empty()) {
            (true, true) => Reason::Exit,
            (false, true) => Reason::Missing,
            (true, false) => Reason::Extra,
            (false, false) if texts(&self.missing) == texts(&self.extra) => Reason::Line,
            (false, false) => Reason::Messages,
        })
    }

    /// Ours ends as 2.4.3 was recorded to.
    #[must_use]
    pub fn exit_is_recorded(&self) -> bool {
        self.ours == self.recorded
    }

    /// Ours ends as the real one does now (as 2.2.7 was recorded to, if there is none here).
    #[must_use]
    pub fn exit_is_real(&self) -> bool {
        self.ours == self.real.unwrap_or(self.recorded_old)
    }

    /// Ours says what 2.4.3 was recorded to say.
    #[must_use]
    pub fn messages_agree(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty()
    }

    /// The exit status of ours is one that a config test may have.
    #[must_use]
    pub fn exit_is_sane(&self) -> bool {
        STATUSES.contains(&self.ours)
    }
}

/// The keywords that are called inactive, and the other messages.
fn split(said: Messages) -> (BTreeSet<String>, Messages) {
    let (inactive, other): (BTreeSet<_>, BTreeSet<_>) = said
        .0
        .into_iter()
        .partition(|message| message.text.contains(INACTIVE));
    let name = |message: &Message| match message.text.split('\'').nth(1) {
        Some(keyword) => keyword.to_owned(),
        None => message.kind(),
    };
    (inactive.iter().map(name).collect(), Messages(other))
}

fn texts(messages: &[Message]) -> BTreeSet<&str> {
    messages
        .iter()
        .map(|message| message.text.as_str())
        .collect()
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crash => "crash",
            Self::Hang => "hang",
            Self::Inactive => "inactive",
            Self::Exit => "exit",
            Self::Line => "line",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Messages => "messages",
        })
    }
}

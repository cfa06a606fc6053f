//! What others may see of trackers.
//!
//! Owns: copies of what each tracker has come to. Never does: change anything. Driven by: reports.

use super::Verdict;
use super::domain::Domain;
use super::script::{Run, Script};
use crate::conf::model::options::TrackScript;

/// A script as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScriptView {
    /// It has returned a result, or has inherited one.
    pub known: bool,
    /// It counts as good.
    pub good: bool,
    /// How far it is from the other verdict: below `rise` it is bad, from there on good.
    pub result: u32,
    /// What its process does.
    pub phase: Phase,
}

/// What the process of a script does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// There is none.
    Idle,
    /// It runs.
    Running,
    /// It was asked to end.
    Terminating,
    /// It was killed.
    Killing,
}

/// A tracked process as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ProcessView {
    /// How many there are.
    pub count: u32,
    /// As many as there have to be.
    pub enough: bool,
    /// They have become enough, and the delay for that has not passed.
    pub gaining: bool,
    /// They have ceased to be enough, and the delay for that has not passed.
    pub losing: bool,
}

impl Script {
    fn view(&self) -> ScriptView {
        let TrackScript { rise, fall, .. } = self.config;
        let good = self.verdict == Verdict::Up;
        let result = match self.verdict {
            Verdict::Up => (rise + fall).saturating_sub(1 + self.against),
            Verdict::Down => self.against,
            Verdict::Unknown | Verdict::Value(_) => 0,
        };
        ScriptView {
            known: self.verdict != Verdict::Unknown,
            good,
            result,
            phase: match self.run {
                Run::Idle => Phase::Idle,
                Run::Running(_) => Phase::Running,
                Run::Terminating(_) => Phase::Terminating,
                Run::Killing(_) | Run::Stuck(_) => Phase::Killing,
            },
        }
    }
}

impl Domain {
    /// A script; `None` if nobody tracks it.
    #[must_use]
    pub fn script(&self, name: &str) -> Option<ScriptView> {
        self.scripts.get(name).map(Script::view)
    }

    /// The number in a file; `None` if nobody tracks it or it was not read yet.
    #[must_use]
    pub fn file_value(&self, name: &str) -> Option<i64> {
        match self.files.get(name)?.verdict {
            Verdict::Value(value) => Some(value),
            Verdict::Unknown | Verdict::Up | Verdict::Down => None,
        }
    }

    /// A tracked process; `None` if nobody tracks it.
    #[must_use]
    pub fn process(&self, name: &str) -> Option<ProcessView> {
        let tracked = self.processes.get(name)?;
        let pending = |wanted| tracked.pending.is_some_and(|(_, is)| is == wanted);
        Some(ProcessView {
            count: tracked.count(),
            enough: tracked.verdict == Verdict::Up,
            gaining: pending(Verdict::Up),
            losing: pending(Verdict::Down),
        })
    }
}

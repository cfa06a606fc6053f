//! One `vrrp_track_process`: how many processes there are, and whether that is enough.
//!
//! Owns: which processes count, the quorum and its delays. Never does: look for processes. Driven
//! by: `domain`, whenever it is told which processes there are, or of one that came or went.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;

use crate::base::Instant;
use crate::base::ident::VRRP;
use crate::conf::model::options::{ArgumentMatch, TrackProcess};
use crate::ops::{Process, ProcessNews};

use super::Verdict;

/// A tracked process with its state.
#[derive(Debug)]
pub(super) struct Tracked {
    pub(super) config: TrackProcess,
    pub(super) verdict: Verdict,
    /// Those that count, by their numbers.
    pub(super) pids: BTreeSet<u32>,
    /// The verdict that holds from then on, unless it changes back.
    pub(super) pending: Option<(Instant, Verdict)>,
}

impl Tracked {
    /// Nothing is known yet.
    pub(super) const fn new(config: TrackProcess) -> Self {
        Self {
            config,
            verdict: Verdict::Unknown,
            pids: BTreeSet::new(),
            pending: None,
        }
    }

    /// Whether command lines matter.
    pub(super) const fn needs_arguments(&self) -> bool {
        self.config.full_command
            || !self.config.arguments.is_empty()
            || self.config.arguments_match.is_some()
    }

    /// Whether a process is one of those that count.
    fn matches(&self, process: &Process) -> bool {
        let Some(wanted) = &self.config.process else {
            return false;
        };
        let name = if self.needs_arguments() {
            process.arguments.first().map_or("", String::as_str)
        } else {
            process.name.as_str()
        };
        // The kernel keeps 15 bytes of a name; a path is compared by its last part.
        let base = |text: &str| -> String {
            Path::new(text)
                .file_name()
                .and_then(OsStr::to_str)
                .unwrap_or(text)
                .to_owned()
        };
        let same = if wanted.contains('/') && name.contains('/') {
            name == wanted
        } else if self.needs_arguments() {
            base(name) == base(wanted)
        } else {
            name == base(wanted).chars().take(15).collect::<String>()
        };
        same && self.arguments_match(process.arguments.get(1..).unwrap_or_default())
    }

    fn arguments_match(&self, arguments: &[String]) -> bool {
        let wanted = &self.config.arguments;
        match self.config.arguments_match {
            None if wanted.is_empty() => true,
            None | Some(ArgumentMatch::Exact) => arguments == wanted.as_slice(),
            Some(ArgumentMatch::Partial) => arguments.starts_with(wanted),
            Some(ArgumentMatch::Initial) => match wanted.split_last() {
                None => true,
                Some((last, first)) => {
                    arguments.starts_with(first)
                        && arguments
                            .get(first.len())
                            .is_some_and(|argument| argument.starts_with(last.as_str()))
                }
            },
        }
    }

    /// How many count.
    pub(super) fn count(&self) -> u32 {
        u32::try_from(self.pids.len()).unwrap_or(u32::MAX)
    }

    /// Takes the processes that there are; returns whether the verdict changed.
    pub(super) fn look(&mut self, now: Instant, processes: &[Process]) -> bool {
        let found = processes.iter().filter(|process| self.matches(process));
        self.pids = found.map(|process| process.pid).collect();
        self.judge(now)
    }

    /// Takes news of a process, which mean nothing before the first look; returns whether the
    /// verdict changed.
    pub(super) fn hear(&mut self, now: Instant, news: &ProcessNews) -> bool {
        if self.verdict == Verdict::Unknown {
            return false;
        }
        let changed = match news {
            ProcessNews::Watched | ProcessNews::Lost | ProcessNews::Unwatched => false,
            ProcessNews::Forked { parent, child } => {
                self.pids.contains(parent) && self.pids.insert(*child)
            }
            ProcessNews::Became(process) if self.matches(process) => self.pids.insert(process.pid),
            ProcessNews::Became(Process { pid, .. }) | ProcessNews::Ended(pid) => {
                self.pids.remove(pid)
            }
        };
        changed && self.judge(now)
    }

    fn judge(&mut self, now: Instant) -> bool {
        let count = u16::try_from(self.pids.len()).unwrap_or(u16::MAX);
        let enough = count >= self.config.quorum.unwrap_or(1) || self.config.quorum_max == Some(0);
        let few = self.config.quorum_max.is_none_or(|most| count <= most);
        let is = if enough && few {
            Verdict::Up
        } else {
            Verdict::Down
        };
        if self.verdict == Verdict::Unknown {
            self.verdict = is;
            return true;
        }
        if is == self.verdict {
            self.pending = None;
            return false;
        }
        let delay = if is == Verdict::Up {
            self.config.fork_delay
        } else {
            self.config.terminate_delay
        };
        if self.pending.is_none() {
            self.pending = Some((now + delay, is));
        }
        self.settle(now)
    }

    /// Lets a change that has waited long enough hold; returns whether one did.
    pub(super) fn settle(&mut self, now: Instant) -> bool {
        let Some((_, is)) = self.pending.filter(|(at, _)| *at <= now) else {
            return false;
        };
        self.pending = None;
        self.verdict = is;
        let how = if is == Verdict::Up { "gained" } else { "lost" };
        log::info!(
            target: VRRP,
            "Quorum {how} for tracked process {}",
            self.config.name
        );
        true
    }
}

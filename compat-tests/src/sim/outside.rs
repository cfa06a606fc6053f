//! Programs, files and FIFOs of a simulated machine.
//!
//! Owns: what each program does when it is run (the script oracle), the files that are watched, and
//! every line that went into a FIFO. Never does: decide when something happens: `world` schedules
//! what this says. Driven by: `world`, and by scenarios that flip verdicts and write files.

use std::collections::{BTreeMap, BTreeSet};

use keepalived_rs::base::Duration;
use keepalived_rs::ops::process::WATCHED_BYTES;
use keepalived_rs::ops::{
    ChildEnd, ChildId, ChildSignal, Command, Effect, FifoCmd, FifoId, FifoIo, Process, WatchId,
};

use super::host::Arrival;
use super::trace;

/// What a program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conduct {
    /// How long it runs; `None`: until it is killed.
    pub takes: Option<Duration>,
    /// How it ends then.
    pub end: ChildEnd,
    /// It does not care for TERM.
    pub stubborn: bool,
}

impl Default for Conduct {
    /// Succeeds after a moment.
    fn default() -> Self {
        Self {
            takes: Some(Duration::from_millis(2)),
            end: ChildEnd::Exited(0),
            stubborn: false,
        }
    }
}

/// The outside of one machine.
#[derive(Debug, Default)]
pub struct Outside {
    /// What the programs do whose first word is this; others succeed at once.
    pub conduct: BTreeMap<String, Conduct>,
    /// The files of the machine.
    pub files: BTreeMap<String, Vec<u8>>,
    /// The processes that trackers see.
    pub processes: Vec<Process>,
    /// Every program that was started, as its words.
    pub started: Vec<String>,
    /// Every line of each FIFO, by path.
    pub lines: BTreeMap<String, Vec<u8>>,
    running: BTreeMap<ChildId, Conduct>,
    used: BTreeSet<ChildId>,
    watches: BTreeMap<WatchId, String>,
    fifos: BTreeMap<FifoId, String>,
}

/// Something to deliver to the daemon, and after how long.
pub type Later = (Duration, Arrival);

/// How long the system takes for anything.
const MOMENT: Duration = Duration::from_micros(200);

impl Outside {
    /// The daemon is gone; its children are no longer its.
    pub fn forget_process(&mut self) {
        self.running.clear();
        self.used.clear();
        self.watches.clear();
        self.fifos.clear();
    }

    /// Whether the daemon still waits for the end of this child.
    pub fn take_child(&mut self, id: ChildId) -> bool {
        self.running.remove(&id).is_some()
    }

    /// Whether the daemon watches under this number.
    #[must_use]
    pub fn is_watched(&self, id: WatchId) -> bool {
        self.watches.contains_key(&id)
    }

    /// Writes a file, or removes it; returns what watchers hear.
    pub fn write(&mut self, path: &str, content: Option<&[u8]>) -> Vec<Later> {
        match content {
            Some(content) => {
                self.files.insert(path.to_owned(), content.to_vec());
            }
            None => {
                self.files.remove(path);
            }
        }
        let watches = self.watches.iter().filter(|(_, watched)| *watched == path);
        watches
            .map(|(&id, _)| (MOMENT, Arrival::File(id, self.content(path))))
            .collect()
    }

    fn content(&self, path: &str) -> Option<Vec<u8>> {
        let bytes = self.files.get(path)?;
        Some(bytes.iter().copied().take(WATCHED_BYTES).collect())
    }

    /// Carries an effect of this kind out; others are none of its business.
    pub fn execute(&mut self, effect: Effect) -> Vec<Later> {
        match effect {
            Effect::Spawn(id, command) => self.spawn(id, &command),
            Effect::Kill(id, signal) => self.kill(id, signal),
            Effect::Watch(id, path) => {
                trace::line(format_args!("watch {path}"));
                let content = self.content(&path);
                let was = self.watches.insert(id, path);
                assert!(was.is_none(), "watches under {id:?} twice");
                vec![(Duration::ZERO, Arrival::File(id, content))]
            }
            Effect::Unwatch(id) => {
                let path = self.watches.remove(&id);
                trace::line(format_args!("no longer watch {path:?}"));
                Vec::new()
            }
            Effect::InitFile {
                path,
                value,
                overwrite,
            } => {
                if overwrite || !self.files.contains_key(&path) {
                    return self.write(&path, Some(format!("{value}\n").as_bytes()));
                }
                Vec::new()
            }
            Effect::Fifo(id, command) => self.fifo(id, command),
            // No packet gets as far as the firewall in this world.
            Effect::Mark(..) => Vec::new(),
            Effect::ListProcesses { .. } => {
                vec![(MOMENT, Arrival::Processes(self.processes.clone()))]
            }
            // This kernel does not tell of processes, and keeps every packet.
            Effect::WatchProcesses(_) | Effect::Buffer(..) => Vec::new(),
            Effect::Kernel(..)
            | Effect::ReadIpvs
            | Effect::LookIpvs(_)
            | Effect::ReadIpvsTimeouts
            | Effect::AskLink { .. }
            | Effect::Open(..)
            | Effect::Close(_)
            | Effect::Send(..)
            | Effect::Probe(..)
            | Effect::Exit(_) => unreachable!("not of this kind"),
        }
    }

    fn spawn(&mut self, id: ChildId, command: &Command) -> Vec<Later> {
        let words = command.argv.join(" ");
        trace::line(format_args!("spawn {words}"));
        assert!(self.used.insert(id), "uses {id:?} twice");
        let conduct = command.argv.first().and_then(|name| self.conduct.get(name));
        let conduct = conduct.copied().unwrap_or_default();
        self.started.push(words);
        self.running.insert(id, conduct);
        let end = Arrival::Child(id, conduct.end);
        conduct
            .takes
            .map(|takes| (takes, end))
            .into_iter()
            .collect()
    }

    fn kill(&mut self, id: ChildId, signal: ChildSignal) -> Vec<Later> {
        trace::line(format_args!("kill {} {signal:?}", id.number));
        let (number, survives) = match (signal, self.running.get(&id)) {
            (_, None) => return Vec::new(),
            (ChildSignal::Term, Some(conduct)) => (15, conduct.stubborn),
            (ChildSignal::Kill, Some(_)) => (9, false),
        };
        if survives {
            return Vec::new();
        }
        vec![(MOMENT, Arrival::Child(id, ChildEnd::Killed(number)))]
    }

    fn fifo(&mut self, id: FifoId, command: FifoCmd) -> Vec<Later> {
        let what = match command {
            FifoCmd::Open { path, .. } => {
                trace::line(format_args!("fifo open {path}"));
                self.fifos.insert(id, path);
                FifoIo::Open
            }
            FifoCmd::Write(lines) => {
                let Some(path) = self.fifos.get(&id) else {
                    panic!("writes to a FIFO that is closed");
                };
                for line in &lines {
                    let text = String::from_utf8_lossy(line);
                    trace::line(format_args!("fifo {path} {text:?}"));
                }
                let all = self.lines.entry(path.clone()).or_default();
                let count = lines.len();
                all.extend(lines.concat());
                FifoIo::Wrote(count)
            }
            FifoCmd::Close => {
                let path = self.fifos.remove(&id);
                trace::line(format_args!("fifo close {path:?}"));
                return Vec::new();
            }
        };
        vec![(Duration::ZERO, Arrival::Fifo(id, what))]
    }
}

//! What the parent has to know of the configuration, which only the worker reads.
//!
//! Owns: the words that both say to each other while a worker starts, and the messages that carry
//! them. Never does: act on any of them. Driven by: `supervisor` on one side, `worker` on the other.
//!
//! ```text
//! worker                      supervisor
//!   reads the configuration
//!   ── Terms ──────────────▶  namespace, pid file, startup script
//!   ◀───────────────── Go ──
//!   starts its work
//!   ── Ready ──────────────▶  tells the service manager
//!   ── Terms ──────────────▶  after each reload; read when they are needed
//! ```

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::child::Ways;
use super::firewall::Style;
use super::marks;
use crate::base::Duration;
use crate::conf::model::options::Script;
use crate::conf::model::{Config, OnOff};
use crate::conf::source;

/// What the process as a whole depends on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Terms {
    /// `instance`
    pub(super) instance: Option<String>,
    /// `-s`, else `net_namespace`
    pub(super) namespace: Option<String>,
    /// `net_namespace_ipvs`
    pub(super) namespace_ipvs: Ipvs,
    /// `use_pid_dir`
    pub(super) pid_directory: bool,
    /// `nftables`: the name of the table that keeps traffic away.
    pub(super) table: String,
    /// `nftables_ipvs`: the name of the table that gives marks.
    pub(super) marks_table: String,
    /// `child_wait_time`, in microseconds.
    pub(super) child_wait: u64,
    /// `umask`
    pub(super) umask: Option<u32>,
    /// `process_name`, or that of `process_names`
    pub(super) name: Option<String>,
    /// `startup_script`
    pub(super) startup: Option<Program>,
    /// `shutdown_script`
    pub(super) shutdown: Option<Program>,
}

/// Where the IPVS table is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) enum Ipvs {
    /// Where VRRP is.
    #[default]
    Here,
    /// Where the daemon was started.
    Origin,
    /// In the namespace of this name.
    Named(String),
}

/// A script of the daemon itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) user: Option<String>,
    pub(super) group: Option<String>,
    /// Microseconds after which it is killed.
    pub(super) timeout: u64,
    pub(super) ways: Ways,
}

/// What the worker may begin with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Go {
    /// The ledger, if it has a name; else it is the one that was inherited.
    pub(super) ledger: Option<PathBuf>,
    /// Where a daemon that hands its work over waits for the next one.
    pub(super) meeting: PathBuf,
    /// Whether one waits there for this one.
    pub(super) follows: bool,
}

/// Something that is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Word {
    /// By the worker.
    Terms(Box<Terms>),
    /// By the supervisor.
    Go(Go),
    /// By the worker.
    Ready,
    /// By the worker that is to stop: it waits for a successor, and needs no parent any more.
    Waiting,
}

impl Terms {
    /// What `config` says; `namespace` is that of the command line.
    pub(super) fn of(config: &Config, namespace: Option<&str>) -> Self {
        let process = &config.global.process;
        let scripts = &config.global.scripts;
        let program = |script: &Option<Script>, timeout: Duration| {
            script.as_ref().map(|script| Program {
                argv: script.argv.clone(),
                user: script.user.clone().or_else(|| scripts.user.clone()),
                group: script.group.clone().or_else(|| scripts.group.clone()),
                timeout: micros(timeout),
                ways: Ways::of(scripts),
            })
        };
        Self {
            instance: process.instance.clone(),
            namespace: namespace
                .map(str::to_owned)
                .or_else(|| process.net_namespace.clone()),
            namespace_ipvs: match &process.net_namespace_ipvs {
                OnOff::Off => Ipvs::Here,
                OnOff::On => Ipvs::Origin,
                OnOff::Named(name) => Ipvs::Named(name.clone()),
            },
            pid_directory: process.pid_directory,
            table: Style::of(&config.global).table,
            marks_table: marks::table_of(&config.global.firewall),
            child_wait: micros(process.child_wait),
            umask: process.umask,
            name: process.name.clone(),
            startup: program(&scripts.startup, scripts.startup_timeout),
            shutdown: program(&scripts.shutdown, scripts.shutdown_timeout),
        }
    }

    /// `_NAMESPACE_INSTANCE`, what idents end with.
    pub(super) fn suffix(&self) -> String {
        let parts = [&self.namespace, &self.instance];
        let parts = parts.into_iter().flatten();
        parts
            .map(|part| format!("_{}", source::to_display(part)))
            .collect()
    }

    /// Where a pid file is that the command line does not name, given the run directory.
    pub(super) fn pid_file(&self, run: &Path, name: &str) -> PathBuf {
        let instance = match &self.instance {
            Some(instance) => format!("_{}", source::to_display(instance)),
            None => String::new(),
        };
        self.directory(run).join(format!("{name}{instance}.pid"))
    }

    /// The directory of pid files.
    pub(super) fn directory(&self, run: &Path) -> PathBuf {
        let own = run.join("keepalived");
        match &self.namespace {
            Some(namespace) => own.join(source::to_path(namespace)),
            None if self.pid_directory || self.instance.is_some() => own,
            None => run.to_owned(),
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// One end of the conversation.
#[derive(Debug)]
pub(super) struct Channel {
    stream: BufReader<UnixStream>,
    /// A line of which the end has not arrived.
    line: String,
}

impl Channel {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, Self)> {
        let (one, other) = UnixStream::pair()?;
        let end = |stream| Self {
            stream: BufReader::new(stream),
            line: String::new(),
        };
        Ok((end(one), end(other)))
    }

    /// Says something; the other side may be gone, which its end shows by itself.
    pub(super) fn say(&mut self, word: &Word) {
        if let Ok(mut line) = serde_json::to_vec(word) {
            line.push(b'\n');
            drop(self.stream.get_mut().write_all(&line));
        }
    }

    /// Waits for a word; `None`: the other side is gone.
    pub(super) fn hear(&mut self) -> Option<Word> {
        match self.stream.read_line(&mut self.line) {
            Ok(count) if count > 0 => serde_json::from_str(&std::mem::take(&mut self.line)).ok(),
            Ok(_) | Err(_) => None,
        }
    }

    /// Waits for a word, but not for longer than `patience`.
    pub(super) fn hear_within(&mut self, patience: Duration) -> Option<Word> {
        // Zero would be no limit.
        let patience = patience.max(Duration::from_millis(1));
        self.stream
            .get_ref()
            .set_read_timeout(Some(patience))
            .ok()?;
        let word = self.hear();
        drop(self.stream.get_ref().set_read_timeout(None));
        word
    }

    /// The words that have arrived, without waiting.
    pub(super) fn heard(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        if self.stream.get_ref().set_nonblocking(true).is_ok() {
            while let Some(word) = self.hear() {
                words.push(word);
            }
            drop(self.stream.get_ref().set_nonblocking(false));
        }
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(instance: Option<&str>, namespace: Option<&str>, directory: bool) -> Terms {
        Terms {
            instance: instance.map(str::to_owned),
            namespace: namespace.map(str::to_owned),
            pid_directory: directory,
            ..Terms::default()
        }
    }

    // Input: what may decide where pid files are. Output: the places and idents of keepalived 2.2.7.
    #[test]
    fn pid_files_are_where_keepalived_has_them() {
        let run = Path::new("/run");
        for (terms, path, suffix) in [
            (terms(None, None, false), "/run/vrrp.pid", ""),
            (terms(None, None, true), "/run/keepalived/vrrp.pid", ""),
            (
                terms(Some("foo"), None, false),
                "/run/keepalived/vrrp_foo.pid",
                "_foo",
            ),
            (
                terms(None, Some("blue"), false),
                "/run/keepalived/blue/vrrp.pid",
                "_blue",
            ),
            (
                terms(Some("foo"), Some("blue"), false),
                "/run/keepalived/blue/vrrp_foo.pid",
                "_blue_foo",
            ),
        ] {
            assert_eq!(terms.pid_file(run, "vrrp"), Path::new(path));
            assert_eq!(terms.suffix(), suffix);
        }
    }

    // Input: words in both directions, then an end that is dropped. Output: the words; nothing.
    #[test]
    fn what_is_said_is_heard() {
        let (mut one, mut other) = Channel::pair().unwrap();
        let word = Word::Terms(Box::new(terms(Some("a"), None, true)));
        one.say(&word);
        one.say(&Word::Ready);
        assert_eq!(other.hear(), Some(word));
        assert_eq!(other.heard(), [Word::Ready]);
        assert_eq!(other.heard(), []);
        other.say(&Word::Go(Go::default()));
        assert_eq!(one.hear(), Some(Word::Go(Go::default())));
        drop(other);
        assert_eq!(one.hear(), None);
    }
}

//! Reports on their way to files and to the log.
//!
//! Owns: which reports are under way, their files, and where these stand. Never does: decide what
//! a report says (`report` does), or write more than a piece of one between two turns of the loop.
//! Driven by: `worker`, when a signal asks for a report, and once a turn.
//!
//! A reader never sees half a report: it is written under another name beside its place and moved
//! there when it is complete. What stands there already, link or file of whoever, is replaced and
//! never written to or through. Others than the owner may read it only if the umask lets them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::unistd::{Pid, getpid};

use super::event_loop::EventLoop;
use super::logger;
use super::report_facts::{Epoch, HostReportFacts};
use crate::base::ident;
use crate::conf::model::{Config, Dumps};
use crate::node::Node;
use crate::report::{Kind, Page, Part, Progress, Report};

/// Bytes that are written between two turns of the loop; well below a millisecond's worth.
const PIECE: usize = 64 * 1024;
/// Bytes of the log between two turns; a part of what the logger has room for.
const LOG_PIECE: usize = 8 * 1024;
/// How often a report begins anew because the configuration has changed.
const ATTEMPTS: u32 = 5;
/// Bits that files are made without if nothing is said: nobody but root reads them.
pub(super) const UMASK: u32 = 0o177;

/// The parts of the daemon that run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Runs {
    pub(super) vrrp: bool,
    pub(super) check: bool,
    pub(super) bfd: bool,
}

/// Where a report goes.
#[derive(Debug)]
enum Sink {
    /// A file that is moved to its place when it is complete.
    File(Draft),
    /// The log, under an ident.
    Log(&'static str),
}

#[derive(Debug)]
struct Job {
    kind: Kind,
    report: Report,
    sink: Sink,
    attempts: u32,
    /// The counters go back to zero when it is written.
    clear: bool,
    /// No configuration is taken on before it is written.
    holds: bool,
}

/// When a state is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// Before a configuration is taken on, which waits for that.
    Before,
    /// When it is taken on.
    After,
}

/// All reports under way.
#[derive(Debug)]
pub(super) struct Reports {
    parent: Pid,
    /// `-u`
    umask: Option<u32>,
    /// `_NAMESPACE_INSTANCE`
    suffix: String,
    jobs: VecDeque<Job>,
    text: String,
    epoch: Epoch,
}

impl Reports {
    /// `suffix` is `_NAMESPACE_INSTANCE`, as far as there are any.
    pub(super) const fn new(parent: Pid, umask: Option<u32>, suffix: String) -> Self {
        Self {
            parent,
            umask,
            suffix,
            jobs: VecDeque::new(),
            text: String::new(),
            epoch: Epoch::NONE,
        }
    }

    /// Whether the loop should not sleep because there is something to write.
    pub(super) fn wants_turn(&self) -> bool {
        !self.jobs.is_empty()
    }

    /// Whether a report tells of the configuration that runs, and would not if another did.
    pub(super) fn holds(&self) -> bool {
        self.jobs.iter().any(|job| job.holds)
    }

    fn umask(&self, config: &Config) -> u32 {
        self.umask.or(config.global.process.umask).unwrap_or(UMASK)
    }

    /// USR1.
    pub(super) fn data(&mut self, node: &Node, runs: Runs) {
        let own = getpid();
        for (part, runs, who, name, pid) in [
            (Part::Parent, true, ident::DAEMON, "parent", self.parent),
            (Part::Vrrp, runs.vrrp, ident::VRRP, "VRRP", own),
            (Part::Check, runs.check, ident::CHECK, "checker", own),
            (Part::Bfd, runs.bfd, ident::DAEMON, "BFD", own),
        ] {
            if runs {
                log::info!(target: who, "Printing {name} data for process({pid}) on signal");
                self.place(node.config(), Kind::Data(part), false);
            }
        }
    }

    /// `config_save_dir`: the state beside the configuration with that number.
    pub(super) fn keep(&mut self, node: &Node, runs: Runs, kept: (&Path, u32), when: Kept) {
        let own = getpid();
        let (directory, number) = kept;
        let end = match when {
            Kept::Before => "pre",
            Kept::After => "post",
        };
        for (part, runs, name) in [
            (Part::Vrrp, runs.vrrp, "vrrp"),
            (Part::Check, runs.check, "check"),
            (Part::Bfd, runs.bfd, "bfd"),
        ] {
            if runs {
                let name = format!("keepalived_{name}.{own}.{number}.{end}");
                let holds = when == Kept::Before;
                let path = directory.join(name);
                self.file(node.config(), Kind::Data(part), &path, (false, holds));
            }
        }
    }

    /// USR2 and RTMAX-1.
    pub(super) fn stats(&mut self, node: &Node, clear: bool) {
        log::info!(target: ident::VRRP, "Printing VRRP stats for process({}) on signal", getpid());
        self.place(node.config(), Kind::Stats, clear);
    }

    /// RTMIN+2.
    pub(super) fn json(&mut self, node: &Node) {
        log::info!(target: ident::VRRP, "Printing VRRP as json for process({}) on signal", getpid());
        let config = node.config();
        self.place(config, Kind::Json(config.global.dumps.json_version), false);
    }

    /// `-d`: each part to the log, as soon as the log takes it.
    pub(super) fn log(&mut self, runs: Runs) {
        for (part, runs, who) in [
            (Part::Vrrp, runs.vrrp, ident::VRRP),
            (Part::Check, runs.check, ident::CHECK),
            (Part::Bfd, runs.bfd, ident::DAEMON),
        ] {
            let kind = Kind::Data(part);
            if runs {
                self.jobs.push_back(Job {
                    kind,
                    report: Report::new(kind),
                    sink: Sink::Log(who),
                    attempts: 0,
                    clear: false,
                    holds: false,
                });
            }
        }
    }

    /// One that is asked for while it waits is written once: it tells the time of its writing.
    fn place(&mut self, config: &Config, kind: Kind, clear: bool) {
        let path = path(&config.global.dumps, kind, &self.suffix);
        let mut waiting = self.jobs.iter_mut().skip(1);
        let same = waiting.find(|job| match &job.sink {
            Sink::File(draft) => draft.path == path,
            Sink::Log(_) => false,
        });
        match same {
            Some(job) => job.clear |= clear,
            None => self.file(config, kind, &path, (clear, false)),
        }
    }

    fn file(&mut self, config: &Config, kind: Kind, path: &Path, (clear, holds): (bool, bool)) {
        match Draft::create(path, self.umask(config)) {
            Ok(draft) => self.jobs.push_back(Job {
                kind,
                report: Report::new(kind),
                sink: Sink::File(draft),
                attempts: 0,
                clear,
                holds,
            }),
            Err(error) => complain(kind, path, false, &error),
        }
    }

    /// Writes a piece of the first report.
    pub(super) fn step(&mut self, event_loop: &mut EventLoop) {
        let Some(job) = self.jobs.front() else {
            return;
        };
        let (bytes, running) = match job.sink {
            Sink::File(_) => (PIECE, true),
            // What the log daemon does not take now would be lost.
            Sink::Log(_) if logger::flush().is_some() => return,
            Sink::Log(_) => (LOG_PIECE, false),
        };
        let umask = self.umask(event_loop.node.config());
        self.epoch = self.epoch.look();
        let epoch = self.epoch;
        let Some(job) = self.jobs.front_mut() else {
            return;
        };
        let config = event_loop.node.config();
        let drivers = &event_loop.drivers;
        let sockets = (&drivers.sockets, &drivers.datagrams);
        let facts = HostReportFacts::new(config, sockets, umask, epoch);
        let page = Page {
            snapshot: event_loop.node.snapshot(),
            facts: &facts,
            running,
        };
        self.text.clear();
        let progress = job.report.step(&page, bytes, &mut self.text);
        match job.take(&self.text, progress) {
            Ok(false) => return,
            Ok(true) if job.clear => event_loop.node.clear_stats(),
            Ok(true) => {}
            Err(error) => {
                if let Sink::File(draft) = &job.sink {
                    complain(job.kind, &draft.path, true, &error);
                }
            }
        }
        self.jobs.pop_front();
        if self.jobs.is_empty() {
            self.text = String::new();
        }
    }
}

impl Job {
    /// Hands a piece on; true if that was the last one.
    fn take(&mut self, text: &str, progress: Progress) -> io::Result<bool> {
        if progress == Progress::Stale {
            self.attempts += 1;
            if self.attempts >= ATTEMPTS {
                let again = "the configuration changed again and again while it was written";
                return Err(io::Error::other(again));
            }
            self.report = Report::new(self.kind);
            if let Sink::File(draft) = &mut self.sink {
                draft.begin_anew()?;
            }
            return Ok(false);
        }
        match &mut self.sink {
            Sink::File(draft) => {
                draft.write(text.as_bytes())?;
                if progress == Progress::Done {
                    draft.publish()?;
                }
            }
            Sink::Log(ident) => {
                for line in text.lines() {
                    log::info!(target: ident, "{line}");
                }
            }
        }
        Ok(progress == Progress::Done)
    }
}

/// The number and the text of an error, as keepalived writes both.
pub(super) fn reason(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => format!("errno {number} ({})", nix::Error::from_raw(number).desc()),
        None => error.to_string(),
    }
}

/// A file that is not written: in keepalived's words if it cannot even be made.
fn complain(kind: Kind, path: &Path, made: bool, error: &io::Error) {
    let who = match kind {
        Kind::Data(Part::Parent | Part::Bfd) => ident::DAEMON,
        Kind::Data(Part::Check) => ident::CHECK,
        Kind::Data(Part::Vrrp) | Kind::Stats | Kind::Json(_) => ident::VRRP,
    };
    let (path, reason) = (path.display(), reason(error));
    if made {
        log::error!(target: who, "Unable to write '{path}' - {reason}; what was there stays");
    } else {
        log::error!(target: who, "Unable to open '{path}' - {reason}");
    }
}

/// A file that is not in its place yet.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    draft: PathBuf,
    file: File,
    empty: bool,
    published: bool,
}

impl Draft {
    /// A new file beside `path`.
    pub(super) fn create(path: &Path, umask: u32) -> io::Result<Self> {
        let mode = 0o666 & !umask;
        let name = path.file_name().unwrap_or_default();
        let mut number = 0;
        loop {
            let mut own = OsString::from(".");
            own.push(name);
            own.push(format!(".{}.{number}", getpid()));
            let draft = path.with_file_name(own);
            let file = OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(mode)
                .custom_flags(libc::O_NOFOLLOW)
                .open(&draft);
            match file {
                Ok(file) => {
                    // The process may have a stricter umask.
                    file.set_permissions(Permissions::from_mode(mode))?;
                    return Ok(Self {
                        path: path.to_owned(),
                        draft,
                        file,
                        empty: true,
                        published: false,
                    });
                }
                // Left by a process of the same number, or put there by somebody else.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && number < 1000 => {
                    number += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn begin_anew(&mut self) -> io::Result<()> {
        use std::io::Seek;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.empty = true;
        Ok(())
    }

    pub(super) fn write(&mut self, text: &[u8]) -> io::Result<()> {
        self.empty &= text.is_empty();
        self.file.write_all(text)
    }

    /// Moves it to its place; one with nothing in it is none.
    pub(super) fn publish(&mut self) -> io::Result<()> {
        if !self.empty {
            std::fs::rename(&self.draft, &self.path)?;
            self.published = true;
        }
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        if !self.published {
            // Nobody else knows of it.
            drop(std::fs::remove_file(&self.draft));
        }
    }
}

/// The directory of reports and of a log file without a name: `TMPDIR` if that begins with a slash,
/// else `/tmp`.
#[must_use]
pub fn directory() -> PathBuf {
    let named = std::env::var_os("TMPDIR").map(PathBuf::from);
    let named = named.filter(|name| name.is_absolute());
    named.unwrap_or_else(|| PathBuf::from("/tmp"))
}

/// Where a report stands: data as `state_dump_file` and `data_use_instance` say, with the part's
/// suffix; statistics and JSON always in the directory of temporary files, where the exporters look
/// for them: keepalived reads the other two keywords and leaves them at that.
fn path(dumps: &Dumps, kind: Kind, names: &str) -> PathBuf {
    let suffix = match kind {
        Kind::Data(Part::Parent) => "_parent",
        Kind::Data(Part::Vrrp) => "",
        Kind::Data(Part::Check) => "_check",
        Kind::Data(Part::Bfd) => "_bfd",
        Kind::Stats => return directory().join("keepalived.stats"),
        Kind::Json(_) => return directory().join("keepalived.json"),
    };
    // `_blue_foo` stands before the extension, as `.blue_foo`.
    let names = match names.strip_prefix('_') {
        Some(names) if dumps.with_instance => format!(".{names}"),
        Some(_) | None => String::new(),
    };
    let (folder, stem, extension) = match &dumps.state {
        None => (directory(), "keepalived".to_owned(), ".data".to_owned()),
        Some(given) => split(given),
    };
    folder.join(format!("{stem}{suffix}{names}{extension}"))
}

/// Directory, name and extension, with its dot, of what `state_dump_file` says: a directory that
/// ends with a slash, a name, or both. As with keepalived only an absolute path has a directory,
/// and a name without a dot gets no extension.
fn split(given: &Path) -> (PathBuf, String, String) {
    let text = given.to_string_lossy();
    let (folder, name) = match text.rsplit_once('/') {
        Some(("", name)) => (PathBuf::from("/"), name),
        Some((folder, name)) if given.is_absolute() => (PathBuf::from(folder), name),
        Some((_, name)) => (directory(), name),
        None => (directory(), &*text),
    };
    let name = if name.is_empty() {
        "keepalived.data"
    } else {
        name
    };
    let (stem, extension) = name.split_at(name.rfind('.').unwrap_or(name.len()));
    (folder, stem.to_owned(), extension.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    // Input: a link in the place of the report, and its target. Output: the report stands there as
    // a file of its own, the target is untouched.
    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("precious");
        std::fs::write(&target, "precious").unwrap();
        let path = folder.path().join("keepalived.data");
        symlink(&target, &path).unwrap();
        let mut draft = Draft::create(&path, UMASK).unwrap();
        draft.write(b"report\n").unwrap();
        assert!(path.is_symlink(), "nothing is there before it is complete");
        draft.publish().unwrap();
        drop(draft);
        assert_eq!(std::fs::read_to_string(&target).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "report\n");
        let found = path.symlink_metadata().unwrap();
        assert!(found.is_file());
        assert_eq!(found.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn what_is_empty_or_given_up_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keepalived.json");
        let mut draft = Draft::create(&path, 0o022).unwrap();
        draft.publish().unwrap();
        drop(draft);
        let mut given_up = Draft::create(&path, 0o022).unwrap();
        given_up.write(b"half").unwrap();
        drop(given_up);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    // Input: what the keyword says. Output: the files of VRRP and of the checks, which keepalived
    // 2.3.4 writes at the same places.
    #[test]
    fn the_state_dump_file_moves_directory_and_name() {
        let at = |given: &str, with_instance| {
            let state = Some(PathBuf::from(given));
            let dumps = Dumps {
                state,
                with_instance,
                ..Dumps::default()
            };
            [Part::Vrrp, Part::Check].map(|part| path(&dumps, Kind::Data(part), "_blue_foo"))
        };
        let here = |name: &str| directory().join(name);
        for (given, first, second) in [
            ("/a/b.txt", "/a/b.txt", "/a/b_check.txt"),
            ("/a/", "/a/keepalived.data", "/a/keepalived_check.data"),
            ("/a/b", "/a/b", "/a/b_check"),
            ("/b", "/b", "/b_check"),
            ("/a/b.y.z", "/a/b.y.z", "/a/b.y_check.z"),
            ("/a/.b", "/a/.b", "/a/_check.b"),
            ("b.", "b.", "b_check."),
            ("sub/b", "b", "b_check"),
        ] {
            assert_eq!(at(given, false), [here(first), here(second)], "{given}");
        }
        assert_eq!(at("/a/b.c", true)[1], here("/a/b_check.blue_foo.c"));
        assert_eq!(at("/a/b", true)[0], here("/a/b.blue_foo"));
    }

    #[test]
    fn statistics_and_json_have_one_place() {
        let dumps = Dumps {
            stats: Some(PathBuf::from("/a/stats")),
            with_instance: true,
            ..Dumps::default()
        };
        let stats = path(&dumps, Kind::Stats, "_blue_foo");
        assert_eq!(stats, directory().join("keepalived.stats"));
    }
}

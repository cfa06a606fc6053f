//! Log lines to syslog and to the console, without ever waiting for either.
//!
//! Owns: the socket to `/dev/log` with a short queue of what it did not take yet, the idents and
//! process ids in front of each line, and how much detail is written. Never does: block; a line
//! that has no room is counted, and the count is told as soon as there is room. Driven by: the
//! `log` macros everywhere, and `event_loop`, which hands the queue on.
//!
//! The C library's `syslog` is no help here: it blocks its caller as soon as a dozen lines wait
//! for the log daemon, and a VRRP master must not stall for that.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::clock;
use super::log_file::LogFiles;
use super::sys::{self, LocalTime};
use crate::base::{Instant, ident};

/// Where the log daemon listens.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// Bytes of lines that wait; a burst of some hundred lines.
const QUEUE_BYTES: usize = 64 * 1024;

/// How often a lost log daemon is looked for.
const RECONNECT: Duration = Duration::from_secs(1);

/// What is logged, and where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogOptions {
    /// `-D`: 0, 1 or 2 (two `-D`).
    pub detail: u8,
    /// `-l`, or the messages of `-t`: to standard error too.
    pub console: bool,
    /// Not `-G`: to the log daemon.
    pub syslog: bool,
    /// `-S`: the facility's number, already shifted as in `LOG_DAEMON` (3 << 3).
    pub facility: u8,
    /// `-g`: to files, too.
    pub file: Option<PathBuf>,
    /// `--flush-log-file`: each line is written at once.
    pub flush: bool,
}

impl LogOptions {
    /// The most detailed level that is written.
    const fn level(&self) -> LevelFilter {
        match self.detail {
            0 => LevelFilter::Info,
            1 => LevelFilter::Debug,
            _ => LevelFilter::Trace,
        }
    }
}

/// Process ids for the tags; they change at a fork.
static WORKER: AtomicI32 = AtomicI32::new(0);
static PARENT: AtomicI32 = AtomicI32::new(0);
/// Whether lines wait, so that the loop need not take the lock to know.
static PENDING: AtomicBool = AtomicBool::new(false);
/// Whether lines are kept back until the next flush.
static HELD: AtomicBool = AtomicBool::new(false);
/// What the tags end with, where several daemons run on one host.
static SUFFIX: std::sync::OnceLock<String> = std::sync::OnceLock::new();
static LOGGER: std::sync::OnceLock<Logger> = std::sync::OnceLock::new();

struct Logger {
    syslog: Option<Mutex<Syslog>>,
    console: Option<env_logger::Logger>,
    files: Option<Mutex<LogFiles>>,
    facility: u8,
}

/// Starts logging; later calls change nothing.
pub fn start(options: &LogOptions) {
    let logger = Logger {
        syslog: options
            .syslog
            .then(|| Mutex::new(Syslog::new(Path::new(SYSLOG_SOCKET)))),
        console: options.console.then(console),
        files: options
            .file
            .as_deref()
            .map(|path| Mutex::new(LogFiles::new(path, options.flush))),
        facility: options.facility,
    };
    let logger = LOGGER.get_or_init(|| logger);
    // Fails if there is a logger already, which then is this one.
    drop(log::set_logger(logger));
    log::set_max_level(options.level());
}

/// Sets the process ids that lines carry: those of the daemon as a whole the supervisor's, the
/// others the worker's, as with keepalived's several processes.
pub fn set_pids(parent: i32, worker: i32) {
    PARENT.store(parent, Ordering::Relaxed);
    WORKER.store(worker, Ordering::Relaxed);
}

/// What tags end with from now on; a second call changes nothing.
pub fn set_suffix(suffix: String) {
    if !suffix.is_empty() {
        drop(SUFFIX.set(suffix));
    }
}

/// Leaves the lines that wait, and the socket, to the process that forked this one.
pub fn start_afresh() {
    if let Some(files) = LOGGER.get().and_then(|logger| logger.files.as_ref()) {
        files
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .forget();
    }
    if let Some(syslog) = LOGGER.get().and_then(|logger| logger.syslog.as_ref()) {
        let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
        *syslog = Syslog::new(Path::new(SYSLOG_SOCKET));
        PENDING.store(false, Ordering::Relaxed);
    }
}

/// Keeps lines back, as far as there is room, until the next [`flush`]: an advert that a line tells
/// of shall leave before the line does.
pub fn hold() {
    HELD.store(true, Ordering::Relaxed);
}

/// Tries to hand waiting lines on; true if some still wait.
pub fn flush() -> bool {
    HELD.store(false, Ordering::Relaxed);
    if let Some(logger) = LOGGER.get() {
        logger.in_files(LogFiles::flush);
    }
    if !PENDING.load(Ordering::Relaxed) {
        return false;
    }
    if let Some(syslog) = LOGGER.get().and_then(|logger| logger.syslog.as_ref()) {
        let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
        syslog.flush();
        PENDING.store(syslog.waits(), Ordering::Relaxed);
    }
    PENDING.load(Ordering::Relaxed)
}

/// Hands waiting lines on before the process ends, for at most `patience`.
pub fn flush_at_exit(patience: Duration) {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while flush() && waited < patience {
        std::thread::sleep(step);
        waited += step;
    }
}

/// Console lines are keepalived's: the time as `asctime` writes it, then the text.
fn console() -> env_logger::Logger {
    use std::io::Write as _;
    env_logger::Builder::new()
        .filter_level(LevelFilter::Trace)
        .target(env_logger::Target::Stderr)
        .format(|out, record| writeln!(out, "{}: {}", asctime(now()), record.args()))
        .build()
}

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Other libraries speak only when something is really wrong.
        metadata.level() <= Level::Warn || is_ident(metadata.target())
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if let Some(console) = &self.console {
            console.log(record);
        }
        self.in_files(|files| {
            let told = files.write(record.target(), record.args());
            if HELD.load(Ordering::Relaxed) {
                told
            } else {
                told.or(files.flush())
            }
        });
        self.to_syslog(record);
    }

    fn flush(&self) {
        flush();
    }
}

fn is_ident(target: &str) -> bool {
    matches!(
        target,
        ident::DAEMON | ident::VRRP | ident::CHECK | ident::BFD
    )
}

impl Logger {
    /// Writes to the files, and tells elsewhere what is the matter with them.
    fn in_files(&self, write: impl FnOnce(&mut LogFiles) -> Option<String>) {
        let Some(files) = &self.files else {
            return;
        };
        let told = write(&mut files.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(told) = told {
            let arguments = format_args!("{told}");
            let mut record = Record::builder();
            let record = record.target(ident::DAEMON).level(Level::Error);
            let record = record.args(arguments).build();
            if let Some(console) = &self.console {
                console.log(&record);
            }
            self.to_syslog(&record);
        }
    }

    fn to_syslog(&self, record: &Record<'_>) {
        if let Some(syslog) = &self.syslog {
            let line = self.line(record);
            let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
            let held = HELD.load(Ordering::Relaxed);
            syslog.push(line, held);
            PENDING.store(held || syslog.waits(), Ordering::Relaxed);
        }
    }

    fn line(&self, record: &Record<'_>) -> String {
        let tag = if is_ident(record.target()) {
            record.target()
        } else {
            ident::DAEMON
        };
        let pid = match tag {
            ident::DAEMON => PARENT.load(Ordering::Relaxed),
            _ => WORKER.load(Ordering::Relaxed),
        };
        let suffix = SUFFIX.get().map_or("", String::as_str);
        format_line(
            self.facility | severity(record.level()),
            now(),
            &format!("{tag}{suffix}"),
            pid,
            record.args(),
        )
    }
}

const fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info | Level::Debug | Level::Trace => 6,
    }
}

fn now() -> LocalTime {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    sys::local_time(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const WEEKDAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];

fn month(time: LocalTime) -> &'static str {
    MONTHS.get(time.month).copied().unwrap_or("Jan")
}

/// As the C library's `asctime`: `Mon Nov  2 03:04:05 2026`.
pub(super) fn asctime(time: LocalTime) -> String {
    format!(
        "{} {} {:2} {:02}:{:02}:{:02} {}",
        WEEKDAYS.get(time.weekday).copied().unwrap_or("Sun"),
        month(time),
        time.day,
        time.hour,
        time.minute,
        time.second,
        time.year
    )
}

/// A datagram as the C library's `syslog` makes it (RFC 3164 §4.1, without the host's name).
fn format_line(
    priority: u8,
    time: LocalTime,
    tag: &str,
    pid: i32,
    text: &std::fmt::Arguments<'_>,
) -> String {
    let mut line = String::with_capacity(160);
    // Writing to a String does not fail.
    let _ = write!(
        line,
        "<{priority}>{} {:2} {:02}:{:02}:{:02} {tag}[{pid}]: {text}",
        month(time),
        time.day,
        time.hour,
        time.minute,
        time.second
    );
    line
}

/// The way to the log daemon.
struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// When the daemon was last looked for in vain.
    tried: Option<Instant>,
    queue: VecDeque<String>,
    queued_bytes: usize,
    lost: u64,
}

impl Syslog {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
            tried: None,
            queue: VecDeque::new(),
            queued_bytes: 0,
            lost: 0,
        }
    }

    /// Whether lines wait that the next flush may hand on. Without a log daemon nothing waits
    /// urgently: the next line will look for it.
    fn waits(&self) -> bool {
        self.socket.is_some() && (!self.queue.is_empty() || self.lost > 0)
    }

    fn push(&mut self, line: String, hold: bool) {
        let room = self.lost == 0 && self.queued_bytes + line.len() <= QUEUE_BYTES;
        if !(hold && room) {
            self.flush();
        }
        if !hold && self.queue.is_empty() && self.lost == 0 && self.send(&line) {
            return;
        }
        if self.lost > 0 || self.queued_bytes + line.len() > QUEUE_BYTES {
            // From the first loss on everything is lost until there is room again: a gap is
            // easier to read than a sieve.
            self.lost += 1;
        } else {
            self.queued_bytes += line.len();
            self.queue.push_back(line);
        }
    }

    fn flush(&mut self) {
        while let Some(line) = self.queue.pop_front() {
            if !self.send(&line) {
                self.queue.push_front(line);
                return;
            }
            self.queued_bytes -= line.len();
        }
        if self.lost > 0 {
            let line = format_line(
                (3 << 3) | 4,
                now(),
                ident::DAEMON,
                PARENT.load(Ordering::Relaxed),
                &format_args!(
                    "{} log messages lost: the log daemon does not keep up",
                    self.lost
                ),
            );
            if self.send(&line) {
                self.lost = 0;
            }
        }
    }

    /// Sends now; false if the line has to wait.
    fn send(&mut self, line: &str) -> bool {
        for _ in 0..2 {
            let Some(socket) = self.connected() else {
                return false;
            };
            match socket.send(line.as_bytes()) {
                Ok(_) => return true,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                // Longer than the daemon takes: it would never go.
                Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) => return true,
                // ECONNREFUSED, ENOTCONN, ECONNRESET: the daemon was restarted.
                Err(_) => {
                    self.socket = None;
                    self.tried = None;
                }
            }
        }
        false
    }

    fn connected(&mut self) -> Option<&UnixDatagram> {
        if self.socket.is_none() {
            if self.tried.is_some_and(|at| clock::now() < at + RECONNECT) {
                return None;
            }
            self.socket = connect(&self.path).ok();
            self.tried = self.socket.is_none().then(clock::now);
        }
        self.socket.as_ref()
    }
}

fn connect(path: &Path) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.connect(path)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: LocalTime = LocalTime {
        year: 2026,
        month: 10,
        day: 2,
        weekday: 1,
        hour: 3,
        minute: 4,
        second: 5,
        east_minutes: 0,
    };

    #[test]
    fn lines_are_the_real_ones() {
        assert_eq!(
            format_line(
                30,
                TIME,
                ident::VRRP,
                4979,
                &format_args!("(VI_1) Entering MASTER STATE")
            ),
            "<30>Nov  2 03:04:05 Keepalived_vrrp[4979]: (VI_1) Entering MASTER STATE"
        );
        assert_eq!(asctime(TIME), "Mon Nov  2 03:04:05 2026");
    }

    fn received(socket: &UnixDatagram) -> Vec<String> {
        let mut lines = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        lines
    }

    fn listen(path: &Path) -> UnixDatagram {
        let socket = UnixDatagram::bind(path).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }

    // Input: a log daemon that reads nothing while 5,000 long lines come. Output: no waiting; once
    // it reads, the lines that had room in order, then how many had none.
    #[test]
    fn a_stuck_log_daemon_costs_lines_but_no_time_and_the_loss_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = listen(&path);
        let mut syslog = Syslog::new(&path);
        for number in 0..5000 {
            syslog.push(format!("{number:0100}"), false);
        }
        assert!(syslog.waits());
        assert!(syslog.queued_bytes <= QUEUE_BYTES);
        let mut lines = Vec::new();
        while syslog.waits() {
            lines.extend(received(&daemon));
            syslog.flush();
        }
        lines.extend(received(&daemon));
        let told = lines.pop().unwrap();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line, &format!("{number:0100}"));
        }
        let lost = 5000 - lines.len();
        assert!(lost > 0);
        assert!(told.ends_with(&format!(
            "{lost} log messages lost: the log daemon does not keep up"
        )));
    }

    // Input: lines while they are held, more than there is room for. Output: nothing is sent while
    // there is room; then all of it in order, none lost.
    #[test]
    fn held_lines_leave_at_the_flush_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = listen(&path);
        let mut syslog = Syslog::new(&path);
        syslog.push("first".to_owned(), true);
        assert_eq!(received(&daemon), [""; 0]);
        let mut lines = vec!["first".to_owned()];
        let mut seen = Vec::new();
        for number in 0..800 {
            let line = format!("{number:0100}");
            lines.push(line.clone());
            syslog.push(line, true);
            seen.extend(received(&daemon));
        }
        syslog.flush();
        while syslog.waits() {
            seen.extend(received(&daemon));
            syslog.flush();
        }
        seen.extend(received(&daemon));
        assert_eq!(seen, lines);
    }

    #[test]
    fn a_restarted_log_daemon_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut syslog = Syslog::new(&path);
        syslog.push("before there is a daemon".to_owned(), false);
        syslog.tried = None;
        let first = listen(&path);
        syslog.push("one".to_owned(), false);
        assert_eq!(received(&first), ["before there is a daemon", "one"]);
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let second = listen(&path);
        syslog.push("two".to_owned(), false);
        assert_eq!(received(&second), ["two"]);
    }

    #[test]
    fn detail_chooses_the_level() {
        let options = |detail| LogOptions {
            detail,
            console: false,
            syslog: false,
            facility: 24,
            file: None,
            flush: false,
        };
        assert_eq!(options(0).level(), LevelFilter::Info);
        assert_eq!(options(1).level(), LevelFilter::Debug);
        assert_eq!(options(2).level(), LevelFilter::Trace);
    }
}

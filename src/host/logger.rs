//! Log lines to syslog and to the console, without ever waiting for either.
//!
//! Owns: the socket to `/dev/log` with a short queue of what it did not take yet, the idents and
//! process ids in front of each line, and how much detail is written. Never does: block; a line
//! that has no room is counted, and the count is told as soon as there is room. Driven by: the
//! `log` macros everywhere, and `event_loop`, which hands the queue on.
//!
//! The C library's `syslog` is no help here: it blocks its caller as soon as a dozen lines wait
//! for the log daemon, and a VRRP master must not stall for that.

use std::fmt::Write as _;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::backlog::Backlog;
use super::clock;
use super::log_file::LogFiles;
use super::sys::{self, LocalTime};
use crate::base::{Instant, ident};

/// Where the log daemon listens.
pub const SYSLOG_SOCKET: &str = "/dev/log";

/// Bytes of lines that wait: those of a start with some ten thousands of real servers, which are
/// said before the loop first turns. The memory is given back when nothing waits.
const QUEUE_BYTES: usize = 4 * 1024 * 1024;

/// Lines that are handed on at once, a millisecond's worth.
const SOME: usize = 128;

/// How long lines wait for the log daemon before they are tried again.
const RETRY: Duration = Duration::from_millis(20);

/// Room for a line that is kept.
const LINE: usize = 256;

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

/// Tries to hand some of the waiting lines on; when to try again, if some still wait.
pub fn flush() -> Option<Duration> {
    flush_some(SOME)
}

fn flush_some(most: usize) -> Option<Duration> {
    HELD.store(false, Ordering::Relaxed);
    if let Some(logger) = LOGGER.get() {
        logger.in_files(LogFiles::flush);
    }
    if !PENDING.load(Ordering::Relaxed) {
        return None;
    }
    let mut sent = 0;
    if let Some(syslog) = LOGGER.get().and_then(|logger| logger.syslog.as_ref()) {
        let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
        sent = syslog.flush(most);
        PENDING.store(syslog.waits(), Ordering::Relaxed);
    }
    let again = if sent < most { RETRY } else { Duration::ZERO };
    PENDING.load(Ordering::Relaxed).then_some(again)
}

/// Hands waiting lines on before the process ends, for at most `patience`.
pub fn flush_at_exit(patience: Duration) {
    let step = Duration::from_millis(5);
    let mut waited = Duration::ZERO;
    while flush_some(usize::MAX).is_some() && waited < patience {
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
            let mut syslog = syslog.lock().unwrap_or_else(PoisonError::into_inner);
            let held = HELD.load(Ordering::Relaxed);
            // What is lost anyway is not even written.
            if !syslog.loses() {
                let mut line = std::mem::take(&mut syslog.line);
                line.clear();
                let time = syslog.time.now();
                let head = self.head(record, time, &mut syslog.head);
                line.push_str(head);
                // Writing to a String does not fail.
                let _ = write!(line, "{}", record.args());
                syslog.push(&line, held);
                line.shrink_to(LINE);
                syslog.line = line;
            }
            PENDING.store(held || syslog.waits(), Ordering::Relaxed);
        }
    }

    /// What the line begins with, worked out once for all lines that begin so.
    fn head<'a>(&self, record: &Record<'_>, time: LocalTime, head: &'a mut Head) -> &'a str {
        let tag = match record.target() {
            ident::VRRP => ident::VRRP,
            ident::CHECK => ident::CHECK,
            ident::BFD => ident::BFD,
            _ => ident::DAEMON,
        };
        let pid = match tag {
            ident::DAEMON => PARENT.load(Ordering::Relaxed),
            _ => WORKER.load(Ordering::Relaxed),
        };
        let suffix = SUFFIX.get().map_or("", String::as_str);
        let priority = self.facility | severity(record.level());
        let of = (priority, time, (tag, suffix), pid);
        if head.of != Some(of) {
            head.of = Some(of);
            head.text.clear();
            format_head(priority, time, (tag, suffix), pid, &mut head.text);
        }
        &head.text
    }
}

/// The beginning of the last line.
#[derive(Default)]
struct Head {
    /// Priority, time, tag with suffix, process id.
    of: Option<(u8, LocalTime, (&'static str, &'static str), i32)>,
    text: String,
}

const fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info | Level::Debug | Level::Trace => 6,
    }
}

fn now() -> LocalTime {
    sys::local_time(seconds())
}

/// Whole seconds since 1970.
fn seconds() -> i64 {
    let since = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The local time, worked out once for all lines of a second.
#[derive(Default)]
struct Time(Option<(i64, LocalTime)>);

impl Time {
    fn now(&mut self) -> LocalTime {
        let seconds = seconds();
        match self.0 {
            Some((at, time)) if at == seconds => time,
            Some(_) | None => {
                let time = sys::local_time(seconds);
                self.0 = Some((seconds, time));
                time
            }
        }
    }
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
    tag: (&str, &str),
    pid: i32,
    text: &std::fmt::Arguments<'_>,
    line: &mut String,
) {
    format_head(priority, time, tag, pid, line);
    // Writing to a String does not fail.
    let _ = write!(line, "{text}");
}

/// What comes before the text.
fn format_head(
    priority: u8,
    time: LocalTime,
    (tag, suffix): (&str, &str),
    pid: i32,
    line: &mut String,
) {
    let _ = write!(
        line,
        "<{priority}>{} {:2} {:02}:{:02}:{:02} {tag}{suffix}[{pid}]: ",
        month(time),
        time.day,
        time.hour,
        time.minute,
        time.second
    );
}

/// The way to the log daemon.
struct Syslog {
    path: PathBuf,
    socket: Option<UnixDatagram>,
    /// When the daemon was last looked for in vain.
    tried: Option<Instant>,
    queue: Backlog,
    lost: u64,
    /// The line that is being written; kept for its memory.
    line: String,
    head: Head,
    time: Time,
}

impl Syslog {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            socket: None,
            tried: None,
            queue: Backlog::default(),
            lost: 0,
            line: String::new(),
            head: Head::default(),
            time: Time::default(),
        }
    }

    /// Whether lines wait that the next flush may hand on. Without a log daemon nothing waits
    /// urgently: the next line will look for it.
    fn waits(&self) -> bool {
        self.socket.is_some() && (!self.queue.is_empty() || self.lost > 0)
    }

    /// Whether the next line has no room either, which counts it: from the first loss on everything
    /// is lost until there is room again, as a gap is easier to read than a sieve.
    fn loses(&mut self) -> bool {
        if self.lost > 0 {
            self.flush(usize::MAX);
        }
        if self.lost > 0 {
            self.lost += 1;
        }
        self.lost > 0
    }

    fn push(&mut self, line: &str, hold: bool) {
        let room = |this: &Self| this.queue.bytes() + line.len() <= QUEUE_BYTES;
        if !(hold && room(self)) {
            self.flush(usize::MAX);
        }
        if !hold && self.queue.is_empty() && self.send(line) {
            return;
        }
        if room(self) {
            self.queue.push(line);
        } else {
            self.lost += 1;
        }
    }

    /// Sends what waits, so many lines at most; how many it has sent.
    fn flush(&mut self, most: usize) -> usize {
        let mut queue = std::mem::take(&mut self.queue);
        let mut sent = 0;
        while sent < most
            && let Some(line) = queue.first()
            && self.send(line)
        {
            queue.drop_first();
            sent += 1;
        }
        self.queue = queue;
        if self.lost > 0 && self.queue.is_empty() {
            let pid = PARENT.load(Ordering::Relaxed);
            let lost = self.lost;
            let text = format_args!("{lost} log messages lost: the log daemon does not keep up");
            let mut line = String::new();
            let tag = (ident::DAEMON, "");
            format_line((3 << 3) | 4, now(), tag, pid, &text, &mut line);
            if self.send(&line) {
                self.lost = 0;
            }
        }
        sent
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
        let mut line = String::new();
        let text = format_args!("(VI_1) Entering MASTER STATE");
        format_line(30, TIME, (ident::VRRP, "_a"), 4979, &text, &mut line);
        assert_eq!(
            line,
            "<30>Nov  2 03:04:05 Keepalived_vrrp_a[4979]: (VI_1) Entering MASTER STATE"
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

    // Input: a log daemon that reads nothing while 60,000 long lines come. Output: no waiting; once
    // it reads, the lines that had room in order, then how many had none.
    #[test]
    fn a_stuck_log_daemon_costs_lines_but_no_time_and_the_loss_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let daemon = listen(&path);
        let mut syslog = Syslog::new(&path);
        for number in 0..60_000 {
            if !syslog.loses() {
                syslog.push(&format!("{number:0100}"), false);
            }
        }
        assert!(syslog.waits());
        assert!(syslog.queue.bytes() <= QUEUE_BYTES);
        let mut lines = Vec::new();
        while syslog.waits() {
            lines.extend(received(&daemon));
            syslog.flush(100);
        }
        lines.extend(received(&daemon));
        let told = lines.pop().unwrap();
        for (number, line) in lines.iter().enumerate() {
            assert_eq!(line, &format!("{number:0100}"));
        }
        let lost = 60_000 - lines.len();
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
        syslog.push("first", true);
        assert_eq!(received(&daemon), [""; 0]);
        let mut lines = vec!["first".to_owned()];
        let mut seen = Vec::new();
        for number in 0..8000 {
            let line = format!("{number:0100}");
            assert!(!syslog.loses());
            syslog.push(&line, true);
            lines.push(line);
            seen.extend(received(&daemon));
        }
        syslog.flush(100);
        while syslog.waits() {
            seen.extend(received(&daemon));
            syslog.flush(100);
        }
        seen.extend(received(&daemon));
        assert_eq!(seen, lines);
    }

    #[test]
    fn a_restarted_log_daemon_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let mut syslog = Syslog::new(&path);
        syslog.push("before there is a daemon", false);
        syslog.tried = None;
        let first = listen(&path);
        syslog.push("one", false);
        assert_eq!(received(&first), ["before there is a daemon", "one"]);
        drop(first);
        std::fs::remove_file(&path).unwrap();
        let second = listen(&path);
        syslog.push("two", false);
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

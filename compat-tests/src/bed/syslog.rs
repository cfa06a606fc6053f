//! The syslog of a host: a socket at `/dev/log` and `/var/log/messages` behind it.
//!
//! Owns the socket, the thread that reads it and the lines with their time of arrival. Never
//! filters or reorders. Driven by tests; programs inside the host write to it without knowing.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{IoSliceMut, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;

use super::{Context, Host, Result, wait_for};

/// Where programs look for the syslog daemon.
const SOCKET: &str = "/dev/log";
/// Where a CentOS 6 machine, the document's, keeps what it hears.
const FILE: &str = "/var/log/messages";
/// How often the reading thread looks whether it should end.
const STOP_CHECK: Duration = Duration::from_millis(50);

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When it was sent, as the kernel says: what was said before something happened never
    /// counts as said after it, however late it is read.
    pub at: SystemTime,
    /// Facility times 8 plus severity (RFC 3164 §4.1.1).
    pub priority: u8,
    /// Program name, such as `Keepalived_vrrp`.
    pub ident: String,
    /// Process id, if the program gave one.
    pub pid: Option<i32>,
    /// The text after the tag.
    pub text: String,
}

/// A running syslog daemon; ends when dropped.
pub struct Syslog {
    lines: Arc<Mutex<Vec<Line>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Syslog {
    /// Starts it inside a host.
    ///
    /// # Errors
    /// When the host has one already.
    pub fn start(host: &Host) -> Result<Self> {
        let name = host.name().to_owned();
        let opened = host.enter(|| {
            let socket = UnixDatagram::bind(SOCKET)?;
            socket.set_read_timeout(Some(STOP_CHECK))?;
            setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
            let file = OpenOptions::new().create(true).append(true).open(FILE)?;
            Ok::<_, std::io::Error>((socket, file))
        })?;
        let (socket, file) = opened.context(|| format!("syslog on {name}"))?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (sink, end) = (Arc::clone(&lines), Arc::clone(&stop));
        let reader = std::thread::spawn(move || read(&socket, file, &name, &sink, &end));
        Ok(Self {
            lines,
            stop,
            reader: Some(reader),
        })
    }

    /// Every line so far.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Every line that arrived at `from` or later.
    #[must_use]
    pub fn since(&self, from: SystemTime) -> Vec<Line> {
        self.lines()
            .into_iter()
            .filter(|line| line.at >= from)
            .collect()
    }

    /// Waits for a line that arrived at `from` or later and contains `text`.
    ///
    /// # Errors
    /// When there was none within `deadline`; the error shows what was written instead.
    pub fn wait_for(&self, deadline: Duration, from: SystemTime, text: &str) -> Result<Line> {
        let look = || {
            self.since(from)
                .into_iter()
                .find(|line| line.text.contains(text))
        };
        let found = wait_for(deadline, &format!("log line “{text}”"), look);
        found.map(|(line, _)| line).context(|| {
            self.since(from)
                .iter()
                .fold("log:".to_owned(), |mut all, line| {
                    // Writing to a String cannot fail.
                    write!(all, "\n  {}: {}", line.ident, line.text).ok();
                    all
                })
                + "\n"
        })
    }
}

impl Drop for Syslog {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take()
            && reader.join().is_err()
        {
            eprintln!("testbed: a syslog reader has panicked");
        }
    }
}

impl Line {
    /// Takes a datagram apart: `<priority>Mmm dd hh:mm:ss ident[pid]: text` (RFC 3164 §4.1).
    fn parse(at: SystemTime, datagram: &str) -> Self {
        let (priority, rest) = datagram
            .strip_prefix('<')
            .and_then(|rest| rest.split_once('>'))
            .unwrap_or(("", datagram));
        let rest = after_time(rest);
        let (tag, text) = rest.split_once(": ").unwrap_or(("", rest));
        let (ident, pid) = tag.split_once('[').unwrap_or((tag, ""));
        Self {
            at,
            priority: priority.parse().unwrap_or_default(),
            ident: ident.to_owned(),
            pid: pid.trim_end_matches(']').parse().ok(),
            text: text.trim_end_matches(['\n', '\0']).to_owned(),
        }
    }
}

/// What follows the time stamp, which is always 15 characters and a blank.
fn after_time(text: &str) -> &str {
    let stamp = text
        .get(..16)
        .filter(|stamp| stamp.ends_with(' ') && stamp.get(9..10) == Some(":"));
    stamp
        .and_then(|stamp| text.strip_prefix(stamp))
        .unwrap_or(text)
}

/// When a datagram was sent, and its length; nothing when none came within the time limit, the one
/// thing that ends a wait on a socket that we hold ourselves.
fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> Option<(SystemTime, usize)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let fd = socket.as_raw_fd();
    let flags = MsgFlags::empty();
    let message = recvmsg::<UnixAddr>(fd, &mut parts, Some(&mut control), flags).ok()?;
    let stamp = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(UNIX_EPOCH + Duration::from(time)),
        _ => None,
    });
    Some((stamp.unwrap_or_else(SystemTime::now), message.bytes))
}

fn read(
    socket: &UnixDatagram,
    mut file: File,
    host: &str,
    sink: &Mutex<Vec<Line>>,
    end: &AtomicBool,
) {
    let mut buffer = [0; 8192];
    while !end.load(Ordering::Relaxed) {
        let Some((at, length)) = receive(socket, &mut buffer) else {
            continue;
        };
        let text = String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned();
        let body = text.split_once('>').map_or(text.as_str(), |(_, body)| body);
        let tagged = after_time(body);
        let stamp = body.strip_suffix(tagged).unwrap_or_default();
        let written = writeln!(
            file,
            "{stamp}{host} {}",
            tagged.trim_end_matches(['\n', '\0'])
        );
        // The tests read memory; the file is for people, and goes with the host.
        drop(written);
        sink.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Line::parse(at, &text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Input: a datagram as the C library's syslog(3) writes it. Output: its parts.
    #[test]
    fn a_datagram_is_taken_apart() {
        let at = SystemTime::UNIX_EPOCH;
        let line = Line::parse(
            at,
            "<30>Apr 26 15:22:19 Keepalived_vrrp[4608]: (VI_1) Entering: MASTER\n",
        );
        assert_eq!(
            (line.priority, line.ident.as_str(), line.pid),
            (30, "Keepalived_vrrp", Some(4608))
        );
        assert_eq!(line.text, "(VI_1) Entering: MASTER");
    }
}

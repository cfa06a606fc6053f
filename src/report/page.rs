//! What every section of a report needs to know.
//!
//! Owns: the look at the node and the facts of the host that texts name. Never does: find any of
//! them out.

use std::fmt::{self, Write};

use crate::base::Instant;
use crate::base::command::shell_line;
use crate::conf::model::options::Script;
use crate::node::snapshot::{Snapshot, SocketId};

/// A point in time as people write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970.
    pub seconds: u64,
    /// Microseconds of the second.
    pub micros: u32,
    /// Local time as `asctime` has it, without the year: `Fri Nov 27 19:59:18`.
    pub text: String,
    /// The year.
    pub year: i32,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            seconds,
            micros,
            text,
            year,
        } = self;
        write!(f, "{seconds}.{micros:06} ({text}.{micros:06} {year})")
    }
}

impl Moment {
    /// What is told of something that has never happened.
    pub(super) fn epoch() -> Self {
        Self {
            seconds: 0,
            micros: 0,
            text: "Thu Jan  1 00:00:00".to_owned(),
            year: 1970,
        }
    }

    /// With the year before the microseconds, as what is told of programs has it.
    pub(super) fn year_inside(&self) -> String {
        let Self {
            seconds,
            micros,
            text,
            year,
        } = self;
        format!("{seconds}.{micros:06} ({text} {year}.{micros:06})")
    }
}

/// What the host knows and reports tell.
pub trait Facts {
    /// Wall clock and local time at `instant`.
    fn moment(&self, instant: Instant) -> Moment;
    /// The ids that a script runs with: of the user and group that are named, else of the daemon's
    /// script user.
    fn ids(&self, user: Option<&str>, group: Option<&str>) -> (u32, u32);
    /// The descriptor of a socket.
    fn descriptor(&self, socket: SocketId) -> Option<i32>;
    /// The name of this host.
    fn host_name(&self) -> String;
    /// The bits that files are made without.
    fn umask(&self) -> u32;
    /// The names of the daemon's network namespaces: its own and that of IPVS.
    fn namespaces(&self) -> (Option<String>, Option<String>);
}

/// What a section is written from.
#[derive(Clone, Copy)]
pub struct Page<'a> {
    /// The node.
    pub snapshot: Snapshot<'a>,
    /// The host.
    pub facts: &'a dyn Facts,
    /// Whether the daemon has started: before, keepalived dumps the configuration alone.
    pub running: bool,
}

impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("running", &self.running)
            .finish_non_exhaustive()
    }
}

impl Page<'_> {
    /// A script as dumps show it: each word quoted, then whom it runs as.
    pub(super) fn script(&self, script: &Script) -> String {
        let (user, group) = self
            .facts
            .ids(script.user.as_deref(), script.group.as_deref());
        format!("{}, uid:gid {user}:{group}", command(&script.argv))
    }
}

/// The words of a command, each in quotes; one for the shell as that sees it.
pub(super) fn command(words: &[String]) -> String {
    if let Some(line) = shell_line(words) {
        return line;
    }
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    quoted.join(" ")
}

/// `yes` or `no`.
pub(super) const fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// `on` or `off`.
pub(super) const fn on(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

/// `ON` or `OFF`.
pub(super) const fn upper_on(value: bool) -> &'static str {
    if value { "ON" } else { "OFF" }
}

/// `enabled` or `disabled`.
pub(super) const fn enabled(value: bool) -> &'static str {
    if value { "enabled" } else { "disabled" }
}

/// A heading.
pub(super) fn heading(out: &mut String, text: &str) -> fmt::Result {
    writeln!(out, "------< {text} >------")
}

/// Seconds with six digits.
pub(super) fn seconds(duration: crate::base::Duration) -> String {
    format!("{}.{:06}", duration.as_secs(), duration.subsec_micros())
}

/// Seconds with as many digits as they need.
pub(super) fn short_seconds(duration: crate::base::Duration) -> String {
    let text = seconds(duration);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

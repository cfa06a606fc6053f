//! What the log should say: the document's words (keepalived 1.3), or those of 2.x.
//!
//! Owns both tables and the search in a log. Never mentions how they come about. Driven by the
//! steps; the daemon has tables of its own, so a mistake there does not repeat here.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::super::director::Flavour;
use super::super::{Error, Result};
use crate::bed::{Line, Syslog, wait_for};

/// A line's ident, and what its text begins with.
pub(super) type Wanted = (&'static str, &'static str);

const DAEMON: &str = "Keepalived";
const VRRP: &str = "Keepalived_vrrp";
const CHECK: &str = "Keepalived_healthcheckers";

/// MySQL2 stopped.
pub(super) fn server_lost(flavour: Flavour) -> Vec<Wanted> {
    match flavour {
        Flavour::Ours => vec![
            (CHECK, "TCP connection to [182.148.15.238]:3306 failed."),
            (
                CHECK,
                "Removing service [182.148.15.238]:3306 from VS [182.148.15.239]:3306",
            ),
        ],
        Flavour::Other => {
            vec![(
                CHECK,
                "Removing service [182.148.15.238]:tcp:3306 from VS [182.148.15.239]:tcp:3306",
            )]
        }
    }
}

/// MySQL2 started again.
pub(super) fn server_found(flavour: Flavour) -> [Wanted; 2] {
    match flavour {
        Flavour::Ours => [
            (CHECK, "TCP connection to [182.148.15.238]:3306 success."),
            (
                CHECK,
                "Adding service [182.148.15.238]:3306 to VS [182.148.15.239]:3306",
            ),
        ],
        Flavour::Other => [
            (
                CHECK,
                "TCP connection to [182.148.15.238]:tcp:3306 success.",
            ),
            (
                CHECK,
                "Adding service [182.148.15.238]:tcp:3306 to VS [182.148.15.239]:tcp:3306",
            ),
        ],
    }
}

/// A director stopped, in the document's order.
pub(super) fn stopped(flavour: Flavour) -> Vec<Wanted> {
    match flavour {
        Flavour::Ours => vec![
            (DAEMON, "Stopping"),
            (VRRP, "VRRP_Instance(VI_1) sent 0 priority"),
            (VRRP, "VRRP_Instance(VI_1) removing protocol VIPs."),
            (
                CHECK,
                "Removing service [182.148.15.233]:3306 from VS [182.148.15.239]:3306",
            ),
            (
                CHECK,
                "Removing service [182.148.15.238]:3306 from VS [182.148.15.239]:3306",
            ),
            (CHECK, "Stopped"),
            (VRRP, "Stopped"),
            (DAEMON, "Stopped Keepalived v"),
        ],
        Flavour::Other => vec![
            (DAEMON, "Stopping"),
            (VRRP, "(VI_1) sent 0 priority"),
            (DAEMON, "Stopped Keepalived v"),
        ],
    }
}

/// A director becomes master.
pub(super) fn master(flavour: Flavour) -> Vec<Wanted> {
    match flavour {
        Flavour::Ours => vec![
            (VRRP, "VRRP_Instance(VI_1) Transition to MASTER STATE"),
            (VRRP, "VRRP_Instance(VI_1) Entering MASTER STATE"),
            (VRRP, "VRRP_Instance(VI_1) setting protocol VIPs."),
            (VRRP, "Sending gratuitous ARP on eth0 for 182.148.15.239"),
            (
                VRRP,
                "VRRP_Instance(VI_1) Sending/queueing gratuitous ARPs on eth0 for 182.148.15.239",
            ),
        ],
        Flavour::Other => vec![
            (VRRP, "(VI_1) Entering MASTER STATE"),
            (VRRP, "(VI_1) setting VIPs."),
        ],
    }
}

/// A director gives way.
pub(super) fn backup(flavour: Flavour) -> [Wanted; 1] {
    match flavour {
        Flavour::Ours => [(VRRP, "VRRP_Instance(VI_1) Entering BACKUP STATE")],
        Flavour::Other => [(VRRP, "(VI_1) Entering BACKUP STATE")],
    }
}

/// Its link is down.
pub(super) fn fault(flavour: Flavour) -> [Wanted; 1] {
    match flavour {
        Flavour::Ours => [(VRRP, "VRRP_Instance(VI_1) Now in FAULT state")],
        Flavour::Other => [(VRRP, "(VI_1) Entering FAULT STATE")],
    }
}

/// The wanted lines in a log, in that order; what they say.
fn find(log: &[Line], wanted: &[Wanted]) -> Result<String> {
    let mut found = String::new();
    let mut rest = log.iter();
    for (ident, text) in wanted {
        let Some(line) = rest.find(|line| line.ident == *ident && line.text.starts_with(text))
        else {
            let said = log
                .iter()
                .map(|line| format!("\n{}: {}", line.ident, line.text))
                .collect::<String>();
            return Err(Error::new(format!(
                "no line “{ident}: {text}” (in its place) in the log:{said}"
            )));
        };
        // Writing to a String cannot fail.
        writeln!(found, "{}: {}", line.ident, line.text).ok();
    }
    Ok(found)
}

/// The wanted lines in a daemon's log since `from`, in that order; what they say. It is waited a
/// moment for them: a daemon writes its log after it has done what is urgent.
pub(super) fn heard(log: &Syslog, from: SystemTime, wanted: &[Wanted]) -> Result<String> {
    let look = || find(&log.since(from), wanted).ok();
    match wait_for(Duration::from_secs(2), "log lines", look) {
        Ok((found, _)) => Ok(found),
        // Says what is missing, and what is there instead.
        Err(_) => find(&log.since(from), wanted),
    }
}

/// Does a line say that no other router was ever heard? The words are the daemon's to choose.
pub(super) fn is_deaf(text: &str) -> bool {
    let text = text.to_lowercase();
    [
        "never heard",
        "no advert has ever",
        "no peer has ever",
        "ever been heard",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// A log as text, for the explanation of a failure.
pub(super) fn say(log: &[Line]) -> String {
    let lines: Vec<String> = log
        .iter()
        .map(|line| format!("{}: {}", line.ident, line.text))
        .collect();
    format!("the log said only:\n{}\n", lines.join("\n"))
}

//! What is told to people and programs outside.
//!
//! Owns: a notice as any domain writes it: scripts, a line for FIFOs, a mail. Never does: decide
//! which FIFO is open or whether mails are wanted (`notify` does). Driven by: the domains, through
//! `node`.

use super::process::Command;

/// Something worth telling. What a part of the daemon tells, is told in that order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Which part of the daemon speaks.
    pub from: Speaker,
    /// Scripts to start, in this order; nobody waits for their end.
    pub scripts: Vec<Command>,
    /// The line for FIFOs.
    pub line: Option<Line>,
    /// The mail.
    pub alert: Option<Alert>,
}

/// The part of the daemon that speaks: it has a FIFO of its own beside the common one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speaker {
    /// VRRP: `vrrp_notify_fifo`.
    Vrrp,
    /// Checks: `lvs_notify_fifo`. Their lines end with a newline and a NUL byte.
    Check,
}

/// A line for FIFOs: `INSTANCE "VI_1" MASTER 100`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What it is about: `INSTANCE "VI_1"`.
    pub object: String,
    /// What is said of that: `MASTER 100`.
    pub state: String,
    /// Whether it is repeated to a reader that lost lines.
    pub lasting: Lasting,
}

/// How long a line holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lasting {
    /// Until the next line about the same object: it is repeated to a reader that lost lines.
    State,
    /// It is the last line about its object, which ends or leaves the configuration.
    Last,
    /// It tells of something that happened.
    Event,
}

impl Notice {
    /// A notice of nothing, to be filled in.
    #[must_use]
    pub const fn new(from: Speaker) -> Self {
        Self {
            from,
            scripts: Vec::new(),
            line: None,
            alert: None,
        }
    }

    /// Leaves the line for FIFOs alone, for who has heard the rest before.
    pub fn keep_line(&mut self) {
        self.scripts.clear();
        self.alert = None;
    }
}

/// A mail, as far as the domain that writes it knows: `notify` has the settings for all mails, and
/// leaves it unsent where they do not want it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about: `VRRP Instance VI_1`.
    pub about: String,
    /// What became of that: `Entering MASTER state`, `UP`. With what it is about, the subject.
    pub state: String,
    /// The text, without the end of its last line.
    pub body: String,
    /// `smtp_alert` of the object itself; if not said, the settings for all objects hold.
    pub asked: Option<bool>,
    /// What kind of object it is.
    pub kind: AlertKind,
}

/// What an [`Alert`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertKind {
    /// A VRRP instance or group, of which each state is mailed once. `fault`: its state is `FAULT`,
    /// which `no_email_faults` leaves out.
    Router {
        /// Whether the state is `FAULT`.
        fault: bool,
    },
    /// A virtual service: its quorum.
    Service,
    /// A check of a real server. `turned`: with it the server came or went; `no_checker_emails`
    /// leaves the others out.
    Server {
        /// Whether the server's own state changed.
        turned: bool,
    },
}

impl Alert {
    /// That a VRRP instance enters a state (`MASTER`, `BACKUP`, `FAULT`, `STOP`, `DELETED`), in
    /// keepalived's words.
    #[must_use]
    pub fn of_instance(name: &str, state: &str, asked: Option<bool>) -> Self {
        let owns = if state == "MASTER" {
            "now"
        } else {
            "no longer"
        };
        Self {
            about: format!("VRRP Instance {name}"),
            state: format!("Entering {state} state"),
            body: format!("=> VRRP Instance is {owns} owning VRRP VIPs <="),
            asked,
            kind: AlertKind::Router {
                fault: state == "FAULT",
            },
        }
    }

    /// That a VRRP sync group enters a state, in keepalived's words.
    #[must_use]
    pub fn of_group(name: &str, state: &str, asked: Option<bool>) -> Self {
        Self {
            about: format!("VRRP Group {name}"),
            state: format!("Entering {state} state"),
            body: format!("=> All VRRP group instances are now in {state} state <="),
            asked,
            kind: AlertKind::Router {
                fault: state == "FAULT",
            },
        }
    }
}

//! What is told to people and programs outside.
//!
//! Owns: a notice as any domain writes it: scripts, and a line for FIFOs. Never does: decide
//! which FIFO is open (`notify` does). Driven by: the domains, through
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
        }
    }
}

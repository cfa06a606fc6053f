//! What VRRP tracks beside its interfaces: scripts, files and processes.
//!
//! Owns: when a script runs and for how long, what its results come to, what is in a file, how
//! many processes there are. Never does: know who tracks them or what that means for a priority
//! (`vrrp` does), run or read anything. Driven by: `node`.

mod domain;
mod process;
mod script;
#[cfg(test)]
mod tests;
mod view;

pub use domain::Domain;
pub use view::{Phase, ProcessView, ScriptView};

use crate::ops::{ChildEnd, Effect, Process, ProcessNews};

/// What the domain is told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A script that it started ended.
    Child(u64, ChildEnd),
    /// A file as it is now.
    File(u64, Option<&'a [u8]>),
    /// The processes of this host.
    Processes(&'a [Process]),
    /// News of them.
    ProcessNews(&'a ProcessNews),
    /// No tracker is needed any more.
    Stop,
}

/// What the domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
    /// What is to be said of a tracker from now on.
    Verdict(Kind, String, Verdict),
}

/// Kind of a tracker; names are unique within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `vrrp_script`
    Script,
    /// `track_file`
    File,
    /// `vrrp_track_process`
    Process,
}

/// What is to be said of a tracker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Unknown,
    /// It is as it should be.
    Up,
    /// It is not.
    Down,
    /// A file holds this number.
    Value(i64),
}

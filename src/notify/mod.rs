//! Telling people and programs outside: scripts, FIFOs, mail.
//!
//! Owns: the FIFOs with the lines that wait for room in them, the children that notices started,
//! and the mails on their way. Never does: decide what is worth telling (the other domains do, as a `Notice`), wait
//! for a reader or a script. Driven by: `node`.

mod domain;
mod fifo;
mod mail;
mod smtp;
#[cfg(test)]
mod tests;

pub use domain::Domain;

use crate::ops::{ChildEnd, Effect, FifoId, FifoIo, Notice};

/// What the domain is told.
#[derive(Debug, Clone)]
pub enum Event {
    /// Something to tell.
    Notice(Notice),
    /// A child that it started ended.
    Child(u64, ChildEnd),
    /// Something happened to a FIFO.
    Fifo(FifoId, FifoIo),
    /// The daemon stops; notices that follow are its last ones, and the end of their scripts is
    /// waited for.
    Stopping,
    /// No notice follows any more.
    Stop,
}

/// What the domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
    /// Everything is told, or had its time: the daemon may end.
    Done,
}

//! BFD: whether a neighbour can be reached, told within milliseconds (RFC 5880, 5881, 5883).
//!
//! Owns: the sessions, their timers and sockets. Never does: open a socket, read a clock, know of
//! VRRP or checks; it says which session is up. Driven by: `node`, which hands that on to whom the
//! configuration names.
//!
//! Asynchronous mode alone, without echoes and authentication, as keepalived has it. Otherwise than
//! there, a packet goes out as soon as the state changes (§6.8.7), a session keeps its
//! discriminator when it goes down, a lower rate of the neighbour counts once its poll is over, and
//! a source address that is missing is waited for.

mod domain;
mod messages;
mod session;
#[cfg(test)]
mod tests;
mod view;

pub use domain::Domain;
pub use view::SessionView;

use crate::conf::model::BfdAudience;
use crate::ops::{Datagram, Effect, SocketId};

/// What the domain is told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// A datagram arrived at one of its sockets.
    Datagram(Datagram<'a>),
    /// A socket could not be opened, or failed.
    SocketFailed(SocketId, i32),
    /// Every session ends.
    Stop,
}

/// What the domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
    /// A session is up, or not, from now on.
    State {
        /// Its name.
        name: String,
        /// Who is told.
        audience: BfdAudience,
        /// Whether the neighbour can be reached.
        up: bool,
    },
}

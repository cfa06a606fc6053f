//! The IPVS table: what is wanted, what is installed, and the operations between the two.
//!
//! Owns: a mirror of the services that are ours in the kernel. Never does: decide which servers
//! serve (the checks do), or touch services of others. Driven by: `node`.

mod control;
mod domain;
mod messages;
mod plan;
mod table;
#[cfg(test)]
mod tests;
mod watch;

use std::net::SocketAddr;

pub use domain::{Domain, RETRY_AFTER, View};
pub use watch::PERIOD;

use crate::ops::{DestinationSpec, Effect, IpvsService, OpTag, ServiceName, ServiceSpec, Timeouts};

/// What the IPVS domain is told.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A service should look like this.
    Want(ServiceSpec, Vec<DestinationSpec>),
    /// A service should not be there.
    Unwant(ServiceName),
    /// One destination of a wanted service should look like this; `None`: it should not be there.
    WantDestination(ServiceName, SocketAddr, Option<DestinationSpec>),
    /// The kernel's table, or the error number why there is none.
    Table(Result<&'a [IpvsService], i32>),
    /// Those of the services that were looked at that there are, or why that cannot be told.
    Look(Result<&'a [IpvsService], i32>),
    /// How long the kernel keeps connections.
    Timeouts(Timeouts),
    /// The instance that the daemon for connections follows is master, or is not; `None`: there
    /// is no such instance.
    Follow(Option<bool>),
    /// The last services were given up: end everything else.
    Stop,
    /// The kernel refused an operation of ours.
    Refused(OpTag, i32),
}

/// What the IPVS domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
}

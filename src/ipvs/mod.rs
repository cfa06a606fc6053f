//! The IPVS table: what is wanted, what is installed, and the operations between the two.
//!
//! Owns: a mirror of the services that are ours in the kernel. Never does: decide which servers
//! serve (the checks do), or touch services of others. Driven by: `node`.

use crate::base::Instant;
use crate::conf::model::ServiceKey;
use crate::ops::{DestinationSpec, Effect, IpvsService, OpTag, ServiceSpec};

/// What the IPVS domain is told.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A service should look like this; `None`: it should not be there.
    Want(ServiceKey, Option<(ServiceSpec, Vec<DestinationSpec>)>),
    /// The kernel's table, or the error number why there is none.
    Table(Result<&'a [IpvsService], i32>),
    /// The kernel refused an operation of ours.
    Refused(OpTag, i32),
}

/// What the IPVS domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Of the world.
    World(Effect),
}

/// Wanted and installed services.
#[derive(Debug, Default)]
pub struct Domain {}

impl Domain {
    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        let _ = (now, event, out);
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        let _ = (now, out);
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        None
    }
}

//! A session as reports show it.
//!
//! Owns: the form. Driven by: `report`, through `node::snapshot`.

use super::session::Session;
use crate::base::{Duration, Instant};
use crate::ops::SocketId;
use crate::wire::bfd::{Diagnostic, State};

/// A session as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionView {
    /// Its state here.
    pub state: State,
    /// What those who track it were told last.
    pub up: bool,
    /// As the neighbour says it is there, or said last.
    pub remote_state: State,
    /// Its number here.
    pub discriminator: u32,
    /// Its number there; 0: not known.
    pub remote_discriminator: u32,
    /// Why it went down here.
    pub diagnostic: Diagnostic,
    /// Why it went down there.
    pub remote_diagnostic: Diagnostic,
    /// What the neighbour would like to send by; this and what follows from it: as it said last.
    pub remote_min_tx: Duration,
    /// What it can take.
    pub remote_min_rx: Duration,
    /// It wishes to hear nothing while the session is up.
    pub remote_demand: bool,
    /// How many of its packets may be lost; 0: it has not said so.
    pub remote_multiplier: u8,
    /// An answer is asked for.
    pub poll: bool,
    /// The time between packets, without its jitter.
    pub interval: Duration,
    /// The same of the neighbour; zero: it never said.
    pub remote_interval: Duration,
    /// So long may nothing be heard; zero: nothing was heard yet.
    pub detection: Duration,
    /// The same of the neighbour.
    pub remote_detection: Duration,
    /// When the last packet came.
    pub last_seen: Option<Instant>,
    /// Its socket, while there is one.
    pub socket: Option<SocketId>,
    /// When the next packet is due.
    pub transmit_at: Option<Instant>,
    /// When it expires, or forgets the neighbour.
    pub expires_at: Option<Instant>,
}

impl SessionView {
    pub(super) fn of(
        session: &Session,
        transmit_at: Option<Instant>,
        expires_at: Option<Instant>,
    ) -> Self {
        let (remote, heard) = (&session.remote, session.heard());
        Self {
            state: session.state,
            up: session.told,
            remote_state: heard.state,
            discriminator: session.discriminator,
            remote_discriminator: remote.discriminator,
            diagnostic: session.diagnostic,
            remote_diagnostic: remote.diagnostic,
            remote_min_tx: heard.min_tx,
            remote_min_rx: heard.min_rx,
            remote_demand: remote.demand,
            remote_multiplier: heard.multiplier,
            poll: session.polls(),
            interval: session.local_interval(),
            remote_interval: heard.interval,
            detection: session.detection,
            remote_detection: heard.detection,
            last_seen: session.last_seen,
            socket: session.socket,
            transmit_at,
            expires_at,
        }
    }
}

//! What BFD says in the log; the texts are keepalived's where it has one.
//!
//! Owns: the texts, and how often strangers may cause one. Driven by: `session`, `domain`.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::session::Session;
use crate::base::ident::BFD;
use crate::base::time::micros;
use crate::base::{Duration, Instant};
use crate::wire::bfd::{Malformed, State};

/// A kind of complaint comes once in that time.
const QUIET: Duration = Duration::from_secs(10);

/// Which packets were complained of, and when. Bounded: a kind for each rule and each session.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeMap<(u8, u32), Instant>);

/// Why a packet that is well formed is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It has authentication.
    Authenticated,
    /// It is of no session.
    Unknown {
        /// What it says of the receiver.
        discriminator: u32,
    },
    /// It has come too far.
    TooFar {
        /// What was left of its TTL.
        ttl: u8,
        /// What has to be.
        least: u8,
    },
}

impl Complaints {
    fn due(&mut self, now: Instant, kind: (u8, u32)) -> bool {
        let quiet = self
            .0
            .get(&kind)
            .is_some_and(|&last| now.saturating_since(last) < QUIET);
        if !quiet {
            self.0.insert(kind, now);
        }
        !quiet
    }

    /// Forgets those of a session that is gone.
    pub(super) fn forget(&mut self, session: u32) {
        self.0.retain(|&(_, of), _| of != session);
    }

    pub(super) fn malformed(&mut self, now: Instant, from: SocketAddr, why: Malformed) {
        if self.due(now, (why.kind(), 0)) {
            log::info!(target: BFD, "{why}");
            log::info!(target: BFD, "Discarding bogus packet from {}", shown(from));
        }
    }

    /// A packet that is refused; `session` is that of the sender, 0 if it has none.
    pub(super) fn refused(&mut self, now: Instant, from: SocketAddr, session: u32, why: Refusal) {
        let kind = match why {
            Refusal::Authenticated => 100,
            Refusal::Unknown { .. } => 101,
            Refusal::TooFar { .. } => 102,
        };
        if !self.due(now, (kind, session)) {
            return;
        }
        let from = shown(from);
        match why {
            Refusal::Authenticated => log::info!(
                target: BFD,
                "Discarding packet from {from} (auth bit is set, but no authentication is in use)"
            ),
            Refusal::Unknown { discriminator } => log::info!(
                target: BFD,
                "Discarding packet from {from} (session is not found - your discriminator field \
                 is {discriminator:#010x})"
            ),
            Refusal::TooFar { ttl, least } => {
                log::info!(target: BFD, "Packet ttl({ttl}) < {least} - discarding");
            }
        }
    }
}

/// An address as keepalived writes it.
fn shown(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

/// A session is in another state.
pub(super) fn entering(session: &Session) {
    let name = &session.config.name;
    match session.state {
        State::AdminDown | State::Up => {
            log::info!(target: BFD, "({name}) Entering {} state", session.state);
        }
        State::Init => log::debug!(target: BFD, "({name}) Entering Init state"),
        State::Down => log::info!(
            target: BFD,
            "({name}) Entering Down state (Local diagnostic - {}, Remote diagnostic - {})",
            session.diagnostic,
            session.remote.diagnostic
        ),
    }
}

/// Nothing was heard of a session for `silent`.
pub(super) fn expired(name: &str, silent: Duration, overdue: Duration) {
    log::info!(
        target: BFD,
        "({name}) Expired after {} ms ({} usec overdue)",
        silent.as_millis(),
        overdue.as_micros()
    );
}

/// A session asks for an answer.
pub(super) fn polling(name: &str) {
    log::debug!(target: BFD, "({name}) Starting poll sequence");
}

/// What the two ends have agreed on.
pub(super) fn parameters(session: &Session) {
    let name = &session.config.name;
    let remote = &session.remote;
    let line = |who: &str, tx, rx, used, multiplier: u8, detection| {
        let [tx, rx, used, detection] = [tx, rx, used, detection].map(micros);
        log::debug!(target: BFD, "{who:>10}{tx:>10}{rx:>8}{used:>9}{multiplier:>6}{detection:>13}");
    };
    log::debug!(target: BFD, "({name}) ---------------< Session parameters >--------------");
    log::debug!(target: BFD, "              min_tx  min_rx  tx_intv  mult  detect_time");
    line(
        "local",
        session.desired_tx(),
        session.config.min_rx,
        session.local_interval(),
        session.config.multiplier,
        session.detection,
    );
    line(
        "remote",
        remote.min_tx,
        remote.min_rx,
        session.remote_interval(),
        remote.multiplier,
        session.remote_detection(),
    );
}

/// The time without a packet that ends a session is another one.
pub(super) fn detection(new: Duration, old: Duration) {
    let (new, old) = (micros(new), micros(old));
    log::info!(target: BFD, "     Detection time is {new} us (was {old} us)");
}

/// The socket of a session cannot be opened; told once until it can.
pub(super) fn no_socket(name: &str, errno: i32) {
    log::info!(
        target: BFD,
        "({name}) Unable to open output socket (error {errno}: is source_ip an address of this \
         host?); trying again every second"
    );
}

/// Nothing can be received; told once until it can.
pub(super) fn deaf(port: u16, errno: i32) {
    log::error!(
        target: BFD,
        "UDP port {port} cannot be opened (error {errno}), so no BFD session can come up: does \
         another BFD daemon run? Trying again every second"
    );
}

//! Health checks: which real servers are fit to serve.
//!
//! Owns: the state of every check and real server, and with it what each virtual service should
//! look like in IPVS. Never does: connect (a probe's connection is an effect), speak to IPVS, know
//! of VRRP. Driven by: `node`.

use crate::base::{Instant, Rng};
use crate::conf::model::plan::Step;
use crate::conf::model::{LogStyle, ServiceKey, VirtualServer};
use crate::ops::{DestinationSpec, ProbeCmd, ProbeId, ProbeIo, ServiceSpec};

/// What the check domain is told.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// Something happened to a probe.
    Probe(ProbeId, ProbeIo),
    /// End all checks and want no service any more.
    Stop,
}

/// What the check domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Drive a probe.
    Probe(ProbeId, ProbeCmd),
    /// A service should look like this in IPVS from now on; `None`: it should not be there.
    Want(ServiceKey, Option<WantedService>),
}

/// A service as it should be in IPVS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedService {
    /// The service.
    pub spec: ServiceSpec,
    /// Its destinations, in the order of the configuration.
    pub destinations: Vec<DestinationSpec>,
}

/// All virtual servers with their checks.
#[derive(Debug)]
pub struct Domain {
    style: LogStyle,
    rng: Rng,
}

impl Domain {
    /// A domain without virtual servers; `seed` spreads the first checks.
    #[must_use]
    pub const fn new(style: LogStyle, seed: u64) -> Self {
        Self {
            style,
            rng: Rng::new(seed),
        }
    }

    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<VirtualServer>>, out: &mut Vec<Action>) {
        let _ = (now, plan, out, self.style, &mut self.rng);
    }

    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event, out: &mut Vec<Action>) {
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

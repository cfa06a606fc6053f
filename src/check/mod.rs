//! Health checks: which real servers are fit to serve.
//!
//! Owns: the state of every check and real server, and with it what each virtual service should
//! look like in IPVS. Never does: connect (a probe's connection is an effect), speak to IPVS, know
//! of VRRP. Driven by: `node`.
//!
//! `probe` is one attempt, `course` makes several attempts into one, `checker` makes their results
//! into up and down, `service` makes checkers' states into servers and the quorum, `pool` says what
//! that means for the others, `domain` schedules and routes, `reload` compares.

mod bfd;
mod checker;
mod course;
mod domain;
mod file;
mod marks;
mod messages;
mod notice;
mod pool;
mod probe;
mod reload;
mod rest;
mod service;
#[cfg(test)]
mod tests;
mod view;
mod weight;

use std::net::{IpAddr, SocketAddr};

pub use domain::{Domain, STARTS_PER_TURN, ServerView, View};
pub use view::{CheckView, ProgramRun, ServerReport, ServiceView};

use crate::base::IfIndex;
use crate::ops::{
    ChildEnd, ChildSignal, Command, DestinationSpec, Marked, Notice, ProbeCmd, ProbeId, ProbeIo,
    ServiceName, ServiceSpec,
};

/// What the check domain is told.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Something happened to a probe.
    Probe(ProbeId, ProbeIo<'a>),
    /// The program of that attempt has ended so.
    Child(u64, ChildEnd),
    /// The tracked file of this name holds this number now; `None`: it is to be read yet.
    File(&'a str, Option<i64>),
    /// The BFD session of this name is up from now on, or not.
    Session(&'a str, bool),
    /// An address of an interface came (`true`), or went.
    Address(IfIndex, IpAddr, bool),
    /// End all checks and want no service any more.
    Stop,
}

/// What the check domain asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Drive a probe.
    Probe(ProbeId, ProbeCmd),
    /// Run a program; the number tells its end.
    Spawn(u64, Command),
    /// Signal it.
    Kill(u64, ChildSignal),
    /// A service should look like this in IPVS from now on.
    Want(WantedService),
    /// A service should not be in IPVS any more.
    Unwant(ServiceName),
    /// One destination of a wanted service should look like this; `None`: it should not be there.
    WantDestination(ServiceName, SocketAddr, Option<DestinationSpec>),
    /// Packets for these addresses should have this mark; `None`: no longer.
    Mark(Marked, Option<u32>),
    /// Tell people and programs outside.
    Notice(Notice),
}

/// A service as it should be in IPVS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedService {
    /// The service.
    pub spec: ServiceSpec,
    /// Its destinations, in the order of the configuration.
    pub destinations: Vec<DestinationSpec>,
}

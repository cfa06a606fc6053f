//! What reports tell of services, servers and checks.
//!
//! Owns: small copies of their state. Never does: change anything. Driven by: reports.

use super::domain::View;
use super::service::Service;
use crate::base::Instant;
use crate::conf::model::{GroupEntry, ServiceKey};

/// The state of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceView {
    /// Enough servers are alive.
    pub quorum_up: bool,
    /// Its sorry server is in IPVS.
    pub sorry_set: bool,
    /// It was there before the last reload.
    pub reloaded: bool,
    /// Destinations that each of its names has in IPVS.
    pub destinations: usize,
}

/// The state of one real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerReport {
    /// All its checks are up.
    pub alive: bool,
    /// Its weight while it is alive.
    pub weight: u32,
    /// So many of its checks are down.
    pub failing: usize,
    /// It is in IPVS, if only without weight.
    pub set: bool,
    /// Its weight before the last reload, if it was there.
    pub weight_before: Option<u32>,
}

/// The last run of a program of `MISC_CHECK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProgramRun {
    /// When it began.
    pub began: Instant,
    /// The status with which the last one ended that did so by itself.
    pub status: u8,
}

/// The state of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckView {
    /// Its verdict.
    pub up: bool,
    /// It has told something since the start.
    pub has_run: bool,
    /// Retries since its last regular attempt.
    pub retried: u32,
    /// What it adds to the weight of its server.
    pub weight: i64,
    /// The last run of its program.
    pub run: Option<ProgramRun>,
    /// There was no way to its server at the last attempt.
    pub unreachable: bool,
    /// The place of the resource that has failed last, as long as it is asked for.
    pub failed_url: Option<usize>,
}

impl<'a> View<'a> {
    fn found(self, key: &ServiceKey) -> Option<&'a Service> {
        self.0.services.get(*self.0.places.get(key)?)
    }

    /// One service.
    #[must_use]
    pub fn service(self, key: &ServiceKey) -> Option<ServiceView> {
        let service = self.found(key)?;
        Some(ServiceView {
            quorum_up: service.is_quorum_up(),
            sorry_set: service.sorry_destination().is_some(),
            reloaded: service.reloaded,
            destinations: service.destinations(),
        })
    }

    /// Whether a service of a group had an entry of it before the last reload.
    #[must_use]
    pub fn had_entry(self, key: &ServiceKey, entry: &GroupEntry) -> bool {
        let service = self.found(key);
        service.is_some_and(|service| service.reloaded && !service.new_entries.contains(entry))
    }

    /// The real server at a place of a service's list.
    #[must_use]
    pub fn server(self, key: &ServiceKey, place: usize) -> Option<ServerReport> {
        let service = self.found(key)?;
        let server = service.servers.get(place)?;
        Some(ServerReport {
            alive: server.is_alive(),
            weight: server.weight,
            failing: server.failing,
            set: service.destination(place).is_some(),
            weight_before: server.weight_before,
        })
    }

    /// A check of that real server, by its place in `RealServer::checks`.
    #[must_use]
    pub fn check(self, key: &ServiceKey, place: usize, check: usize) -> Option<CheckView> {
        let server = self.found(key)?.servers.get(place)?;
        let index = *server.checkers.get(check)?;
        let entry = self.0.checkers.get(index)?;
        let weight = entry.shift.beyond(server.config.weight);
        Some(CheckView {
            weight,
            unreachable: self.0.unreachable.contains(&index),
            run: self.0.programs.get(&index).copied(),
            failed_url: entry.course.failed_at(),
            ..entry.checker.view()
        })
    }
}

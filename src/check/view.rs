//! What reports tell of services, servers and checks.
//!
//! Owns: small copies of their state. Never does: change anything. Driven by: reports.

use super::domain::{ServerView, View};
use super::service::Service;
use crate::conf::model::ServiceKey;

/// The state of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceView {
    /// Enough servers are alive.
    pub quorum_up: bool,
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
        })
    }

    /// The real server at a place of a service's list, with how many of its checks are down.
    #[must_use]
    pub fn server(self, key: &ServiceKey, place: usize) -> Option<(ServerView, usize)> {
        let server = self.found(key)?.servers.get(place)?;
        let view = ServerView {
            service: key.clone(),
            server: server.key(),
            alive: server.is_alive(),
            weight: server.weight,
        };
        Some((view, server.failing))
    }

    /// A check of that real server, by its place in `RealServer::checks`.
    #[must_use]
    pub fn check(self, key: &ServiceKey, place: usize, check: usize) -> Option<CheckView> {
        let server = self.found(key)?.servers.get(place)?;
        let entry = self.0.checkers.get(*server.checkers.get(check)?)?;
        let weight = entry.shift.beyond(server.config.weight);
        Some(CheckView {
            weight,
            ..entry.checker.view()
        })
    }
}

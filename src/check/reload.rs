//! Carries a new configuration out: the first start and every reload.
//!
//! Owns: what of the running state goes over to the new configuration. Never does: touch what did
//! not change; of a service that is kept only its place in the file is noted. Driven by: `node`,
//! through [`Domain::apply`].
//!
//! Servers are matched by address and port, their checks by equality, then by target, then in
//! order; a check whose options changed keeps its verdict. New servers start as at the first start.

use std::collections::BTreeMap;

use super::Action;
use super::domain::Domain;
use super::messages::{self, Subject};
use super::service::{CheckerIndex, Server, Service};
use crate::base::Instant;
use crate::conf::model::plan::{self, Step};
use crate::conf::model::{CheckRef, RealServer, RealServerKey, ServiceKey, VirtualServer};

impl Domain {
    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    pub fn apply(&mut self, now: Instant, plan: Vec<Step<VirtualServer>>, out: &mut Vec<Action>) {
        for (place, step) in plan.into_iter().enumerate() {
            let key = match step {
                Step::Remove(config) => {
                    self.remove_service(config.key, out);
                    continue;
                }
                Step::Keep(config) => config.key,
                Step::Add(config) | Step::Update(config, _) => {
                    self.set_service(now, &config, out);
                    config.key
                }
            };
            if let Some(service) = self.services.get_mut(&key) {
                service.place = place;
            }
        }
        self.check_invariants();
    }

    fn remove_service(&mut self, key: ServiceKey, out: &mut Vec<Action>) {
        let Some(service) = self.services.remove(&key) else {
            return;
        };
        messages::removing_service(self.style, key);
        for server in service.servers {
            if server.is_alive() {
                messages::removing(self.subject(key, server.key()));
            }
            for index in server.checkers {
                self.remove_checker(index, out);
            }
        }
        out.push(Action::Want(key, None));
    }

    /// Makes a service as configured, from nothing or from what it was.
    fn set_service(&mut self, now: Instant, config: &VirtualServer, out: &mut Vec<Action>) {
        let key = config.key;
        let mut service = match self.services.remove(&key) {
            Some(mut service) => {
                service.set_config(config);
                service
            }
            None => Service::new(config),
        };
        let servers = std::mem::take(&mut service.servers);
        let running: Vec<RealServer> = servers.iter().map(|s| s.config.clone()).collect();
        let mut before: BTreeMap<RealServerKey, Server> =
            servers.into_iter().map(|s| (s.key(), s)).collect();
        let mut activated = Vec::new();
        for step in plan::diff(&running, &config.real_servers) {
            let server = match step {
                Step::Remove(gone) => {
                    if let Some(server) = before.remove(&gone.key) {
                        self.drop_server(key, server, out);
                    }
                    continue;
                }
                Step::Keep(same) => before.remove(&same.key),
                Step::Add(new) => Some(self.new_server(now, key, new, &mut activated)),
                Step::Update(new, _) => before
                    .remove(&new.key)
                    .map(|server| self.edit_server(now, key, (server, new), &mut activated, out)),
            };
            service.servers.extend(server);
        }
        for (place, server) in service.servers.iter().enumerate() {
            for (check, &index) in server.checkers.iter().enumerate() {
                if let Some(entry) = self.checkers.get_mut(index) {
                    entry.server = place;
                    entry.check = check;
                }
            }
        }
        let quorum = service.recount();
        messages::quorum(self.style, key, quorum);
        for server in activated {
            messages::activating(self.subject(key, server));
        }
        out.push(Action::Want(key, Some(service.wanted())));
        self.services.insert(key, service);
    }

    fn new_server(
        &mut self,
        now: Instant,
        service: ServiceKey,
        config: RealServer,
        activated: &mut Vec<RealServerKey>,
    ) -> Server {
        let checkers: Vec<CheckerIndex> = config
            .checks()
            .map(|check| {
                activated.push(config.key);
                self.add_checker(now, service, check)
            })
            .collect();
        Server {
            failing: self.failing(&checkers),
            config,
            checkers,
        }
    }

    fn drop_server(&mut self, service: ServiceKey, server: Server, out: &mut Vec<Action>) {
        let subject = self.subject(service, server.key());
        messages::no_longer_exists(subject);
        if server.is_alive() {
            messages::removing(subject);
        }
        for index in server.checkers {
            self.remove_checker(index, out);
        }
    }

    /// Takes a server's new configuration over into the running one.
    fn edit_server(
        &mut self,
        now: Instant,
        service: ServiceKey,
        (mut server, new): (Server, RealServer),
        activated: &mut Vec<RealServerKey>,
        out: &mut Vec<Action>,
    ) -> Server {
        let subject = self.subject(service, new.key);
        let was_alive = server.is_alive();
        if server.config.weight != new.weight {
            messages::changing_weight(subject, server.config.weight, new.weight, was_alive);
        }
        if !server.config.checks().eq(new.checks()) {
            let checkers = std::mem::take(&mut server.checkers);
            let before = server.config.checks().zip(checkers).collect();
            let wanted: Vec<CheckRef<'_>> = new.checks().collect();
            let (matched, gone) = match_checks(before, &wanted);
            for index in gone {
                self.remove_checker(index, out);
            }
            for (&check, found) in wanted.iter().zip(matched) {
                let index = match found {
                    Match::Same(index) => index,
                    Match::Changed(index) => {
                        self.give_up(index, out);
                        self.restart(index);
                        self.schedule_first(now, index, check.connect);
                        activated.push(new.key);
                        index
                    }
                    Match::None => {
                        activated.push(new.key);
                        self.add_checker(now, service, check)
                    }
                };
                server.checkers.push(index);
            }
            server.failing = self.failing(&server.checkers);
        }
        server.config = new;
        match (was_alive, server.is_alive()) {
            (true, false) => messages::removing(subject),
            (false, true) => messages::adding(subject),
            (true, true) | (false, false) => {}
        }
        server
    }

    fn failing(&self, checkers: &[CheckerIndex]) -> usize {
        checkers
            .iter()
            .filter_map(|&index| self.checkers.get(index))
            .filter(|entry| !entry.checker.is_up())
            .count()
    }

    const fn subject(&self, service: ServiceKey, server: RealServerKey) -> Subject {
        Subject {
            style: self.style,
            service,
            server,
        }
    }
}

/// Which running checker goes on as a configured check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Match {
    /// One that is configured equally.
    Same(CheckerIndex),
    /// One whose options changed.
    Changed(CheckerIndex),
    /// None: the check is new.
    None,
}

/// Finds a running checker for each check of `new`; those that are left over are gone.
fn match_checks(
    before: Vec<(CheckRef<'_>, CheckerIndex)>,
    new: &[CheckRef<'_>],
) -> (Vec<Match>, Vec<CheckerIndex>) {
    let mut left: Vec<Option<(CheckRef<'_>, CheckerIndex)>> =
        before.into_iter().map(Some).collect();
    let mut matched = vec![Match::None; new.len()];
    let mut pass = |fits: &dyn Fn(CheckRef<'_>, CheckRef<'_>) -> bool,
                    found: fn(CheckerIndex) -> Match| {
        for (check, slot) in new.iter().zip(&mut matched) {
            if *slot != Match::None {
                continue;
            }
            let taken = left
                .iter_mut()
                .find_map(|old| old.take_if(|(old, _)| fits(*old, *check)));
            if let Some((_, index)) = taken {
                *slot = found(index);
            }
        }
    };
    pass(&|old, check| old == check, Match::Same);
    pass(
        &|old, check| old.is_alike(check) && old.connect.target == check.connect.target,
        Match::Changed,
    );
    pass(&|old, check| old.is_alike(check), Match::Changed);
    let gone = left.into_iter().flatten().map(|(_, index)| index).collect();
    (matched, gone)
}

//! Carries a new configuration out: the first start and every reload.
//!
//! Owns: what of the running state goes over to the new configuration. Never does: touch what did
//! not change; of a service that is kept only its place in the file is noted. Driven by: `node`,
//! through [`Domain::apply`].
//!
//! Servers are matched by address and port, their checks by equality, then by target, then in
//! order; a check whose options changed keeps its verdict. New servers start as at the first start.

use std::collections::{BTreeMap, BTreeSet};

use super::Action;
use super::domain::Domain;
use super::marks;
use super::messages::{self, Subject};
use super::notice;
use super::service::{CheckerIndex, Quorum, Server, Service, ServiceIndex, names};
use crate::base::{Instant, Shared};
use crate::conf::model::plan::{self, Step};
use crate::conf::model::{
    CheckRef, ProbeKind, RealServer, RealServerKey, ServiceKey, VirtualServer,
};
use crate::ops::ServiceName;

/// A plan that is being carried out.
#[derive(Debug)]
pub(super) struct TakingOn {
    steps: Vec<Step<Shared<VirtualServer>>>,
    /// So many services have given up what they are called no longer.
    released: usize,
    /// The next step.
    next: usize,
}

impl Domain {
    /// `rs_init_notifies`: whether servers tell their state when they come.
    pub const fn tell_initial_states(&mut self, tell: bool) {
        self.notify_initial = tell;
    }

    /// `checker_log_all_failures`: whether each failure of every check is said.
    pub const fn log_all_failures(&mut self, all: bool) {
        self.log_all_failures = all;
    }

    /// Whether the stop names no server: it takes services away whole, or leaves them.
    pub const fn end_quietly(&mut self, quietly: bool) {
        self.ends_quietly = quietly;
    }

    /// Carries out a reload, or the first start when everything is an [`Step::Add`].
    ///
    /// Servers that are new tell their state if [`Domain::tell_initial_states`] says so.
    pub fn apply(
        &mut self,
        now: Instant,
        plan: Vec<Step<Shared<VirtualServer>>>,
        out: &mut Vec<Action>,
    ) {
        self.begin(plan);
        while self.go_on(now, usize::MAX, out).1 {}
    }

    /// The same, a slice at a time: nothing is done yet. What was begun before is done first.
    pub fn begin(&mut self, plan: Vec<Step<Shared<VirtualServer>>>) {
        if self.started {
            for (_, service) in &mut self.services {
                service.note_reload();
            }
        }
        match &mut self.taking_on {
            Some(taking) => taking.steps.extend(plan),
            None => {
                self.taking_on = Some(TakingOn {
                    steps: plan,
                    released: 0,
                    next: 0,
                });
            }
        }
    }

    /// Goes on with about `items` services and servers; how many there were, and whether there is
    /// more to do.
    pub fn go_on(&mut self, now: Instant, items: usize, out: &mut Vec<Action>) -> (usize, bool) {
        let Some(mut taking) = self.taking_on.take() else {
            return (0, false);
        };
        let mut count = 0;
        // What is given up may be taken by a service that stands before.
        while let Some(step) = taking.steps.get(taking.released).filter(|_| count < items) {
            if let Step::Update(config, _) = step {
                self.release(config, out);
            }
            taking.released += 1;
            count += 1;
        }
        while let Some(step) = taking.steps.get(taking.next).filter(|_| count < items) {
            count += self.take_step(now, taking.next, step.clone(), out);
            taking.next += 1;
        }
        let more = taking.next < taking.steps.len();
        if more {
            self.taking_on = Some(taking);
        } else {
            // What comes from now on comes with a reload.
            self.started = true;
            self.serve_the_denied(out);
            self.check_invariants();
        }
        (count, more)
    }

    fn take_step(
        &mut self,
        now: Instant,
        place: usize,
        step: Step<Shared<VirtualServer>>,
        out: &mut Vec<Action>,
    ) -> usize {
        let (kept, work) = match step {
            Step::Remove(config) => {
                self.remove_service(&config.key, out);
                return 1 + config.real_servers.len();
            }
            Step::Keep(config) => (config, 1),
            Step::Add(config) | Step::Update(config, _) => {
                self.set_service(now, &config, out);
                let work = 1 + config.real_servers.len();
                (config, work)
            }
        };
        if let Some(index) = self.places.get(&kept.key)
            && let Some(service) = self.services.get_mut(*index)
        {
            service.place = place;
        }
        work
    }

    fn remove_service(&mut self, key: &ServiceKey, out: &mut Vec<Action>) {
        let index = self.places.remove(key);
        let Some(mut service) = index.and_then(|index| self.services.try_remove(index)) else {
            return;
        };
        messages::removing_service(self.style, key);
        notice::service_removed(&mut service, out);
        marks::take_back(&service, out);
        for server in service.servers {
            if server.is_alive() {
                messages::removing(self.subject(key, server.key()));
            }
            for index in server.checkers {
                self.remove_checker(index, out);
            }
        }
        for name in service.names {
            self.owners.remove(&name);
            out.push(Action::Unwant(name));
        }
    }

    /// `nftables_ipvs_start_fwmark`, if groups are to have marks: holds from the start on.
    pub const fn mark_groups(&mut self, first: Option<u32>) {
        if !self.started {
            self.next_mark = first;
        }
    }

    /// Gives up what a service is called no longer.
    fn release(&mut self, config: &VirtualServer, out: &mut Vec<Action>) {
        let index = self.places.get(&config.key);
        let Some(service) = index.and_then(|index| self.services.get_mut(*index)) else {
            return;
        };
        if service.config.entries == config.entries && service.config.family == config.family {
            return;
        }
        let gone = service.config.entries.iter().copied();
        for entry in gone.filter(|entry| !config.entries.contains(entry)) {
            messages::group_entry_gone(&config.key, entry);
        }
        let mark = marks::choose(&mut self.next_mark, service.mark, config);
        marks::change(service, (config, mark), out);
        service.mark = mark;
        let kept: BTreeSet<ServiceName> = names(config, mark).into_iter().collect();
        service.denied.clear();
        for name in std::mem::take(&mut service.names) {
            if kept.contains(&name) {
                service.names.push(name);
            } else {
                self.owners.remove(&name);
                out.push(Action::Unwant(name));
            }
        }
    }

    /// Gives a service its names in the kernel, but for those that another has.
    fn claim(&mut self, index: ServiceIndex, service: &mut Service) {
        service.names.clear();
        let denied = std::mem::take(&mut service.denied);
        for name in names(&service.config, service.mark) {
            let owner = *self.owners.entry(name).or_insert(index);
            if owner == index {
                service.names.push(name);
                continue;
            }
            if !denied.contains(&name)
                && let Some(owner) = self.services.get(owner)
            {
                messages::taken(self.style, service.key(), name, owner.key());
            }
            service.denied.push(name);
        }
    }

    /// Lets services have the names that have become free.
    fn serve_the_denied(&mut self, out: &mut Vec<Action>) {
        let mut denied: Vec<(usize, ServiceIndex)> = self
            .services
            .iter()
            .filter(|(_, service)| !service.denied.is_empty())
            .map(|(index, service)| (service.place, index))
            .collect();
        denied.sort_unstable();
        for (_, index) in denied {
            let Some(service) = self.services.get_mut(index) else {
                continue;
            };
            for name in std::mem::take(&mut service.denied) {
                if *self.owners.entry(name).or_insert(index) == index {
                    service.names.push(name);
                    out.push(Action::Want(service.wanted(name)));
                } else {
                    service.denied.push(name);
                }
            }
        }
    }

    /// Makes a service as configured, from nothing or from what it was.
    fn set_service(&mut self, now: Instant, config: &Shared<VirtualServer>, out: &mut Vec<Action>) {
        let index = match self.places.get(&config.key) {
            Some(index) => *index,
            None => {
                let index = self.services.insert(Service::new(config));
                self.places.insert(config.key.clone(), index);
                index
            }
        };
        let Some(slot) = self.services.get_mut(index) else {
            return;
        };
        // Out of the table while its checkers are made.
        let mut service = std::mem::replace(slot, Service::new(config));
        let rested = service.suspended;
        let rest = self.has_to_rest(&Service::new(config));
        if let Some(slot) = self.services.get_mut(index) {
            slot.suspended = rest;
        }
        service.suspended = rest;
        let first_time = service.names.is_empty() && service.servers.is_empty();
        if !first_time {
            let before = &service.config.entries;
            for entry in config.entries.iter().filter(|e| !before.contains(e)) {
                messages::group_entry_added(&config.key, *entry);
                service.new_entries.push(*entry);
            }
        }
        let sorry_before = service
            .sorry_key()
            .filter(|_| !first_time && !service.quorum_up);
        service.set_config(config);
        if first_time {
            service.mark = marks::choose(&mut self.next_mark, service.mark, config);
            marks::give(&service, out);
        }
        if let Some(server) = sorry_before.filter(|before| Some(*before) != service.sorry_key()) {
            messages::sorry(self.subject(&config.key, server), true, false);
        }
        let known: BTreeSet<RealServerKey> = service.servers.iter().map(Server::key).collect();
        let activated = self.set_servers(now, index, &mut service, config, out);
        self.claim(index, &mut service);
        if self.notify_initial {
            let new = service
                .servers
                .iter()
                .filter(|server| !known.contains(&server.key()));
            for server in new.filter(|server| server.is_alive()) {
                out.push(notice::server(&service, &server.config, true));
            }
        }
        let is_other = |sorry| sorry_before != Some(sorry);
        match (service.recount(), first_time) {
            (Quorum::Same, true) if service.sorry().is_some() => {
                messages::starts_without_quorum(self.style, &service);
                out.push(notice::quorum(&service, false, notice::Came::AtStart));
                service.say_sorry(self.style);
            }
            // Another one than before, or the first.
            (Quorum::Same, false)
                if !service.quorum_up && service.sorry_key().is_some_and(is_other) =>
            {
                service.say_sorry(self.style);
            }
            (Quorum::Same, true | false) => {}
            (quorum @ (Quorum::Gained | Quorum::Lost), first_time) => {
                messages::quorum(self.style, &service, quorum);
                let came = if first_time {
                    notice::Came::AtStart
                } else {
                    service.say_sorry(self.style);
                    notice::Came::Since
                };
                out.push(notice::quorum(&service, service.quorum_up, came));
            }
        }
        for server in activated {
            let subject = self.subject(&config.key, server);
            if rest {
                messages::deactivating(subject);
            } else {
                messages::activating(subject);
            }
        }
        for name in &service.names {
            out.push(Action::Want(service.wanted(*name)));
        }
        if let Some(slot) = self.services.get_mut(index) {
            *slot = service;
        }
        if rest != rested && !first_time {
            self.suspend(now, index, rest, out);
        }
    }

    /// Makes the servers of a service as configured; returns those that have new checkers, once
    /// for each.
    fn set_servers(
        &mut self,
        now: Instant,
        index: ServiceIndex,
        service: &mut Service,
        config: &VirtualServer,
        out: &mut Vec<Action>,
    ) -> Vec<RealServerKey> {
        let key = &config.key;
        let servers = std::mem::take(&mut service.servers);
        let running: Vec<Shared<RealServer>> = servers.iter().map(|s| s.config.clone()).collect();
        let mut before: BTreeMap<RealServerKey, Server> =
            servers.into_iter().map(|s| (s.key(), s)).collect();
        let mut activated = Vec::new();
        for step in plan::diff(&running, &config.real_servers) {
            let server = match step {
                Step::Remove(gone) => {
                    if let Some(server) = before.remove(&gone.key) {
                        if server.is_alive() {
                            out.push(notice::removed(service, &server));
                        }
                        self.drop_server(key, server, out);
                    }
                    continue;
                }
                Step::Keep(same) => before.remove(&same.key),
                Step::Add(new) => Some(self.new_server(now, index, new, &mut activated)),
                Step::Update(new, _) => before.remove(&new.key).map(|server| {
                    self.edit_server(now, (index, key), (server, new), &mut activated, out)
                }),
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
        activated
    }

    fn new_server(
        &mut self,
        now: Instant,
        service: ServiceIndex,
        config: Shared<RealServer>,
        activated: &mut Vec<RealServerKey>,
    ) -> Server {
        let down = self.was_down(service, config.key);
        let checkers: Vec<CheckerIndex> = config
            .checks()
            .map(|check| {
                activated.extend(says_activated(check).then_some(config.key));
                self.add_checker(now, service, check, down)
            })
            .collect();
        Server {
            failing: self.failing(&checkers),
            weight: config.weight,
            config,
            checkers,
            weight_before: None,
        }
    }

    /// Whether a server was down for the process that ran before this one. Names are made only
    /// where there is something to be found.
    fn was_down(&mut self, service: ServiceIndex, server: RealServerKey) -> bool {
        if self.down_before.is_empty() {
            return false;
        }
        let service = self.services.get(service);
        let name = service.map_or_else(String::new, |service| service.config.key.to_string());
        self.down_before.remove(&(name, server.to_string()))
    }

    fn drop_server(&mut self, service: &ServiceKey, server: Server, out: &mut Vec<Action>) {
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
        (index, service): (ServiceIndex, &ServiceKey),
        (mut server, new): (Server, Shared<RealServer>),
        activated: &mut Vec<RealServerKey>,
        out: &mut Vec<Action>,
    ) -> Server {
        let subject = self.subject(service, new.key);
        let was_alive = server.is_alive();
        let before = self.weight_of(&server.checkers, server.config.weight);
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
                        self.schedule_first(now, index, check);
                        activated.extend(says_activated(check).then_some(new.key));
                        index
                    }
                    Match::None => {
                        activated.extend(says_activated(check).then_some(new.key));
                        self.add_checker(now, index, check, false)
                    }
                };
                server.checkers.push(index);
            }
            server.failing = self.failing(&server.checkers);
        }
        let weight = self.weight_of(&server.checkers, new.weight);
        if weight != before {
            messages::changing_weight(subject, server.weight, weight, was_alive);
            server.weight = weight;
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

    const fn subject<'a>(&self, service: &'a ServiceKey, server: RealServerKey) -> Subject<'a> {
        Subject {
            style: self.style,
            service,
            server,
        }
    }
}

/// Whether the log tells that a check begins; `FILE_CHECK` only listens.
const fn says_activated(check: CheckRef<'_>) -> bool {
    !matches!(check.kind, Some(ProbeKind::File(_)))
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

//! Sync groups: instances that are all master, all backup, or all in FAULT.
//!
//! Owns: who is in which group, the state of each group, and what a member's transition does to
//! the others. Never does: decide for a member what it would do alone. Driven by: `domain`, after
//! each transition of a member, when a member becomes fit or unfit, and at a reload.
//!
//! A member whose master down timer has run out waits until that is so of every other member that
//! is not master already; one that cannot take part keeps all others in FAULT.

use std::collections::BTreeMap;

use super::Action;
use super::domain::Domain;
use super::instance::{Input, Instance, InstanceId, State, Timer};
use super::messages::say_group;
use super::tell::{GROUP, Told, notice};
use crate::base::Instant;
use crate::conf::model::options::SyncGroup;

/// What an instance knows of its group.
#[derive(Debug, Default)]
pub(super) struct Bond {
    /// It is in a group.
    pub(super) grouped: bool,
    /// What of other members keeps it from taking part.
    pub(super) held: Option<Hold>,
    /// Every other member is master, or would be.
    pub(super) may_lead: bool,
    /// Its master down timer has run out, and the group is not ready.
    pub(super) would_lead: bool,
    /// It has just told the segment again where its addresses are, against a lesser master.
    pub(super) insisted: bool,
}

/// What keeps a member from taking part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hold {
    /// The first verdict on another member's tracker.
    Waits,
    /// A fault of another member.
    Fault,
}

/// The groups of this host.
#[derive(Debug, Default)]
pub(super) struct Groups {
    groups: BTreeMap<String, Group>,
    of: BTreeMap<InstanceId, String>,
    /// A change is being carried out: transitions that it makes lead to no further ones.
    busy: bool,
    /// A configuration is being taken over: what members are fit for is settled at its end.
    pub(super) reloading: bool,
}

#[derive(Debug)]
struct Group {
    config: SyncGroup,
    members: Vec<InstanceId>,
    /// [`State::Init`] until its members have one state.
    state: State,
}

impl Domain {
    /// Takes the groups of a configuration over; a group that stays keeps its state.
    pub(super) fn regroup(&mut self, configs: &[SyncGroup]) {
        let mut old = std::mem::take(&mut self.groups.groups);
        self.groups.of.clear();
        let ids: BTreeMap<&str, InstanceId> = self
            .instances
            .values()
            .map(|instance| (instance.config.name.as_str(), instance.id))
            .collect();
        for config in configs {
            let members = config.members.iter();
            let members: Vec<InstanceId> = members
                .filter_map(|name| ids.get(name.as_str()).copied())
                .collect();
            let before = old.remove(&config.name);
            for &member in &members {
                self.groups.of.insert(member, config.name.clone());
            }
            let group = Group {
                config: config.clone(),
                members,
                state: before.map_or(State::Init, |group| group.state),
            };
            self.groups.groups.insert(config.name.clone(), group);
        }
        for instance in self.instances.values_mut() {
            instance.bond.grouped = self.groups.of.contains_key(&instance.id);
            if !instance.bond.grouped {
                instance.bond.held = None;
            }
        }
        for name in configs.iter().map(|config| &config.name) {
            self.restrain(name);
        }
    }

    /// The members of the group that `id` is in, that one included.
    pub(super) fn group_of(&self, id: InstanceId) -> Option<(&str, &[InstanceId])> {
        let name = self.groups.of.get(&id)?;
        let group = self.groups.groups.get(name)?;
        Some((name, &group.members))
    }

    /// Tells each member of `name` what of the others keeps it back.
    pub(super) fn restrain(&mut self, name: &str) {
        let Some(group) = self.groups.groups.get(name) else {
            return;
        };
        let members = group.members.clone();
        for &id in &members {
            let others = members.iter().filter(|&&other| other != id);
            let held = others
                .filter_map(|other| self.instances.get(other)?.fitness.hold())
                .reduce(|a, b| {
                    if a == Hold::Fault || b == Hold::Fault {
                        Hold::Fault
                    } else {
                        Hold::Waits
                    }
                });
            if let Some(instance) = self.instances.get_mut(&id) {
                instance.bond.held = held;
            }
        }
    }

    /// Looks whether the other members would let `id` be master.
    pub(super) fn ask_group(&mut self, id: InstanceId) {
        let Some((_, members)) = self.group_of(id) else {
            return;
        };
        let may_lead = members.iter().filter(|&&other| other != id).all(|other| {
            self.instances.get(other).is_none_or(|other| {
                other.state == State::Master
                    || other.state == State::Backup && other.bond.would_lead
            })
        });
        if let Some(instance) = self.instances.get_mut(&id) {
            instance.bond.may_lead = may_lead;
        }
    }

    /// A member is in another state: the others follow, then the group tells of it.
    pub(super) fn follow(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        let Some(to) = self.instances.get(&id).map(|instance| instance.state) else {
            return;
        };
        let Some((name, members)) = self.group_of(id) else {
            return;
        };
        if self.groups.busy || to == State::Init {
            return;
        }
        let (name, members) = (name.to_owned(), members.to_vec());
        let Some(group) = self.groups.groups.get_mut(&name) else {
            return;
        };
        let changed = std::mem::replace(&mut group.state, to) != to;
        if changed {
            say_group(self.style(), &name, to);
        }
        self.groups.busy = true;
        for other in members {
            if other != id && self.instances.get(&other).is_some_and(|it| it.state != to) {
                self.step(now, other, Input::Sync(to), out);
            }
        }
        self.groups.busy = false;
        // The others have armed theirs since, and keepalived arms the leader's last: from now on
        // adverts go out in that order.
        if let Some(at) = self.timers.get((id, Timer::Advert)) {
            self.timers.set((id, Timer::Advert), at);
        }
        if changed {
            self.tell_group(&name, Told::State(to), out);
        }
    }

    /// At the end of a reload: members that were not together before come to one state, in the order
    /// in which keepalived does it. One that cannot take part keeps all in FAULT; all are master only
    /// if all of them were; else all are backups, of which the group tells first.
    pub(super) fn reunite(&mut self, now: Instant, out: &mut Vec<Action>) {
        self.groups.reloading = false;
        let names: Vec<String> = self.groups.groups.keys().cloned().collect();
        for name in names {
            self.restrain(&name);
            let Some(group) = self.groups.groups.get(&name) else {
                continue;
            };
            let (members, before) = (group.members.clone(), group.state);
            let Some(to) = self.common_state(&members) else {
                continue;
            };
            if let Some(group) = self.groups.groups.get_mut(&name) {
                group.state = to;
            }
            let (changed, told) = (before != to, Told::State(to));
            if changed && to == State::Backup {
                self.tell_group(&name, told, out);
            }
            let moved = self.bring_to(now, &members, to, out);
            // Masters that find together are no news.
            if changed && (to == State::Fault || to == State::Master && moved) {
                self.tell_group(&name, told, out);
            }
        }
    }

    /// The state that members have or have to come to; `None` if none has started, or as long as
    /// one waits for the first verdict of a tracker.
    fn common_state(&self, members: &[InstanceId]) -> Option<State> {
        let members = members.iter().filter_map(|id| self.instances.get(id));
        let members: Vec<_> = members.collect();
        let holds = |hold| members.iter().any(|it| it.fitness.hold() == Some(hold));
        // Those that start now start together (`begin_groups`).
        let new = members.iter().all(|it| it.state == State::Init);
        if new || holds(Hold::Waits) && !holds(Hold::Fault) {
            return None;
        }
        let leads = |it: &Instance| match it.state {
            State::Master => true,
            State::Init => it.starts_as_owner(),
            State::Fault | State::Backup => false,
        };
        Some(if holds(Hold::Fault) {
            State::Fault
        } else if members.iter().all(|it| leads(it)) {
            State::Master
        } else {
            State::Backup
        })
    }

    /// Brings those that have started to this state; returns whether any was in another one.
    fn bring_to(
        &mut self,
        now: Instant,
        members: &[InstanceId],
        to: State,
        out: &mut Vec<Action>,
    ) -> bool {
        let mut moved = false;
        let busy = std::mem::replace(&mut self.groups.busy, true);
        for &id in members {
            let Some(instance) = self.instances.get(&id) else {
                continue;
            };
            let fault = instance.fitness.fault.as_deref().map(|(reason, _)| *reason);
            let input = match (instance.state, to) {
                (State::Init, _) => continue,
                (state, to) if state == to => continue,
                (State::Fault, _) => Input::Able,
                (_, State::Fault) => fault.map_or(Input::Sync(to), Input::Unable),
                (_, to) => Input::Sync(to),
            };
            moved = true;
            self.step(now, id, input, out);
        }
        self.groups.busy = busy;
        moved
    }

    /// A member has insisted against a lesser master, who may have announced the addresses of the others
    /// as well: they insist too, as with keepalived.
    pub(super) fn insist_together(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        let instance = self.instances.get_mut(&id);
        if !instance.is_some_and(|it| std::mem::take(&mut it.bond.insisted)) {
            return;
        }
        let members = self.group_of(id).map(|(_, members)| members.to_vec());
        for other in members.unwrap_or_default() {
            let split = self.split(now, other, out).filter(|_| other != id);
            if let Some((instance, mut cx)) = split {
                instance.insist_along(&mut cx);
            }
        }
    }

    /// States of groups that have just begun: all members together, told before those that are
    /// not in FAULT.
    pub(super) fn begin_groups(&mut self, out: &mut Vec<Action>) {
        let names: Vec<String> = self.groups.groups.keys().cloned().collect();
        for name in names {
            let Some(group) = self.groups.groups.get(&name) else {
                continue;
            };
            if group.state != State::Init {
                continue;
            }
            let members = group.members.iter();
            let members: Vec<_> = members.filter_map(|id| self.instances.get(id)).collect();
            let holds = |hold| members.iter().any(|it| it.fitness.hold() == Some(hold));
            let mut states = members.iter().map(|it| match it.state {
                // About to start.
                State::Init if it.starts_as_owner() => State::Master,
                State::Init => State::Backup,
                state => state,
            });
            let state = if holds(Hold::Fault) {
                State::Fault
            } else if holds(Hold::Waits) {
                State::Init
            } else {
                let first = states.next().unwrap_or(State::Init);
                if states.all(|other| other == first) {
                    first
                } else {
                    State::Init
                }
            };
            if state == State::Init {
                continue;
            }
            if let Some(group) = self.groups.groups.get_mut(&name) {
                group.state = state;
            }
            self.tell_group(&name, Told::State(state), out);
        }
    }

    /// What a group tells; `told` of [`State::Init`] tells nothing.
    fn tell_group(&self, name: &str, told: Told, out: &mut Vec<Action>) {
        let Some(group) = self.groups.groups.get(name) else {
            return;
        };
        let notice = notice((GROUP, name), &group.config.notify, told, 0);
        out.push(Action::Notice(notice));
    }

    /// The last word of every group.
    pub(super) fn end_groups(&mut self, out: &mut Vec<Action>) {
        for name in self.groups.groups.keys() {
            self.tell_group(name, Told::Stop, out);
        }
    }

    /// The state of every group again, for FIFOs alone.
    pub(super) fn repeat_groups(&self, out: &mut Vec<Action>) {
        for (name, group) in &self.groups.groups {
            if group.state != State::Init {
                let told = Told::State(group.state);
                let mut notice = notice((GROUP, name), &group.config.notify, told, 0);
                notice.keep_line();
                out.push(Action::Notice(notice));
            }
        }
    }
}

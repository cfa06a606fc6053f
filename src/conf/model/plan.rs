//! What a reload does to each object, as data.
//!
//! Owns: the verdicts and the generic comparison of two keyed lists. Never does: decide how a
//! field's change is carried out (`conf::diff` has that table) or carry it out (the domains do).
//! Driven by: `node` at a reload and, with an empty running configuration, at the first start.

use std::collections::{BTreeMap, BTreeSet};

use super::routing::Statics;
use super::{BfdInstance, Config, Global, VirtualServer, VrrpInstance};
use crate::base::Shared;

/// How far a changed object has to be taken down for its new values to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The new values are used from now on; nothing else happens.
    Live,
    /// Timers are armed anew.
    Rearm,
    /// Sockets or kernel objects are made anew.
    Reopen,
    /// The daemon has to be started anew.
    Restart,
}

/// The verdict on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// Only in the old configuration; comes first so that what it held is free.
    Remove(T),
    /// In both, changed: the new value and how far the change reaches.
    Update(T, Change),
    /// Only in the new configuration.
    Add(T),
    /// In both, and equal.
    Keep(T),
}

/// An object that has an identity and can say what a new version of it changes.
pub trait Planned: Clone + PartialEq {
    /// What stays the same when the object is edited.
    type Key: Ord;

    /// The identity.
    fn plan_key(&self) -> Self::Key;

    /// How far the differences between `self` and `new`, of the same key, reach.
    fn change(&self, new: &Self) -> Change;
}

impl<T: Planned> Planned for Shared<T> {
    type Key = T::Key;

    fn plan_key(&self) -> T::Key {
        T::plan_key(self)
    }

    fn change(&self, new: &Self) -> Change {
        T::change(self, new)
    }
}

/// The steps from `old` to `new`: removals first, in old order, then the rest in new order.
/// Of several objects with one key the first counts; the reader has complained about the others.
#[must_use]
pub fn diff<T: Planned>(old: &[T], new: &[T]) -> Vec<Step<T>> {
    if old.is_empty() {
        let mut seen = BTreeSet::new();
        let first = new.iter().filter(|object| seen.insert(object.plan_key()));
        return first.map(|object| Step::Add(object.clone())).collect();
    }
    let mut before = BTreeMap::new();
    for object in old {
        before.entry(object.plan_key()).or_insert(object);
    }
    let mut after = BTreeMap::new();
    for object in new {
        after.entry(object.plan_key()).or_insert(object);
    }
    let removed = old
        .iter()
        .filter(|&object| {
            let key = object.plan_key();
            !after.contains_key(&key)
                && before
                    .get(&key)
                    .is_some_and(|first| std::ptr::eq(*first, object))
        })
        .map(|object| Step::Remove(object.clone()));
    let kept = new
        .iter()
        .filter(|&object| {
            after
                .get(&object.plan_key())
                .is_some_and(|first| std::ptr::eq(*first, object))
        })
        .map(|object| match before.get(&object.plan_key()) {
            None => Step::Add(object.clone()),
            Some(&was) if was == object => Step::Keep(object.clone()),
            Some(&was) => Step::Update(object.clone(), was.change(object)),
        });
    removed.chain(kept).collect()
}

/// Lets the objects of `new` that are as in `old` be one with those, so that they are kept once.
fn share<T: Planned>(
    old: &[Shared<T>],
    new: &mut [Shared<T>],
    mut changed: impl FnMut(&T, &mut T),
) {
    let before: BTreeMap<T::Key, &Shared<T>> = old
        .iter()
        .map(|object| (object.plan_key(), object))
        .collect();
    for object in new {
        if let Some(&was) = before.get(&object.plan_key())
            && !object.share_with(was)
        {
            changed(was, object);
        }
    }
}

impl Config {
    /// Gives the memory back of what is as in `running`, and has it in common with that.
    pub fn share_with(&mut self, running: &Self) {
        self.share_instances(running);
        share(
            &running.virtual_servers,
            &mut self.virtual_servers,
            VirtualServer::share_servers,
        );
    }

    /// The same of the VRRP instances alone.
    pub fn share_instances(&mut self, running: &Self) {
        share(
            &running.vrrp_instances,
            &mut self.vrrp_instances,
            |was, new| {
                new.options.share_with(&was.options);
            },
        );
    }
}

impl VirtualServer {
    /// The same of the servers of a service that has changed.
    pub fn share_servers(&self, new: &mut Self) {
        share(&self.real_servers, &mut new.real_servers, |_, _| {});
    }
}

/// Everything that a new configuration changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The new global settings, if they differ.
    pub global: Option<Global>,
    /// Those among them that hold only from the next start, as group and field of [`Global`].
    pub restart: Vec<(&'static str, &'static str)>,
    /// The new static addresses, routes and rules, if they differ.
    pub statics: Option<Statics>,
    /// For each VRRP instance.
    pub vrrp: Vec<Step<Shared<VrrpInstance>>>,
    /// Trackers, sync groups, what is said of interfaces or `SSL` differ; who uses them compares them.
    pub shared: bool,
    /// For each BFD session.
    pub bfd: Vec<Step<BfdInstance>>,
    /// For each virtual server; its real servers are compared by the check domain with `diff`.
    pub services: Vec<Step<Shared<VirtualServer>>>,
}

impl Plan {
    /// Whether nothing at all changes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.global.is_none()
            && self.statics.is_none()
            && !self.shared
            && self.vrrp.iter().all(|step| matches!(step, Step::Keep(_)))
            && self.bfd.iter().all(|step| matches!(step, Step::Keep(_)))
            && self
                .services
                .iter()
                .all(|step| matches!(step, Step::Keep(_)))
    }
}

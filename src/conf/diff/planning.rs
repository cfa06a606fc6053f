//! The plan of a reload, made a slice at a time.
//!
//! Owns: the new configuration while its services, of which there may be very many, are compared
//! with those that run; what is equal is kept once afterwards. Comes to what [`super::plan`] comes
//! to. Never does: hold more than it was told to in one step. Driven by: `host::worker`.

use std::collections::{BTreeMap, BTreeSet};

use super::super::model::plan::{Plan, Planned as _, Step};
use super::super::model::{Config, ServiceKey, VirtualServer};
use super::but_services;
use crate::base::Shared;

/// What is done with the services at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Those that run are looked at.
    Index,
    /// The new ones are compared.
    Compare,
    /// Those that run are looked through for what is gone.
    Remove,
    Done,
}

/// A plan on its way.
#[derive(Debug)]
pub struct Planning {
    config: Config,
    stage: Stage,
    /// The next service of the stage.
    at: usize,
    /// Where the services that run are; of several with one key the first counts.
    before: BTreeMap<ServiceKey, usize>,
    after: BTreeSet<ServiceKey>,
    removed: Vec<Step<Shared<VirtualServer>>>,
    kept: Vec<Step<Shared<VirtualServer>>>,
}

impl Planning {
    /// Nothing of `config` is compared yet.
    #[must_use]
    pub const fn new(config: Config) -> Self {
        Self {
            config,
            stage: Stage::Index,
            at: 0,
            before: BTreeMap::new(),
            after: BTreeSet::new(),
            removed: Vec::new(),
            kept: Vec::new(),
        }
    }

    /// Goes on with about `items` services and servers; how many there were, of which the last
    /// service may be beyond that, and whether there is more to do. `running` is the same each time.
    pub fn step(&mut self, running: &Config, items: usize) -> (usize, bool) {
        let mut count = 0;
        while count < items && self.stage != Stage::Done {
            count += match self.stage {
                Stage::Index => self.index(running),
                Stage::Compare => self.compare(running),
                Stage::Remove => self.remove(running),
                Stage::Done => 0,
            };
        }
        (count, self.stage != Stage::Done)
    }

    fn enter(&mut self, stage: Stage) -> usize {
        self.stage = stage;
        self.at = 0;
        0
    }

    fn index(&mut self, running: &Config) -> usize {
        let Some(service) = running.virtual_servers.get(self.at) else {
            return self.enter(Stage::Compare);
        };
        self.before.entry(service.plan_key()).or_insert(self.at);
        self.at += 1;
        1
    }

    fn compare(&mut self, running: &Config) -> usize {
        let Some(service) = self.config.virtual_servers.get_mut(self.at) else {
            return self.enter(Stage::Remove);
        };
        self.at += 1;
        let work = 1 + service.real_servers.len();
        let key = service.plan_key();
        let old = self.before.get(&key);
        let old = old.and_then(|index| running.virtual_servers.get(*index));
        if !self.after.insert(key) {
            return work;
        }
        self.kept.push(match old {
            None => Step::Add(service.clone()),
            Some(was) if service.share_with(was) => Step::Keep(service.clone()),
            Some(was) => {
                was.share_servers(service);
                Step::Update(service.clone(), was.change(service))
            }
        });
        work
    }

    fn remove(&mut self, running: &Config) -> usize {
        let Some(service) = running.virtual_servers.get(self.at) else {
            return self.enter(Stage::Done);
        };
        let key = service.plan_key();
        if self.before.get(&key) == Some(&self.at) && !self.after.contains(&key) {
            self.removed.push(Step::Remove(service.clone()));
        }
        self.at += 1;
        1
    }

    /// The plan, once there is nothing more to compare, and the configuration that it leads to.
    #[must_use]
    pub fn finish(mut self, running: &Config) -> (Plan, Config) {
        self.config.share_instances(running);
        self.removed.append(&mut self.kept);
        let plan = Plan {
            services: self.removed,
            ..but_services(running, &self.config)
        };
        (plan, self.config)
    }
}

//! Where sync groups have one outcome, and what holds where they have not.
//!
//! Owns: which virtual routers hang together by groups of whatever host, how long their elections
//! take, whether hosts agree about who leads there, and the little that has to be true even where
//! they do not: members of a group have one state, and two masters of one virtual router notice each
//! other. Never does: look into a node. Driven by: `shadow` and `parts`.
//!
//! A host whose group has one member that it should lead and one that it should not never comes to
//! rest: it takes all, hears a better master of one, and lets all go again.

use std::collections::BTreeSet;

use keepalived_rs::base::Duration;
use keepalived_rs::conf::model::options::SyncGroup;
use keepalived_rs::conf::model::{Config, VrrpInstance};

use super::shadow::{Holding, Router, settle_time};
use super::tracking;
use super::world::World;

/// The members of a group.
fn members<'a>(config: &'a Config, group: &'a SyncGroup) -> Vec<&'a VrrpInstance> {
    let all = config.vrrp_instances.iter().map(|one| &**one);
    all.filter(|one| group.members.contains(&one.name))
        .collect()
}

impl World {
    /// The virtual router that an instance of a host is of, while its interface is there.
    fn router_of(&self, host: usize, instance: &VrrpInstance) -> Option<Router> {
        let (_, link) = self.hosts[host].kernel.link_named(&instance.interface)?;
        Some((link.segment, instance.vrid.get()))
    }

    /// The virtual routers that move with this one, itself included.
    pub(super) fn companions(&self, router: Router) -> BTreeSet<Router> {
        let mut all = BTreeSet::from([router]);
        loop {
            let before = all.len();
            for host in 0..self.hosts.len() {
                let config = &self.hosts[host].config;
                for group in &config.sync_groups {
                    let of_group: Vec<Router> = members(config, group)
                        .into_iter()
                        .filter_map(|one| self.router_of(host, one))
                        .collect();
                    if of_group.iter().any(|one| all.contains(one)) {
                        all.extend(of_group);
                    }
                }
            }
            if all.len() == before {
                return all;
            }
        }
    }

    /// Whether every host that takes part in one of these routers has all of them in one group, and
    /// ranks them alike.
    pub(super) fn is_alike(&self, all: &BTreeSet<Router>) -> bool {
        if all.len() == 1 {
            return true;
        }
        (0..self.hosts.len()).all(|host| {
            let machine = &self.hosts[host];
            let of_host: Vec<&VrrpInstance> = all
                .iter()
                .filter_map(|router| self.instance(host, *router))
                .collect();
            let Some(first) = of_host.first() else {
                return true;
            };
            let group = tracking::group_of(&machine.config, &first.name);
            let rank = |one: &VrrpInstance| {
                let outlook = tracking::outlook(machine, one);
                (outlook.priority, one.no_preempt, one.preempt_delay)
            };
            of_host.len() == all.len()
                && group.is_some_and(|group| group.members.len() == all.len())
                && of_host.iter().all(|one| {
                    tracking::group_of(&machine.config, &one.name) == group
                        && rank(one) == rank(first)
                })
        })
    }

    /// Who should be master of a virtual router if everybody preempts.
    fn best(&self, router: Router) -> Option<usize> {
        let able = self.instances(router).into_iter();
        let able = able.filter(|(host, instance)| self.eligible(*host, instance));
        let ranked = able.filter_map(|(host, instance)| {
            let kernel = &self.hosts[host].kernel;
            let (index, _) = kernel.link_named(&instance.interface)?;
            let source = kernel.primary(index, instance.family)?;
            let priority = tracking::outlook(&self.hosts[host], &instance).priority;
            Some((priority, source, host))
        });
        ranked.max().map(|(_, _, host)| host)
    }

    /// Whether a virtual router, with all that hangs on it, comes to rest: every host that leads one
    /// member of a group leads all of them, or all hosts have the same group.
    pub(super) fn is_agreed(&self, router: Router) -> bool {
        let all = self.companions(router);
        if self.is_alike(&all) {
            return true;
        }
        let preempts = |router: &Router| {
            let mut instances = self.instances(*router).into_iter();
            instances.all(|(_, instance)| !instance.no_preempt)
        };
        all.iter().all(preempts)
            && (0..self.hosts.len()).all(|host| {
                let config = &self.hosts[host].config;
                config.sync_groups.iter().all(|group| {
                    let members = members(config, group);
                    let led = members.iter().filter(|one| {
                        let router = self.router_of(host, one);
                        router.is_some_and(|router| {
                            all.contains(&router) && self.best(router) == Some(host)
                        })
                    });
                    let led = led.count();
                    led == 0 || led == members.len()
                })
            })
    }

    /// How long it may take until a virtual router has its owner: trackers notice first, then groups
    /// and elections.
    pub(super) fn settle_time(&self, router: Router) -> Duration {
        let all = self.companions(router);
        let count = u32::try_from(all.len()).unwrap_or(u32::MAX);
        // What a host leads by a group of its own others may have to learn one after the other.
        let rounds = if self.is_alike(&all) {
            count.min(2)
        } else {
            count + 1
        };
        let times = all.iter().map(|router| self.time_of_one(*router, rounds));
        times.max().unwrap_or_default()
    }

    /// How long an election of a virtual router takes, so many times, when trackers have noticed.
    fn time_of_one(&self, router: Router, rounds: u32) -> Duration {
        let instances = self.instances(router).into_iter();
        let times = instances.map(|(host, instance)| {
            settle_time(&instance) * rounds + tracking::settle_time(&self.hosts[host].config)
        });
        times.max().unwrap_or_default()
    }

    /// Two masters of a virtual router that has no one outcome have not noticed each other for
    /// `limit`.
    pub(super) fn check_doubles(&mut self, router: Router, limit: Duration) {
        let holders = self.instances(router).into_iter();
        let holders = holders.filter(|(host, instance)| {
            self.hosts[*host].awake() && self.holding(*host, instance) == Holding::All
        });
        let holders: Vec<usize> = holders.map(|(host, _)| host).collect();
        if holders.len() < 2 {
            self.shadow.doubles.remove(&router);
            return;
        }
        let now = self.now;
        let (since, who) = self
            .shadow
            .doubles
            .entry(router)
            .or_insert_with(|| (now, holders.clone()));
        if *who != holders {
            (*since, *who) = (now, holders);
        } else {
            assert!(
                now.saturating_since(*since) <= limit,
                "{router:?} has had two masters since {since:?}"
            );
        }
    }

    /// All members of a group were told to be in one state, the group's.
    pub(super) fn check_groups(&self, host: usize) {
        let machine = &self.hosts[host];
        let Some(transcript) = self.transcripts.get(&host) else {
            return;
        };
        for group in &machine.config.sync_groups {
            let state = transcript.last("GROUP", &group.name);
            for member in members(&machine.config, group) {
                // What waits for a first result since the start was told nothing.
                let told = transcript.last("INSTANCE", &member.name);
                assert!(
                    told.is_none() || told == state,
                    "{}: {} is told to be {told:?}, its group {} {state:?}",
                    machine.name,
                    member.name,
                    group.name
                );
            }
        }
    }
}

//! What scripts and FIFOs were told, and whether it was the truth.
//!
//! Owns: the transcript of each running daemon, by script and by FIFO; that no transition is without
//! a cause, none is told twice, both are told the same, what they were told last is what the kernel
//! holds, and what a reload does not concern says nothing. Never does: look into a node. Driven by:
//! `world` and `shadow`.

use std::collections::BTreeMap;

use keepalived_rs::conf::model::options::SyncGroup;
use keepalived_rs::conf::model::{Config, VrrpInstance};

use super::company::{FIFO, TELL};
use super::shadow::Holding;
use super::tracking::{company, group_of};
use super::world::{Cause, World};

/// `INSTANCE` or `GROUP`, and the name.
type Object = (String, String);

/// What one daemon told since its start.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// State by state, as the script heard it.
    told: Vec<(Object, String)>,
    /// The last word on each object that is still there.
    last: BTreeMap<Object, String>,
}

impl Transcript {
    /// The last word on an object.
    pub(super) fn last(&self, kind: &str, name: &str) -> Option<&str> {
        let object = (kind.to_owned(), name.to_owned());
        self.last.get(&object).map(String::as_str)
    }
}

/// The instances that a reload from `before` to `after` does not concern: they, all of their group
/// and every tracker are the same.
pub(super) fn unaffected(before: &Config, after: &Config) -> Vec<String> {
    if before.trackers != after.trackers || before.global != after.global {
        return Vec::new();
    }
    let whole = |config: &Config, name: &str| -> Option<Vec<VrrpInstance>> {
        let mut all = config.vrrp_instances.iter();
        let instance = all.find(|one| one.name == name)?;
        Some(company(config, instance).into_iter().cloned().collect())
    };
    let names = before.vrrp_instances.iter().map(|one| &one.name);
    let same = |name: &&String| {
        whole(before, name) == whole(after, name) && group_of(before, name) == group_of(after, name)
    };
    names.filter(same).cloned().collect()
}

impl World {
    /// A program is started; if it is the one that is told of states, it is on record.
    pub(super) fn shadow_spawn(&mut self, host: usize, argv: &[String]) {
        let [program, kind, name, state, _] = argv else {
            return;
        };
        if program != TELL {
            return;
        }
        let (cause, who) = (self.cause, &self.hosts[host].name);
        let config = &self.hosts[host].config;
        let tracks = !config.trackers.scripts.is_empty() || !config.trackers.processes.is_empty();
        let owner = config
            .vrrp_instances
            .iter()
            .any(|one| one.priority.is_owner());
        let justified = match state.as_str() {
            // A timer ran out, or an owner had nothing to wait for.
            "MASTER" => cause == Cause::Timer || owner,
            "BACKUP" => cause != Cause::Stop && cause != Cause::Probe,
            // What is tracked goes by the clock too, and the fight over an address.
            "FAULT" => match cause {
                Cause::News | Cause::Kernel | Cause::Start | Cause::Reload => true,
                Cause::Timer => tracks || self.shadow.is_tolerant(host),
                Cause::Packet | Cause::Probe | Cause::Stop => false,
            },
            "STOP" => cause == Cause::Stop,
            "DELETED" => cause == Cause::Reload,
            other => panic!("{who}: tells {other}"),
        };
        assert!(
            justified,
            "{who}: {kind} {name} is {state} because of {cause:?}"
        );
        let object = (kind.clone(), name.clone());
        if kind == "INSTANCE" && state == "FAULT" {
            self.check_resigned(host, name);
        }
        let transcript = self.transcripts.entry(host).or_default();
        let before = transcript.last.insert(object.clone(), state.clone());
        assert_ne!(
            before.as_ref(),
            Some(state),
            "{who}: {kind} {name} is told to be {state} twice"
        );
        transcript.told.push((object, state.clone()));
    }

    /// An instance is in FAULT now: if it was master, and could still speak, it has resigned.
    fn check_resigned(&self, host: usize, name: &str) {
        let machine = &self.hosts[host];
        let transcript = self.transcripts.get(&host);
        let led = transcript.and_then(|it| it.last("INSTANCE", name)) == Some("MASTER");
        let mut instances = machine.config.vrrp_instances.iter();
        let Some(instance) = instances.find(|one| one.name == name).filter(|_| led) else {
            return;
        };
        // What the daemon has not been told yet it cannot know.
        if machine.overflow || machine.netlink_clock >= self.now {
            return;
        }
        let Some((index, link)) = machine.kernel.link_named(&instance.interface) else {
            return;
        };
        let router = (link.segment, instance.vrid.get());
        let speaks = link.works() && machine.kernel.primary(index, instance.family).is_some();
        assert!(
            !speaks || self.shadow.resignations().contains(&router),
            "{}: {name} leaves MASTER for FAULT and does not resign",
            machine.name
        );
    }

    /// A daemon starts: nothing was told yet.
    pub(super) fn transcript_begins(&mut self, host: usize) {
        self.transcripts.remove(&host);
        self.hosts[host].outside.lines.remove(FIFO);
    }

    /// How much was told of each object so far.
    pub(super) fn told(&self, host: usize) -> BTreeMap<Object, usize> {
        let mut counts = BTreeMap::new();
        let transcript = self.transcripts.get(&host);
        for (object, _) in transcript.iter().flat_map(|transcript| &transcript.told) {
            *counts.entry(object.clone()).or_default() += 1;
        }
        counts
    }

    /// After a reload: nothing was told of instances that it did not concern, and what has gone is
    /// forgotten.
    pub(super) fn check_kept(
        &mut self,
        host: usize,
        kept: &[String],
        before: &BTreeMap<Object, usize>,
    ) {
        let after = self.told(host);
        for name in kept {
            let object = ("INSTANCE".to_owned(), name.clone());
            assert_eq!(
                before.get(&object),
                after.get(&object),
                "{}: a reload without a change for it moves {name}",
                self.hosts[host].name
            );
        }
        let config = self.hosts[host].config.clone();
        if let Some(transcript) = self.transcripts.get_mut(&host) {
            transcript.last.retain(|(kind, name), _| {
                if kind == "GROUP" {
                    config.sync_groups.iter().any(|group| group.name == *name)
                } else {
                    config.vrrp_instances.iter().any(|one| one.name == *name)
                }
            });
        }
    }

    /// Masters that a reload makes a group are no news: nothing was told of it, and it is master.
    pub(super) fn masters_find_together(&mut self, host: usize, before: &[SyncGroup]) {
        let groups = &self.hosts[host].config.sync_groups;
        let Some(transcript) = self.transcripts.get_mut(&host) else {
            return;
        };
        for group in groups {
            let mut old = before.iter();
            let same = old.any(|old| old.name == group.name && old.members == group.members);
            let mut members = group.members.iter();
            if !same && members.all(|name| transcript.last("INSTANCE", name) == Some("MASTER")) {
                let object = ("GROUP".to_owned(), group.name.clone());
                transcript.last.insert(object, "MASTER".to_owned());
            }
        }
    }

    /// In the calm: what was said last of an instance of `host` is how it is, and FIFO and script
    /// heard the same.
    pub(super) fn check_told(&self, host: usize, instance: &VrrpInstance, eligible: bool) {
        let machine = &self.hosts[host];
        let Some(transcript) = self.transcripts.get(&host) else {
            return;
        };
        let last = transcript.last("INSTANCE", &instance.name);
        let is = match self.holding(host, instance) {
            Holding::All => "MASTER",
            Holding::Nothing | Holding::Part if eligible => "BACKUP",
            Holding::Nothing | Holding::Part => "FAULT",
        };
        // keepalived tells the group alone when another member's first result keeps one back that
        // nothing was told of yet.
        let untold = last.is_none() && is == "FAULT" && self.able(host, instance);
        assert!(
            last == Some(is) || untold,
            "{}: {} is {is}, people were told {last:?}",
            machine.name,
            instance.name
        );
        if let Some(group) = group_of(&machine.config, &instance.name) {
            assert_eq!(
                transcript.last("GROUP", &group.name),
                Some(is),
                "{}: {} is {is}, its group is not",
                machine.name,
                instance.name
            );
        }
    }

    /// In the calm: FIFO and script heard the same.
    pub(super) fn check_fifos(&self) {
        for (host, transcript) in &self.transcripts {
            let machine = &self.hosts[*host];
            if machine.awake() {
                let lines = machine.outside.lines.get(FIFO);
                let text = String::from_utf8_lossy(lines.map_or(&[], Vec::as_slice)).into_owned();
                let states = text.lines().filter_map(|line| {
                    let (object, rest) = line.rsplit_once("\" ")?;
                    let (kind, name) = object.split_once(" \"")?;
                    let (state, _) = rest.split_once(' ')?;
                    let lasting = ["MASTER", "BACKUP", "FAULT", "STOP", "DELETED"];
                    lasting
                        .contains(&state)
                        .then(|| ((kind.to_owned(), name.to_owned()), state.to_owned()))
                });
                let by_fifo: Vec<_> = states.collect();
                assert_eq!(
                    by_fifo, transcript.told,
                    "{}: FIFO and script were told different things",
                    machine.name
                );
            }
        }
    }
}

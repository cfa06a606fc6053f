//! What trackers come to, as an administrator reckons it.
//!
//! Owns: the rules of weights, faults and sync groups once more, from the manual, with the programs,
//! files, processes and links of a host as they are now. Never does: look at what the daemon made of
//! them. Driven by: `shadow`.

use keepalived_rs::base::Duration;
use keepalived_rs::conf::model::options::{SyncGroup, Tracked, Tracking, Weight};
use keepalived_rs::conf::model::{Config, Priority, VrrpInstance};
use keepalived_rs::ops::ChildEnd;

use super::host::Host;
use super::kernel::Link;

/// What the trackers of an instance should have made of it by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Outlook {
    /// It cannot take part.
    pub(super) fault: bool,
    /// Its priority.
    pub(super) priority: Priority,
    /// The highest that its trackers can ever make of it.
    pub(super) most: Priority,
}

/// The group that an instance is in.
pub(super) fn group_of<'a>(config: &'a Config, name: &str) -> Option<&'a SyncGroup> {
    let mut groups = config.sync_groups.iter();
    groups.find(|group| group.members.iter().any(|member| member == name))
}

/// The instance's mates in its group, itself included; itself alone without a group.
pub(super) fn company<'a>(config: &'a Config, instance: &'a VrrpInstance) -> Vec<&'a VrrpInstance> {
    let Some(group) = group_of(config, &instance.name) else {
        return vec![instance];
    };
    let all = config.vrrp_instances.iter().map(|one| &**one);
    all.filter(|one| group.members.contains(&one.name))
        .collect()
}

/// How long it may take until trackers have noticed a change.
pub(super) fn settle_time(config: &Config) -> Duration {
    let scripts = config.trackers.scripts.iter().map(|script| {
        // A run that hangs is asked to end, then killed; the next ones count.
        let runs = script.rise.max(script.fall) + 2;
        let timeout = script.timeout.unwrap_or(script.interval);
        (script.interval.max(timeout + Duration::from_secs(5))) * runs
    });
    let processes =
        config.trackers.processes.iter().map(|process| {
            process.terminate_delay.max(process.fork_delay) + Duration::from_secs(1)
        });
    scripts.chain(processes).max().unwrap_or_default()
}

/// What one tracker comes to: up or down, or a number.
enum Is {
    Up(bool),
    Number(i64),
}

/// The trackers of `tracking` with their weights and what they come to now.
fn all(host: &Host, tracking: &Tracking) -> Vec<(Weight, Is)> {
    let trackers = &host.config.trackers;
    let mut found = Vec::new();
    for Tracked { name, weight } in &tracking.interfaces {
        let link = host.kernel.link_named(name);
        let up = link.is_some_and(|(_, link)| Link::works(link));
        found.push((weight.unwrap_or_default(), Is::Up(up)));
    }
    for Tracked { name, weight } in &tracking.scripts {
        let Some(script) = trackers.scripts.iter().find(|one| one.name == *name) else {
            continue;
        };
        let program = script.script.argv.first();
        let conduct = program.and_then(|program| host.outside.conduct.get(program));
        let conduct = conduct.copied().unwrap_or_default();
        let timeout = script.timeout.unwrap_or(script.interval);
        let in_time = conduct.takes.is_some_and(|takes| takes < timeout);
        let up = in_time && conduct.end == ChildEnd::Exited(0);
        found.push((weight.unwrap_or(script.weight), Is::Up(up)));
    }
    for Tracked { name, weight } in &tracking.files {
        let Some(file) = trackers.files.iter().find(|one| one.name == *name) else {
            continue;
        };
        let path = file.file.as_deref().unwrap_or_default();
        let content = host.outside.files.get(path);
        let text = String::from_utf8_lossy(content.map_or(&[], Vec::as_slice)).into_owned();
        let one = Weight {
            value: 1,
            reverse: false,
        };
        let weight = weight.or(file.weight).unwrap_or(one);
        found.push((weight, Is::Number(text.trim().parse().unwrap_or(0))));
    }
    for Tracked { name, weight } in &tracking.processes {
        let Some(process) = trackers.processes.iter().find(|one| one.name == *name) else {
            continue;
        };
        let running = host.outside.processes.iter();
        let running = running.filter(|one| Some(&one.name) == process.process.as_ref());
        let up = running.count() >= usize::from(process.quorum.unwrap_or(1));
        found.push((weight.unwrap_or(process.weight), Is::Up(up)));
    }
    found
}

/// What a tracker adds, and whether it is a fault.
fn effect(weight: Weight, is: &Is) -> (i64, bool) {
    let value = i64::from(weight.value);
    let signed = if weight.reverse { -value } else { value };
    match *is {
        Is::Number(number) if value == 0 => (0, (number != 0) != weight.reverse),
        Is::Number(number) => {
            let product = number * signed;
            (product.clamp(-253, 253), product <= -254)
        }
        Is::Up(up) if value == 0 => (0, up == weight.reverse),
        // Positive weights count while it is up, negative ones while it is down.
        Is::Up(up) => (if up == (value > 0) { signed } else { 0 }, false),
    }
}

/// What an instance of a host should be by its trackers and those of its group alone.
pub(super) fn outlook(host: &Host, instance: &VrrpInstance) -> Outlook {
    let group = group_of(&host.config, &instance.name);
    let owner = instance.priority.is_owner();
    let mut found = group.map_or_else(Vec::new, |group| all(host, &group.tracking));
    found.extend(all(host, &instance.options.tracking));
    let (mut sum, mut most, mut fault) = (0, 0, false);
    for (weight, is) in &found {
        if owner && weight.value != 0 {
            continue;
        }
        let (adds, faulty) = effect(*weight, is);
        sum += adds;
        fault |= faulty;
        most += match is {
            Is::Number(_) => 253,
            Is::Up(_) => i64::from(weight.value.unsigned_abs()),
        };
    }
    let weigh = |sum: i64| {
        let priority = (i64::from(instance.priority.0) + sum).clamp(1, 254);
        if owner {
            instance.priority
        } else {
            Priority(u8::try_from(priority).unwrap_or(1))
        }
    };
    Outlook {
        fault,
        priority: weigh(sum),
        most: weigh(most),
    }
}

/// Whether weights can move the priority of an instance.
pub(super) fn is_weighed(config: &Config, instance: &VrrpInstance) -> bool {
    let of = |tracking: &Tracking| {
        !(tracking.interfaces.is_empty()
            && tracking.scripts.is_empty()
            && tracking.files.is_empty()
            && tracking.processes.is_empty())
    };
    let group = group_of(config, &instance.name);
    of(&instance.options.tracking) || group.is_some_and(|group| of(&group.tracking))
}

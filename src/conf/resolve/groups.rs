//! Members of sync groups.
//!
//! Owns: which instances a group really has. Driven by: `resolve`, when all instances are known.

use std::collections::BTreeSet;

use super::super::diag::{Class, Diagnostic};
use super::super::model::BfdInstance;
use super::super::model::VrrpInstance;
use super::super::model::options::{SyncGroup, Tracked, Trackers, Weight};
use super::super::reader::Place;
use super::Context;

/// The groups that have members, with the members that there are.
pub(super) fn groups(
    groups: Vec<SyncGroup>,
    places: &[Place],
    instances: &BTreeSet<String>,
    cx: &mut Context<'_>,
) -> Vec<SyncGroup> {
    let mut taken = BTreeSet::new();
    let mut kept = Vec::with_capacity(groups.len());
    for (mut group, &place) in groups.into_iter().zip(places) {
        let name = group.name.clone();
        group.members.retain(|member| {
            let message = if !instances.contains(member.as_str()) {
                format!(
                    "Virtual router {member} specified in sync group {name} doesn't exist - \
                     ignoring"
                )
            } else if taken.insert(member.clone()) {
                return true;
            } else {
                format!(
                    "Virtual router {member} cannot exist in more than one sync group; ignoring \
                     {name}"
                )
            };
            cx.report(Class::General, message, place);
            false
        });
        let message = match group.members.len() {
            0 => format!(
                "Sync group {name}, no matching virtual router found in group declaration - \
                 removing"
            ),
            1 => format!(
                "Sync group {name} has only 1 virtual router(s) - this probably isn't what you \
                 want"
            ),
            _ => {
                kept.push(group);
                continue;
            }
        };
        cx.report(Class::General, message, place);
        if !group.members.is_empty() {
            kept.push(group);
        }
    }
    kept
}

/// Names the interfaces that a group tracks and a member of it as well, be it as its own.
pub(super) fn tracked_twice(
    groups: &[SyncGroup],
    instances: &[VrrpInstance],
    cx: &mut Context<'_>,
) {
    for instance in instances {
        let name = &instance.name;
        let of = groups.iter().find(|group| group.members.contains(name));
        let tracking = &instance.options.tracking;
        let own = (!instance.options.ignore_own_interface).then_some(&instance.interface);
        let members = || tracking.interfaces.iter().map(|tracked| &tracked.name);
        for tracked in of.iter().flat_map(|group| &group.tracking.interfaces) {
            let link = &tracked.name;
            if members().chain(own).any(|one| one == link) {
                let message = format!(
                    "({name}) track_interface {link} is configured on VRRP instance and sync \
                     group. Remove vrrp instance or sync group config"
                );
                cx.diagnostics
                    .push(Diagnostic::new(Class::General, message));
            }
        }
    }
}

/// In a group all share one priority's fate, so weights of a member's own trackers do not count
/// unless the group says so; whoever tracks leaves them out, here they are named.
pub(super) fn weights(
    groups: &[SyncGroup],
    instances: &[VrrpInstance],
    (trackers, bfd): (&Trackers, &[BfdInstance]),
    cx: &mut Context<'_>,
) {
    let bound = groups.iter().filter(|group| !group.weights_apply);
    let members: BTreeSet<&str> = bound
        .flat_map(|group| group.members.iter().map(String::as_str))
        .collect();
    let mut say = |message: String| {
        cx.diagnostics
            .push(Diagnostic::new(Class::General, message));
    };
    for instance in instances {
        if !members.contains(instance.name.as_str()) {
            continue;
        }
        let name = &instance.name;
        let tracking = &instance.options.tracking;
        for tracked in &tracking.scripts {
            let of = trackers
                .scripts
                .iter()
                .find(|script| script.name == tracked.name);
            if counting(tracked, of.map(|script| script.weight)).is_some() {
                let script = &tracked.name;
                say(format!(
                    "({name}) ignoring tracked script {script} with weights due to SYNC group"
                ));
            }
        }
        for tracked in &tracking.interfaces {
            if counting(tracked, None).is_some() {
                let link = &tracked.name;
                say(format!(
                    "({name}) ignoring {link} tracked interface weight due to SYNC group"
                ));
            }
        }
        for tracked in &tracking.files {
            let of = trackers.files.iter().find(|file| file.name == tracked.name);
            let one = Weight {
                value: 1,
                reverse: false,
            };
            if counting(tracked, of.map(|file| file.weight.unwrap_or(one))).is_some() {
                let file = &tracked.name;
                say(format!(
                    "({name}) ignoring weight from tracked file {file} due to SYNC group. specify \
                     weight 0"
                ));
            }
        }
        for tracked in &tracking.bfd {
            let of = bfd.iter().find(|session| session.name == tracked.name);
            let own = of.map(|session| Weight {
                value: session.weight,
                reverse: session.reverse,
            });
            if let Some(weight) = counting(tracked, own) {
                let session = &tracked.name;
                say(format!(
                    "({name}) ignoring tracked bfd {session} with weight {weight} due to SYNC group"
                ));
            }
        }
    }
}

/// The weight, if there is one other than zero.
fn counting(tracked: &Tracked, own: Option<Weight>) -> Option<i16> {
    let weight = tracked.weight.or(own)?;
    (weight.value != 0).then_some(weight.value)
}

//! Members of sync groups.
//!
//! Owns: which instances a group really has. Driven by: `resolve`, when all instances are known.

use std::collections::BTreeSet;

use super::super::diag::Class;
use super::super::model::options::SyncGroup;
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
        if group.members.is_empty() {
            let message = format!("Sync group {name} has no virtual router(s). removing");
            cx.report(Class::General, message, place);
            continue;
        }
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

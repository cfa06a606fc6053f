//! Rules of `vrrp_instance` that need the whole text.
//!
//! Owns: defaults of an instance and what instances may not have in common. Driven by: `resolve`.

use std::collections::HashSet;

use super::super::diag::{Class, Consequence};
use super::super::draft::{AuthKind, GarpDraft, InstanceDraft};
use super::super::model::{Garp, InitialState, InstanceKey, Priority, Vrid, VrrpInstance};
use super::Context;
use crate::base::{Duration, Family};

/// The instances that can run.
pub(super) fn instances(
    drafts: Vec<InstanceDraft>,
    global: GarpDraft,
    cx: &mut Context<'_>,
) -> Vec<VrrpInstance> {
    let mut seen: HashSet<InstanceKey> = HashSet::new();
    let mut instances = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let place = draft.place;
        let Some(instance) = instance(draft, global, cx) else {
            continue;
        };
        if !seen.insert(instance.key()) {
            let message = format!(
                "({}): duplicate VRID {} on interface {}",
                instance.name,
                instance.vrid.get(),
                instance.interface
            );
            let finding = cx
                .finding(Class::General, message, place)
                .consequence(Consequence::RefuseStart(2));
            cx.diagnostics.push(finding);
            continue;
        }
        instances.push(instance);
    }
    instances
}

fn instance(
    mut draft: InstanceDraft,
    global: GarpDraft,
    cx: &mut Context<'_>,
) -> Option<VrrpInstance> {
    let name = draft.name.clone();
    let Some(vrid) = draft.vrid.and_then(Vrid::new) else {
        let message = format!("({name}) the virtual router id must be set");
        let finding = cx
            .finding(Class::General, message, draft.place)
            .consequence(Consequence::RefuseStart(2));
        cx.diagnostics.push(finding);
        return None;
    };
    let Some(interface) = draft.interface.take() else {
        let finding = cx
            .finding(
                Class::General,
                format!("({name}) Unknown interface!"),
                draft.place,
            )
            .consequence(Consequence::RefuseStart(2));
        cx.diagnostics.push(finding);
        return None;
    };
    if draft.addresses.is_empty() {
        let message = format!("({name}) No VIP specified; at least one is sensible");
        cx.report(Class::General, message, draft.place);
    }
    preemption(&mut draft, cx);
    let priority = draft.priority.map_or(Priority::DEFAULT, Priority);
    let initial_state = draft.state.unwrap_or(if priority.is_owner() {
        InitialState::Master
    } else {
        InitialState::Backup
    });
    Some(VrrpInstance {
        name,
        vrid,
        family: draft.family.unwrap_or(Family::V4),
        interface,
        initial_state,
        priority,
        advert_interval: draft.advert_interval.unwrap_or(Duration::from_secs(1)),
        auth: draft.auth_pass.filter(|_| draft.auth == AuthKind::Pass),
        addresses: draft.addresses,
        no_preempt: draft.no_preempt,
        preempt_delay: draft.preempt_delay.unwrap_or(Duration::ZERO),
        garp: garp(draft.garp, global),
    })
}

/// `nopreempt` and `preempt_delay` do not go with everything.
fn preemption(draft: &mut InstanceDraft, cx: &mut Context<'_>) {
    let name = &draft.name;
    if draft.no_preempt && draft.state == Some(InitialState::Master) {
        let message = format!(
            "({name}) Warning - nopreempt will not work with initial state MASTER - clearing"
        );
        cx.report(Class::General, message, draft.place);
        draft.no_preempt = false;
    }
}

/// What the instance says, else what `global_defs` says, else the default.
fn garp(own: GarpDraft, global: GarpDraft) -> Garp {
    let default = Garp::default();
    Garp {
        repeat: own.repeat.or(global.repeat).unwrap_or(default.repeat),
        delay: own.delay.or(global.delay).unwrap_or(default.delay),
        refresh: own.refresh.or(global.refresh).unwrap_or(default.refresh),
        refresh_repeat: own
            .refresh_repeat
            .or(global.refresh_repeat)
            .unwrap_or(default.refresh_repeat),
        lower_priority_repeat: own
            .lower_priority_repeat
            .or(global.lower_priority_repeat)
            .unwrap_or(default.lower_priority_repeat),
        lower_priority_delay: own
            .lower_priority_delay
            .or(global.lower_priority_delay)
            .unwrap_or(default.lower_priority_delay),
    }
}

//! Rules of `vrrp_instance` that need the whole text.
//!
//! Owns: defaults of an instance and what instances may not have in common. Driven by: `resolve`.

use std::collections::HashMap;
use std::net::IpAddr;

use super::super::diag::{Class, Consequence};
use super::super::draft::{AuthKind, InstanceDraft};
use super::super::model::options::{InstanceOptions, Version};
use super::super::model::{
    AuthPass, Garp, GarpSettings, InitialState, InstanceKey, Priority, Transport, Vrid,
    VrrpDefaults, VrrpInstance,
};
use super::super::reader::{Place, span};
use super::Context;
use super::options::{self, Rules};
use crate::base::{Duration, Family};

/// The count of addresses in an advert is one byte. What an interface's MTU allows beyond that the
/// domain decides when it knows the interface; it is also what leaves the rest out of adverts.
const MAX_IN_ADVERT: usize = 255;
/// What keepalived counts on for IPv6 in a frame of 1500 bytes.
const MAX_IN_ADVERT_V6: usize = 89;

/// The instances that can run.
pub(super) fn instances(
    drafts: Vec<InstanceDraft>,
    global: &VrrpDefaults,
    cx: &mut Context<'_>,
) -> Vec<VrrpInstance> {
    let mut seen: HashMap<InstanceKey, String> = HashMap::new();
    let mut instances = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        let place = draft.place;
        let rules = rules(&draft, global);
        homeless(&mut draft, cx);
        options::check(&mut draft, rules, cx);
        if lacks_addresses(&draft, rules) {
            // keepalived looks at nothing else then, neither of this instance nor of others.
            let message = format!(
                "({}) No VIP specified; at least one is required",
                draft.name
            );
            refuse(cx, message, place);
            return Vec::new();
        }
        needless(&mut draft, cx);
        inherit(&mut draft.options, global, rules.strict);
        let transport = transport(&draft, global);
        let Some(instance) = instance(draft, global.announcements(), (rules, transport), cx) else {
            continue;
        };
        if let Some(other) = seen.get(&instance.key()) {
            let vrid = instance.vrid.get();
            let message = if instance.options.peers.is_empty() {
                let family = match instance.family {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                format!(
                    "{other} and {} both use VRID {vrid} with {family} on interface {}",
                    instance.name, instance.interface
                )
            } else {
                format!(
                    "({other}) duplicate VRID conflict with {} VRID {vrid}",
                    instance.name
                )
            };
            refuse(cx, message, place);
            continue;
        }
        seen.insert(instance.key(), instance.name.clone());
        instances.push(instance);
    }
    instances
}

/// Leaves out addresses of an instance without an interface that name none either.
fn homeless(draft: &mut InstanceDraft, cx: &mut Context<'_>) {
    if draft.interface.is_some() {
        return;
    }
    let mut without = Vec::new();
    for list in [&mut draft.addresses, &mut draft.options.excluded] {
        list.retain(|address| {
            let has = address.interface.is_some();
            without.extend((!has).then_some(address.address));
            has
        });
    }
    for ip in without {
        let message = format!("({}): no interface for vip {ip} - removing", draft.name);
        cx.report(Class::General, message, draft.place);
    }
}

/// Whether an instance lacks the addresses without which neither strict mode nor version 3 goes.
fn lacks_addresses(draft: &InstanceDraft, rules: Rules) -> bool {
    let needs = rules.strict || rules.version == Version::V3;
    needs && draft.addresses.is_empty() && !draft.options.no_addresses
}

/// Whether an instance lacks what it cannot be without. keepalived stops at the first that does,
/// before it looks at anything else of any instance, so the others are notes to that.
pub(super) fn stops(drafts: &[InstanceDraft], cx: &mut Context<'_>) -> bool {
    let mut lacking = drafts.iter().filter_map(|draft| {
        let options = &draft.options;
        let what = match (draft.vrid.and_then(Vrid::new), &draft.interface) {
            (None, _) => " the virtual router id must be set",
            (Some(_), None) if options.unicast && options.source.is_none() => {
                ": Unicast instances must have unicast_src_ip or interface"
            }
            (Some(_), None) if draft.found_interface.is_some() => return None,
            (Some(_), None) => " Unknown interface!",
            (Some(_), Some(_)) => return None,
        };
        // Without a virtual router keepalived does not come to what it says of peers.
        let alone = draft.vrid.is_some() && options.unicast && options.peers.is_empty();
        Some((
            format!("({}){what}", draft.name),
            draft.place,
            alone.then_some(&draft.name),
        ))
    });
    let Some((message, place, alone)) = lacking.next() else {
        return false;
    };
    if let Some(name) = alone {
        cx.report(
            Class::General,
            format!("({name}) {}", options::NO_PEERS),
            place,
        );
    }
    let mut finding = cx
        .finding(Class::General, message, place)
        .consequence(Consequence::RefuseStart(2));
    for (also, place, _) in lacking {
        finding = finding.note(format!("also: {also}"), Some(span(cx.sources, place, None)));
    }
    cx.diagnostics.push(finding);
    true
}

/// The version of an instance, and whether it is strict. IPv6 knows version 3 alone.
fn rules(draft: &InstanceDraft, global: &VrrpDefaults) -> Rules {
    let version = if draft.family == Some(Family::V6) {
        Version::V3
    } else {
        draft.options.version.unwrap_or(global.version)
    };
    Rules {
        version,
        strict: draft.options.strict.unwrap_or(global.strict),
    }
}

/// What an instance that says nothing takes over, and what strict mode leaves no choice of.
fn inherit(options: &mut InstanceOptions, global: &VrrpDefaults, strict: bool) {
    let default = VrrpDefaults::default();
    let switch = |own: &mut Option<bool>, all: bool| {
        if all {
            own.get_or_insert(true);
        }
    };
    switch(&mut options.lower_no_advert, global.lower_no_advert);
    switch(&mut options.higher_send_advert, global.higher_send_advert);
    switch(&mut options.owner_ignores, global.owner_ignores);
    switch(&mut options.old_checksum_v3, global.old_checksum_v3);
    if options.garp_extra.is_none() {
        options.garp_extra = global.extra_garp.map(|extra| (extra.period, extra.all));
    }
    options.check_source |= global.check_unicast_source;
    options.skip_address_check |= global.skip_address_check;
    if global.down_timer_adverts != default.down_timer_adverts {
        options
            .down_timer_adverts
            .get_or_insert(global.down_timer_adverts);
    }
    if strict {
        options.lower_no_advert = Some(true);
        options.higher_send_advert = None;
        options.down_timer_adverts = None;
    }
}

/// Where adverts go: to peers, if there are any or it is said to wait for some; else to a group.
fn transport(draft: &InstanceDraft, global: &VrrpDefaults) -> Transport {
    let options = &draft.options;
    if !options.peers.is_empty() || options.fault_without_peer {
        return Transport::Unicast;
    }
    let usual = match draft.family {
        Some(Family::V6) => IpAddr::V6(global.group6),
        Some(Family::V4) | None => IpAddr::V4(global.group4),
    };
    let same_family = |group: &IpAddr| Family::of(*group) == Family::of(usual);
    Transport::Multicast(options.destination.filter(same_family).unwrap_or(usual))
}

/// Reports something with which keepalived does not start.
fn refuse(cx: &mut Context<'_>, message: String, place: Place) {
    let finding = cx
        .finding(Class::General, message, place)
        .consequence(Consequence::RefuseStart(2));
    cx.diagnostics.push(finding);
}

fn instance(
    mut draft: InstanceDraft,
    global: GarpSettings,
    (rules, transport): (Rules, Transport),
    cx: &mut Context<'_>,
) -> Option<VrrpInstance> {
    let name = draft.name.clone();
    let place = draft.place;
    if draft.options.vrf.is_some() {
        let lacks = match (&draft.interface, transport) {
            (Some(_), _) => Some("out interface"),
            (None, Transport::Multicast(_)) => Some(" unicast"),
            (None, Transport::Unicast) => None,
        };
        if let Some(lacks) = lacks {
            let message = format!("({name}) vrf can only be specified with{lacks} - clearing");
            cx.report(Class::General, message, place);
            draft.options.vrf = None;
        }
    }
    // `stops` has seen that both are there.
    let vrid = draft.vrid.and_then(Vrid::new)?;
    let interface = match draft.interface.take() {
        Some(interface) => interface,
        // It is not known to whoever wrote the file, so its link does not matter.
        None => {
            draft.options.ignore_own_interface = true;
            draft.found_interface.take()?
        }
    };
    if rules.strict && std::mem::take(&mut draft.options.no_addresses) {
        let message = format!(
            "({name}) no_virtual_ipaddress and strict mode incompatible, clearing no_virtual_ipaddress"
        );
        cx.report(Class::General, message, place);
    }
    if draft.addresses.is_empty() && !draft.options.no_addresses {
        let message = format!("({name}) No VIP specified; at least one is sensible");
        cx.report(Class::General, message, place);
    }
    let room = match draft.family {
        Some(Family::V6) => MAX_IN_ADVERT_V6,
        Some(Family::V4) | None => MAX_IN_ADVERT,
    };
    if draft.addresses.len() > room {
        let message = format!(
            "({name}) Number of VIPs ({}) exceeds maximum/space available in packet (max \
             {room} addresses) - excess moved to eVIPs",
            draft.addresses.len()
        );
        cx.report(Class::General, message, place);
    }
    let priority = priority(&draft);
    let initial_state = match draft.state {
        Some(state) => state,
        None if priority.is_owner() => InitialState::Master,
        None => InitialState::Backup,
    };
    preemption(&mut draft, priority, initial_state, cx);
    if draft.options.expired_backup.is_some() && !draft.no_preempt {
        let message = format!("({name}) expired_timer_backup requires nopreempt - resetting");
        cx.report(Class::General, message, place);
        draft.options.expired_backup = None;
    }
    let garp = garp(draft.garp, global);
    Some(VrrpInstance {
        name,
        vrid,
        family: draft.family.unwrap_or(Family::V4),
        interface,
        initial_state,
        priority,
        advert_interval: match rules.version {
            Version::V2 => whole_seconds(&draft, cx),
            Version::V3 => draft.advert_interval.unwrap_or(Duration::from_secs(1)),
        },
        ah: draft.auth == AuthKind::Ah && draft.auth_pass.is_some(),
        auth: authentication(&draft, cx),
        transport,
        addresses: draft.addresses,
        no_preempt: draft.no_preempt,
        preempt_delay: draft.preempt_delay.unwrap_or(Duration::ZERO),
        garp: Garp {
            // RFC 9568 has no such announcements.
            lower_priority_repeat: if rules.strict {
                0
            } else {
                garp.lower_priority_repeat
            },
            ..garp
        },
        version: rules.version,
        strict: rules.strict,
        own_link: None,
        options: draft.options,
    })
}

/// Whoever is to be master and says nothing of a priority owns the addresses.
fn priority(draft: &InstanceDraft) -> Priority {
    match (draft.priority, draft.state) {
        (Some(priority), _) => Priority(priority),
        (None, Some(InitialState::Master)) => Priority::OWNER,
        (None, Some(InitialState::Backup) | None) => Priority::DEFAULT,
    }
}

/// Version 2 knows whole seconds only.
fn whole_seconds(draft: &InstanceDraft, cx: &mut Context<'_>) -> Duration {
    let interval = draft.advert_interval.unwrap_or(Duration::from_secs(1));
    if interval.subsec_micros() == 0 {
        return interval;
    }
    let message = format!(
        "({}) VRRPv2 advertisement interval {}.{:06}s must be an integer. rounding",
        draft.name,
        interval.as_secs(),
        interval.subsec_micros()
    );
    cx.report(Class::General, message, draft.place);
    let seconds = (interval + Duration::from_millis(500)).as_secs();
    Duration::from_secs(seconds.max(1))
}

fn authentication(draft: &InstanceDraft, cx: &mut Context<'_>) -> Option<AuthPass> {
    if draft.auth != AuthKind::None && draft.auth_pass.is_none() {
        let message = format!(
            "({}) Authentication specified but no password given. Ignoring",
            draft.name
        );
        cx.report(Class::General, message, draft.place);
    }
    match draft.auth {
        AuthKind::Pass | AuthKind::Ah => draft.auth_pass,
        AuthKind::None => None,
    }
}

/// `nopreempt` and `preempt_delay` do not go with everything.
fn preemption(
    draft: &mut InstanceDraft,
    priority: Priority,
    state: InitialState,
    cx: &mut Context<'_>,
) {
    let name = draft.name.clone();
    let master = state == InitialState::Master;
    if draft.no_preempt && priority.is_owner() {
        let message =
            format!("({name}) nopreempt is incompatible with priority 255. resetting nopreempt");
        cx.report(Class::General, message, draft.place);
        draft.no_preempt = false;
    } else if draft.no_preempt && master {
        let message = format!(
            "({name}) Warning - nopreempt will not work with initial state MASTER - clearing"
        );
        cx.report(Class::General, message, draft.place);
        draft.no_preempt = false;
    }
    if draft.preempt_delay.is_none_or(|delay| delay.is_zero()) {
        return;
    }
    if draft.no_preempt {
        let message =
            format!("({name}) preempt_delay is incompatible with nopreempt mode - resetting");
        cx.report(Class::General, message, draft.place);
        draft.preempt_delay = None;
    } else if master {
        let message = format!(
            "({name}) Warning - preempt delay will not work with initial state MASTER - clearing"
        );
        cx.report(Class::General, message, draft.place);
        draft.preempt_delay = None;
    }
}

/// What an instance says that means nothing without the priority of an owner; what `global_defs`
/// says of all is for those that are one.
fn needless(draft: &mut InstanceDraft, cx: &mut Context<'_>) {
    let owner = draft.priority == Some(Priority::OWNER.0);
    if draft.options.owner_ignores == Some(true) && !owner {
        let message = format!(
            "({}) ignoring owner_ignore_adverts since priority is not 255",
            draft.name
        );
        cx.report(Class::General, message, draft.place);
        draft.options.owner_ignores = None;
    }
}

/// What the instance says, else what `global_defs` says, else the default. What `global_defs` says
/// of becoming master goes for lower-priority adverts too unless it says something of them.
fn garp(own: GarpSettings, global: GarpSettings) -> Garp {
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
            .or(global.repeat)
            .unwrap_or(default.lower_priority_repeat),
        lower_priority_delay: own
            .lower_priority_delay
            .or(global.lower_priority_delay)
            .or(global.delay)
            .unwrap_or(default.lower_priority_delay),
    }
}

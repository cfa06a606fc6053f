//! What a new configuration changes, object by object and field by field.
//!
//! Owns: the table that says for each field of the model how far its change reaches, and with it
//! the plan from one configuration to another. Never does: carry a change out (the domains do), or
//! look at text. Driven by: `host` at a reload and, from an empty configuration, at the start.
//! `compat-tests/tests/fields.rs` reads the model's sources and fails when a field has no row.

mod planning;
mod settings;

pub use planning::Planning;

use super::model::plan::{Change, Plan, Planned, diff};
use super::model::{
    BfdInstance, BfdKey, Config, InstanceKey, RealServer, RealServerKey, ServiceKey, VirtualServer,
    VrrpInstance,
};

/// What a change of a field means.
enum Reach<T> {
    /// The field is part of the identity: with another value it is another object.
    Identity,
    /// The field differs between the two, and that reaches so far.
    Changes(fn(&T, &T) -> bool, Change),
}

/// One field of the model.
struct Row<T: 'static> {
    field: &'static str,
    reach: Reach<T>,
}

impl<T> Row<T> {
    /// Part of the identity.
    const fn identity(field: &'static str) -> Self {
        Self {
            field,
            reach: Reach::Identity,
        }
    }

    /// Whoever uses the field uses the new value from now on.
    const fn live(field: &'static str, differs: fn(&T, &T) -> bool) -> Self {
        Self {
            field,
            reach: Reach::Changes(differs, Change::Live),
        }
    }

    /// A socket depends on the field.
    const fn reopen(field: &'static str, differs: fn(&T, &T) -> bool) -> Self {
        Self {
            field,
            reach: Reach::Changes(differs, Change::Reopen),
        }
    }

    /// Timers depend on the field.
    const fn rearm(field: &'static str, differs: fn(&T, &T) -> bool) -> Self {
        Self {
            field,
            reach: Reach::Changes(differs, Change::Rearm),
        }
    }
}

/// An instance keeps its state through every change of these; the domain compares addresses one
/// by one.
static INSTANCE: &[Row<VrrpInstance>] = &[
    Row::live("name", |old, new| old.name != new.name),
    Row::identity("vrid"),
    Row::identity("family"),
    Row::identity("interface"),
    Row::live("initial_state", |old, new| {
        old.initial_state != new.initial_state
    }),
    Row::live("priority", |old, new| old.priority != new.priority),
    Row::rearm("advert_interval", |old, new| {
        old.advert_interval != new.advert_interval
    }),
    Row::live("auth", |old, new| old.auth != new.auth),
    Row::reopen("ah", |old, new| old.ah != new.ah),
    Row::identity("transport"),
    Row::live("addresses", |old, new| old.addresses != new.addresses),
    Row::live("no_preempt", |old, new| old.no_preempt != new.no_preempt),
    Row::live("preempt_delay", |old, new| {
        old.preempt_delay != new.preempt_delay
    }),
    Row::rearm("garp", |old, new| old.garp != new.garp),
    Row::rearm("version", |old, new| old.version != new.version),
    Row::live("strict", |old, new| old.strict != new.strict),
    Row::identity("own_link"),
    Row::live("options", |old, new| old.options != new.options),
];

/// A service is edited in place in the kernel; its servers are compared one by one.
static SERVICE: &[Row<VirtualServer>] = &[
    Row::identity("key"),
    Row::live("entries", |old, new| old.entries != new.entries),
    Row::live("family", |old, new| old.family != new.family),
    Row::live("forwarding", |old, new| old.forwarding != new.forwarding),
    Row::live("scheduler", |old, new| old.scheduler != new.scheduler),
    Row::live("persistence", |old, new| old.persistence != new.persistence),
    Row::live("real_servers", |old, new| {
        old.real_servers != new.real_servers
    }),
    Row::live("policy", |old, new| old.policy != new.policy),
];

/// A server is edited in place; its checks begin anew only if one of them differs.
static REAL_SERVER: &[Row<RealServer>] = &[
    Row::identity("key"),
    Row::live("weight", |old, new| old.weight != new.weight),
    Row::live("forwarding", |old, new| old.forwarding != new.forwarding),
    Row::rearm("tcp_checks", |old, new| old.tcp_checks != new.tcp_checks),
    Row::rearm("probes", |old, new| old.probes != new.probes),
    Row::live("policy", |old, new| old.policy != new.policy),
];

/// A session keeps its state; a new pace holds once the neighbour has confirmed it.
static SESSION: &[Row<BfdInstance>] = &[
    Row::live("name", |old, new| old.name != new.name),
    Row::identity("source"),
    Row::identity("neighbor"),
    Row::rearm("min_rx", |old, new| old.min_rx != new.min_rx),
    Row::rearm("min_tx", |old, new| old.min_tx != new.min_tx),
    Row::rearm("idle_tx", |old, new| old.idle_tx != new.idle_tx),
    Row::live("multiplier", |old, new| old.multiplier != new.multiplier),
    Row::live("passive", |old, new| old.passive != new.passive),
    Row::reopen("ttl", |old, new| old.ttl != new.ttl),
    Row::live("max_hops", |old, new| old.max_hops != new.max_hops),
    Row::identity("multihop"),
    Row::live("weight", |old, new| old.weight != new.weight),
    Row::live("reverse", |old, new| old.reverse != new.reverse),
    Row::live("audience", |old, new| old.audience != new.audience),
];

/// How far the differences of two objects reach: the furthest of their fields.
fn furthest<T>(table: &[Row<T>], old: &T, new: &T) -> Change {
    table
        .iter()
        .filter_map(|row| match row.reach {
            Reach::Identity => None,
            Reach::Changes(differs, change) => differs(old, new).then_some(change),
        })
        .max()
        .unwrap_or(Change::Live)
}

impl Planned for VrrpInstance {
    type Key = InstanceKey;

    fn plan_key(&self) -> InstanceKey {
        self.key()
    }

    fn change(&self, new: &Self) -> Change {
        furthest(INSTANCE, self, new)
    }
}

impl Planned for VirtualServer {
    type Key = ServiceKey;

    fn plan_key(&self) -> ServiceKey {
        self.key.clone()
    }

    fn change(&self, new: &Self) -> Change {
        furthest(SERVICE, self, new)
    }
}

impl Planned for BfdInstance {
    type Key = BfdKey;

    fn plan_key(&self) -> BfdKey {
        self.key()
    }

    fn change(&self, new: &Self) -> Change {
        furthest(SESSION, self, new)
    }
}

impl Planned for RealServer {
    type Key = RealServerKey;

    fn plan_key(&self) -> RealServerKey {
        self.key
    }

    fn change(&self, new: &Self) -> Change {
        furthest(REAL_SERVER, self, new)
    }
}

/// The way from the running configuration `old` to `new`.
#[must_use]
pub fn plan(old: &Config, new: &Config) -> Plan {
    Plan {
        services: diff(&old.virtual_servers, &new.virtual_servers),
        ..but_services(old, new)
    }
}

/// That of all but the services.
fn but_services(old: &Config, new: &Config) -> Plan {
    Plan {
        global: (old.global != new.global).then(|| new.global.clone()),
        restart: settings::restarts(&old.global, &new.global),
        statics: (old.statics != new.statics).then(|| new.statics.clone()),
        vrrp: diff(&old.vrrp_instances, &new.vrrp_instances),
        bfd: diff(&old.bfd_instances, &new.bfd_instances),
        shared: old.tls != new.tls
            || old.trackers != new.trackers
            || old.sync_groups != new.sync_groups
            || old.links != new.links,
        services: Vec::new(),
    }
}

fn of<T>(object: &'static str, table: &[Row<T>]) -> Vec<(&'static str, &'static str)> {
    table.iter().map(|row| (object, row.field)).collect()
}

/// The fields that have a row, by the object they belong to; for the test that none is missing.
#[must_use]
pub fn fields() -> Vec<(&'static str, &'static str)> {
    let mut all = of("VrrpInstance", INSTANCE);
    all.extend(of("VirtualServer", SERVICE));
    all.extend(of("RealServer", REAL_SERVER));
    all.extend(of("BfdInstance", SESSION));
    all.extend(settings::fields());
    all
}

#[cfg(test)]
#[path = "diff_tests.rs"]
mod tests;

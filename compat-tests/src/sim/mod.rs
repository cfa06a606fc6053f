//! The simulator: many daemons, virtual kernels and wires, one thread, one seed.
//!
//! ```text
//! random / scenarios -> world (heap, time, chance) -> host = kernel + Node (the shipped code)
//!                          |-> network: who hears a frame     |-> shadow: what must be true
//! ```
//!
//! Owns: a world in which every fault can be had at will and every run can be had again. Never
//! does: replace a part of the daemon; frames pass the real codecs as bytes, and the node is the
//! one that ships. Driven by: `tests/simulate.rs`. A failure names the seed; `SIM_SEED=n` repeats
//! it.

pub mod balance;
pub mod faults;
pub mod host;
pub mod ipvs;
pub mod kernel;
pub mod network;
pub mod random;
pub mod schedule;
pub mod setup;
pub mod shadow;
pub mod trace;
pub mod wire;
pub mod world;

use keepalived_rs::conf::model::plan::{Change, Plan, Step};
use keepalived_rs::conf::model::{Config, VrrpInstance};

/// What leads from one configuration to another.
#[must_use]
pub fn plan(old: &Config, new: &Config) -> Plan {
    Plan {
        global: (old.global != new.global).then(|| new.global.clone()),
        vrrp: steps(&old.vrrp_instances, &new.vrrp_instances, VrrpInstance::key),
        services: steps(&old.virtual_servers, &new.virtual_servers, |s| s.key),
    }
}

fn steps<T: Clone + PartialEq, K: Ord>(
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> K,
) -> Vec<Step<T>> {
    let find = |list: &[T], object: &T| list.iter().find(|o| key(o) == key(object)).cloned();
    let gone = old.iter().filter(|o| find(new, o).is_none());
    let gone = gone.cloned().map(Step::Remove);
    let rest = new.iter().map(|object| match find(old, object) {
        None => Step::Add(object.clone()),
        Some(was) if was == *object => Step::Keep(was),
        Some(_) => Step::Update(object.clone(), Change::Live),
    });
    gone.chain(rest).collect()
}

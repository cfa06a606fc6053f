//! Laws of the comparison: nothing changes into itself, and every plan arrives.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;

use super::*;
use crate::base::{Duration, Family, Rare, Shared};
use crate::conf::model::options::{Trackers, Version};
use crate::conf::model::plan::Step;
use crate::conf::model::{
    Forwarding, Garp, Global, InitialState, Priority, Protocol, Scheduler, Scope, Transport,
    VRRP_GROUP_V4, VirtualAddress, Vrid,
};

prop_compose! {
    fn instance()(
        vrid in 1u8..5,
        eth in 0u8..2,
        priority in 1u8..4,
        seconds in 1u64..3,
        addresses in proptest::collection::vec(1u8..4, 0..3),
        no_preempt: bool,
    ) -> VrrpInstance {
        VrrpInstance {
            name: format!("VI_{vrid}_{eth}"),
            vrid: Vrid::new(vrid).unwrap(),
            family: Family::V4,
            interface: format!("eth{eth}"),
            initial_state: InitialState::Backup,
            priority: Priority(priority),
            advert_interval: Duration::from_secs(seconds),
            ah: false,
            transport: Transport::Multicast(VRRP_GROUP_V4),
            auth: None,
            addresses: addresses
                .into_iter()
                .map(|last| VirtualAddress {
                    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)),
                    prefix_len: 32,
                    interface: None,
                    scope: Scope::GLOBAL,
                    broadcast: None,
                    label: None,
                    options: Rare::default(),
                })
                .collect(),
            no_preempt,
            preempt_delay: Duration::ZERO,
            garp: Garp::default(),
            version: Version::V2,
            strict: false,
            own_link: None,
            options: Shared::default(),
        }
    }
}

prop_compose! {
    fn service()(
        last in 1u8..4,
        port in 80u16..82,
        wrr: bool,
        servers in proptest::collection::vec((1u8..4, 1u32..3), 0..3),
    ) -> VirtualServer {
        VirtualServer {
            real_servers: servers
                .into_iter()
                .map(|(last, weight)| Shared::new(RealServer {
                    key: RealServerKey {
                        address: IpAddr::V4(Ipv4Addr::new(198, 51, 100, last)),
                        port,
                    },
                    weight,
                    forwarding: Forwarding::Dr,
                    tcp_checks: Vec::new(),
                    probes: Vec::new(),
                    policy: None,
                }))
                .collect(),
            ..VirtualServer::new(
                ServiceKey::address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)), port, Protocol::Tcp),
                if wrr { Scheduler::Wrr } else { Scheduler::Rr },
            )
        }
    }
}

prop_compose! {
    fn config()(
        router_id in proptest::option::of("[ab]"),
        vrrp_instances in proptest::collection::vec(instance(), 0..6),
        virtual_servers in proptest::collection::vec(service(), 0..6),
    ) -> Config {
        Config {
            global: Global {
                router_id,
                ..Global::default()
            },
            vrrp_instances: vrrp_instances.into_iter().map(Shared::new).collect(),
            virtual_servers: virtual_servers.into_iter().map(Shared::new).collect(),
            server_groups: Vec::new(),
            bfd_instances: Vec::new(),
            tls: None,
            trackers: Trackers::default(),
            sync_groups: Vec::new(),
            statics: Default::default(),
            links: Default::default(),
            files: Vec::new(),
        }
    }
}

/// What runs after the steps, by key. Panics if a step does not fit what runs.
fn carry_out<T: Planned + std::fmt::Debug>(old: &[T], steps: Vec<Step<T>>) -> BTreeMap<T::Key, T> {
    let mut running = BTreeMap::new();
    for object in old {
        running
            .entry(object.plan_key())
            .or_insert_with(|| object.clone());
    }
    for step in steps {
        match step {
            Step::Remove(object) => {
                assert_eq!(running.remove(&object.plan_key()), Some(object));
            }
            Step::Update(object, _) => {
                let was = running.insert(object.plan_key(), object.clone());
                assert!(was.is_some_and(|was| was != object));
            }
            Step::Add(object) => {
                assert!(running.insert(object.plan_key(), object).is_none());
            }
            Step::Keep(object) => assert_eq!(running.get(&object.plan_key()), Some(&object)),
        }
    }
    running
}

fn by_key<T: Planned>(objects: &[T]) -> BTreeMap<T::Key, T> {
    let mut all = BTreeMap::new();
    for object in objects {
        all.entry(object.plan_key())
            .or_insert_with(|| object.clone());
    }
    all
}

proptest! {
    // Input: any configuration, twice. Output: an empty plan.
    #[test]
    fn nothing_changes_into_itself(a in config()) {
        prop_assert!(plan(&a, &a).is_empty());
    }

    // Input: any two configurations. Output: the steps lead from the one to the other, each of
    // them fits what runs, and removals come first.
    #[test]
    fn every_plan_arrives(a in config(), b in config()) {
        let plan = plan(&a, &b);
        let late = plan
            .vrrp
            .iter()
            .skip_while(|step| matches!(step, Step::Remove(_)))
            .any(|step| matches!(step, Step::Remove(_)));
        prop_assert!(!late);
        prop_assert_eq!(carry_out(&a.vrrp_instances, plan.vrrp), by_key(&b.vrrp_instances));
        prop_assert_eq!(carry_out(&a.virtual_servers, plan.services), by_key(&b.virtual_servers));
        prop_assert_eq!(plan.global.is_some(), a.global != b.global);
    }

    // Input: there and back. Output: what ran before.
    #[test]
    fn there_and_back_is_the_identity(a in config(), b in config()) {
        let there = carry_out(&a.vrrp_instances, plan(&a, &b).vrrp);
        let middle: Vec<_> = there.into_values().collect();
        let back = diff(&middle, &a.vrrp_instances);
        prop_assert_eq!(carry_out(&middle, back), by_key(&a.vrrp_instances));
    }
}

// Input: one field changed at a time. Output: its class.
#[test]
fn each_field_has_its_reach() {
    let garp = Garp {
        repeat: 1,
        ..Garp::default()
    };
    let runner = &mut proptest::test_runner::TestRunner::deterministic();
    let base = instance().new_tree(runner).unwrap().current();
    let priority = VrrpInstance {
        priority: Priority(200),
        ..base.clone()
    };
    let interval = VrrpInstance {
        advert_interval: Duration::from_secs(9),
        ..base.clone()
    };
    let both = VrrpInstance {
        priority: Priority(200),
        garp,
        ..base.clone()
    };
    assert_eq!(base.change(&priority), Change::Live);
    assert_eq!(base.change(&interval), Change::Rearm);
    assert_eq!(base.change(&both), Change::Rearm);
}

//! The node as its drivers see it: order of effects, silence after the stop, and no event, however
//! odd, that it does not survive.
//!
//! What many nodes do together is proved in the simulator; here is one node alone.

use std::net::{IpAddr, SocketAddr};

use proptest::prelude::*;

use super::{Node, Options};
use crate::base::{Duration, IfIndex, Instant, Mac, Rare, Shared};
use crate::conf::diff;
use crate::conf::model::{
    Config, Forwarding, Priority, Protocol, RealServer, RealServerKey, Scheduler, Scope,
    ServiceKey, TcpCheck, VirtualAddress, VirtualServer, Vrid, VrrpInstance,
};
use crate::ops::{
    AddressChange, Effect, Event, Frame, IpvsOp, KernelOp, LinkChange, LinkState, OpOwner, OpTag,
    ProbeFailure, ProbeId, ProbeIo, RxMeta, SocketId,
};

const START: Instant = Instant::from_micros(1_000_000);

fn eth0() -> IfIndex {
    IfIndex::new(2).unwrap()
}

fn link(up: bool) -> Event<'static> {
    Event::Link(LinkChange {
        index: eth0(),
        name: "eth0".to_owned(),
        state: Some(LinkState {
            admin_up: true,
            running: up,
            loopback: false,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            mtu: 1500,
            forwards_v6: false,
            vrf: None,
        }),
    })
}

fn address(last: u8, present: bool) -> Event<'static> {
    Event::Address(AddressChange {
        index: eth0(),
        address: IpAddr::from([192, 0, 2, last]),
        prefix_len: 24,
        secondary: false,
        protocol: 0,
        present,
    })
}

/// One virtual router with one address, one service with one server.
fn config(priority: u8) -> Config {
    let server = SocketAddr::from(([10, 0, 0, 1], 80));
    Config {
        vrrp_instances: vec![Shared::new(VrrpInstance {
            priority: Priority(priority),
            addresses: vec![VirtualAddress {
                address: IpAddr::from([192, 0, 2, 101]),
                prefix_len: 24,
                interface: None,
                scope: Scope::GLOBAL,
                broadcast: None,
                label: None,
                options: Rare::default(),
            }],
            ..VrrpInstance::new("VI_1", Vrid::new(51).unwrap(), "eth0")
        })],
        virtual_servers: vec![Shared::new(VirtualServer {
            real_servers: vec![Shared::new(RealServer {
                key: RealServerKey {
                    address: server.ip(),
                    port: server.port(),
                },
                weight: 1,
                forwarding: Forwarding::Dr,
                probes: Vec::new(),
                policy: None,
                tcp_checks: vec![TcpCheck {
                    target: server,
                    bind: None,
                    bind_interface: None,
                    fwmark: 0,
                    connect_timeout: Duration::from_secs(3),
                    retries: 1,
                    delay_before_retry: Duration::from_secs(1),
                    delay_loop: Duration::from_secs(6),
                    warmup: Duration::ZERO,
                    alpha: false,
                    log_all_failures: false,
                }],
            })],
            ..VirtualServer::new(
                ServiceKey::address(IpAddr::from([192, 0, 2, 101]), 80, Protocol::Tcp),
                Scheduler::Rr,
            )
        })],
        ..Config::default()
    }
}

fn apply(node: &mut Node, now: Instant, config: Config) -> Vec<Effect> {
    let mut out = Vec::new();
    let plan = diff::plan(node.config(), &config);
    node.apply(now, plan, config, &mut out);
    out
}

fn handle(node: &mut Node, now: Instant, event: Event<'_>) -> Vec<Effect> {
    let mut out = Vec::new();
    node.handle(now, event, &mut out);
    out
}

/// A node that was started; it is master at the time returned, and its table is installed.
fn master() -> (Node, Instant) {
    let mut node = Node::new(Options::default());
    handle(&mut node, START, link(true));
    handle(&mut node, START, address(1, true));
    let out = apply(&mut node, START, config(100));
    assert!(out.contains(&Effect::ReadIpvs));
    handle(&mut node, START, Event::IpvsTable(Ok(&[])));
    let end = START + Duration::from_secs(10);
    let mut now = START;
    while let Some(next) = node.next_deadline().filter(|next| *next <= end) {
        now = next;
        node.handle_timeout(now, &mut Vec::new());
    }
    (node, now)
}

/// An effect in one word.
fn word(effect: &Effect) -> &'static str {
    match effect {
        Effect::Kernel(KernelOp::AddressAdd(_), _) => "add address",
        Effect::Kernel(KernelOp::AddressDel(_), _) => "remove address",
        Effect::Kernel(KernelOp::Ipvs(IpvsOp::ServiceDel(_)), _) => "remove service",
        Effect::Kernel(KernelOp::Ipvs(_), _) => "change IPVS",
        Effect::Kernel(KernelOp::LinkAdd(_) | KernelOp::LinkDel(_) | KernelOp::SetVrf(..), _) => {
            "change link"
        }
        Effect::Kernel(KernelOp::Firewall(_), _) => "change firewall",
        Effect::Kernel(KernelOp::Routing(_), _) => "change routing",
        Effect::ReadIpvs | Effect::LookIpvs(_) | Effect::ReadIpvsTimeouts => "read IPVS",
        Effect::Mark(..) => "mark",
        Effect::Kernel(KernelOp::PromoteSecondaries(..), _) => "promote secondaries",
        Effect::AskLink { .. } => "ask for a link",
        Effect::Open(..) => "open",
        Effect::Close(_) => "close",
        Effect::Send(_, Frame::Ip { bytes, .. }) if bytes[22] == 0 => "resign",
        Effect::Send(_, Frame::Ip { .. }) => "advertise",
        Effect::Send(_, Frame::Link { .. }) => "announce",
        Effect::Send(_, Frame::Datagram { .. }) => "speak",
        Effect::Probe(..) => "probe",
        Effect::Spawn(..) => "spawn",
        Effect::Kill(..) => "kill",
        Effect::ListProcesses { .. } => "list processes",
        Effect::Buffer(..) => "buffer",
        Effect::WatchProcesses(true) => "watch processes",
        Effect::WatchProcesses(false) => "unwatch processes",
        Effect::Watch(..) | Effect::Unwatch(_) | Effect::InitFile { .. } => "file",
        Effect::Fifo(..) => "fifo",
        Effect::Exit(_) => "exit",
    }
}

// Input: a master with a service is stopped. Output, in the order of the document's log: priority
// 0, addresses, services, the end.
#[test]
fn a_stop_takes_everything_away_in_order_and_ends() {
    let (mut node, now) = master();
    let out = handle(&mut node, now, Event::Stop);
    let mut words: Vec<_> = out.iter().map(word).collect();
    words.retain(|word| !matches!(*word, "probe" | "close"));
    let order = ["resign", "remove address", "remove service", "exit"];
    assert_eq!(words, order);
    assert_eq!(out.last(), Some(&Effect::Exit(0)));
}

#[test]
fn after_the_stop_nothing_is_asked_for() {
    let (mut node, now) = master();
    handle(&mut node, now, Event::Stop);
    assert_eq!(handle(&mut node, now, Event::Stop), []);
    assert_eq!(handle(&mut node, now, link(false)), []);
    assert_eq!(handle(&mut node, now, link(true)), []);
    assert_eq!(apply(&mut node, now, config(200)), []);
    let mut out = Vec::new();
    node.handle_timeout(now + Duration::from_secs(100), &mut out);
    assert_eq!(out, []);
}

#[test]
fn a_reload_without_a_change_asks_for_nothing_and_moves_no_deadline() {
    let (mut node, now) = master();
    let deadline = node.next_deadline();
    assert_eq!(apply(&mut node, now, config(100)), []);
    assert_eq!(node.next_deadline(), deadline);
}

// Input: a reload of which it is known beforehand that it changes nothing. Output: nothing is asked
// for, no deadline moves, and the configuration is still there.
#[test]
fn a_reload_of_the_same_text_asks_for_nothing() {
    let (mut node, now) = master();
    let deadline = node.next_deadline();
    let mut out = Vec::new();
    node.apply_again(now, &mut out);
    assert_eq!(out, []);
    assert_eq!(node.next_deadline(), deadline);
    assert_eq!(*node.config(), config(100));
}

#[test]
fn an_early_call_of_handle_timeout_is_harmless() {
    let (mut node, now) = master();
    let deadline = node.next_deadline().unwrap();
    assert!(deadline > now);
    let mut out = Vec::new();
    node.handle_timeout(now, &mut out);
    node.handle_timeout(deadline - Duration::from_micros(1), &mut out);
    assert_eq!(out, []);
    assert_eq!(node.next_deadline(), Some(deadline));
}

/// Events of every kind, also with ids and tags that nobody gave out.
#[derive(Debug, Clone)]
enum Odd {
    Link(bool),
    LinkGone,
    Address(u8, bool),
    Packet(u64, Vec<u8>),
    Advert(u8, u8),
    SocketFailed(u64, i32),
    Probe(Option<u64>, u8),
    Refused(bool, u64, i32),
    /// Refuses the last operation that the node asked for.
    RefusedLast(i32),
    Table(bool),
    Reload(u8, bool),
    Wait(u64),
}

fn odd() -> impl Strategy<Value = Odd> {
    let errno = prop_oneof![Just(2), Just(3), Just(12), Just(17), Just(19), Just(99)];
    let packet = proptest::collection::vec(any::<u8>(), 0..80);
    prop_oneof![
        any::<bool>().prop_map(Odd::Link),
        Just(Odd::LinkGone),
        (0_u8..4, any::<bool>()).prop_map(|(n, there)| Odd::Address(n * 50 + 1, there)),
        (0_u64..4, packet).prop_map(|(socket, bytes)| Odd::Packet(socket, bytes)),
        (2_u8..4, any::<u8>()).prop_map(|(from, priority)| Odd::Advert(from, priority)),
        (0_u64..4, errno.clone()).prop_map(|(socket, errno)| Odd::SocketFailed(socket, errno)),
        (proptest::option::of(any::<u64>()), 0_u8..3).prop_map(|(id, how)| Odd::Probe(id, how)),
        (any::<bool>(), any::<u64>(), errno.clone())
            .prop_map(|(vrrp, serial, errno)| Odd::Refused(vrrp, serial, errno)),
        errno.prop_map(Odd::RefusedLast),
        any::<bool>().prop_map(Odd::Table),
        (1_u8..=255, any::<bool>())
            .prop_map(|(priority, services)| Odd::Reload(priority, services)),
        (0_u64..5_000_000).prop_map(Odd::Wait),
    ]
}

/// An advert of 192.0.2.`from` for VRID 51, by hand.
fn advert(from: u8, priority: u8) -> Vec<u8> {
    let mut bytes = vec![0x45, 0xc0, 0, 40, 0, 1, 0, 0, 255, 112, 0, 0];
    bytes.extend([192, 0, 2, from, 224, 0, 0, 18]);
    bytes.extend([0x21, 51, priority, 1, 0, 1, 0, 0, 192, 0, 2, 101]);
    bytes.extend([0; 8]);
    for (from, to, at) in [(20, 40, 26), (0, 20, 10)] {
        let words = bytes[from..to].chunks(2);
        let sum: u32 = words.map(|w| u32::from(w[0]) << 8 | u32::from(w[1])).sum();
        let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        bytes[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    }
    bytes
}

fn feed(
    node: &mut Node,
    now: Instant,
    odd: &Odd,
    last: Option<OpTag>,
    probe: Option<ProbeId>,
) -> Vec<Effect> {
    let meta = RxMeta { interface: eth0() };
    match odd {
        Odd::Link(up) => handle(node, now, link(*up)),
        Odd::LinkGone => handle(
            node,
            now,
            Event::Link(LinkChange {
                index: eth0(),
                name: "eth0".to_owned(),
                state: None,
            }),
        ),
        Odd::Address(last, present) => handle(node, now, address(*last, *present)),
        Odd::Packet(socket, bytes) => {
            let socket = SocketId(*socket);
            handle(
                node,
                now,
                Event::Packet {
                    socket,
                    meta,
                    bytes,
                },
            )
        }
        Odd::Advert(from, priority) => {
            let bytes = advert(*from, *priority);
            let mut out = Vec::new();
            for socket in (0..4).map(SocketId) {
                let bytes = &bytes;
                node.handle(
                    now,
                    Event::Packet {
                        socket,
                        meta,
                        bytes,
                    },
                    &mut out,
                );
            }
            out
        }
        Odd::SocketFailed(socket, errno) => {
            let socket = SocketId(*socket);
            handle(
                node,
                now,
                Event::SocketFailed {
                    socket,
                    errno: *errno,
                },
            )
        }
        Odd::Probe(id, how) => {
            let id = id.map(ProbeId).or(probe).unwrap_or(ProbeId(0));
            let what = match how {
                0 => ProbeIo::Connected,
                1 => ProbeIo::Failed(ProbeFailure::Remote(111)),
                _ => ProbeIo::Failed(ProbeFailure::Local(24)),
            };
            handle(node, now, Event::Probe { id, what })
        }
        Odd::Refused(vrrp, serial, errno) => {
            let owner = if *vrrp { OpOwner::Vrrp } else { OpOwner::Ipvs };
            let tag = OpTag {
                owner,
                serial: *serial,
            };
            handle(node, now, Event::Refused { tag, errno: *errno })
        }
        Odd::RefusedLast(errno) => match last {
            Some(tag) => handle(node, now, Event::Refused { tag, errno: *errno }),
            None => Vec::new(),
        },
        Odd::Table(there) => {
            let table: Result<&[_], i32> = if *there { Ok(&[]) } else { Err(2) };
            handle(node, now, Event::IpvsTable(table))
        }
        Odd::Reload(priority, services) => {
            let mut config = config(*priority);
            if !services {
                config.virtual_servers.clear();
            }
            apply(node, now, config)
        }
        Odd::Wait(_) => Vec::new(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    // Whatever comes: no panic, timers make progress, and a stop ends it.
    #[test]
    fn no_order_of_events_breaks_the_node(events in proptest::collection::vec(odd(), 0..120)) {
        let (mut node, mut now) = master();
        let (mut last, mut probe) = (None, None);
        for event in &events {
            if let Odd::Wait(micros) = event {
                now += Duration::from_micros(*micros);
            }
            let mut out = feed(&mut node, now, event, last, probe);
            let mut calls = 0;
            while node.next_deadline().is_some_and(|at| at <= now) {
                node.handle_timeout(now, &mut out);
                calls += 1;
                prop_assert!(calls < 100, "handle_timeout makes no progress");
            }
            for effect in out {
                match effect {
                    Effect::Kernel(_, tag) => last = Some(tag),
                    Effect::Probe(id, _) => probe = Some(id),
                    Effect::Exit(_) => prop_assert!(false, "ends without a stop"),
                    Effect::ReadIpvs
                    | Effect::LookIpvs(_)
                    | Effect::ReadIpvsTimeouts
                    | Effect::Mark(..)
                    | Effect::AskLink { .. }
                    | Effect::Open(..)
                    | Effect::Close(_)
                    | Effect::Send(..)
                    | Effect::Spawn(..)
                    | Effect::Kill(..)
                    | Effect::ListProcesses { .. }
                    | Effect::WatchProcesses(_)
                    | Effect::Buffer(..)
                    | Effect::Watch(..)
                    | Effect::Unwatch(_)
                    | Effect::InitFile { .. }
                    | Effect::Fifo(..) => {}
                }
            }
        }
        let out = handle(&mut node, now, Event::Stop);
        prop_assert_eq!(out.last(), Some(&Effect::Exit(0)));
    }
}

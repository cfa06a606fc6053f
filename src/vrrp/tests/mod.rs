//! The machine, driven through the domain as `node` drives it.
//!
//! Owns: a bench with one interface (index 2, `eth0`, 192.0.2.1/24), and text forms of effects, so
//! that tests read as transcripts. Driven by: the test runner.

mod addresses;
mod anything;
mod clash;
mod election;
mod interfaces;
mod machine;
mod own_link;
mod receive;
mod regressions;
mod reload;
mod routing;
mod sockets;
mod texts;
mod tracking;
mod versions;

use std::net::IpAddr;
use std::num::NonZeroU8;

use super::instance::{Input, InstanceId};
use super::{Action, Domain, Event, InterfaceFacts, State};
use crate::base::{Duration, IfIndex, Instant, Mac, Rare};
use crate::conf::model::plan::Step;
use crate::conf::model::{Config, Garp, LogStyle, Scope, VirtualAddress, Vrid, VrrpInstance};
use crate::ops::{
    AddressChange, Effect, FirewallOp, Frame, KernelOp, RoutingChange, RxMeta, SocketId,
};
use crate::wire::ah;
use crate::wire::ip::{self, Ipv4, VRRP_GROUP_V4, parse_ipv4, write_ipv4};
use crate::wire::vrrp::{Advert, Form, Header, advert_v2_len, write_advert};

pub(super) const US: &str = "192.0.2.1";

/// A domain under test and its clock.
pub(super) struct Bench {
    pub(super) now: Instant,
    pub(super) domain: Domain,
    out: Vec<Action>,
    /// Trackers, groups and defaults of the next [`Bench::apply`].
    pub(super) config: Config,
    /// What was told, as FIFO lines and scripts.
    pub(super) told: Vec<String>,
}

pub(super) fn index() -> IfIndex {
    IfIndex::new(2).unwrap()
}

pub(super) fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(super) fn vip(address: &str) -> VirtualAddress {
    VirtualAddress {
        address: address.parse().unwrap(),
        prefix_len: 32,
        interface: None,
        scope: Scope::GLOBAL,
        broadcast: None,
        label: None,
        options: Rare::default(),
    }
}

/// VRID 51 on eth0, BACKUP, priority 100, one address, one frame a burst and no second burst.
pub(super) fn config() -> VrrpInstance {
    VrrpInstance {
        addresses: vec![vip("192.0.2.101")],
        garp: Garp {
            repeat: 1,
            delay: Duration::ZERO,
            lower_priority_repeat: 1,
            lower_priority_delay: Duration::ZERO,
            ..Garp::default()
        },
        ..VrrpInstance::new("VI_1", Vrid(NonZeroU8::new(51).unwrap()), "eth0")
    }
}

pub(super) fn facts(up: bool) -> InterfaceFacts {
    InterfaceFacts {
        index: index(),
        name: "eth0".into(),
        up,
        polled: false,
        mac: Some(Mac([2, 0, 0, 0, 0, 10])),
        mtu: 1500,
        forwards_v6: false,
        vrf: None,
    }
}

pub(super) fn address(text: &str, prefix_len: u8, present: bool) -> AddressChange {
    AddressChange {
        index: index(),
        address: text.parse().unwrap(),
        prefix_len,
        secondary: false,
        protocol: 0,
        present,
    }
}

impl Bench {
    /// Interface up, address there, no instance yet; the clock shows one hour.
    pub(super) fn new() -> Self {
        Self::styled(LogStyle::Current)
    }

    /// The same with the texts of that generation.
    pub(super) fn styled(style: LogStyle) -> Self {
        let mut bench = Self {
            now: Instant::from_micros(3_600_000_000),
            domain: Domain::new(style),
            out: Vec::new(),
            config: Config::default(),
            told: Vec::new(),
        };
        bench.tell(Event::Interface(facts(true)));
        bench.tell(Event::Address(address(US, 24, true)));
        bench
    }

    /// The same with this instance started.
    pub(super) fn with(config: VrrpInstance) -> Self {
        let mut bench = Self::new();
        bench.apply(vec![Step::Add(config)]);
        bench
    }

    /// The same as master, all said.
    pub(super) fn master(config: VrrpInstance) -> Self {
        let mut bench = Self::with(config);
        bench.run(ms(5000));
        assert_eq!(bench.state(), State::Master);
        bench
    }

    pub(super) fn apply(&mut self, plan: Vec<Step<VrrpInstance>>) -> Vec<String> {
        let config = self.config.clone();
        let plan = plan.into_iter().map(|step| match step {
            Step::Remove(one) => Step::Remove(one.into()),
            Step::Update(one, change) => Step::Update(one.into(), change),
            Step::Add(one) => Step::Add(one.into()),
            Step::Keep(one) => Step::Keep(one.into()),
        });
        let plan = plan.collect();
        self.domain.apply(self.now, plan, &config, &mut self.out);
        self.said()
    }

    pub(super) fn tell(&mut self, event: Event<'_>) -> Vec<String> {
        self.domain.handle(self.now, event, &mut self.out);
        self.said()
    }

    /// Lets the time pass, timer by timer as the loop does; returns what happened, each line with
    /// the time since the call.
    pub(super) fn run(&mut self, span: Duration) -> Vec<String> {
        let start = self.now;
        let end = start + span;
        let mut lines = Vec::new();
        while let Some(at) = self.domain.next_deadline().filter(|&at| at <= end) {
            assert!(at >= self.now, "a timer is armed for the past");
            self.now = at;
            self.domain.handle_timeout(at, &mut self.out);
            let since = at.saturating_since(start).as_micros();
            lines.extend(
                self.said()
                    .into_iter()
                    .map(|said| format!("{since} {said}")),
            );
        }
        self.now = end;
        lines
    }

    /// Stands still for `span`, then wakes.
    pub(super) fn stall(&mut self, span: Duration) -> Vec<String> {
        self.now += span;
        self.domain.handle_timeout(self.now, &mut self.out);
        self.said()
    }

    /// Identification in the IP header of the next advert.
    pub(super) fn identification(&mut self) -> u16 {
        self.now = self.domain.next_deadline().unwrap();
        self.domain.handle_timeout(self.now, &mut self.out);
        let ids: Vec<u16> = self
            .out
            .drain(..)
            .filter_map(|action| match action {
                Action::World(Effect::Send(_, Frame::Ip { bytes, .. })) => {
                    Some(parse_ipv4(&bytes).unwrap().0.identification)
                }
                _ => None,
            })
            .collect();
        assert_eq!(ids.len(), 1);
        ids[0]
    }

    /// The first packet that is sent when timers fire now.
    pub(super) fn first_packet(&mut self) -> Vec<u8> {
        self.domain.handle_timeout(self.now, &mut self.out);
        let mut sent = self.out.drain(..).filter_map(|action| match action {
            Action::World(Effect::Send(_, Frame::Ip { bytes, .. })) => Some(bytes),
            Action::World(_) | Action::Notice(_) => None,
        });
        sent.next().expect("a packet")
    }

    /// An advert for VRID 51 with one address arrives.
    pub(super) fn hear(&mut self, from: &str, priority: u8) -> Vec<String> {
        let packet = advert(from, priority, 255, |_| {});
        self.receive(&packet)
    }

    pub(super) fn receive(&mut self, packet: &[u8]) -> Vec<String> {
        let socket = self.socket();
        self.tell(Event::Packet {
            socket,
            meta: RxMeta { interface: index() },
            bytes: packet,
        })
    }

    /// The VRRP socket: the second that a bench opens.
    pub(super) fn socket(&self) -> SocketId {
        SocketId(2)
    }

    pub(super) fn priority(&self) -> u8 {
        self.domain.view()[0].priority.0
    }

    pub(super) fn state(&self) -> State {
        self.domain.view()[0].state
    }

    /// Feeds the machine of the only instance, past the checks of the domain.
    pub(super) fn step(&mut self, input: Input) -> Vec<String> {
        let id = InstanceId::MIN;
        self.domain.step(self.now, id, input, &mut self.out);
        self.said()
    }

    fn said(&mut self) -> Vec<String> {
        let mut said = Vec::new();
        for action in self.out.drain(..) {
            match action {
                Action::World(effect) => said.push(text(&effect)),
                Action::Notice(notice) => {
                    self.told.extend(
                        notice
                            .line
                            .map(|line| format!("{} {}", line.object, line.state)),
                    );
                    let scripts = notice.scripts.iter();
                    self.told
                        .extend(scripts.map(|script| script.argv.join(" ")));
                }
            }
        }
        said
    }
}

/// An advert for VRID 51 with 192.0.2.101; `spoil` may change it before the checksum is made.
pub(super) fn advert(
    from: &str,
    priority: u8,
    ttl: u8,
    spoil: impl FnOnce(&mut Advert<'_>),
) -> Vec<u8> {
    let addresses = [IpAddr::from([192, 0, 2, 101])];
    let mut advert = Advert {
        vrid: 51,
        priority,
        form: v2(1, None),
        addresses: &addresses,
    };
    spoil(&mut advert);
    let header = Ipv4 {
        source: from.parse().unwrap(),
        destination: VRRP_GROUP_V4,
        identification: 9,
        ttl,
        protocol: 112,
    };
    let mut packet = Vec::new();
    write_ipv4(&header, advert_v2_len(advert.addresses.len()), &mut packet);
    write_advert(&advert, &mut packet);
    packet
}

/// The part of a version 2 advert that version 3 does not have.
pub(super) fn v2(interval_secs: u8, password: Option<[u8; 8]>) -> Form {
    Form::V2 {
        interval_secs,
        auth_type: u8::from(password.is_some()),
        auth: password.unwrap_or_default(),
    }
}

fn text(effect: &Effect) -> String {
    match effect {
        Effect::Kernel(KernelOp::AddressAdd(spec), _) => {
            format!("+{}/{}", spec.address, spec.prefix_len)
        }
        Effect::Kernel(KernelOp::AddressDel(spec), _) => {
            format!("-{}/{}", spec.address, spec.prefix_len)
        }
        Effect::Send(_, Frame::Ip { to, bytes }) => {
            let packet = ip::parse(bytes).unwrap();
            assert_eq!(packet.destination, *to);
            let message = match packet.protocol {
                ip::PROTOCOL_AH => ah::read(packet.payload).unwrap().1,
                _ => packet.payload,
            };
            let header = Header::read(message).unwrap();
            let whom = if to.is_multicast() {
                String::new()
            } else {
                format!(" to {to}")
            };
            format!("advert {}{whom}", header.priority)
        }
        Effect::Send(_, Frame::Link { bytes, .. }) => {
            // Ethernet type ARP, else IPv6.
            let announced: IpAddr = if bytes[12..14] == [8, 6] {
                <[u8; 4]>::try_from(&bytes[38..42]).unwrap().into()
            } else {
                <[u8; 16]>::try_from(&bytes[62..78]).unwrap().into()
            };
            let how = if announced.is_ipv4() { "garp" } else { "na" };
            format!("{how} {announced}")
        }
        Effect::Kernel(KernelOp::LinkAdd(spec), _) => format!("+link {}", spec.name),
        Effect::Kernel(KernelOp::LinkDel(spec), _) => format!("-link {}", spec.name),
        Effect::Kernel(KernelOp::SetVrf(link, vrf), _) => format!("vrf of {link:?}: {vrf:?}"),
        Effect::Kernel(KernelOp::Routing(op), _) => match op.change {
            RoutingChange::Add(_) => format!("+{:?}", op.what),
            RoutingChange::Remove => format!("-{:?}", op.what),
        },
        Effect::Kernel(KernelOp::PromoteSecondaries(_, wanted), _) => format!("promote {wanted}"),
        Effect::Kernel(KernelOp::Firewall(op), _) => match op {
            FirewallOp::Block(blocked) => format!("block {}", blocked.address),
            FirewallOp::Unblock(blocked) => format!("unblock {}", blocked.address),
            FirewallOp::ReportsBelow { vmac, .. } => format!("reports below {}", vmac.get()),
            FirewallOp::ForgetVmac { vmac, .. } => format!("forget {}", vmac.get()),
        },
        Effect::Open(..) => "open".into(),
        Effect::Close(..) => "close".into(),
        Effect::Buffer(_, Some(bytes)) => format!("buffer {bytes}"),
        Effect::Buffer(_, None) => "buffer as ever".into(),
        other => format!("{other:?}"),
    }
}

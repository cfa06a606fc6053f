//! What the world does when a daemon asks for something.
//!
//! Owns: the execution of every effect: kernel operations, sockets, frames on their way to others,
//! and connection attempts. Never does: choose faults, or judge. Driven by: `world`, after each turn
//! of a node.

use std::net::IpAddr;

use keepalived_rs::base::{Duration, Family, IfIndex};
use keepalived_rs::ops::{
    Effect, Frame, KernelOp, OpTag, ProbeCmd, ProbeFailure, ProbeId, ProbeIo, Searched, SocketId,
    SocketSpec,
};

use super::host::Arrival;
use super::kernel::errno;
use super::network::Place;
use super::schedule::Rank;
use super::world::{Item, Server, World};
use super::{ipvs, trace, wire};

/// When a connection attempt is sent again (Linux: after 1, 3 and 7 s).
const SYN_RETRIES: [Duration; 3] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
];

impl World {
    pub(super) fn execute(&mut self, host: usize, effect: Effect) {
        match effect {
            Effect::Kernel(op, tag) => self.kernel_op(host, &op, tag),
            Effect::ReadIpvs => {
                trace::line(format_args!("read IPVS"));
                let table = self.hosts[host].kernel.ipvs_table(|_| true);
                self.answer(host, Duration::ZERO, Arrival::IpvsTable(table));
            }
            Effect::ReadIpvsTimeouts => {
                if self.hosts[host].kernel.traits.ipvs {
                    let timeouts = Arrival::IpvsTimeouts(ipvs::TIMEOUTS);
                    self.answer(host, Duration::ZERO, timeouts);
                }
            }
            Effect::AskLink { index, how, .. } => {
                let carrier = self.hosts[host].kernel.carrier(index);
                self.answer(
                    host,
                    Duration::ZERO,
                    Arrival::LinkAsked(index, how, carrier),
                );
            }
            Effect::LookIpvs(names) => {
                let kernel = &self.hosts[host].kernel;
                let found = kernel.ipvs_table(|service| names.contains(&service.name));
                self.answer(host, Duration::ZERO, Arrival::IpvsLook(found));
            }
            Effect::Open(socket, spec) => self.open(host, socket, spec),
            Effect::Close(socket) => {
                trace::line(format_args!("close {socket:?}"));
                if let Some(process) = &mut self.hosts[host].process {
                    process.sockets.remove(&socket);
                }
            }
            Effect::Send(socket, frame) => self.send(host, socket, frame),
            Effect::Probe(id, ProbeCmd::Connect(spec)) => {
                trace::line(format_args!("probe {} connect {}", id.0, spec.to));
                let epoch = self.hosts[host].epoch;
                if let Some(process) = &mut self.hosts[host].process {
                    let was = process.probes.insert(id, spec);
                    assert!(was.is_none(), "uses {id:?} twice");
                }
                let at = self.now + Duration::from_micros(100);
                self.schedule
                    .push(at, Rank::Arrival, Item::Syn(host, epoch, id, 0));
            }
            Effect::Probe(id, ProbeCmd::Dial(_) | ProbeCmd::WriteFact(_)) => {
                // Mails get no further in this world.
                let failed = ProbeIo::Failed(ProbeFailure::Remote(errno::EHOSTUNREACH));
                self.answer(host, Duration::ZERO, Arrival::Probe(id, failed));
            }
            Effect::Probe(id, ProbeCmd::Write(bytes)) => {
                trace::line(format_args!("probe {} write {}", id.0, bytes.len()));
                // Servers of this world say yes to whatever they are asked, and hang up.
                let back = Duration::from_micros(200);
                let page = ProbeIo::Bytes(b"HTTP/1.0 200 OK\r\n\r\n");
                self.answer(host, back, Arrival::Probe(id, page));
                self.answer(host, back, Arrival::Probe(id, ProbeIo::Closed));
            }
            Effect::Probe(id, ProbeCmd::Search(_)) => {
                // Pages of this world are empty.
                let absent = ProbeIo::Searched(Searched::Absent);
                self.answer(host, Duration::from_micros(100), Arrival::Probe(id, absent));
            }
            Effect::Probe(id, ProbeCmd::Close) => {
                trace::line(format_args!("probe {} close", id.0));
                if let Some(process) = &mut self.hosts[host].process {
                    process.probes.remove(&id);
                }
            }
            Effect::Spawn(id, command) => {
                self.shadow_spawn(host, &command.argv);
                let spawn = Effect::Spawn(id, command);
                for (delay, arrival) in self.hosts[host].outside.execute(spawn) {
                    self.answer(host, delay, arrival);
                }
            }
            effect @ (Effect::Mark(..)
            | Effect::Kill(..)
            | Effect::Watch(..)
            | Effect::Unwatch(_)
            | Effect::InitFile { .. }
            | Effect::ListProcesses { .. }
            | Effect::WatchProcesses(_)
            | Effect::Buffer(..)
            | Effect::Fifo(..)) => {
                for (delay, arrival) in self.hosts[host].outside.execute(effect) {
                    self.answer(host, delay, arrival);
                }
            }
            Effect::Exit(status) => {
                trace::line(format_args!("exit {status}"));
                self.hosts[host].process = None;
                self.hosts[host].outside.forget_process();
                self.hosts[host].epoch += 1;
                self.shadow.exited(host, status);
            }
        }
    }

    fn kernel_op(&mut self, host: usize, op: &KernelOp, tag: OpTag) {
        let refused = self.hosts[host].refusal.filter(|refusal| {
            refusal.concerns(op) && self.rng.below(1000) < u64::from(refusal.permille)
        });
        let result = match refused {
            Some(refusal) => Err(refusal.errno),
            None => self.hosts[host].kernel.execute(op),
        };
        trace::line(format_args!("kernel {} {result:?}", trace::operation(op)));
        self.shadow_kernel_op(host, op, result);
        if let Err(errno) = result {
            self.answer(host, Duration::ZERO, Arrival::Refused(tag, errno));
        }
    }

    fn open(&mut self, host: usize, socket: SocketId, spec: SocketSpec) {
        trace::line(format_args!("open {socket:?} {spec:?}"));
        let exists = match &spec {
            SocketSpec::Vrrp { interface, .. } => {
                self.hosts[host].kernel.link(*interface).is_some()
            }
            SocketSpec::Link => true,
            SocketSpec::Datagram { bind, .. } => self.may_bind(host, bind.ip()),
        };
        if !exists {
            self.answer(
                host,
                Duration::ZERO,
                Arrival::SocketFailed(socket, errno::ENODEV),
            );
        }
        if let Some(process) = &mut self.hosts[host].process {
            let was = process.sockets.insert(socket, spec);
            assert!(was.is_none(), "uses {socket:?} twice");
        }
    }

    fn send(&mut self, host: usize, socket: SocketId, frame: Frame) {
        let Some(process) = &self.hosts[host].process else {
            return;
        };
        let Some(spec) = process.sockets.get(&socket).cloned() else {
            panic!("sends on {socket:?}, which is not open")
        };
        match (spec, frame) {
            (SocketSpec::Vrrp { interface, .. }, Frame::Ip { to, mut bytes }) => {
                self.identification = self.identification.wrapping_add(1).max(1);
                let source = self.hosts[host].kernel.primary(interface, Family::V4);
                let source = source.and_then(|source| match source {
                    IpAddr::V4(source) => Some(source),
                    IpAddr::V6(_) => None,
                });
                wire::complete_ip_header(&mut bytes, source, self.identification);
                let ends = wire::ip_ends(&bytes).map(|ends| ends.1);
                assert_eq!(ends, Some(to), "header and destination disagree");
                self.shadow_advert(host, interface, &bytes);
                self.fan_out(host, interface, &bytes);
            }
            (
                SocketSpec::Link,
                Frame::Link {
                    interface, bytes, ..
                },
            ) => self.announce(host, interface, &bytes),
            (SocketSpec::Datagram { bind, ttl, .. }, Frame::Datagram { to, bytes }) => {
                self.send_datagram(host, (bind, to), ttl.unwrap_or(64), &bytes);
            }
            (spec, frame) => panic!("sends {frame:?} on {spec:?}"),
        }
    }

    /// Delivers a packet to every host on the segment but the sender, or to the one that has the
    /// address that it is for.
    pub(super) fn spread(&mut self, segment: usize, from: Place, bytes: &[u8]) {
        for to in 0..self.hosts.len() {
            let plugged = self.hosts[to].kernel.links_on(segment);
            if from == Place::Host(to) {
                continue;
            }
            for index in plugged {
                if !self.hosts[to].takes(index, bytes) {
                    continue;
                }
                let wire = &mut self.segments[segment];
                for fate in wire.fates(self.now, from, Place::Host(to), &mut self.rng) {
                    let mut copy = bytes.to_vec();
                    if let Some(bit) = fate.damage {
                        // The kernel drops what is damaged in the IP header before any socket.
                        let body = wire::message_at(&copy);
                        let body = copy.get_mut(body..).unwrap_or_default();
                        let length = u64::try_from(body.len()).unwrap_or(1).max(1);
                        let at = usize::try_from(bit / 8 % length).unwrap_or(0);
                        if let Some(byte) = body.get_mut(at) {
                            *byte ^= 1 << (bit % 8);
                        }
                    }
                    let item = Item::Frame(to, index, copy.into());
                    self.schedule.push(fate.at, Rank::Arrival, item);
                }
            }
        }
    }

    /// A frame reaches an interface now.
    pub(super) fn frame_arrives(&mut self, host: usize, interface: IfIndex, bytes: &[u8]) {
        let item = Item::Frame(host, interface, bytes.into());
        self.schedule.push(self.now, Rank::Arrival, item);
    }

    fn announce(&mut self, host: usize, interface: IfIndex, bytes: &[u8]) {
        let heard = match wire::read_announcement(bytes) {
            Ok(heard) => heard,
            Err(error) => panic!("{}: bad announcement: {error}", self.hosts[host].name),
        };
        let kind = if heard.address.is_ipv4() { "arp" } else { "na" };
        trace::line(format_args!("{kind} {} is at {}", heard.address, heard.mac));
        self.shadow_announcement(host, interface, heard);
        let link = self.hosts[host].kernel.link(interface);
        let Some(segment) = link.filter(|link| link.works()).map(|link| link.segment) else {
            return;
        };
        let from = Place::Host(host);
        let wire = &mut self.segments[segment];
        if wire.reaches(from, Place::Client) {
            wire.unheard.remove(&heard.address);
        } else {
            wire.unheard.insert(heard.address, heard.mac);
        }
        for fate in self.segments[segment].fates(self.now, from, Place::Client, &mut self.rng) {
            let item = Item::Announcement(segment, heard);
            self.schedule.push(fate.at, Rank::Arrival, item);
        }
    }

    pub(super) fn syn(&mut self, host: usize, epoch: u64, probe: ProbeId, attempt: u32) {
        let back = Duration::from_micros(100);
        if self.hosts[host].epoch != epoch {
            return;
        }
        let Some(process) = &self.hosts[host].process else {
            return;
        };
        let Some(spec) = process.probes.get(&probe) else {
            return;
        };
        let server = self
            .servers
            .get(&spec.to)
            .copied()
            .unwrap_or(Server::Silent);
        match server {
            Server::Up => self.answer(host, back, Arrival::Probe(probe, ProbeIo::Connected)),
            Server::Slow(time) => {
                self.answer(host, back + time, Arrival::Probe(probe, ProbeIo::Connected));
            }
            Server::Refusing => {
                let failure = ProbeFailure::Remote(errno::ECONNREFUSED);
                self.answer(host, back, Arrival::Probe(probe, ProbeIo::Failed(failure)));
            }
            Server::Silent => {
                let Some(wait) = usize::try_from(attempt)
                    .ok()
                    .and_then(|n| SYN_RETRIES.get(n))
                else {
                    return;
                };
                let item = Item::Syn(host, epoch, probe, attempt + 1);
                self.schedule.push(self.now + *wait, Rank::Arrival, item);
            }
        }
    }
}

//! From the node's effects to the drivers.
//!
//! Owns: one exhaustive match, and which neighbouring effects make one system call. Never does:
//! change their order: what follows a kernel operation happens after it. Driven by: `event_loop`.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use mio::unix::SourceFd;
use mio::{Interest, Registry};

use super::child::Ways;
use super::clean_up;
use super::conn::{self, Probes, Started};
use super::firewall::Firewall;
use super::gather::Hearing;
use super::genl::Ipvs;
use super::ledger::{Entry, Ledger};
use super::links::OwnLinks;
use super::marks::Marks;
use super::names::{self, Resolver};
use super::netlink::{AddressOp, Addresses};
use super::programs::Programs;
use super::raw_socket::{RawSocket, SLOT};
use super::routing::Routing;
use super::search::Searcher;
use super::sources::{Source, Sources};
use super::sys::BATCH;
use super::terms::{self, Terms};
use super::udp_socket::UdpSocket;
use crate::base::{Family, IfIndex, ident};
use crate::conf::model::{Config, OnOff};
use crate::ops::{
    AddressSpec, ChildEnd, ChildId, ConnectSpec, Dial, Effect, Event, FifoId, FifoIo, FirewallOp,
    Frame, IpvsOp, IpvsService, KernelOp, LinkProbe, Marked, OpTag, ProbeCmd, ProbeFailure,
    ProbeId, ProbeIo, RoutingChange, RoutingOp, Search, ServiceName, SocketId, SocketSpec,
    Timeouts, Transport, WatchId,
};
use crate::wire::rtnl;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// What carrying out effects leads to at once; handed to the node afterwards.
#[derive(Debug)]
pub(super) enum Answer {
    /// [`Event::SocketFailed`].
    SocketFailed(SocketId, i32),
    /// [`Event::Refused`].
    Refused(OpTag, i32),
    /// [`Event::Probe`] with [`ProbeIo::Failed`].
    ProbeFailed(ProbeId, ProbeFailure),
    /// [`Event::IpvsTable`].
    IpvsTable(Result<Vec<IpvsService>, i32>),
    /// [`Event::IpvsLook`].
    IpvsLook(Result<Vec<IpvsService>, i32>),
    /// [`Event::IpvsTimeouts`].
    IpvsTimeouts(Timeouts),
    /// [`Event::LinkAsked`].
    LinkAsked(IfIndex, LinkProbe, Option<bool>),
    /// [`Event::Child`].
    Child(ChildId, ChildEnd),
    /// [`Event::File`].
    File(WatchId, Option<Vec<u8>>),
    /// [`Event::Fifo`].
    Fifo(FifoId, FifoIo),
}

impl Answer {
    /// The event for the node.
    pub(super) fn event(&self) -> Event<'_> {
        match self {
            Self::SocketFailed(socket, errno) => Event::SocketFailed {
                socket: *socket,
                errno: *errno,
            },
            Self::Refused(tag, errno) => Event::Refused {
                tag: *tag,
                errno: *errno,
            },
            Self::ProbeFailed(id, failure) => Event::Probe {
                id: *id,
                what: ProbeIo::Failed(*failure),
            },
            Self::IpvsTable(table) => Event::IpvsTable(table.as_deref().map_err(|errno| *errno)),
            Self::IpvsLook(found) => Event::IpvsLook(found.as_deref().map_err(|errno| *errno)),
            Self::IpvsTimeouts(timeouts) => Event::IpvsTimeouts(*timeouts),
            Self::LinkAsked(index, how, carrier) => Event::LinkAsked {
                index: *index,
                how: *how,
                carrier: *carrier,
            },
            Self::Child(id, end) => Event::Child { id: *id, end: *end },
            Self::File(id, content) => Event::File {
                id: *id,
                content: content.as_deref(),
            },
            Self::Fifo(id, what) => Event::Fifo {
                id: *id,
                what: *what,
            },
        }
    }
}

/// What of the kernel's state outlives the daemon, on the operator's wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leave {
    /// `-V`: addresses.
    pub vrrp: bool,
    /// `-I`: the IPVS table.
    pub ipvs: bool,
}

/// All drivers.
#[derive(Debug)]
pub(super) struct Drivers {
    pub(super) registry: Registry,
    pub(super) sources: Sources,
    pub(super) sockets: BTreeMap<SocketId, RawSocket>,
    pub(super) datagrams: BTreeMap<SocketId, UdpSocket>,
    pub(super) probes: Probes,
    pub(super) programs: Programs,
    pub(super) names: Resolver,
    pub(super) searches: Searcher,
    addresses: Addresses,
    ipvs: Ipvs,
    links: OwnLinks,
    firewall: Firewall,
    marks: Marks,
    routing: Routing,
    ledger: Ledger,
    /// What another process has installed and nothing here has asked for yet.
    unclaimed: BTreeSet<Entry>,
    /// Netlink messages and packets pass through here; nothing stays.
    pub(super) buffer: Vec<u8>,
    /// Set once the daemon stops, for what is to stay.
    pub(super) leave: Leave,
    /// The exit status that the node asked for.
    pub(super) exit: Option<i32>,
}

/// Room for a netlink message, and for a batch of packets.
const BUFFER: usize = BATCH * SLOT;
const _: () = assert!(BUFFER >= 64 * 1024);

/// A batch of effects under way.
struct Effects<'a> {
    rest: &'a [Effect],
}

impl<'a> Effects<'a> {
    /// Takes the longest beginning that `pick` accepts.
    fn take_while<T>(&mut self, pick: impl Fn(&'a Effect) -> Option<T>) -> Vec<T> {
        let taken: Vec<T> = self.rest.iter().map_while(pick).collect();
        self.rest = self.rest.get(taken.len()..).unwrap_or_default();
        taken
    }
}

const fn mark_of(effect: &Effect) -> Option<(Marked, Option<u32>)> {
    match effect {
        Effect::Mark(marked, mark) => Some((*marked, *mark)),
        _ => None,
    }
}

fn address_op(effect: &Effect) -> Option<(AddressOp<'_>, OpTag)> {
    match effect {
        Effect::Kernel(KernelOp::AddressAdd(spec), tag) => Some((AddressOp::Add(spec), *tag)),
        Effect::Kernel(KernelOp::AddressDel(spec), tag) => Some((AddressOp::Remove(spec), *tag)),
        _ => None,
    }
}

fn routing_op(effect: &Effect) -> Option<(&RoutingOp, OpTag)> {
    match effect {
        Effect::Kernel(KernelOp::Routing(op), tag) => Some((op, *tag)),
        _ => None,
    }
}

fn ipvs_op(effect: &Effect) -> Option<(&IpvsOp, OpTag)> {
    match effect {
        Effect::Kernel(KernelOp::Ipvs(op), tag) => Some((op, *tag)),
        _ => None,
    }
}

fn frame_to(effect: &Effect, socket: SocketId) -> Option<&Frame> {
    match effect {
        Effect::Send(to, frame) if *to == socket => Some(frame),
        _ => None,
    }
}

impl Drivers {
    /// Drivers without a socket or probe.
    pub(super) fn new(registry: Registry, ledger: Ledger, table: &terms::Ipvs) -> io::Result<Self> {
        // Before the probes raise the limit of descriptors.
        let programs = Programs::new();
        Ok(Self {
            registry,
            programs,
            sources: Sources::default(),
            sockets: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            probes: Probes::new(),
            names: Resolver::default(),
            searches: Searcher::default(),
            addresses: Addresses::open()?,
            ipvs: Ipvs::open(table)?,
            links: OwnLinks::open()?,
            firewall: Firewall::new(),
            marks: Marks::new(),
            routing: Routing::open()?,
            ledger,
            unclaimed: BTreeSet::new(),
            buffer: vec![0; BUFFER],
            leave: Leave::default(),
            exit: None,
        })
    }

    /// Takes over what the configuration says of connections and sockets.
    pub(super) fn take_on(&mut self, config: &Config) {
        self.probes.show(config.tls.as_ref());
        self.ipvs.set_buffer(config.global.buffers.lvs_command);
        let command = config.global.buffers.vrrp_command;
        self.addresses.set_buffer(command);
        self.links.set_buffer(command);
        self.routing.set_buffer(command);
        if config.global.firewall.nftables == OnOff::Off && config.wants_firewall() {
            log::info!(
                target: ident::VRRP,
                "use_vmac or no_accept/strict specified, but no firewall configured - using nftables"
            );
        }
        self.firewall.take_on(&config.global, &mut self.buffer);
        self.marks.take_on(&config.global.firewall);
        let ways = Ways::of(&config.global.scripts);
        self.programs.children.take_on(ways);
        self.programs.set_buffer(config.global.buffers.processes);
    }

    /// Carries `effects` out, in order.
    pub(super) fn exec(&mut self, effects: &[Effect], answers: &mut Vec<Answer>) {
        let mut effects = Effects { rest: effects };
        while let Some(effect) = effects.rest.first() {
            match effect {
                Effect::Kernel(KernelOp::AddressAdd(_) | KernelOp::AddressDel(_), _) => {
                    let ops = effects.take_while(address_op);
                    self.change_addresses(&ops, answers);
                    continue;
                }
                Effect::Kernel(KernelOp::Ipvs(_), _) => {
                    let ops = effects.take_while(ipvs_op);
                    self.change_ipvs(&ops, answers);
                    continue;
                }
                Effect::Kernel(KernelOp::Routing(_), _) => {
                    let ops = effects.take_while(routing_op);
                    self.change_routing(&ops, answers);
                    continue;
                }
                Effect::Kernel(
                    op @ (KernelOp::LinkAdd(_) | KernelOp::LinkDel(_) | KernelOp::SetVrf(..)),
                    tag,
                ) => {
                    self.change_link(op, *tag, answers);
                }
                Effect::Kernel(KernelOp::PromoteSecondaries(on, wanted), tag) => {
                    let errno = self.links.promote(*on, *wanted, &mut self.buffer);
                    if errno != 0 {
                        answers.push(Answer::Refused(*tag, errno));
                    }
                }
                Effect::Kernel(KernelOp::Firewall(op), tag) => {
                    self.change_firewall(op, *tag, answers);
                }
                Effect::Mark(..) => {
                    let changes = effects.take_while(mark_of);
                    self.change_marks(&changes);
                    continue;
                }
                Effect::Send(socket, _) => {
                    let frames = effects.take_while(|effect| frame_to(effect, *socket));
                    self.send(*socket, &frames);
                    continue;
                }
                Effect::ReadIpvs => {
                    let table = self.ipvs.table(&mut self.buffer);
                    answers.push(Answer::IpvsTable(table.map_err(|error| errno(&error))));
                }
                Effect::ReadIpvsTimeouts => {
                    let timeouts = self.ipvs.timeouts(&mut self.buffer);
                    answers.extend(timeouts.map(Answer::IpvsTimeouts));
                }
                Effect::LookIpvs(names) => {
                    let found = self.ipvs.look(names, &mut self.buffer);
                    answers.push(Answer::IpvsLook(found.map_err(|error| errno(&error))));
                }
                Effect::AskLink { index, name, how } => {
                    let carrier = self.links.carrier(name, *how);
                    answers.push(Answer::LinkAsked(*index, *how, carrier));
                }
                Effect::Open(id, spec) => self.open(*id, spec, answers),
                Effect::Close(id) => self.close(*id),
                Effect::Probe(id, command) => self.probe(*id, command, answers),
                Effect::Spawn(id, command) => self.spawn(*id, command, answers),
                Effect::Kill(id, signal) => self.kill(*id, *signal),
                Effect::Watch(id, path) => self.watch(*id, path, answers),
                Effect::Unwatch(id) => self.unwatch(*id),
                Effect::InitFile {
                    path,
                    value,
                    overwrite,
                } => Self::init_file(path, *value, *overwrite),
                Effect::ListProcesses { arguments } => {
                    self.list_processes(*arguments);
                }
                Effect::Buffer(id, bytes) => {
                    if let Some(socket) = self.sockets.get(id) {
                        socket.set_buffer(*bytes);
                    }
                }
                Effect::WatchProcesses(on) => self.watch_processes(*on),
                Effect::Fifo(id, command) => self.fifo(*id, command, answers),
                Effect::Exit(status) => self.exit = Some(*status),
            }
            effects.rest = effects.rest.get(1..).unwrap_or_default();
        }
    }

    fn change_addresses(&mut self, ops: &[(AddressOp<'_>, OpTag)], answers: &mut Vec<Answer>) {
        if self.leave.vrrp {
            return;
        }
        let (ops, tags): (Vec<_>, Vec<_>) = ops.iter().copied().unzip();
        let added = ops.iter().filter_map(|op| match op {
            AddressOp::Add(spec) => Some(entry_of(spec)),
            AddressOp::Remove(_) => None,
        });
        for entry in added.clone() {
            self.unclaimed.remove(&entry);
        }
        self.ledger.add_all(added);
        let results = self.addresses.carry_out(&ops, &mut self.buffer);
        for ((op, tag), errno) in ops.iter().zip(tags).zip(results) {
            let gone = match op {
                // What was there before is taken away with the rest, as keepalived does at a stop.
                AddressOp::Add(_) => errno != 0 && errno != libc::EEXIST,
                AddressOp::Remove(_) => {
                    matches!(errno, 0 | libc::EADDRNOTAVAIL | libc::ENODEV)
                }
            };
            let (AddressOp::Add(spec) | AddressOp::Remove(spec)) = op;
            if gone {
                self.ledger.remove(entry_of(spec));
            }
            if errno != 0 {
                answers.push(Answer::Refused(tag, errno));
            }
        }
    }

    /// An interface is gone, and what was on it.
    pub(super) fn interface_gone(&mut self, index: IfIndex) {
        self.ledger.interface_gone(index);
    }

    /// The port that the kernel names as the cause of changes of routes made here.
    pub(super) const fn routing_port(&self) -> Option<u32> {
        self.routing.port()
    }

    fn change_routing(&mut self, ops: &[(&RoutingOp, OpTag)], answers: &mut Vec<Answer>) {
        if self.leave.vrrp {
            return;
        }
        let (ops, tags): (Vec<_>, Vec<_>) = ops.iter().copied().unzip();
        let identities: Vec<_> = ops
            .iter()
            .map(|op| rtnl::identity(op.what, &op.message))
            .collect();
        for (op, identity) in ops.iter().zip(&identities) {
            if op.change != RoutingChange::Remove {
                self.ledger.add_routing(op.what, identity);
            }
        }
        let results = self.routing.carry_out(&ops, &mut self.buffer);
        for (((op, identity), tag), errno) in ops.iter().zip(identities).zip(tags).zip(results) {
            let gone = match op.change {
                RoutingChange::Add(_) => !matches!(errno, 0 | libc::EEXIST),
                RoutingChange::Remove => {
                    matches!(errno, 0 | libc::ESRCH | libc::ENOENT | libc::ENODEV)
                }
            };
            if gone {
                self.ledger.remove_routing(op.what, &identity);
            }
            if errno != 0 {
                answers.push(Answer::Refused(tag, errno));
            }
        }
    }

    fn change_link(&mut self, op: &KernelOp, tag: OpTag, answers: &mut Vec<Answer>) {
        let errno = match op {
            KernelOp::LinkAdd(spec) => {
                self.ledger.add(Entry::link(&spec.name));
                self.links.add(spec, &mut self.buffer)
            }
            KernelOp::SetVrf(link, vrf) => self.links.set_vrf(*link, *vrf, &mut self.buffer),
            KernelOp::LinkDel(spec) => {
                if self.leave.vrrp {
                    return;
                }
                let errno = self.links.remove(spec, &mut self.buffer);
                if matches!(errno, 0 | libc::ENODEV) {
                    self.ledger.remove(Entry::link(&spec.name));
                }
                errno
            }
            KernelOp::AddressAdd(_)
            | KernelOp::AddressDel(_)
            | KernelOp::Ipvs(_)
            | KernelOp::Firewall(_)
            | KernelOp::PromoteSecondaries(..)
            | KernelOp::Routing(_) => 0,
        };
        if errno != 0 {
            answers.push(Answer::Refused(tag, errno));
        }
    }

    fn change_firewall(&mut self, op: &FirewallOp, tag: OpTag, answers: &mut Vec<Answer>) {
        let entry = Entry::Firewall(op.family());
        self.ledger.add(entry);
        let errno = self.firewall.carry_out(op, &mut self.buffer);
        if !self.firewall.has_table(op.family()) {
            self.ledger.remove(entry);
        }
        if errno != 0 {
            answers.push(Answer::Refused(tag, errno));
        }
    }

    fn change_marks(&mut self, changes: &[(Marked, Option<u32>)]) {
        if self.leave.ipvs {
            return;
        }
        for (marked, _) in changes {
            self.ledger.add(Entry::Marks(Family::of(marked.first)));
        }
        self.marks.set(changes, &mut self.buffer);
        for family in [Family::V4, Family::V6] {
            if !self.marks.has_table(family) {
                self.ledger.remove(Entry::Marks(family));
            }
        }
    }

    fn change_ipvs(&mut self, ops: &[(&IpvsOp, OpTag)], answers: &mut Vec<Answer>) {
        if self.leave.ipvs {
            return;
        }
        let (ops, tags): (Vec<_>, Vec<_>) = ops.iter().copied().unzip();
        let mut noted = None;
        let added = ops.iter().filter_map(|op| {
            let removes = matches!(op, IpvsOp::ServiceDel(_) | IpvsOp::DestDel(..));
            let service = op.service().filter(|_| !removes)?;
            (noted.replace(service) != Some(service)).then_some(Entry::Service(service))
        });
        self.ledger.add_all(added);
        let results = self.ipvs.carry_out(&ops, &mut self.buffer);
        for ((op, tag), errno) in ops.iter().zip(tags).zip(results) {
            let gone = match op {
                IpvsOp::ServiceAdd(_) => errno != 0 && errno != libc::EEXIST,
                IpvsOp::ServiceDel(_) => matches!(errno, 0 | libc::ESRCH | libc::ENOENT),
                IpvsOp::ServiceSet(_)
                | IpvsOp::DestAdd(..)
                | IpvsOp::DestSet(..)
                | IpvsOp::DestDel(..) => errno == libc::ESRCH,
                // What others put there after it is not ours, and ours is deleted one by one.
                IpvsOp::Flush
                | IpvsOp::Timeouts(_)
                | IpvsOp::DaemonStart(..)
                | IpvsOp::DaemonStop(_) => false,
            };
            if gone && let Some(service) = op.service() {
                self.ledger.remove(Entry::Service(service));
            }
            if errno != 0 {
                answers.push(Answer::Refused(tag, errno));
            }
        }
    }

    fn send(&self, id: SocketId, frames: &[&Frame]) {
        if let Some(socket) = self.datagrams.get(&id) {
            for frame in frames {
                if let Frame::Datagram { to, bytes } = frame {
                    socket.send(*to, bytes);
                }
            }
            return;
        }
        let Some(socket) = self.sockets.get(&id) else {
            return;
        };
        if let Err(error) = socket.send(frames.iter().copied()) {
            // As on the wire: what is lost is sent again by the protocol, or was not needed.
            log::debug!(target: ident::VRRP, "a packet could not be sent: {error}");
        }
    }

    fn open(&mut self, id: SocketId, spec: &SocketSpec, answers: &mut Vec<Answer>) {
        if let SocketSpec::Datagram {
            bind,
            ttl,
            receives,
        } = *spec
        {
            let opened = UdpSocket::open(bind, ttl, receives);
            if let Err(error) = opened.and_then(|socket| self.hold(id, socket)) {
                answers.push(Answer::SocketFailed(id, errno(&error)));
            }
            return;
        }
        match self.try_open(id, spec) {
            Ok(socket) => {
                if *spec == SocketSpec::Link {
                    log::info!(target: ident::VRRP, "Registering gratuitous ARP shared channel");
                }
                self.sockets.insert(id, socket);
            }
            Err(error) => answers.push(Answer::SocketFailed(id, errno(&error))),
        }
    }

    /// Keeps a UDP socket, and listens to it if it is there for that.
    fn hold(&mut self, id: SocketId, socket: UdpSocket) -> io::Result<()> {
        if socket.receives() {
            self.register(socket.as_raw_fd(), Source::Datagrams(id))?;
        }
        self.datagrams.insert(id, socket);
        Ok(())
    }

    /// Lets epoll tell when there is something to read.
    fn register(&mut self, fd: RawFd, source: Source) -> io::Result<()> {
        let token = self.sources.insert(source);
        let result = self
            .registry
            .register(&mut SourceFd(&fd), token, Interest::READABLE);
        if result.is_err() {
            self.sources.remove(token.0);
        }
        result
    }

    fn try_open(&mut self, id: SocketId, spec: &SocketSpec) -> io::Result<RawSocket> {
        let socket = RawSocket::open(spec)?;
        if socket.receives_on().is_some() {
            self.register(socket.as_raw_fd(), Source::Vrrp(id))?;
        }
        Ok(socket)
    }

    /// Has epoll tell of a socket with adverts, or not.
    pub(super) fn hear(&mut self, id: SocketId, hearing: Hearing) -> io::Result<()> {
        let Some(fd) = self.sockets.get(&id).map(AsRawFd::as_raw_fd) else {
            return Ok(());
        };
        match hearing {
            Hearing::Waiting => self.register(fd, Source::Vrrp(id)),
            Hearing::Gathering => {
                self.sources.remove_socket(id);
                self.registry.deregister(&mut SourceFd(&fd))
            }
        }
    }

    /// Closes a socket; its token is no longer known, so what epoll may still say of it is not
    /// heard.
    pub(super) fn close(&mut self, id: SocketId) {
        if self.sockets.remove(&id).is_some() || self.datagrams.remove(&id).is_some() {
            self.sources.remove_socket(id);
        }
    }

    fn probe(&mut self, id: ProbeId, command: &ProbeCmd, answers: &mut Vec<Answer>) {
        match command {
            ProbeCmd::Connect(spec) => {
                if let Err(failure) = self.connect(id, spec) {
                    answers.push(Answer::ProbeFailed(id, failure));
                }
            }
            ProbeCmd::Dial(dial) => {
                if let Err(error) = self.dial(id, dial) {
                    let failure = ProbeFailure::Local(errno(&error));
                    answers.push(Answer::ProbeFailed(id, failure));
                }
            }
            ProbeCmd::Write(bytes) => self.write(id, bytes, answers),
            ProbeCmd::WriteFact(fact) => self.write(id, names::fact(*fact).as_bytes(), answers),
            ProbeCmd::Search(search) => {
                self.end_probe(id);
                if let Err(error) = self.search(id, search) {
                    let failure = ProbeFailure::Local(errno(&error));
                    answers.push(Answer::ProbeFailed(id, failure));
                }
            }
            ProbeCmd::Close => {
                self.names.forget(id);
                self.searches.forget(id);
                self.end_probe(id);
            }
        }
    }

    fn write(&mut self, id: ProbeId, bytes: &[u8], answers: &mut Vec<Answer>) {
        if let Err(failure) = self.probes.write(id, bytes) {
            self.end_probe(id);
            answers.push(Answer::ProbeFailed(id, failure));
        }
    }

    fn dial(&mut self, id: ProbeId, dial: &Dial) -> io::Result<()> {
        if let Some(descriptor) = self.names.open()? {
            let token = self.sources.insert(Source::Names);
            self.registry
                .register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        }
        self.names.look_up(id, dial)
    }

    fn search(&mut self, id: ProbeId, search: &Search) -> io::Result<()> {
        if let Some(descriptor) = self.searches.open()? {
            let token = self.sources.insert(Source::Searches);
            self.registry
                .register(&mut SourceFd(&descriptor), token, Interest::READABLE)?;
        }
        self.searches.start(id, search.clone())
    }

    /// A name was looked up: connects, if there is something to connect to.
    ///
    /// # Errors
    /// Why there will be no connection.
    pub(super) fn dialled(
        &mut self,
        id: ProbeId,
        address: Option<SocketAddr>,
    ) -> Result<(), ProbeFailure> {
        let to = address.ok_or(ProbeFailure::Remote(libc::EADDRNOTAVAIL))?;
        let spec = ConnectSpec {
            to,
            from: None,
            interface: None,
            mark: 0,
            transport: Transport::Stream,
        };
        self.connect(id, &spec)
    }

    /// Descriptors of sockets that are no check's, and of programs that run.
    pub(super) fn descriptors_in_use(&self) -> usize {
        self.sockets.len() + self.programs.children.len()
    }

    fn connect(&mut self, id: ProbeId, spec: &ConnectSpec) -> Result<(), ProbeFailure> {
        let socket = match self.probes.connect(spec, self.descriptors_in_use()) {
            Started::UnderWay(socket) => socket,
            Started::Failed(failure) => return Err(failure),
        };
        let token = self.sources.insert(Source::Probe(id));
        let interest = conn::interest(&spec.transport);
        let descriptor = socket.as_raw_fd();
        let registered = self
            .registry
            .register(&mut SourceFd(&descriptor), token, interest);
        match registered {
            Ok(()) => self.probes.insert(id, socket, token.0, &spec.transport),
            Err(error) => Err(ProbeFailure::Local(errno(&error))),
        }
        .inspect_err(|_| self.sources.remove(token.0))
    }

    /// Ends a probe, whoever wants it.
    pub(super) fn end_probe(&mut self, id: ProbeId) {
        if let Some(token) = self.probes.close(id) {
            self.sources.remove(token);
        }
    }

    /// Goes on with the list of another process.
    pub(super) fn adopt(&mut self) {
        match self.ledger.adopt() {
            Ok(entries) => self.unclaimed = entries.into_iter().collect(),
            Err(error) => log::warn!(
                target: ident::DAEMON,
                "what the daemon before this one has installed cannot be read: {error}"
            ),
        }
    }

    /// Removes what another process has installed and the node does not want; `wanted` tells which
    /// services it does.
    pub(super) fn drop_unclaimed(&mut self, terms: &Terms, wanted: impl Fn(ServiceName) -> bool) {
        let unclaimed = std::mem::take(&mut self.unclaimed);
        let gone: Vec<Entry> = unclaimed
            .into_iter()
            .filter(|entry| match entry {
                Entry::Service(name) => !wanted(*name),
                Entry::Address { .. } => true,
                // They are made anew, or found, when an instance starts.
                Entry::Link(_) | Entry::Firewall(_) => false,
                Entry::Marks(family) => !self.marks.has_table(*family),
            })
            .collect();
        if gone.is_empty() {
            return;
        }
        log::info!(
            target: ident::DAEMON,
            "Removing {} addresses and services of the daemon before this one, which are not \
             configured any more",
            gone.len()
        );
        if let Err(error) = clean_up::remove(&gone, terms, &mut self.buffer) {
            log::error!(target: ident::DAEMON, "cleaning up: {error}");
        }
        for entry in gone {
            self.ledger.remove(entry);
        }
    }

    /// Forgets what stays in the kernel on the operator's wish, so that nobody cleans it up.
    pub(super) fn forget(&mut self) {
        if self.leave.vrrp || self.leave.ipvs {
            self.ledger.forget(self.leave.vrrp, self.leave.ipvs);
        }
    }
}

fn entry_of(spec: &AddressSpec) -> Entry {
    Entry::Address {
        interface: spec.interface,
        address: spec.address,
        prefix_len: spec.prefix_len,
    }
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

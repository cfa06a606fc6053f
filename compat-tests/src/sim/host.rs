//! A simulated machine: a kernel and, while it runs, the daemon.
//!
//! Owns: the process's sockets and probes, what waits for it while it is paused, and the faults of
//! its kernel. Never does: decide what happens next. Driven by: `world`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::rc::Rc;

use keepalived_rs::base::{Duration, IfIndex, Instant};
use keepalived_rs::conf::model::Config;
use keepalived_rs::node::{Node, Options};
use keepalived_rs::ops::{
    ChildEnd, ChildId, ConnectSpec, Datagram, Effect, Event, FifoId, FifoIo, IpvsService, KernelOp,
    OpTag, ProbeId, ProbeIo, RoutingNews, RxMeta, SocketId, SocketSpec, Timeouts, WatchId,
};

use super::kernel::{Kernel, News};
use super::monitor::Monitor;
use super::outside::Outside;
use super::wire;

/// What reaches a daemon from outside.
#[derive(Debug, Clone)]
pub enum Arrival {
    /// Netlink news.
    News(News),
    /// An IP packet for VRRP on an interface.
    Packet(IfIndex, Rc<[u8]>),
    /// A socket failed.
    SocketFailed(SocketId, i32),
    /// Something happened to a probe.
    Probe(ProbeId, ProbeIo<'static>),
    /// The kernel refused an operation.
    Refused(OpTag, i32),
    /// The IPVS table as it was asked for.
    IpvsTable(Result<Vec<IpvsService>, i32>),
    /// What a look at some services of IPVS gave.
    IpvsLook(Result<Vec<IpvsService>, i32>),
    /// How long IPVS keeps connections.
    IpvsTimeouts(Timeouts),
    /// How a link is, as its driver answers.
    LinkAsked(IfIndex, keepalived_rs::ops::LinkProbe, Option<bool>),
    /// A child ended.
    Child(ChildId, ChildEnd),
    /// A watched file as it is.
    File(WatchId, Option<Vec<u8>>),
    /// Something happened to a FIFO.
    Fifo(FifoId, FifoIo),
    /// The processes that there are.
    Processes(Vec<keepalived_rs::ops::Process>),
}

impl Arrival {
    /// Whether it is lost if the whole machine sleeps: it came by the network.
    #[must_use]
    pub const fn is_lost_asleep(&self) -> bool {
        matches!(self, Self::Packet(..) | Self::Probe(..))
    }

    /// In which order the daemon's loop looks at what is ready at the same time.
    #[must_use]
    pub const fn loop_order(&self) -> u8 {
        match self {
            Self::Refused(..)
            | Self::IpvsTable(_)
            | Self::IpvsLook(_)
            | Self::IpvsTimeouts(_)
            | Self::LinkAsked(..)
            | Self::SocketFailed(..)
            | Self::Fifo(..) => 0,
            Self::News(_) => 1,
            Self::Packet(..) => 2,
            Self::Probe(..) | Self::Child(..) | Self::File(..) | Self::Processes(_) => 3,
        }
    }
}

/// How a kernel disobeys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// How many of a thousand operations it refuses.
    pub permille: u32,
    /// With which error number.
    pub errno: i32,
    /// Whether it refuses addresses.
    pub addresses: bool,
    /// Whether it refuses IPVS.
    pub ipvs: bool,
}

impl Refusal {
    /// Whether this operation is of a kind that is refused.
    #[must_use]
    pub const fn concerns(&self, op: &KernelOp) -> bool {
        match op {
            KernelOp::AddressAdd(_) | KernelOp::AddressDel(_) => self.addresses,
            KernelOp::LinkAdd(_)
            | KernelOp::LinkDel(_)
            | KernelOp::SetVrf(..)
            | KernelOp::Firewall(_)
            | KernelOp::Routing(_)
            | KernelOp::PromoteSecondaries(..) => false,
            KernelOp::Ipvs(_) => self.ipvs,
        }
    }
}

/// The running daemon.
#[derive(Debug)]
pub struct Process {
    /// The shipped code.
    pub node: Node,
    /// Sockets that it opened.
    pub sockets: BTreeMap<SocketId, SocketSpec>,
    /// Probes that have not been answered.
    pub probes: BTreeMap<ProbeId, ConnectSpec>,
    /// When the daemon will look at its timers: for which deadline, and when really.
    pub wake: Option<(Instant, Instant)>,
}

/// A machine.
#[derive(Debug)]
pub struct Host {
    /// Name, as the trace shows it.
    pub name: String,
    /// Its kernel.
    pub kernel: Kernel,
    /// What the file on its disk says: used at the next start.
    pub config: Config,
    /// What the file said at the beginning.
    pub original: Config,
    /// Given to the node at its start.
    pub options: Options,
    /// Its programs, files and FIFOs.
    pub outside: Outside,
    /// The daemon, if it runs.
    pub process: Option<Process>,
    /// Counts the starts; what was meant for an earlier process is not delivered to a later one.
    pub epoch: u64,
    /// The supervisor's list of what is installed is not there at the next start: the node itself
    /// has to cope with what it finds.
    pub ledger_lost: bool,
    /// SIGSTOP: events wait, timers do not fire.
    pub paused: bool,
    /// The whole machine is suspended: packets do not wait, they are lost.
    pub suspended: bool,
    /// What waits while it is paused.
    pub inbox: Vec<Arrival>,
    /// How the kernel disobeys now.
    pub refusal: Option<Refusal>,
    /// How far its clock is ahead of others', in microseconds.
    pub clock_ahead: i64,
    /// How late the daemon looks at its timers, at most.
    pub lateness: Duration,
    /// What the daemon was told of links and addresses.
    pub monitor: Monitor,
    /// The kernel drops its netlink messages (ENOBUFS).
    pub overflow: bool,
    /// When the last netlink news is due at the daemon: they keep their order.
    pub netlink_clock: Instant,
}

impl Host {
    /// Whether a daemon runs and is not stopped by SIGSTOP.
    #[must_use]
    pub const fn awake(&self) -> bool {
        self.process.is_some() && !self.paused
    }

    /// Whether a packet that comes in by `interface` is for this machine.
    #[must_use]
    pub fn takes(&self, interface: IfIndex, bytes: &[u8]) -> bool {
        let to = wire::ip_ends(bytes).map(|(_, to)| to);
        to.is_some_and(|to| to.is_multicast() || self.kernel.carries(interface, to))
    }

    /// Tells the daemon what its clock shows.
    pub fn tell_time(&mut self, now: Instant) {
        /// Some day in 2026.
        const DAY: u64 = 1_796_000_000_000_000;
        let since = u64::try_from(now.saturating_since(Instant::ZERO).as_micros()).unwrap_or(0);
        let shown = (DAY + since).saturating_add_signed(self.clock_ahead);
        if let Some(process) = &mut self.process {
            process.node.set_wall_clock(now, shown);
        }
    }

    /// Hands an arrival to the daemon.
    pub fn deliver(&mut self, now: Instant, arrival: Arrival, out: &mut Vec<Effect>) {
        let Some(process) = &mut self.process else {
            return;
        };
        let node = &mut process.node;
        match arrival {
            Arrival::News(News::Link(change)) => node.handle(now, Event::Link(change), out),
            Arrival::News(News::Address(change)) => node.handle(now, Event::Address(change), out),
            Arrival::News(News::RoutingGone(what, message)) => {
                let news = RoutingNews::Gone(what, &message);
                node.handle(now, Event::Routing(news), out);
            }
            Arrival::SocketFailed(socket, errno) => {
                process.sockets.remove(&socket);
                node.handle(now, Event::SocketFailed { socket, errno }, out);
            }
            Arrival::Probe(id, what) => {
                if process.probes.remove(&id).is_some() {
                    node.handle(now, Event::Probe { id, what }, out);
                }
            }
            Arrival::Child(id, end) => {
                if self.outside.take_child(id) {
                    node.handle(now, Event::Child { id, end }, out);
                }
            }
            Arrival::File(id, content) => {
                if self.outside.is_watched(id) {
                    let content = content.as_deref();
                    node.handle(now, Event::File { id, content }, out);
                }
            }
            Arrival::Processes(processes) => node.handle(now, Event::Processes(&processes), out),
            Arrival::Fifo(id, what) => node.handle(now, Event::Fifo { id, what }, out),
            Arrival::Refused(tag, errno) => node.handle(now, Event::Refused { tag, errno }, out),
            Arrival::IpvsTable(Ok(table)) => {
                node.handle(now, Event::IpvsTable(Ok(&table)), out);
            }
            Arrival::LinkAsked(index, how, carrier) => {
                let answer = Event::LinkAsked {
                    index,
                    how,
                    carrier,
                };
                node.handle(now, answer, out);
            }
            Arrival::IpvsTimeouts(timeouts) => {
                node.handle(now, Event::IpvsTimeouts(timeouts), out);
            }
            Arrival::IpvsLook(found) => {
                let found = found.as_deref().map_err(|errno| *errno);
                node.handle(now, Event::IpvsLook(found), out);
            }
            Arrival::IpvsTable(Err(errno)) => {
                node.handle(now, Event::IpvsTable(Err(errno)), out);
            }
            Arrival::Packet(interface, bytes) => {
                let Some((_, to)) = wire::ip_ends(&bytes) else {
                    return;
                };
                let listening: Vec<SocketId> = process
                    .sockets
                    .iter()
                    .filter(|(_, spec)| hears(spec, interface, to))
                    .map(|(socket, _)| *socket)
                    .collect();
                for socket in listening {
                    let event = Event::Packet {
                        socket,
                        meta: RxMeta { interface },
                        bytes: &bytes,
                    };
                    node.handle(now, event, out);
                }
                let Some((from, to, ttl, payload)) = wire::read_datagram(&bytes) else {
                    return;
                };
                let listening = process.sockets.iter().find(|(_, spec)| {
                    matches!(spec, SocketSpec::Datagram { bind, receives: true, .. }
                        if bind.port() == to.port() && bind.is_ipv4())
                });
                if let Some((&socket, _)) = listening {
                    let event = Event::Datagram(Datagram {
                        socket,
                        from,
                        ttl,
                        bytes: payload,
                    });
                    node.handle(now, event, out);
                }
            }
        }
    }
}

/// Whether a socket gets packets to this address that come in by `interface`.
fn hears(spec: &SocketSpec, interface: IfIndex, to: IpAddr) -> bool {
    match spec {
        SocketSpec::Vrrp {
            interface: bound,
            address,
            ..
        } => *bound == interface && *address == to,
        // What is for them is no packet but a datagram.
        SocketSpec::Link | SocketSpec::Datagram { .. } => false,
    }
}

//! Events, effects, and what they carry.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::kernel::{IpvsService, KernelOp, Marked, OpTag, ServiceName, Timeouts};
use super::process::{
    ChildEnd, ChildId, ChildSignal, Command, FifoCmd, FifoId, FifoIo, Process, ProcessNews, WatchId,
};
use crate::base::{Duration, IfIndex, Mac};
use crate::wire::rtnl::Kind;

/// What the world tells the node. Events borrow: the host hands out its receive buffer.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A link appeared, changed or went. At the start there is one for each link that exists.
    Link(LinkChange),
    /// The answer to [`Effect::AskLink`].
    LinkAsked {
        /// The link.
        index: IfIndex,
        /// How it was asked for.
        how: LinkProbe,
        /// Whether it has a carrier; `None`: its driver cannot be asked that way.
        carrier: Option<bool>,
    },
    /// An address appeared or went. At the start there is one for each address that exists.
    Address(AddressChange),
    /// Somebody else removed something from the routing tables or rules. Told from the first
    /// [`KernelOp::Routing`] on.
    Routing(RoutingNews<'a>),
    /// A packet arrived on a socket that the node opened.
    Packet {
        /// The socket.
        socket: SocketId,
        /// What else the kernel says of it.
        meta: RxMeta,
        /// The packet, IP header first.
        bytes: &'a [u8],
    },
    /// A UDP datagram arrived on a socket that the node opened.
    Datagram(Datagram<'a>),
    /// A socket could not be opened, or failed so that it has to be opened anew.
    SocketFailed {
        /// The socket.
        socket: SocketId,
        /// The system's error number.
        errno: i32,
    },
    /// Something happened to a probe.
    Probe {
        /// The probe.
        id: ProbeId,
        /// What.
        what: ProbeIo<'a>,
    },
    /// The kernel refused an operation.
    Refused {
        /// Which one.
        tag: OpTag,
        /// The kernel's error number.
        errno: i32,
    },
    /// The answer to [`Effect::ReadIpvs`]: the whole table, or why it cannot be had.
    IpvsTable(Result<&'a [IpvsService], i32>),
    /// The answer to [`Effect::LookIpvs`]: those of the services that there are, or why that
    /// cannot be told.
    IpvsLook(Result<&'a [IpvsService], i32>),
    /// The answer to [`Effect::ReadIpvsTimeouts`]; there is none where they cannot be had.
    IpvsTimeouts(Timeouts),
    /// A child ended, or could not be started.
    Child {
        /// The child.
        id: ChildId,
        /// How.
        end: ChildEnd,
    },
    /// A watched file as it is now; told once when the watch begins and at every change.
    File {
        /// The watch.
        id: WatchId,
        /// Its beginning ([`WATCHED_BYTES`](super::process::WATCHED_BYTES)); `None`: there is no
        /// such file, or it cannot be read.
        content: Option<&'a [u8]>,
    },
    /// Something happened to a FIFO.
    Fifo {
        /// The FIFO.
        id: FifoId,
        /// What.
        what: FifoIo,
    },
    /// The answer to [`Effect::ListProcesses`].
    Processes(&'a [Process]),
    /// News of processes, after [`Effect::WatchProcesses`].
    ProcessNews(&'a ProcessNews),
    /// The daemon has to end: resign, take everything away, then [`Effect::Exit`].
    Stop,
}

/// A UDP datagram that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Datagram<'a> {
    /// The socket that it came by.
    pub socket: SocketId,
    /// Its sender.
    pub from: SocketAddr,
    /// What was left of its TTL or hop limit.
    pub ttl: u8,
    /// Its payload.
    pub bytes: &'a [u8],
}

/// A change of a network link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkChange {
    /// The kernel's index.
    pub index: IfIndex,
    /// Its name; may change while the index stays.
    pub name: String,
    /// What it is now; `None`: it is gone.
    pub state: Option<LinkState>,
}

/// A way to ask for the carrier of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProbe {
    /// The status register of its transceiver.
    Mii,
    /// Its driver.
    Ethtool,
    /// Its flags.
    Flags,
}

/// State of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkState {
    /// `IFF_UP`: switched on by the administrator.
    pub admin_up: bool,
    /// `IFF_RUNNING`: has a carrier.
    pub running: bool,
    /// `IFF_LOOPBACK`.
    pub loopback: bool,
    /// Hardware address, where it is an Ethernet one.
    pub mac: Option<Mac>,
    /// Largest packet in bytes.
    pub mtu: u32,
    /// Whether it forwards IPv6 (`net.ipv6.conf.*.forwarding`), as far as the kernel has told.
    pub forwards_v6: bool,
    /// The VRF that it belongs to.
    pub vrf: Option<IfIndex>,
}

/// What was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoutingNews<'a> {
    /// This route or rule, as the kernel tells of it.
    Gone(Kind, &'a [u8]),
    /// Nobody knows: messages of the kernel were lost.
    Uncertain,
}

/// A change of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressChange {
    /// The link that carries it.
    pub index: IfIndex,
    /// The address.
    pub address: IpAddr,
    /// Length of its prefix.
    pub prefix_len: u8,
    /// `IFA_F_SECONDARY`: not the address that the kernel takes as a source.
    pub secondary: bool,
    /// `IFA_PROTO`; 18 marks addresses that keepalived added, 0 is unknown (kernels before 5.18).
    pub protocol: u8,
    /// Whether it is there now.
    pub present: bool,
}

/// Identifies a socket; the node chooses the number and never uses one twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SocketId(pub u64);

impl SocketId {
    /// The highest bit says whose it is.
    const BFD: u64 = 1 << 63;

    /// A socket of BFD.
    #[must_use]
    pub const fn of_bfd(number: u64) -> Self {
        Self(number | Self::BFD)
    }

    /// Whether it is one of BFD; it is one of VRRP otherwise.
    #[must_use]
    pub const fn is_bfd(self) -> bool {
        self.0 & Self::BFD != 0
    }
}

/// A socket that the node wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SocketSpec {
    /// Sends and receives VRRP on one interface; packets carry their IP header in both
    /// directions. Own packets do not come back.
    Vrrp {
        /// The interface.
        interface: IfIndex,
        /// What it receives: packets to this group, which it joins, or to this address of its own.
        address: IpAddr,
        /// IP protocol: 112, or 51 where an authentication header goes before.
        protocol: u8,
    },
    /// Sends whole Ethernet frames on any interface; receives nothing.
    Link,
    /// UDP.
    Datagram {
        /// The own address and port; the address may be unspecified.
        bind: SocketAddr,
        /// TTL or hop limit of what it sends; the system's where none is given.
        ttl: Option<u8>,
        /// Whether what arrives is told ([`Event::Datagram`]); it is lost otherwise.
        receives: bool,
    },
}

/// What the kernel says of a received packet beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RxMeta {
    /// The interface that it came in by.
    pub interface: IfIndex,
}

/// A packet to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// To an IP address; the bytes start with the IP header.
    Ip {
        /// Destination.
        to: IpAddr,
        /// The packet.
        bytes: Vec<u8>,
    },
    /// A whole Ethernet frame.
    Link {
        /// The interface to send it on.
        interface: IfIndex,
        /// The frame, from the destination MAC address on.
        bytes: Vec<u8>,
        /// It says what a frame before it has said.
        again: bool,
    },
    /// The payload of a UDP datagram.
    Datagram {
        /// Address and port that it goes to.
        to: SocketAddr,
        /// The payload.
        bytes: Vec<u8>,
    },
}

/// Identifies a probe (one attempt of a check); never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProbeId(pub u64);

impl ProbeId {
    /// The highest bit says that it is no check that asks but a mail on its way.
    const MAIL: u64 = 1 << 63;

    /// The connection of a mail.
    #[must_use]
    pub const fn of_mail(number: u64) -> Self {
        Self(number | Self::MAIL)
    }

    /// The number of the mail, if it is one that asks.
    #[must_use]
    pub const fn mail(self) -> Option<u64> {
        if self.0 & Self::MAIL == 0 {
            None
        } else {
            Some(self.0 & !Self::MAIL)
        }
    }
}

/// What a check asks of its connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeCmd {
    /// Starts to connect. A stream answers with [`ProbeIo::Connected`] or [`ProbeIo::Failed`];
    /// datagrams can be written at once. Deadlines are the check's own business.
    Connect(ConnectSpec),
    /// Looks a name up, which holds nothing else up, and connects to what it stands for; answered
    /// as `Connect` is.
    Dial(Dial),
    /// Sends bytes, or one datagram; nothing answers it but a failure. Only once connected.
    Write(Vec<u8>),
    /// Sends something that this host knows, as `Write` does.
    WriteFact(HostFact),
    /// Looks for a pattern, which holds nothing else up; answered by [`ProbeIo::Searched`]. Ends
    /// the connection.
    Search(Search),
    /// Gives the connection up; nothing more is heard of it. Not needed after
    /// [`ProbeIo::Failed`], which ends it.
    Close,
}

/// A pattern and where to look for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Search {
    /// The pattern.
    pub pattern: Pattern,
    /// What it is looked for in.
    pub text: Vec<u8>,
}

/// A pattern of PCRE2.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pattern {
    /// In its syntax, as the configuration has it.
    pub pattern: String,
    /// Its options, by their names in small letters without `PCRE2_`.
    pub options: Vec<String>,
    /// Where a match may begin at the earliest, in bytes.
    pub min_offset: u32,
    /// And at the latest.
    pub max_offset: Option<u32>,
    /// Memory that the search may take, in bytes, if it is to be limited more than usual.
    pub memory: Option<u32>,
}

/// What came of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Searched {
    /// The pattern is there.
    Found,
    /// It is not.
    Absent,
    /// It cannot be told: the pattern is none, or too costly. The log says which.
    Failed,
}

/// A server that is known by name, over TCP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dial {
    /// Its name.
    pub server: String,
    /// Its port.
    pub port: u16,
}

/// What only the host knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostFact {
    /// The local date and time, as RFC 5322 §3.3 writes it.
    Date,
    /// The host's name, in full where `/etc/hosts` has it so.
    Name,
    /// The name of the user that the daemon runs as.
    User,
}

/// A connection that a check wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectSpec {
    /// Where to.
    pub to: SocketAddr,
    /// Where from, if given.
    pub from: Option<SocketAddr>,
    /// Through which interface, if given (`SO_BINDTODEVICE`).
    pub interface: Option<String>,
    /// `SO_MARK`; 0 is none.
    pub mark: u32,
    /// What speaks over it.
    pub transport: Transport,
}

/// What kind of connection a check wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TCP, and only whether it comes about matters: what the peer says is not read.
    Handshake,
    /// TCP.
    Stream,
    /// TLS over TCP; connected means that its handshake is done. Whose certificate the peer shows
    /// does not matter.
    Tls {
        /// The name to ask for (SNI), if any.
        name: Option<String>,
    },
    /// UDP. What is written and read is one datagram each.
    Datagram,
    /// ICMP or ICMPv6 echoes, from the ICMP header on; the kernel passes only replies to own
    /// echoes on.
    Echo,
}

/// What happened to a probe's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeIo<'a> {
    /// The connection stands.
    Connected,
    /// The next bytes of a stream; how they are cut means nothing.
    Bytes(&'a [u8]),
    /// The peer will send no more.
    Closed,
    /// The peer has closed the connection below TLS without ending that first.
    CutOff,
    /// What came of a search.
    Searched(Searched),
    /// The connection did not come about, or is no more.
    Failed(ProbeFailure),
}

/// Why a probe's connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProbeFailure {
    /// The peer or the network refused or broke the connection: this tells of the server.
    Remote(i32),
    /// This host lacks descriptors, ports or memory: this tells nothing of the server.
    Local(i32),
}

/// What the node asks of the world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Change kernel state; a refusal comes back as [`Event::Refused`]. In order, and before any
    /// effect that follows.
    Kernel(KernelOp, OpTag),
    /// Read the IPVS table; answered by [`Event::IpvsTable`].
    ReadIpvs,
    /// Read how long IPVS keeps connections; answered by [`Event::IpvsTimeouts`].
    ReadIpvsTimeouts,
    /// Look at some services of the IPVS table; answered by [`Event::IpvsLook`].
    LookIpvs(Vec<ServiceName>),
    /// Have the firewall give packets for these addresses this mark; `None`: no longer.
    Mark(Marked, Option<u32>),
    /// Ask for the carrier of a link; answered by [`Event::LinkAsked`].
    AskLink {
        /// The link.
        index: IfIndex,
        /// Its name.
        name: String,
        /// How.
        how: LinkProbe,
    },
    /// Open a socket.
    Open(SocketId, SocketSpec),
    /// Close it.
    Close(SocketId),
    /// Send a packet. What the kernel does not take at once is lost, as on the wire.
    Send(SocketId, Frame),
    /// Drive a probe.
    Probe(ProbeId, ProbeCmd),
    /// Run a program; answered by one [`Event::Child`], also if it cannot be started.
    Spawn(ChildId, Command),
    /// Signal a child and its whole process group.
    Kill(ChildId, ChildSignal),
    /// Watch a file, by path, whether it exists or not; answered by [`Event::File`] at once.
    Watch(WatchId, String),
    /// No longer watch it.
    Unwatch(WatchId),
    /// Write a value into a file that is to be watched: if it is not there, or in any case.
    InitFile {
        /// Its path.
        path: String,
        /// The value.
        value: i64,
        /// Whether one that is there is written too.
        overwrite: bool,
    },
    /// Look which processes there are; answered by [`Event::Processes`] some turns later.
    ListProcesses {
        /// With their command lines.
        arguments: bool,
    },
    /// Give a VRRP socket a receive buffer of so many bytes; of the driver's choice where none are
    /// given.
    Buffer(SocketId, Option<u32>),
    /// Tell of processes from now on, or no more. Where the kernel does not tell there is no
    /// [`Event::ProcessNews`].
    WatchProcesses(bool),
    /// Drive a FIFO.
    Fifo(FifoId, FifoCmd),
    /// The daemon may end with this exit status; everything is taken away.
    Exit(i32),
}

impl AddressChange {
    /// The IPv4 address, if it is one.
    #[must_use]
    pub const fn v4(&self) -> Option<Ipv4Addr> {
        match self.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }
}

/// How long the host waits for the node's effects at a stop before it gives up and ends anyway.
pub const STOP_PATIENCE: Duration = Duration::from_secs(5);

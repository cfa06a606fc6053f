//! Connections of health checks.
//!
//! Owns: the sockets of running probes, whatever speaks over them: `tls` is a layer. Never does: judge a server; it
//! tells what happened to the connection, and whether "the peer or the network says no" or "this
//! host is short of something": the last says nothing about the server. Driven by: `exec`
//! (commands) and `event_loop` (readiness).

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::Interest;
use mio::event::Event as Ready;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use super::ping;
use super::tls::{self, Session, Step};
use crate::base::ident;
use crate::conf::model::TlsClient;
use crate::ops::{ConnectSpec, ProbeFailure, ProbeId, Transport};

/// Descriptors that probes leave alone, for adverts, netlink and logs.
const RESERVE: u64 = 64;
/// With more ports enough are free: one server has to be checked 16 times a second to use them up.
const FEW_PORTS: u32 = 1_000;

/// The running probes.
#[derive(Debug)]
pub(super) struct Probes {
    open: BTreeMap<ProbeId, Probe>,
    /// How many may be open at once.
    limit: usize,
    tls: tls::Client,
    /// Connections end without waiting for late packets of the peer, so that their ports are free.
    few_ports: bool,
}

#[derive(Debug)]
struct Probe {
    stream: Stream,
    /// What the loop knows it by.
    token: usize,
    /// Only whether the connection comes about matters.
    handshake_only: bool,
    phase: Phase,
    /// What the socket did not take yet.
    unsent: Vec<u8>,
}

/// What bytes go through.
#[derive(Debug)]
enum Stream {
    Plain(Socket),
    Tls(Box<Session>),
}

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not decided yet.
    Connecting,
    /// It stands, but TLS does not yet.
    Securing,
    /// It stands; more may come.
    Open,
    /// It stood, and has failed with this error number, which nobody has heard of yet.
    Broken(i32),
    /// All that there was to read has been read; the next readiness tells of more.
    Drained,
}

/// What became of an attempt to connect.
#[derive(Debug)]
pub(super) enum Started {
    /// It is under way; the socket becomes writable when it is decided.
    UnderWay(Socket),
    /// It has failed already.
    Failed(ProbeFailure),
}

/// What the readiness of a probe's socket comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Nothing more for now.
    Nothing,
    /// The connection stands.
    Connected,
    /// So many bytes were read into the room.
    Bytes(usize),
    /// The peer has closed.
    Closed,
    /// The peer has closed without ending TLS first.
    CutOff,
    /// The connection is of no use any more.
    Failed(ProbeFailure),
}

impl Probes {
    /// No probe yet. Raises the limit of open descriptors as far as it may be raised.
    pub(super) fn new() -> Self {
        let limit =
            getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(soft, hard)| {
                match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
                    Ok(()) => hard,
                    Err(_) => soft,
                }
            });
        Self {
            open: BTreeMap::new(),
            limit: usize::try_from(limit.saturating_sub(RESERVE)).unwrap_or(usize::MAX),
            tls: tls::Client::default(),
            few_ports: has_few_ports(),
        }
    }

    /// Takes over what `SSL` says.
    pub(super) fn show(&mut self, identity: Option<&TlsClient>) {
        self.tls.take_on(identity);
    }

    /// Whether one more check may take a descriptor, where so many `others` are in use: beside the
    /// reserve, what VRRP has open and what waits for programs counts as well.
    pub(super) fn has_room(&self, others: usize) -> bool {
        self.open.len().saturating_add(others) < self.limit
    }

    /// Starts to connect; `others`: see [`Probes::has_room`].
    pub(super) fn connect(&mut self, spec: &ConnectSpec, others: usize) -> Started {
        if !self.has_room(others) {
            return Started::Failed(ProbeFailure::Local(libc::EMFILE));
        }
        match prepare(spec, self.few_ports) {
            Err(error) => Started::Failed(ProbeFailure::Local(errno(&error))),
            Ok(socket) => match socket.connect(&peer(spec).into()) {
                Ok(()) => Started::UnderWay(socket),
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                    Started::UnderWay(socket)
                }
                Err(error) => {
                    // From now on they are not kept waiting for a minute after each check.
                    self.few_ports |= error.raw_os_error() == Some(libc::EADDRNOTAVAIL);
                    Started::Failed(failure(errno(&error)))
                }
            },
        }
    }

    /// Keeps a socket that is under way.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(super) fn insert(
        &mut self,
        id: ProbeId,
        socket: Socket,
        token: usize,
        transport: &Transport,
    ) -> Result<(), ProbeFailure> {
        let stream = match transport {
            Transport::Tls { name } => Stream::Tls(Box::new(self.secure(socket, name.as_deref())?)),
            Transport::Handshake | Transport::Stream | Transport::Datagram | Transport::Echo => {
                Stream::Plain(socket)
            }
        };
        let phase = match transport {
            Transport::Handshake | Transport::Stream | Transport::Tls { .. } => Phase::Connecting,
            Transport::Datagram | Transport::Echo => Phase::Open,
        };
        let probe = Probe {
            stream,
            token,
            handshake_only: *transport == Transport::Handshake,
            phase,
            unsent: Vec::new(),
        };
        self.open.insert(id, probe);
        Ok(())
    }

    fn secure(&mut self, socket: Socket, name: Option<&str>) -> Result<Session, ProbeFailure> {
        let failed = |error: openssl::error::ErrorStack| {
            log::warn!(target: ident::CHECK, "TLS cannot be set up: {error}");
            ProbeFailure::Local(libc::ENOMEM)
        };
        self.tls.session(socket, name).map_err(failed)
    }

    /// Sends what can be sent at once and keeps the rest.
    ///
    /// # Errors
    /// Why the connection is of no use any more.
    pub(super) fn write(&mut self, id: ProbeId, bytes: &[u8]) -> Result<(), ProbeFailure> {
        let Some(probe) = self.open.get_mut(&id) else {
            return Ok(());
        };
        probe.unsent.extend_from_slice(bytes);
        probe.flush()
    }

    /// What the readiness of a probe's socket means; to be asked until there is nothing more. What
    /// is read goes into `room`.
    pub(super) fn advance(&mut self, id: ProbeId, ready: Readiness, room: &mut [u8]) -> Progress {
        let Some(probe) = self.open.get_mut(&id) else {
            return Progress::Nothing;
        };
        let progress = match probe.phase {
            Phase::Connecting => probe.decide(ready),
            Phase::Securing => probe.secure(),
            Phase::Open => probe.read(ready, room),
            Phase::Broken(errno) => Progress::Failed(failure(errno)),
            Phase::Drained => {
                probe.phase = Phase::Open;
                Progress::Nothing
            }
        };
        match progress {
            // It may only want to know who asks, which it cannot be told.
            Progress::Failed(ProbeFailure::Remote(_))
                if self.tls.is_broken()
                    && matches!(probe.stream, Stream::Tls(_))
                    && probe.phase != Phase::Connecting =>
            {
                Progress::Failed(ProbeFailure::Local(libc::EKEYREJECTED))
            }
            other => other,
        }
    }

    /// Ends a probe and returns its token. Closing the only descriptor of a socket takes it out of
    /// epoll as well, which saves a system call for each check.
    pub(super) fn close(&mut self, id: ProbeId) -> Option<usize> {
        self.open.remove(&id).map(|mut probe| {
            if let (Stream::Tls(session), Phase::Open) = (&mut probe.stream, probe.phase) {
                tls::end(session);
            }
            probe.token
        })
    }
}

impl Probe {
    fn socket(&self) -> &Socket {
        match &self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(session) => tls::socket(session),
        }
    }

    /// Whether the connection has come about.
    fn decide(&mut self, ready: Readiness) -> Progress {
        if ready.error || ready.closed {
            let errno = match self.socket().take_error() {
                Ok(Some(error)) => errno(&error),
                // The peer has connected and gone.
                Ok(None) => libc::ECONNRESET,
                Err(error) => errno(&error),
            };
            // A refusal has another number; one that spoke first has to be heard.
            let stood = errno == libc::ECONNRESET || errno == libc::EPIPE;
            if stood && !self.handshake_only && matches!(self.stream, Stream::Plain(_)) {
                self.phase = Phase::Broken(errno);
                return Progress::Connected;
            }
            return Progress::Failed(failure(errno));
        }
        if !ready.writable {
            return Progress::Nothing;
        }
        match self.stream {
            Stream::Plain(_) => {
                self.phase = Phase::Open;
                Progress::Connected
            }
            Stream::Tls(_) => {
                self.phase = Phase::Securing;
                self.secure()
            }
        }
    }

    fn secure(&mut self) -> Progress {
        let Stream::Tls(session) = &mut self.stream else {
            return Progress::Nothing;
        };
        match tls::shake(session) {
            Step::Done(_) => {
                self.phase = Phase::Open;
                Progress::Connected
            }
            Step::Wait => Progress::Nothing,
            Step::Closed | Step::CutOff => Progress::Failed(ProbeFailure::Remote(libc::EPROTO)),
            Step::Failed(errno) => Progress::Failed(failure(errno)),
        }
    }

    fn read(&mut self, ready: Readiness, room: &mut [u8]) -> Progress {
        if !self.unsent.is_empty()
            && ready.writable
            && let Err(failure) = self.flush()
        {
            return Progress::Failed(failure);
        }
        if !ready.readable && !ready.read_closed && !ready.error {
            return Progress::Nothing;
        }
        let socket = match &mut self.stream {
            Stream::Plain(socket) => socket,
            Stream::Tls(session) => {
                return match tls::read(session, room) {
                    Step::Done(count) => Progress::Bytes(count),
                    Step::Wait => Progress::Nothing,
                    Step::Closed => Progress::Closed,
                    Step::CutOff => Progress::CutOff,
                    Step::Failed(errno) => Progress::Failed(failure(errno)),
                };
            }
        };
        loop {
            return match socket.read(room) {
                Ok(0) => Progress::Closed,
                Ok(count) => {
                    // Edge-triggered: after a short read nothing is left, unless it is the end.
                    if count < room.len() && !ready.read_closed && !ready.error {
                        self.phase = Phase::Drained;
                    }
                    Progress::Bytes(count)
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => Progress::Nothing,
                    io::ErrorKind::Interrupted => continue,
                    _ => Progress::Failed(failure(errno(&error))),
                },
            };
        }
    }

    fn flush(&mut self) -> Result<(), ProbeFailure> {
        while !self.unsent.is_empty() {
            let step = match &mut self.stream {
                Stream::Plain(socket) => match socket.write(&self.unsent) {
                    Ok(count) => Step::Done(count),
                    Err(error) => match error.kind() {
                        io::ErrorKind::WouldBlock => Step::Wait,
                        io::ErrorKind::Interrupted => continue,
                        _ => Step::Failed(errno(&error)),
                    },
                },
                Stream::Tls(session) => tls::write(session, &self.unsent),
            };
            match step {
                Step::Done(count) => drop(self.unsent.drain(..count)),
                Step::Wait => return Ok(()),
                Step::Closed | Step::CutOff => return Err(failure(libc::EPIPE)),
                Step::Failed(errno) => return Err(failure(errno)),
            }
        }
        Ok(())
    }
}

/// What the loop has to hear of a connection. Read and write interest at once costs nothing and
/// saves changing it; one that is only to come about needs no more than that.
pub(super) fn interest(transport: &Transport) -> Interest {
    match transport {
        Transport::Handshake => Interest::WRITABLE,
        Transport::Stream | Transport::Tls { .. } => Interest::WRITABLE | Interest::READABLE,
        Transport::Datagram | Transport::Echo => Interest::READABLE,
    }
}

/// What epoll says of a socket, to be kept while the turn handles other events.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Readiness {
    /// `EPOLLIN`.
    pub(super) readable: bool,
    /// `EPOLLOUT`.
    pub(super) writable: bool,
    /// `EPOLLERR`.
    pub(super) error: bool,
    /// `EPOLLRDHUP`: the peer sends no more.
    pub(super) read_closed: bool,
    /// `EPOLLHUP`: both directions.
    pub(super) closed: bool,
}

impl Readiness {
    /// What either says.
    pub(super) const fn and(self, other: Self) -> Self {
        Self {
            readable: self.readable || other.readable,
            writable: self.writable || other.writable,
            error: self.error || other.error,
            read_closed: self.read_closed || other.read_closed,
            closed: self.closed || other.closed,
        }
    }
}

impl From<&Ready> for Readiness {
    fn from(event: &Ready) -> Self {
        Self {
            readable: event.is_readable(),
            writable: event.is_writable(),
            error: event.is_error(),
            read_closed: event.is_read_closed(),
            closed: event.is_read_closed() && event.is_write_closed(),
        }
    }
}

/// Whether there are so few ports for connections that each has to be free again after its check:
/// after an orderly end it waits for a minute, and a server that dies meanwhile would go unnoticed.
fn has_few_ports() -> bool {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let range = range.unwrap_or_default();
    let mut ends = range
        .split_whitespace()
        .filter_map(|word| word.parse().ok());
    let (first, last): (Option<u32>, Option<u32>) = (ends.next(), ends.next());
    first
        .zip(last)
        .is_some_and(|(first, last)| last.saturating_sub(first) < FEW_PORTS)
}

fn prepare(spec: &ConnectSpec, few_ports: bool) -> io::Result<Socket> {
    let domain = Domain::for_address(spec.to);
    let (kind, protocol) = match (&spec.transport, spec.to) {
        (Transport::Handshake | Transport::Stream | Transport::Tls { .. }, _) => {
            (Type::STREAM, Protocol::TCP)
        }
        (Transport::Datagram, _) => (Type::DGRAM, Protocol::UDP),
        (Transport::Echo, SocketAddr::V4(_)) => (Type::DGRAM, Protocol::ICMPV4),
        (Transport::Echo, SocketAddr::V6(_)) => (Type::DGRAM, Protocol::ICMPV6),
    };
    let open = || Socket::new(domain, kind.nonblocking(), Some(protocol));
    let socket = match open() {
        Err(error)
            if spec.transport == Transport::Echo
                && error.raw_os_error() == Some(libc::EACCES)
                && ping::allow() =>
        {
            open()?
        }
        other => other?,
    };
    if few_ports && kind == Type::STREAM {
        socket.set_linger(Some(std::time::Duration::ZERO))?;
    }
    if let Some(interface) = &spec.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    if spec.mark != 0 {
        socket.set_mark(spec.mark)?;
    }
    if let Some(from) = spec.from {
        // A fixed port would else be blocked for a minute by the last connection.
        socket.set_reuse_address(true)?;
        socket.bind(&from.into())?;
    }
    Ok(socket)
}

/// A ping socket takes its own number from the port.
const fn peer(spec: &ConnectSpec) -> SocketAddr {
    let mut to = spec.to;
    if matches!(spec.transport, Transport::Echo) {
        to.set_port(0);
    }
    to
}

fn errno(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

/// Whose fault it is that a connection failed.
const fn failure(errno: i32) -> ProbeFailure {
    match errno {
        libc::EMFILE
        | libc::ENFILE
        | libc::ENOMEM
        | libc::ENOBUFS
        | libc::EADDRNOTAVAIL
        | libc::EADDRINUSE
        | libc::EAGAIN => ProbeFailure::Local(errno),
        _ => ProbeFailure::Remote(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_room() -> Probes {
        Probes {
            open: BTreeMap::new(),
            limit: 1,
            tls: tls::Client::default(),
            few_ports: false,
        }
    }

    #[test]
    fn a_shortage_of_this_host_is_no_fault_of_the_server() {
        for errno in [
            libc::EMFILE,
            libc::ENFILE,
            libc::ENOMEM,
            libc::ENOBUFS,
            libc::EADDRNOTAVAIL,
            libc::EAGAIN,
        ] {
            assert_eq!(failure(errno), ProbeFailure::Local(errno));
        }
        assert_eq!(
            failure(libc::ECONNREFUSED),
            ProbeFailure::Remote(libc::ECONNREFUSED)
        );
        assert_eq!(
            failure(libc::EHOSTUNREACH),
            ProbeFailure::Remote(libc::EHOSTUNREACH)
        );
    }

    #[test]
    fn an_interface_that_does_not_exist_is_a_local_failure() {
        let spec = ConnectSpec {
            to: "127.0.0.1:9".parse().unwrap(),
            from: None,
            interface: Some("no-such-link".to_owned()),
            mark: 0,
            transport: Transport::Handshake,
        };
        let mut probes = with_room();
        let started = probes.connect(&spec, 0);
        assert!(
            matches!(started, Started::Failed(ProbeFailure::Local(_))),
            "{started:?}"
        );
    }

    #[test]
    fn descriptors_stay_in_reserve() {
        let spec = ConnectSpec {
            to: "127.0.0.1:9".parse().unwrap(),
            from: None,
            interface: None,
            mark: 0,
            transport: Transport::Handshake,
        };
        let mut probes = Probes {
            limit: 0,
            ..with_room()
        };
        assert!(matches!(
            probes.connect(&spec, 0),
            Started::Failed(ProbeFailure::Local(libc::EMFILE))
        ));
        // Input: room for four, of which sockets of VRRP and programs have so many.
        let room = [2, 3, 4, usize::MAX].map(|others| {
            Probes {
                limit: 4,
                ..with_room()
            }
            .has_room(others)
        });
        assert_eq!(room, [true, true, false, false]);
    }
}

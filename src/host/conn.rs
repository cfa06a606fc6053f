//! TCP connections of health checks.
//!
//! Owns: the sockets of running probes. Never does: judge a server; it tells "connected", "the
//! peer or the network says no", or "this host is short of something", and the last says nothing
//! about the server. Driven by: `exec` (commands) and `event_loop` (readiness).

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use mio::event::Event as Ready;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Protocol, Socket, Type};

use crate::ops::{ConnectSpec, ProbeFailure, ProbeId, ProbeIo};

/// Descriptors that probes leave alone, for adverts, netlink and logs.
const RESERVE: u64 = 64;

/// The running probes.
#[derive(Debug)]
pub(super) struct Probes {
    open: BTreeMap<ProbeId, Probe>,
    /// How many may be open at once.
    limit: usize,
}

#[derive(Debug)]
struct Probe {
    socket: Socket,
    /// What the loop knows it by.
    token: usize,
}

/// What became of an attempt to connect.
#[derive(Debug)]
pub(super) enum Started {
    /// It is under way; the socket becomes writable when it is decided.
    UnderWay(Socket),
    /// It is decided already.
    Decided(ProbeIo),
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
        }
    }

    /// Starts to connect.
    pub(super) fn connect(&self, spec: &ConnectSpec) -> Started {
        if self.open.len() >= self.limit {
            return Started::Decided(ProbeIo::Failed(ProbeFailure::Local(libc::EMFILE)));
        }
        match prepare(spec) {
            Err(error) => Started::Decided(ProbeIo::Failed(ProbeFailure::Local(errno(&error)))),
            Ok(socket) => match socket.connect(&spec.to.into()) {
                Ok(()) => Started::UnderWay(socket),
                Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
                    Started::UnderWay(socket)
                }
                Err(error) => Started::Decided(ProbeIo::Failed(failure(errno(&error)))),
            },
        }
    }

    /// Keeps a socket that is under way.
    pub(super) fn insert(&mut self, id: ProbeId, socket: Socket, token: usize) {
        self.open.insert(id, Probe { socket, token });
    }

    /// What the readiness of a probe's socket means; `None`: nothing yet.
    pub(super) fn ready(&self, id: ProbeId, ready: &Readiness) -> Option<ProbeIo> {
        let probe = self.open.get(&id)?;
        if ready.error || ready.closed {
            let errno = match probe.socket.take_error() {
                Ok(Some(error)) => errno(&error),
                // The peer has connected and gone.
                Ok(None) => libc::ECONNRESET,
                Err(error) => errno(&error),
            };
            return Some(ProbeIo::Failed(failure(errno)));
        }
        ready.writable.then_some(ProbeIo::Connected)
    }

    /// Ends a probe and returns its token. Closing the only descriptor of a socket takes it out of
    /// epoll as well, which saves a system call for each check.
    pub(super) fn close(&mut self, id: ProbeId) -> Option<usize> {
        self.open.remove(&id).map(|probe| probe.token)
    }
}

/// What epoll says of a socket, to be kept while the turn handles other events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Readiness {
    /// `EPOLLOUT`.
    pub(super) writable: bool,
    /// `EPOLLERR`.
    pub(super) error: bool,
    /// `EPOLLHUP`: both directions.
    pub(super) closed: bool,
}

impl From<&Ready> for Readiness {
    fn from(event: &Ready) -> Self {
        Self {
            writable: event.is_writable(),
            error: event.is_error(),
            closed: event.is_read_closed() && event.is_write_closed(),
        }
    }
}

fn prepare(spec: &ConnectSpec) -> io::Result<Socket> {
    let domain = Domain::for_address(spec.to);
    let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
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

impl Started {
    /// The descriptor to register, where there is one.
    pub(super) fn descriptor(&self) -> Option<RawFd> {
        match self {
            Self::UnderWay(socket) => Some(socket.as_raw_fd()),
            Self::Decided(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shortage_of_this_host_is_no_fault_of_the_server() {
        assert_eq!(
            failure(libc::EADDRNOTAVAIL),
            ProbeFailure::Local(libc::EADDRNOTAVAIL)
        );
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
        };
        let probes = Probes {
            open: BTreeMap::new(),
            limit: 1,
        };
        let started = probes.connect(&spec);
        assert!(
            matches!(
                started,
                Started::Decided(ProbeIo::Failed(ProbeFailure::Local(_)))
            ),
            "{started:?}"
        );
        assert_eq!(started.descriptor(), None);
    }

    #[test]
    fn descriptors_stay_in_reserve() {
        let spec = ConnectSpec {
            to: "127.0.0.1:9".parse().unwrap(),
            from: None,
            interface: None,
            mark: 0,
        };
        let probes = Probes {
            open: BTreeMap::new(),
            limit: 0,
        };
        assert!(matches!(
            probes.connect(&spec),
            Started::Decided(ProbeIo::Failed(ProbeFailure::Local(libc::EMFILE)))
        ));
    }
}

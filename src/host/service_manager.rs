//! What a service manager is told: systemd's notification protocol (`sd_notify(3)`).
//!
//! Owns: the socket that `NOTIFY_SOCKET` names, and when the watchdog is due. Never does: wait: a
//! line that the manager does not take at once is lost, an advert that comes late costs more.
//! Driven by: the supervisor for its states, the worker's loop for the watchdog.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use super::clock;
use crate::base::Instant;

/// The way to the service manager; does nothing where there is none.
#[derive(Debug, Default)]
pub(super) struct ServiceManager {
    to: Option<(UnixDatagram, SocketAddr)>,
}

impl ServiceManager {
    /// The one that started this daemon, if it wants to be told.
    pub(super) fn from_environment() -> Self {
        match std::env::var_os("NOTIFY_SOCKET") {
            Some(name) => Self::at(&name),
            None => Self::default(),
        }
    }

    /// A path, or a name in the abstract space behind `@`.
    fn at(name: &OsStr) -> Self {
        let address = match name.as_bytes() {
            [b'@', rest @ ..] => SocketAddr::from_abstract_name(rest),
            _ => SocketAddr::from_pathname(name),
        };
        let open = || -> std::io::Result<(UnixDatagram, SocketAddr)> {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok((socket, address?))
        };
        Self { to: open().ok() }
    }

    /// Tells it a state, such as `READY=1`.
    pub(super) fn tell(&self, state: &str) {
        if let Some((socket, address)) = &self.to {
            // A manager that has gone away, or does not read, is no reason to stop.
            drop(socket.send_to_addr(state.as_bytes(), address));
        }
    }
}

/// The state of a daemon that works, with the process that is to be signalled.
pub(super) fn ready() -> String {
    format!("READY=1\nMAINPID={}", nix::unistd::getpid())
}

/// The state of a reload that begins, with the time that `Type=notify-reload` asks for.
pub(super) fn reloading() -> String {
    let micros = clock::monotonic_micros();
    format!("RELOADING=1\nMONOTONIC_USEC={micros}")
}

/// The watchdog of the service manager, which the worker has to ping.
#[derive(Debug)]
pub(super) struct Watchdog {
    manager: ServiceManager,
    /// From ping to ping: half of what the manager allows.
    period: Duration,
    next: Instant,
}

impl Watchdog {
    /// The watchdog that is asked for by `WATCHDOG_USEC`. `WATCHDOG_PID` names the parent, for
    /// which the worker pings: it is the worker that must not stand still.
    pub(super) fn from_environment(now: Instant) -> Option<Self> {
        let micros: u64 = std::env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
        let period = Duration::from_micros(micros / 2);
        (!period.is_zero()).then(|| Self {
            manager: ServiceManager::from_environment(),
            period,
            next: now,
        })
    }

    /// Pings if it is time to; answers how long the loop may wait until the next ping.
    pub(super) fn ping(&mut self, now: Instant) -> Duration {
        if now >= self.next {
            self.manager.tell("WATCHDOG=1");
            self.next = now + self.period;
        }
        self.next.saturating_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: states, and turns of a loop at several times. Output: each state as one datagram, and
    // a ping at each half of the time that is allowed.
    #[test]
    fn states_and_pings_arrive() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_nonblocking(true).unwrap();
        let received = || {
            let mut buffer = [0; 64];
            let length = socket.recv(&mut buffer).ok()?;
            Some(String::from_utf8_lossy(&buffer[..length]).into_owned())
        };
        ServiceManager::at(path.as_os_str()).tell("READY=1");
        assert_eq!(received().as_deref(), Some("READY=1"));
        let start = Instant::ZERO + Duration::from_secs(9);
        let mut watchdog = Watchdog {
            manager: ServiceManager::at(path.as_os_str()),
            period: Duration::from_secs(5),
            next: start,
        };
        assert_eq!(watchdog.ping(start), Duration::from_secs(5));
        assert_eq!(received().as_deref(), Some("WATCHDOG=1"));
        let early = start + Duration::from_secs(2);
        assert_eq!(watchdog.ping(early), Duration::from_secs(3));
        assert_eq!(received(), None);
        watchdog.ping(start + Duration::from_secs(5));
        assert_eq!(received().as_deref(), Some("WATCHDOG=1"));
    }

    // Input: a socket that is not there. Output: nothing happens.
    #[test]
    fn a_manager_that_is_gone_is_no_failure() {
        ServiceManager::at(OsStr::new("/nonexistent/notify")).tell("READY=1");
        ServiceManager::at(OsStr::new("@keepalived-no-such-name")).tell("READY=1");
        ServiceManager::default().tell("READY=1");
    }
}

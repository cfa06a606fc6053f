//! What reports tell of the host.
//!
//! Owns: wall clock, names of users and of the host. Never does: write anything. Driven by:
//! `reports`, anew for each step, so that nothing here is old.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::os::fd::AsRawFd;
use std::time::SystemTime;

use nix::unistd::{Group, User};

use super::raw_socket::RawSocket;
use super::udp_socket::UdpSocket;
use super::{clock, logger, sys};
use crate::base::Instant;
use crate::conf::model::Config;
use crate::ops::SocketId;
use crate::report::{Facts, Moment};

/// Who scripts run as if nobody is named, where there is such a user.
const SCRIPT_USER: &str = "keepalived_script";

/// A user and a group as they are written.
type Names = (Option<String>, Option<String>);

/// The sockets of the node.
type Sockets<'a> = (
    &'a BTreeMap<SocketId, RawSocket>,
    &'a BTreeMap<SocketId, UdpSocket>,
);

/// Microseconds from the start of our clock's epoch to that of the wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Epoch(u64);

impl Epoch {
    /// The clocks were not looked at yet.
    pub(super) const NONE: Self = Self(0);
    /// What may lie between two looks at the clocks.
    const BETWEEN: u64 = 10_000;

    /// That of now, but that of the last look as long as nobody has set the clock: a state begins
    /// at the same time in each report.
    pub(super) fn look(self) -> Self {
        let wall = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let wall = u64::try_from(wall.as_micros()).unwrap_or(u64::MAX);
        self.or(Self(wall.saturating_sub(clock::now().as_micros())))
    }

    const fn or(self, now: Self) -> Self {
        if now.0.abs_diff(self.0) < Self::BETWEEN {
            self
        } else {
            now
        }
    }
}

/// The host, for one step of a report.
pub(super) struct HostReportFacts<'a> {
    config: &'a Config,
    sockets: &'a BTreeMap<SocketId, RawSocket>,
    datagrams: &'a BTreeMap<SocketId, UdpSocket>,
    umask: u32,
    epoch: u64,
    ids: RefCell<BTreeMap<Names, (u32, u32)>>,
}

impl<'a> HostReportFacts<'a> {
    pub(super) fn new(
        config: &'a Config,
        (sockets, datagrams): Sockets<'a>,
        umask: u32,
        epoch: Epoch,
    ) -> Self {
        Self {
            config,
            sockets,
            datagrams,
            umask,
            epoch: epoch.0,
            ids: RefCell::default(),
        }
    }
}

/// The ids of a user; of a number, itself.
fn user(name: &str) -> Option<(u32, u32)> {
    if let Ok(Some(user)) = User::from_name(name) {
        return Some((user.uid.as_raw(), user.gid.as_raw()));
    }
    let id = name.parse().ok()?;
    Some((id, id))
}

fn group(name: &str) -> Option<u32> {
    match Group::from_name(name) {
        Ok(Some(group)) => Some(group.gid.as_raw()),
        Ok(None) | Err(_) => name.parse().ok(),
    }
}

impl Facts for HostReportFacts<'_> {
    fn moment(&self, instant: Instant) -> Moment {
        let wall = self.epoch.saturating_add(instant.as_micros());
        let seconds = wall / 1_000_000;
        let local = sys::local_time(i64::try_from(seconds).unwrap_or(i64::MAX));
        let text = logger::asctime(local);
        let text = text.rsplit_once(' ').map_or("", |(text, _)| text);
        Moment {
            seconds,
            micros: u32::try_from(wall % 1_000_000).unwrap_or(0),
            text: text.to_owned(),
            year: local.year,
        }
    }

    fn ids(&self, named: Option<&str>, of_group: Option<&str>) -> (u32, u32) {
        let key = (named.map(str::to_owned), of_group.map(str::to_owned));
        if let Some(&ids) = self.ids.borrow().get(&key) {
            return ids;
        }
        let scripts = &self.config.global.scripts;
        let (name, of_group) = match named {
            Some(name) => (name, of_group),
            None => match &scripts.user {
                Some(name) => (name.as_str(), scripts.group.as_deref()),
                None => (SCRIPT_USER, None),
            },
        };
        let (uid, gid) = user(name).unwrap_or((0, 0));
        let ids = (uid, of_group.and_then(group).unwrap_or(gid));
        self.ids.borrow_mut().insert(key, ids);
        ids
    }

    fn descriptor(&self, socket: SocketId) -> Option<i32> {
        let raw = self.sockets.get(&socket).map(AsRawFd::as_raw_fd);
        raw.or_else(|| self.datagrams.get(&socket).map(AsRawFd::as_raw_fd))
    }

    fn host_name(&self) -> String {
        let name = nix::unistd::gethostname().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn umask(&self) -> u32 {
        self.umask
    }

    fn namespaces(&self) -> (Option<String>, Option<String>) {
        (None, None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stay_until_the_clock_is_set() {
        assert_eq!(Epoch(5_000_000).or(Epoch(5_000_001)), Epoch(5_000_000));
        assert_eq!(Epoch(5_000_000).or(Epoch(4_000_000)), Epoch(4_000_000));
        assert!(Epoch::NONE.look() > Epoch::NONE);
    }
}

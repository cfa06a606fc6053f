//! What concerns IPVS as a whole: the first flush, timeouts, and the daemon that copies
//! connections.
//!
//! Owns: what is wanted of these and what was asked for last. Never does: send; it makes
//! operations. Driven by: `domain`.
//!
//! The daemon sends while the VRRP instance that it follows is master, and receives otherwise, so
//! that connections survive a takeover. Timeouts are the kernel's for good: what is no longer
//! configured stays as it was set.

use crate::base::Duration;
use crate::conf::model::{FlushOnStop, Lvs, LvsTimeouts};
use crate::ops::{IpvsOp, SyncDaemon, SyncRole, Timeouts};

/// Settings and what became of them.
#[derive(Debug, Default)]
pub(super) struct Control {
    /// The table is emptied at the first look at it.
    flush: bool,
    flush_on_stop: bool,
    timeouts: Timeouts,
    /// Timeouts that were set last.
    set: Timeouts,
    daemon: Option<SyncDaemon>,
    /// Whether the instance that it follows is master; `None`: there is none.
    master: Option<bool>,
    /// The daemon that runs.
    running: Option<(SyncRole, SyncDaemon)>,
}

impl Control {
    /// Takes settings over. `router_id`: the virtual router id of the instance that the daemon
    /// follows, if there is one.
    pub(super) fn apply(&mut self, lvs: &Lvs, router_id: Option<u8>) {
        self.flush = lvs.flush;
        self.flush_on_stop = lvs.flush_on_stop == FlushOnStop::All;
        self.timeouts = timeouts(lvs.timeouts);
        self.daemon = lvs.sync_daemon.as_ref().and_then(|daemon| {
            let id = daemon.id.or(router_id)?;
            router_id?;
            Some(SyncDaemon {
                interface: daemon.interface.clone(),
                id,
                max_length: daemon.max_length,
                port: daemon.port,
                ttl: daemon.ttl,
                group: daemon.group,
            })
        });
    }

    /// The instance that the daemon follows is master, or is not.
    pub(super) const fn follow(&mut self, master: Option<bool>) {
        self.master = master;
    }

    /// Whether the table has to be emptied, which is asked once.
    pub(super) fn take_flush(&mut self) -> bool {
        std::mem::take(&mut self.flush)
    }

    /// Whether anything is wanted beyond services.
    pub(super) fn is_wanted(&self) -> bool {
        self.flush || self.daemon.is_some() || self.timeouts != self.set
    }

    /// The daemon that should run.
    fn wanted(&self) -> Option<(SyncRole, SyncDaemon)> {
        let role = if self.master? {
            SyncRole::Master
        } else {
            SyncRole::Backup
        };
        Some((role, self.daemon.clone()?))
    }

    /// Appends the operations that make everything as wanted.
    pub(super) fn settle(&mut self, out: &mut Vec<IpvsOp>) {
        if self.timeouts != self.set && self.timeouts != Timeouts::default() {
            out.push(IpvsOp::Timeouts(self.timeouts));
        }
        self.set = self.timeouts;
        let wanted = self.wanted();
        if wanted == self.running {
            return;
        }
        if let Some((role, _)) = self.running.take() {
            out.push(IpvsOp::DaemonStop(role));
        }
        if let Some((role, daemon)) = &wanted {
            out.push(IpvsOp::DaemonStart(*role, daemon.clone()));
        }
        self.running = wanted;
    }

    /// The last operations: the daemon stops, the table is emptied if that is wished.
    pub(super) fn stop(&mut self, out: &mut Vec<IpvsOp>) {
        if let Some((role, _)) = self.running.take() {
            out.push(IpvsOp::DaemonStop(role));
        }
        if self.flush_on_stop {
            out.push(IpvsOp::Flush);
        }
        self.daemon = None;
    }
}

fn timeouts(timeouts: LvsTimeouts) -> Timeouts {
    let seconds = |time: Option<Duration>| {
        time.map_or(0, |time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
    };
    Timeouts {
        tcp: seconds(timeouts.tcp),
        tcp_fin: seconds(timeouts.tcp_fin),
        udp: seconds(timeouts.udp),
    }
}

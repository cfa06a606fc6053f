//! What concerns IPVS as a whole: the first flush, timeouts, and the daemon that copies
//! connections.
//!
//! Owns: what is wanted of these and what was asked for last. Never does: send; it makes
//! operations. Driven by: `domain`.
//!
//! The daemon sends while the VRRP instance that it follows is master, and receives otherwise, so
//! that connections survive a takeover. The kernel's own timeouts are read before others are set;
//! what is no longer configured, and everything at the stop, becomes again what it was.

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
    /// What the kernel has.
    set: Timeouts,
    /// What the kernel had before anything was set; it gets that back.
    own: Option<Timeouts>,
    /// That was asked for.
    asked: bool,
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
        self.flush || self.daemon.is_some() || self.timeouts != Timeouts::default()
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

    /// Whether the kernel's own timeouts have to be known first, which is asked once.
    pub(super) fn take_question(&mut self) -> bool {
        let ask = !self.asked && self.timeouts != Timeouts::default();
        self.asked |= ask;
        ask
    }

    /// The timeouts that the kernel has: the first ones are its own.
    pub(super) const fn found(&mut self, timeouts: Timeouts) {
        if self.own.is_none() {
            self.own = Some(timeouts);
            self.set = timeouts;
        }
    }

    /// Appends what makes the timeouts so.
    fn set_timeouts(&mut self, timeouts: Timeouts, out: &mut Vec<IpvsOp>) {
        if timeouts != self.set {
            out.push(IpvsOp::Timeouts(timeouts));
            self.set = timeouts;
        }
    }

    /// Appends the operations that make everything as wanted.
    pub(super) fn settle(&mut self, out: &mut Vec<IpvsOp>) {
        if let Some(own) = self.own {
            self.set_timeouts(over(own, self.timeouts), out);
        }
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
        if let Some(own) = self.own {
            self.set_timeouts(own, out);
        }
        if self.flush_on_stop {
            out.push(IpvsOp::Flush);
        }
        self.daemon = None;
    }
}

/// `wished` where it says something, else the kernel's own.
const fn over(own: Timeouts, wished: Timeouts) -> Timeouts {
    const fn one(own: u32, wished: u32) -> u32 {
        if wished == 0 { own } else { wished }
    }
    Timeouts {
        tcp: one(own.tcp, wished.tcp),
        tcp_fin: one(own.tcp_fin, wished.tcp_fin),
        udp: one(own.udp, wished.udp),
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

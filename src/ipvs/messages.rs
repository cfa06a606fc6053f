//! What the log says of the IPVS table.
//!
//! Owns: the texts. All but the first are our own: keepalived ends when the kernel has no IPVS, and
//! repeats the kernel's refusals one by one. Driven by: `domain`.

use std::fmt;

use crate::base::ident::CHECK;
use crate::ops::{IpvsOp, ServiceName};

/// `ENOENT`, what the kernel says to a scheduler that it does not have.
pub(super) const ENOENT: i32 = 2;
const EPERM: i32 = 1;
const EACCES: i32 = 13;

/// A system error number with the text of the kernel's manual, where an operator may meet it here.
struct Errno(i32);

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            EPERM => "not permitted",
            ENOENT => "not found",
            3 => "no such service",
            12 => "out of memory",
            EACCES => "permission denied",
            17 => "exists already",
            22 => "invalid",
            92 | 93 | 97 => "not supported",
            _ => return write!(f, "error {}", self.0),
        };
        write!(f, "{text} (error {})", self.0)
    }
}

/// The table is read for the first time.
pub(super) fn initializing() {
    log::info!(target: CHECK, "Initializing ipvs");
}

/// The table cannot be had; said once until it can.
pub(super) fn unavailable(errno: i32, retry_seconds: u64) {
    if errno == EPERM || errno == EACCES {
        log::error!(
            target: CHECK,
            "IPVS cannot be used: {}. Virtual servers are not set up; VRRP is not affected. \
             Root or CAP_NET_ADMIN is needed (trying again every {retry_seconds} s)",
            Errno(errno)
        );
    } else {
        log::error!(
            target: CHECK,
            "IPVS cannot be used: the kernel module ip_vs is missing: {}. Virtual servers are not \
             set up; VRRP is not affected. Load it with `modprobe ip_vs`, or install the kernel's \
             module package (trying again every {retry_seconds} s)",
            Errno(errno)
        );
    }
}

/// The table can be had after all.
pub(super) fn available() {
    log::info!(target: CHECK, "IPVS can be used now: setting up the virtual servers");
}

/// The kernel refuses a service even after its table was read anew. `scheduler` is given where it
/// was the service itself that was refused, not a destination.
pub(super) fn refused(key: ServiceName, scheduler: Option<&str>, errno: i32, retry_seconds: u64) {
    match scheduler {
        Some(scheduler) if errno == ENOENT => log::error!(
            target: CHECK,
            "IPVS: the kernel refuses VS {key}: it has no scheduler `{scheduler}`; load it with \
             `modprobe ip_vs_{scheduler}` (trying again every {retry_seconds} s)"
        ),
        Some(_) | None => log::error!(
            target: CHECK,
            "IPVS: the kernel refuses a change of VS {key}: {} (trying again every \
             {retry_seconds} s)",
            Errno(errno)
        ),
    }
}

/// The kernel takes a service that it refused before.
pub(super) fn accepted(key: ServiceName) {
    log::info!(target: CHECK, "IPVS: the kernel takes VS {key} now");
}

/// A service of ours is not as it was set up; it is being repaired.
pub(super) fn differs(key: ServiceName) {
    log::info!(target: CHECK, "IPVS: VS {key} in the kernel is not as wanted, setting it anew");
}

/// The kernel refuses something that concerns IPVS as a whole.
pub(super) fn control_refused(op: &IpvsOp, errno: i32) {
    let what = match op {
        IpvsOp::DaemonStart(_, daemon) => {
            format!("the sync daemon on {} cannot be started", daemon.interface)
        }
        IpvsOp::DaemonStop(_) => "the sync daemon cannot be stopped".to_owned(),
        IpvsOp::Timeouts(_) => "lvs_timeouts cannot be set".to_owned(),
        IpvsOp::Flush
        | IpvsOp::ServiceAdd(_)
        | IpvsOp::ServiceSet(_)
        | IpvsOp::ServiceDel(_)
        | IpvsOp::DestAdd(..)
        | IpvsOp::DestSet(..)
        | IpvsOp::DestDel(..) => "the table cannot be changed".to_owned(),
    };
    log::error!(
        target: CHECK,
        "IPVS: {what}: {}. It is tried again at the next change of state or configuration",
        Errno(errno)
    );
}

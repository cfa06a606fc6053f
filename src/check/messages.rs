//! What the log says of checks, servers and services.
//!
//! Owns: keepalived's texts, which operators grep, in both styles: 2.x, and those of 1.3.5 as the
//! older documents show them. Driven by: `domain` and `reload`.
//!
//! The 2.x texts are those that a run of the daemon prints; all of them come without `-D` as well.

mod attempt;

use std::fmt;

use super::probe::Outcome;
use super::service::Quorum;
use crate::base::ident::CHECK;
pub(super) use attempt::{Asked, attempt};

use crate::conf::model::{LogStyle, RealServerKey, ServiceKey};

/// Which server of which service, in which style.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    pub(super) style: LogStyle,
    pub(super) service: ServiceKey,
    pub(super) server: RealServerKey,
}

/// A service as a log line names it: `[192.0.2.1]:tcp:80`, in 1.3.5 `[192.0.2.1]:80`.
struct VirtualName(LogStyle, ServiceKey);

/// A server as a log line names it; it takes the protocol of its service.
struct RealName(Subject);

impl fmt::Display for VirtualName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(style, key) = self;
        match style {
            LogStyle::Current => write!(f, "{key}"),
            LogStyle::V1_3 => write!(f, "[{}]:{}", key.address, key.port),
        }
    }
}

impl fmt::Display for RealName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Subject {
            style,
            service,
            server,
        }) = self;
        let named = ServiceKey {
            address: server.address,
            port: server.port,
            protocol: service.protocol,
        };
        VirtualName(*style, named).fmt(f)
    }
}

impl Subject {
    const fn real(self) -> RealName {
        RealName(self)
    }

    const fn vs(self) -> VirtualName {
        VirtualName(self.style, self.service)
    }
}

/// A checker was started.
pub(super) fn activating(subject: Subject) {
    match subject.style {
        LogStyle::Current => log::info!(
            target: CHECK,
            "Activating healthchecker for service {} for VS {}",
            subject.real(),
            subject.vs()
        ),
        LogStyle::V1_3 => log::info!(
            target: CHECK,
            "Activating healthchecker for service {}",
            subject.real()
        ),
    }
}

/// A connection came about after none did, or for the first time.
fn tcp_success(subject: Subject) {
    log::info!(target: CHECK, "TCP connection to {} success.", subject.real());
}

/// A connection did not come about. 1.3.5 says so each time, 2.x with `log_all_failures`.
fn tcp_failure(subject: Subject, outcome: Outcome, log_all_failures: bool) {
    if !log_all_failures && subject.style == LogStyle::Current {
        return;
    }
    let what = match outcome {
        Outcome::Timeout => "timeout",
        Outcome::Failure | Outcome::Success | Outcome::Unknown(_) => "failed",
    };
    log::info!(target: CHECK, "TCP connection to {} {what}.", subject.real());
}

/// A check of this kind is down, after so many retries.
fn check_failed(subject: Subject, kind: &str, retries: u32) {
    let real = subject.real();
    match (subject.style, retries) {
        (LogStyle::Current, 0) => {
            log::info!(target: CHECK, "{kind} on service {real} failed.");
        }
        (LogStyle::Current, _) => log::info!(
            target: CHECK,
            "{kind} on service {real} failed after {retries} retries."
        ),
        // 1.3.5 has said "TCP connection … failed." already.
        (LogStyle::V1_3, 0) => {}
        (LogStyle::V1_3, _) => log::info!(
            target: CHECK,
            "Check on service {real} failed after {retries} retry."
        ),
    }
}

/// A server comes into its service.
pub(super) fn adding(subject: Subject) {
    log::info!(
        target: CHECK,
        "Adding service {} to VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A server is taken out of its service.
pub(super) fn removing(subject: Subject) {
    log::info!(
        target: CHECK,
        "Removing service {} from VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A server goes because the daemon ends. 2.x names all servers, 1.3.5 those in the table.
pub(super) fn shutting_down(subject: Subject, alive: bool) {
    match subject.style {
        LogStyle::Current => log::info!(
            target: CHECK,
            "Shutting down service {} from VS {}",
            subject.real(),
            subject.vs()
        ),
        LogStyle::V1_3 if alive => removing(subject),
        LogStyle::V1_3 => {}
    }
}

/// A server is not in the new configuration.
pub(super) fn no_longer_exists(subject: Subject) {
    log::info!(target: CHECK, "service {} no longer exist", subject.real());
}

/// A service is not in the new configuration.
pub(super) fn removing_service(style: LogStyle, service: ServiceKey) {
    log::info!(
        target: CHECK,
        "Removing Virtual Server {}",
        VirtualName(style, service)
    );
}

/// A weight is edited in place.
pub(super) fn changing_weight(subject: Subject, from: u32, to: u32, alive: bool) {
    let state = if alive { "active" } else { "inactive" };
    log::info!(
        target: CHECK,
        "Changing weight from {from} to {to} for {state} service {} of VS {}",
        subject.real(),
        subject.vs()
    );
}

/// What became of the quorum: needed plus hysteresis against what is alive.
pub(super) fn quorum(style: LogStyle, service: ServiceKey, quorum: Quorum) {
    let vs = VirtualName(style, service);
    match quorum {
        Quorum::Same => {}
        Quorum::Gained(alive) => {
            log::info!(target: CHECK, "Gained quorum 1+0=1 <= {alive} for VS {vs}");
        }
        Quorum::Lost(alive) => {
            log::info!(target: CHECK, "Lost quorum 1-0=1 > {alive} for VS {vs}");
        }
    }
}

/// Checks could not be made for a reason that lies in this host; said at most once a minute.
pub(super) fn local_failure(subject: Subject, errno: i32, skipped: u64) {
    let others = match skipped {
        0 => String::new(),
        _ => format!(" (and {skipped} more checks in the last minute)"),
    };
    log::warn!(
        target: CHECK,
        "a check of {} could not be made: this host lacks descriptors, ports or memory (error \
         {errno}){others}. The servers keep their state; trying again",
        subject.real()
    );
}

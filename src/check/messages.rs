//! What the log says of checks, servers and services.
//!
//! Owns: keepalived's texts, which operators grep, in both styles: 2.x, and those of 1.3.5 as the
//! older documents show them. Driven by: `domain` and `reload`.
//!
//! The 2.x texts are those that a run of the daemon prints; all of them come without `-D` as well.

mod attempt;

use std::fmt;

use super::probe::Outcome;
use super::service::{Quorum, Service};
use crate::base::ident::CHECK;
pub(super) use attempt::{Asked, attempt, mailed};

use crate::conf::model::{GroupEntry, LogStyle, Protocol, RealServerKey, ServiceKey, TcpCheck};
use crate::ops::ServiceName;

/// Linux's number for a key that is refused; the host's word for a certificate that cannot be shown.
const EKEYREJECTED: i32 = 129;
/// The address is none of this host.
const EADDRNOTAVAIL: i32 = 99;
/// There is no such interface.
const ENODEV: i32 = 19;

/// Which server of which service, in which style.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) style: LogStyle,
    pub(super) service: &'a ServiceKey,
    pub(super) server: RealServerKey,
}

/// A service as a log line names it: `[192.0.2.1]:tcp:80`, in 1.3.5 `[192.0.2.1]:80`.
struct VirtualName<'a>(LogStyle, &'a ServiceKey);

/// A server as a log line names it; it takes the protocol of its service.
pub(super) struct RealName<'a>(Subject<'a>);

impl fmt::Display for VirtualName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(style, key) = self;
        match (style, key) {
            (LogStyle::V1_3, ServiceKey::Address(key)) => {
                write!(f, "[{}]:{}", key.address, key.port)
            }
            (LogStyle::Current | LogStyle::V1_3, _) => write!(f, "{key}"),
        }
    }
}

impl fmt::Display for RealName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Subject {
            style,
            service,
            server,
        }) = self;
        let RealServerKey { address, port } = server;
        match style {
            LogStyle::Current => {
                let protocol = service.protocol().map_or("none", Protocol::name);
                write!(f, "[{address}]:{protocol}:{port}")
            }
            LogStyle::V1_3 => write!(f, "[{address}]:{port}"),
        }
    }
}

impl<'a> Subject<'a> {
    pub(super) const fn real(self) -> RealName<'a> {
        RealName(self)
    }

    const fn vs(self) -> VirtualName<'a> {
        VirtualName(self.style, self.service)
    }
}

/// A checker was started.
pub(super) fn activating(subject: Subject<'_>) {
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
fn tcp_success(subject: Subject<'_>) {
    log::info!(target: CHECK, "TCP connection to {} success.", subject.real());
}

/// A connection did not come about. 1.3.5 says so each time, 2.x with `log_all_failures`.
fn tcp_failure(subject: Subject<'_>, outcome: Outcome, log_all_failures: bool) {
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
fn check_failed(subject: Subject<'_>, kind: &str, retries: u32) {
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
pub(super) fn adding(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Adding service {} to VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A server is taken out of its service.
pub(super) fn removing(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Removing service {} from VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A check of `ha_suspend` begins its life at rest: the address of its service is not here.
pub(super) fn deactivating(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Deactivating healthchecker for service {} for VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A check of `ha_suspend` rests: the address of its service has gone.
pub(super) fn suspending(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Suspending healthchecker for service {} for VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A server of an `inhibit_on_failure` takes part again.
pub(super) fn enabling(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Enabling service {} of VS {}",
        subject.real(),
        subject.vs()
    );
}

/// A server of an `inhibit_on_failure` gets weight 0.
pub(super) fn disabling(subject: Subject<'_>) {
    log::info!(
        target: CHECK,
        "Disabling service {} of VS {}",
        subject.real(),
        subject.vs()
    );
}

/// The sorry server, which is the subject's server, stands in, or does so no longer. `inhibit`: it
/// is in the table all the time.
pub(super) fn sorry(subject: Subject<'_>, quorum_up: bool, inhibit: bool) {
    let what = match (quorum_up, inhibit) {
        (false, false) => "Adding",
        (false, true) => "Enabling",
        (true, false) => "Removing",
        (true, true) => "Disabling",
    };
    let preposition = if quorum_up { "from" } else { "to" };
    log::info!(
        target: CHECK,
        "{what} sorry server {} {preposition} VS {}",
        subject.real(),
        subject.vs()
    );
}

/// All servers that are alive take part again, or do so no longer.
pub(super) fn alive_servers(subject: Subject<'_>, quorum_up: bool) {
    let what = if quorum_up {
        "Adding alive servers to"
    } else {
        "Removing alive servers from"
    };
    log::info!(target: CHECK, "{what} the pool for VS {}", subject.vs());
}

/// A server goes because the daemon ends. 2.x names all servers, 1.3.5 those in the table.
/// `inhibited`: it is in the table with weight 0, because it has failed.
pub(super) fn shutting_down(subject: Subject<'_>, alive: bool, inhibited: bool) {
    match subject.style {
        LogStyle::Current => log::info!(
            target: CHECK,
            "Shutting down {}service {} from VS {}",
            if inhibited { "(inhibited) " } else { "" },
            subject.real(),
            subject.vs()
        ),
        LogStyle::V1_3 if alive => removing(subject),
        LogStyle::V1_3 => {}
    }
}

/// The same for so many that they are not named.
pub(super) fn all_shutting_down(services: usize, servers: usize) {
    log::info!(
        target: CHECK,
        "Shutting down {servers} services of {services} virtual servers"
    );
}

/// A server is not in the new configuration.
pub(super) fn no_longer_exists(subject: Subject<'_>) {
    log::info!(target: CHECK, "service {} no longer exist", subject.real());
}

/// A service is not in the new configuration.
pub(super) fn removing_service(style: LogStyle, service: &ServiceKey) {
    if let (LogStyle::Current, ServiceKey::Group { name, .. }) = (style, service) {
        log::info!(target: CHECK, "Removing Virtual Server Group [{name}]");
        return;
    }
    log::info!(
        target: CHECK,
        "Removing Virtual Server {}",
        VirtualName(style, service)
    );
}

/// A weight is edited in place.
pub(super) fn changing_weight(subject: Subject<'_>, from: u32, to: u32, alive: bool) {
    let state = if alive { "active" } else { "inactive" };
    log::info!(
        target: CHECK,
        "Changing weight from {from} to {to} for {state} service {} of VS {}",
        subject.real(),
        subject.vs()
    );
}

/// What became of the quorum: needed plus or minus hysteresis against what is alive.
pub(super) fn quorum(style: LogStyle, service: &Service, quorum: Quorum) {
    let vs = VirtualName(style, service.key());
    let policy = &service.config.policy;
    let (needed, margin, alive) = (policy.quorum, policy.hysteresis, service.alive_weight);
    match quorum {
        // Where no quorum is asked for there is none to gain.
        Quorum::Gained if needed > 0 => log::info!(
            target: CHECK,
            "Gained quorum {needed}+{margin}={} <= {alive} for VS {vs}",
            service.to_gain()
        ),
        Quorum::Lost => log::info!(
            target: CHECK,
            "Lost quorum {needed}-{margin}={} > {alive} for VS {vs}",
            service.to_keep()
        ),
        Quorum::Gained | Quorum::Same => {}
    }
}

/// A service with a sorry server starts without quorum.
pub(super) fn starts_without_quorum(style: LogStyle, service: &Service) {
    let policy = &service.config.policy;
    log::info!(
        target: CHECK,
        "Starting with quorum down {}-{}={} > {} for VS {}",
        policy.quorum,
        policy.hysteresis,
        service.to_gain(),
        service.alive_weight,
        VirtualName(style, service.key())
    );
}

/// An entry of a group as a log line names it.
struct EntryName(Option<Protocol>, GroupEntry);

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(protocol, entry) = self;
        match entry {
            GroupEntry::Addresses { first, last, port } => {
                let protocol = protocol.map_or("none", Protocol::name);
                write!(f, "[{first}]:{protocol}:{port}")?;
                if first == last {
                    return Ok(());
                }
                write!(f, "-{last}")
            }
            GroupEntry::Fwmark { mark, .. } => write!(f, "FWM {mark}"),
        }
    }
}

/// An entry came into the group of a service.
pub(super) fn group_entry_added(service: &ServiceKey, entry: GroupEntry) {
    if let ServiceKey::Group { name, protocol, .. } = service {
        let entry = EntryName(*protocol, entry);
        log::info!(target: CHECK, "VS [{entry}] added into group {name}");
    }
}

/// An entry of the group of a service is not in the new configuration.
pub(super) fn group_entry_gone(service: &ServiceKey, entry: GroupEntry) {
    if let ServiceKey::Group { name, protocol, .. } = service {
        let entry = EntryName(*protocol, entry);
        // keepalived says of a mark no more than its number here.
        let entry = entry.to_string();
        let entry = entry.trim_start_matches("FWM ");
        log::info!(target: CHECK, "VS [{entry}] in group {name} no longer exists");
    }
}

/// Two services ask for the same packets.
pub(super) fn taken(style: LogStyle, service: &ServiceKey, name: ServiceName, owner: &ServiceKey) {
    log::warn!(
        target: CHECK,
        "VS {} leaves {name} to VS {}, which has it already: the kernel balances the same packets \
         once. Remove it from one of the two",
        VirtualName(style, service),
        VirtualName(style, owner)
    );
}

/// The file of `FILE_CHECK` says that a server is down, or no longer does.
pub(super) fn file(subject: Subject<'_>, name: &str, up: bool) {
    let what = if up { "leaving" } else { "now" };
    log::info!(
        target: CHECK,
        "({}): tracked file {name} {what} FAULT state",
        subject.real()
    );
}

/// A BFD session that a server is checked by is in another state.
pub(super) fn session(subject: Subject<'_>, name: &str, up: bool) {
    let state = if up { "UP" } else { "DOWN" };
    log::info!(
        target: CHECK,
        "BFD check of [{name}] RS({}) is {state}",
        subject.real()
    );
}

/// A BFD session says what state it is in.
pub(super) fn heard_session(name: &str, up: bool) {
    let state = if up { "Up" } else { "Down" };
    log::debug!(
        target: CHECK,
        "Received BFD event: instance {name} is in state {state} (delivered in 0 usec)"
    );
}

/// Checks could not be made for a reason that lies in this host; said at most once a minute.
pub(super) fn local_failure(
    subject: Subject<'_>,
    check: Option<&TcpCheck>,
    errno: i32,
    skipped: u64,
) {
    let others = match skipped {
        0 => String::new(),
        _ => format!(" (and {skipped} more checks in the last minute)"),
    };
    let bound = check.and_then(|check| check.bind);
    let bound = bound.filter(|bind| !bind.ip().is_unspecified());
    let interface = check.and_then(|check| check.bind_interface.as_deref());
    let why = match (errno, bound, interface) {
        (EKEYREJECTED, _, _) => {
            "it may want a certificate, and that of SSL cannot be used".to_owned()
        }
        (EADDRNOTAVAIL, Some(bind), _) => {
            format!(
                "no interface of this host has the address {} of bindto",
                bind.ip()
            )
        }
        (ENODEV, _, Some(name)) => format!("there is no interface {name}, that of bind_if"),
        _ => "this host lacks descriptors, ports or memory".to_owned(),
    };
    log::warn!(
        target: CHECK,
        "a check of {} could not be made: {why} (error {errno}){others}. The servers keep their \
         state; trying again",
        subject.real()
    );
}

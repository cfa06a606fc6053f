//! The log lines of the VRRP domain, in both generations of texts.
//!
//! Owns: every text, its level, and the rule which level a style needs. Never does: decide when a
//! line is due. Driven by: the machines of this domain. Operators grep these lines: those that
//! keepalived has are keepalived's, letter by letter.
//!
//! Levels: `info` is always written, `debug` with `-D`, `trace` with `-D -D`; keepalived 1.3.5
//! had one level of detail only, so that its style needs `-D` where 2.x needs it twice.

use std::fmt;
use std::net::IpAddr;

use log::Level;

use super::instance::{FaultReason, State};
use super::own_link::kind_name;
use super::strangers;
use crate::base::ident::VRRP;
use crate::base::{Duration, Family};
use crate::conf::model::options::Version;
use crate::conf::model::{LogStyle, OwnLink, OwnLinkKind, Priority, Transport};
use crate::wire::rtnl::Kind;

/// A line about one instance that keepalived has too.
#[derive(Debug, Clone, Copy)]
pub(super) enum Line<'a> {
    /// The instance is in another state; `init` at its start.
    Entering {
        state: State,
        init: bool,
    },
    Fault(FaultReason, &'a str),
    Timeout,
    BackupGotZero,
    LowerDiscarded {
        priority: Priority,
        from: IpAddr,
    },
    StartPreemptDelay(Duration),
    StopPreemptDelay,
    MasterGotLower {
        priority: Priority,
        ours: Priority,
        from: IpAddr,
        answered: bool,
    },
    MasterGotHigher {
        priority: Priority,
        ours: Priority,
        from: IpAddr,
    },
    MasterGotSame {
        priority: Priority,
        from: IpAddr,
    },
    MasterGotZero,
    TwoOwners {
        from: IpAddr,
    },
    OwnerStays {
        from: IpAddr,
    },
    OwnerGone {
        from: IpAddr,
    },
    SentZero,
    SettingVips {
        excluded: bool,
    },
    RemovingVips {
        excluded: bool,
    },
    Routes {
        setting: bool,
    },
    Rules {
        setting: bool,
    },
    SettingDropRule,
    RemovingDropRule,
    OwnLinkMade(&'a OwnLink),
    OwnLinkRemoved(&'a OwnLink),
    AnnouncingOn {
        interface: &'a str,
        address: IpAddr,
    },
    Announced {
        interface: &'a str,
        address: IpAddr,
    },
    EffectivePriority {
        from: Priority,
        to: Priority,
    },
    /// The same at the end of FAULT.
    SettingPriority(Priority),
    TooManyAddresses {
        given: usize,
        room: usize,
    },
    Invalid(Complaint, IpAddr),
}

/// A line that keepalived does not have; the same in both styles but for the prefix.
#[derive(Debug, Clone, Copy)]
pub(super) enum Note<'a> {
    /// The host stood still for this long.
    Overslept(Duration),
    /// A master by timeout that has never heard anybody.
    NeverHeard {
        vrid: u8,
        interface: &'a str,
        to: Transport,
        stranger: Option<(u8, IpAddr)>,
    },
    /// The first advert of another router after [`Note::NeverHeard`].
    Heard { from: IpAddr, priority: Priority },
    /// A lower master that goes on although it is answered.
    DeafRival { from: IpAddr },
    /// A reload has dropped an address of a master.
    AddressDropped {
        address: IpAddr,
        prefix_len: u8,
        interface: &'a str,
    },
    /// Somebody else removed an address.
    AddressLost { address: IpAddr, interface: &'a str },
    /// Somebody else removed a route or a rule.
    RoutingLost(Kind, &'a str),
    RoutingRefused {
        add: bool,
        text: &'a str,
        errno: i32,
    },
    /// An address with keepalived's mark that is in no instance.
    Stray { address: IpAddr, interface: &'a str },
    AddressRefused {
        address: IpAddr,
        interface: &'a str,
        errno: i32,
    },
    /// A link of the name that its own is to have is something else.
    OwnLinkTaken(&'a str),
    /// The kernel refused to make its own link.
    OwnLinkRefused {
        link: &'a OwnLink,
        interface: &'a str,
        errno: i32,
    },
    /// The kernel refused to change the table of the firewall.
    FirewallRefused(i32),
    AddressNotRemoved {
        address: IpAddr,
        interface: &'a str,
        errno: i32,
    },
}

/// What is wrong with a received packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Complaint {
    Length { got: usize, expected: usize },
    Ttl { got: u8, min: u8, max: u8 },
    Version { got: u8, expected: u8 },
    Type(u8),
    NotAPeer,
    AuthType { got: u8, expected: u8 },
    Password,
    AhValue,
    AhSpi(u32),
    AhSequence(u32),
    SignatureMissing,
    SignatureMalformed,
    SignatureKey(u8),
    SignatureWrong,
    SignatureStale { skew: i64, window: i64 },
    SignatureRepeated,
    SignatureSkew { skew: i64, window: i64 },
    Interval { got: u8, expected: u64 },
    NoInterval,
    OtherInterval { got: Duration, expected: Duration },
    Checksum(Version),
    NoAddresses,
    Count { got: u8, expected: usize },
    Address { vrid: u8, address: IpAddr },
}

impl Complaint {
    /// A bit of its kind, for the once-only rule.
    pub(super) const fn bit(self) -> u32 {
        match self {
            Self::Length { .. } => 1,
            Self::Ttl { .. } => 1 << 1,
            Self::Version { .. } => 1 << 2,
            Self::Type(_) => 1 << 3,
            Self::AuthType { .. } => 1 << 4,
            Self::Password => 1 << 5,
            Self::Interval { .. } => 1 << 6,
            Self::Checksum(_) => 1 << 7,
            Self::Count { .. } => 1 << 8,
            Self::Address { .. } => 1 << 9,
            Self::NotAPeer => 1 << 10,
            Self::AhValue => 1 << 11,
            Self::AhSpi(_) => 1 << 12,
            Self::AhSequence(_) => 1 << 13,
            Self::NoInterval => 1 << 14,
            Self::OtherInterval { .. } => 1 << 15,
            Self::NoAddresses => 1 << 16,
            Self::SignatureMissing => 1 << 17,
            Self::SignatureMalformed => 1 << 18,
            Self::SignatureKey(_) => 1 << 19,
            Self::SignatureWrong => 1 << 20,
            Self::SignatureStale { .. } => 1 << 21,
            Self::SignatureRepeated => 1 << 22,
            Self::SignatureSkew { .. } => 1 << 23,
        }
    }
}

/// Writes `line` about the instance `name`, if the level of detail asks for it.
pub(super) fn say(style: LogStyle, name: &str, line: Line<'_>) {
    let Some(level) = line.level(style) else {
        return;
    };
    log::log!(target: VRRP, level, "{}", Text { style, name, line });
    if style == LogStyle::V1_3
        && let Line::Entering {
            state: State::Master,
            ..
        } = line
    {
        // Two lines of 1.3.5 that 2.x has merged into one.
        log::log!(target: VRRP, level, "VRRP_Instance({name}) Entering MASTER STATE");
    }
}

/// Writes `line` about the instance `name`.
pub(super) fn note(style: LogStyle, name: &str, line: Note<'_>) {
    let level = match line {
        // A lone router, or one whose peers are silent as backups should be, is in order.
        Note::NeverHeard { .. } | Note::Heard { .. } | Note::AddressDropped { .. } => Level::Info,
        Note::Overslept(_)
        | Note::DeafRival { .. }
        | Note::AddressLost { .. }
        | Note::RoutingLost(..)
        | Note::Stray { .. } => Level::Warn,
        Note::AddressRefused { .. }
        | Note::RoutingRefused { .. }
        | Note::AddressNotRemoved { .. }
        | Note::OwnLinkTaken(_)
        | Note::OwnLinkRefused { .. }
        | Note::FirewallRefused(_) => Level::Error,
    };
    log::log!(target: VRRP, level, "{}{}", Prefix(style, name), line);
}

/// A BFD session says what state it is in; one process, so nothing delays that.
pub(super) fn heard_session(name: &str, up: bool) {
    let state = if up { "Up" } else { "Down" };
    log::debug!(
        target: VRRP,
        "Received BFD event: instance {name} is in state {state} (delivered in 0 usec)"
    );
}

/// An instance tracks a BFD session that is in another state.
pub(super) fn tracked_session(instance: &str, name: &str, up: bool) {
    let state = if up { "UP" } else { "DOWN" };
    log::info!(
        target: VRRP,
        "VRRP_Instance({instance}) Tracked BFD instance {name} is {state}"
    );
}

/// The address that adverts on an interface come from; the same in both styles.
pub(super) fn assigned(address: IpAddr, interface: &str) {
    log::debug!(target: VRRP, "Assigned address {address} for interface {interface}");
}

/// A sync group is in another state, and its members with it.
pub(super) fn say_group(style: LogStyle, name: &str, state: State) {
    let state = state_name(state);
    match style {
        LogStyle::Current => {
            log::info!(target: VRRP, "VRRP_Group({name}) Syncing instances to {state} state");
        }
        LogStyle::V1_3 => {
            log::info!(target: VRRP, "VRRP_Group({name}) Transition to {state} state");
        }
    }
}

impl Line<'_> {
    /// The level of the line; `None` where the style has no such line.
    fn level(&self, style: LogStyle) -> Option<Level> {
        let old = style == LogStyle::V1_3;
        Some(match self {
            Self::Entering { state, init } => match state {
                // 1.3.5 says in the reason's line that it is in FAULT.
                State::Fault if old && !init => return None,
                State::Init | State::Backup | State::Master | State::Fault => Level::Info,
            },
            Self::Timeout | Self::BackupGotZero | Self::MasterGotZero if old => return None,
            Self::Timeout
            | Self::BackupGotZero
            | Self::MasterGotZero
            | Self::SettingVips { .. }
            | Self::RemovingVips { .. }
            | Self::Routes { .. }
            | Self::Rules { .. }
            | Self::SettingDropRule
            | Self::RemovingDropRule
            | Self::AnnouncingOn { .. } => Level::Debug,
            Self::Announced { .. } if old => Level::Debug,
            Self::Announced { .. } => Level::Trace,
            Self::Fault(..)
            | Self::LowerDiscarded { .. }
            | Self::StartPreemptDelay(_)
            | Self::StopPreemptDelay
            | Self::MasterGotLower { .. }
            | Self::MasterGotHigher { .. }
            | Self::MasterGotSame { .. }
            | Self::SentZero
            | Self::OwnLinkMade(_)
            | Self::OwnLinkRemoved(_)
            | Self::EffectivePriority { .. }
            | Self::SettingPriority(_)
            | Self::Invalid(..) => Level::Info,
            Self::TooManyAddresses { .. } => Level::Warn,
            Self::OwnerGone { .. } => Level::Info,
            Self::TwoOwners { .. } | Self::OwnerStays { .. } => Level::Error,
        })
    }
}

/// A line with its prefix.
struct Text<'a> {
    style: LogStyle,
    name: &'a str,
    line: Line<'a>,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Line::Announced { interface, address } = self.line {
            let what = announcement(address);
            return write!(f, "Sending {} on {interface} for {address}", what.0);
        }
        Prefix(self.style, self.name).fmt(f)?;
        match self.style {
            LogStyle::Current => current(f, self.line),
            LogStyle::V1_3 => v1_3(f, self.line),
        }
    }
}

/// How a line names the instance that it is about.
struct Prefix<'a>(LogStyle, &'a str);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            LogStyle::Current => write!(f, "({}) ", self.1),
            LogStyle::V1_3 => write!(f, "VRRP_Instance({}) ", self.1),
        }
    }
}

/// What announces an address, one of it and many.
const fn announcement(address: IpAddr) -> (&'static str, &'static str) {
    match address {
        IpAddr::V4(_) => ("gratuitous ARP", "gratuitous ARPs"),
        IpAddr::V6(_) => (
            "unsolicited Neighbour Advert",
            "Unsolicited Neighbour Adverts",
        ),
    }
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Init => "INIT",
        State::Backup => "BACKUP",
        State::Master => "MASTER",
        State::Fault => "FAULT",
    }
}

/// Texts of 1.3.5; what it did not say, or said alike, has the current text.
fn v1_3(f: &mut fmt::Formatter<'_>, line: Line<'_>) -> fmt::Result {
    match line {
        Line::Entering {
            state: State::Master,
            ..
        } => f.write_str("Transition to MASTER STATE"),
        Line::Entering { state, init: _ } => write!(f, "Entering {} STATE", state_name(state)),
        Line::Fault(reason, interface) => {
            write!(f, "Now in FAULT state ({})", Reason(reason, interface))
        }
        Line::MasterGotLower {
            priority,
            ours,
            from: _,
            answered,
        } => {
            let then = if answered {
                ", forcing new election"
            } else {
                ""
            };
            write!(
                f,
                "Received advert with lower priority {priority}, ours {ours}{then}"
            )
        }
        Line::MasterGotHigher { priority, ours, .. } => write!(
            f,
            "Received advert with higher priority {priority}, ours {ours}"
        ),
        Line::Routes { setting } => write!(f, "{} protocol Virtual Routes", verb(setting)),
        Line::Rules { setting } => write!(f, "{} protocol Virtual Rules", verb(setting)),
        Line::SettingVips { excluded } => write!(f, "setting protocol {}VIPs.", mark(excluded)),
        Line::RemovingVips { excluded } => write!(f, "removing protocol {}VIPs.", mark(excluded)),
        Line::SettingDropRule
        | Line::RemovingDropRule
        | Line::OwnLinkMade(_)
        | Line::OwnLinkRemoved(_)
        | Line::Timeout
        | Line::BackupGotZero
        | Line::LowerDiscarded { .. }
        | Line::StartPreemptDelay(_)
        | Line::StopPreemptDelay
        | Line::MasterGotSame { .. }
        | Line::MasterGotZero
        | Line::TwoOwners { .. }
        | Line::OwnerStays { .. }
        | Line::OwnerGone { .. }
        | Line::SentZero
        | Line::AnnouncingOn { .. }
        | Line::Announced { .. }
        | Line::EffectivePriority { .. }
        | Line::SettingPriority(_)
        | Line::TooManyAddresses { .. }
        | Line::Invalid(..) => current(f, line),
    }
}

fn fault(f: &mut fmt::Formatter<'_>, reason: FaultReason, what: &str) -> fmt::Result {
    match reason {
        FaultReason::Script => write!(f, "entering FAULT state due to script {what}"),
        reason => write!(f, "entering FAULT state ({})", Reason(reason, what)),
    }
}

/// Texts of 2.x.
fn current(f: &mut fmt::Formatter<'_>, line: Line<'_>) -> fmt::Result {
    match line {
        Line::Entering { state, init } => {
            let init = if init { " (init)" } else { "" };
            write!(f, "Entering {} STATE{init}", state_name(state))
        }
        Line::Fault(reason, what) => fault(f, reason, what),
        Line::Timeout => f.write_str("Receive advertisement timeout"),
        Line::BackupGotZero => f.write_str("Backup received priority 0 advertisement"),
        Line::LowerDiscarded { priority, from } => write!(
            f,
            "received lower priority ({priority}) advert from {from} - discarding"
        ),
        Line::StartPreemptDelay(delay) => write!(
            f,
            "start preempt delay ({}.{:06})",
            delay.as_secs(),
            delay.subsec_micros()
        ),
        Line::StopPreemptDelay => f.write_str("stop preempt delay"),
        Line::MasterGotLower {
            priority,
            ours,
            from,
            answered,
        } => {
            let then = if answered {
                ", forcing new election"
            } else {
                ""
            };
            write!(
                f,
                "Received advert from {from} with lower priority {priority}, ours {ours}{then}"
            )
        }
        Line::MasterGotHigher {
            priority,
            ours,
            from,
        } => write!(
            f,
            "Master received advert from {from} with higher priority {priority}, ours {ours}"
        ),
        Line::MasterGotSame { priority, from } => write!(
            f,
            "Master received advert from {from} with same priority {priority} but higher IP address than ours"
        ),
        Line::MasterGotZero => f.write_str("Master received priority 0 message"),
        Line::TwoOwners { from } => write!(
            f,
            "CONFIGURATION ERROR: local instance and {from} are both configured as address owner, please resolve"
        ),
        Line::OwnerStays { from } => write!(
            f,
            "{from} is still advertising as address owner, please resolve - reducing our priority"
        ),
        Line::OwnerGone { from } => write!(
            f,
            "Restoring our priority to 255 since {from} is no longer advertising as address owner"
        ),
        Line::SentZero => f.write_str("sent 0 priority"),
        Line::Routes { setting } => write!(f, "{} Virtual Routes", verb(setting)),
        Line::Rules { setting } => write!(f, "{} Virtual Rules", verb(setting)),
        Line::SettingVips { excluded } => write!(f, "setting {}VIPs.", mark(excluded)),
        Line::RemovingVips { excluded } => write!(f, "removing {}VIPs.", mark(excluded)),
        Line::SettingDropRule => f.write_str("setting firewall drop rule"),
        Line::RemovingDropRule => f.write_str("removing firewall drop rule"),
        Line::OwnLinkMade(own) => write!(
            f,
            "Success creating {} interface {}",
            kind_name(own),
            own.name
        ),
        Line::OwnLinkRemoved(own) => write!(
            f,
            "Success removing {} interface {}",
            kind_name(own),
            own.name
        ),
        Line::AnnouncingOn { interface, address } => write!(
            f,
            "Sending/queueing {} on {interface} for {address}",
            announcement(address).1
        ),
        Line::Announced { interface, address } => write!(
            f,
            "Sending {} on {interface} for {address}",
            announcement(address).0
        ),
        Line::SettingPriority(to) => write!(f, "Setting effective priority to {to}"),
        Line::EffectivePriority { from, to } => {
            write!(f, "Changing effective priority from {from} to {to}")
        }
        Line::Invalid(complaint, from) => invalid(f, complaint, from),
        Line::TooManyAddresses { given, room } => write!(
            f,
            "Number of VIPs ({given}) exceeds maximum/space available in packet (max {room} addresses) - excess moved to eVIPs"
        ),
    }
}

impl fmt::Display for Note<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Overslept(late) => write!(
                f,
                "was not run for {}.{:03} s, in which another router may have taken over - listening before speaking",
                late.as_secs(),
                late.subsec_millis()
            ),
            Self::AddressDropped {
                address,
                prefix_len,
                interface,
            } => write!(
                f,
                "ip address {address}/{prefix_len} dev {interface}, no longer exist"
            ),
            Self::NeverHeard {
                vrid,
                interface,
                to,
                stranger,
            } => strangers::write_unheard(f, (vrid, interface), to, stranger),
            Self::Heard { from, priority } => {
                write!(
                    f,
                    "another router is heard now: {from}, priority {priority}"
                )
            }
            Self::DeafRival { from } => write!(
                f,
                "{from} goes on as master although its adverts are answered: there are two masters, and it \
                 does not hear this one; look there for a firewall that drops protocol 112 or 224.0.0.18"
            ),
            Self::AddressLost { address, interface } => write!(
                f,
                "something else on this host removed {address} from {interface} - putting it back"
            ),
            Self::RoutingLost(what, text) => {
                let noun = match what {
                    Kind::Route => "route",
                    Kind::Rule => "rule",
                };
                write!(
                    f,
                    "something else on this host removed the {noun} {text} - putting it back"
                )
            }
            Self::RoutingRefused { add, text, errno } => {
                let verb = if add { "add" } else { "remove" };
                write!(f, "the kernel refused to {verb} {text}: error {errno}")
            }
            Self::Stray { address, interface } => write!(
                f,
                "{address} on {interface} was added by a keepalived, but is in no instance here - left alone"
            ),
            Self::AddressRefused {
                address,
                interface,
                errno,
            } => write!(
                f,
                "the kernel refused to add {address} to {interface}: error {errno}"
            ),
            Self::OwnLinkTaken(name) => write!(
                f,
                "the interface {name} exists and is not the private macvlan with the virtual MAC address that it should be - remove or rename it"
            ),
            Self::OwnLinkRefused {
                link,
                interface,
                errno,
            } => write!(
                f,
                "Unable to create {} interface {} on {interface}: error {errno} - does the kernel have {}?",
                kind_name(link),
                link.name,
                match link.kind {
                    OwnLinkKind::Vmac(_) => "the module macvlan",
                    OwnLinkKind::Ipvlan => "the module ipvlan",
                }
            ),
            Self::FirewallRefused(errno) => write!(
                f,
                "nftables refused a change: error {errno} - traffic to the virtual addresses may pass although it should be dropped"
            ),
            Self::AddressNotRemoved {
                address,
                interface,
                errno,
            } => write!(
                f,
                "the kernel refused to remove {address} from {interface}: error {errno}"
            ),
        }
    }
}

const fn verb(setting: bool) -> &'static str {
    if setting { "setting" } else { "removing" }
}

/// How keepalived calls addresses that are not in adverts.
const fn mark(excluded: bool) -> &'static str {
    if excluded { "E-" } else { "" }
}

fn invalid(f: &mut fmt::Formatter<'_>, complaint: Complaint, from: IpAddr) -> fmt::Result {
    match complaint {
        Complaint::Length { got, expected } => {
            let how = if got < expected { "short" } else { "long" };
            write!(
                f,
                "vrrp packet from {from} too {how}, length {got} and expect {expected}"
            )
        }
        Complaint::Ttl { got, min, max } if min == max => write!(
            f,
            "invalid TTL/HL from {from}. Received {got} and expect {min}"
        ),
        Complaint::Ttl { got, min, max } => write!(
            f,
            "invalid TTL/HL from {from}. Received {got} and expect {min}-{max}"
        ),
        Complaint::Version { got, expected } => {
            write!(
                f,
                "invalid version from {from}. {got} and expect {expected}"
            )
        }
        Complaint::NotAPeer => write!(f, "unicast source address {from} not a unicast peer"),
        Complaint::Type(kind) => write!(f, "invalid type from {from}. {kind} and expect 1"),
        Complaint::AuthType { got, expected: _ } if got > 2 => {
            write!(f, "Invalid auth type: {got} from {from}")
        }
        Complaint::AuthType { got, expected } => {
            write!(
                f,
                "received a {got} auth from {from}, expecting {expected}!"
            )
        }
        Complaint::Password => write!(f, "received an invalid passwd from {from}!"),
        Complaint::Interval { got, expected } => write!(
            f,
            "advertisement interval mismatch mine={expected} sec rcv'd={got} sec from {from}"
        ),
        Complaint::AhValue => write!(
            f,
            "IPSEC-AH: invalid authentication value from {from}. Packet dropped"
        ),
        Complaint::AhSpi(spi) => write!(
            f,
            "IPSEC-AH: invalid security parameters index {spi:#010x} from {from}. Packet dropped"
        ),
        Complaint::AhSequence(sequence) => write!(
            f,
            "IPSEC-AH: sequence number {sequence} from {from} already processed. Packet dropped"
        ),
        Complaint::SignatureMissing => write!(f, "missing authentication trailer from {from}"),
        Complaint::SignatureMalformed => write!(f, "malformed authentication trailer from {from}"),
        Complaint::SignatureKey(id) => write!(f, "unknown authentication key id {id} from {from}"),
        Complaint::SignatureWrong => write!(f, "invalid authentication HMAC from {from}"),
        Complaint::SignatureStale { skew, window } => write!(
            f,
            "stale authentication trailer from {from}, clock skew {skew} sec exceeds window {window} sec"
        ),
        Complaint::SignatureRepeated => write!(f, "replayed authentication trailer from {from}"),
        Complaint::SignatureSkew { skew, window } => write!(
            f,
            "authentication clock skew {skew} sec from {from} approaching window {window} sec"
        ),
        Complaint::NoInterval => write!(
            f,
            "advert from {from} with an interval of 0, which would let backups take over at once - discarding"
        ),
        Complaint::OtherInterval { got, expected } => write!(
            f,
            "advertisement interval mismatch mine={} milli-sec rcv'd={} milli-sec from {from}",
            expected.as_millis(),
            got.as_millis()
        ),
        Complaint::NoAddresses => write!(f, "advert from {from} without addresses - discarding"),
        Complaint::Checksum(Version::V2) => write!(f, "Invalid VRRPv2 checksum from {from}"),
        Complaint::Checksum(Version::V3) => write!(f, "Invalid VRRPv3 checksum from {from}"),
        Complaint::Count { got, expected } => {
            write!(f, "expected {expected} VIPs but received {got}")
        }
        Complaint::Address { vrid, address } => write!(
            f,
            "ip address associated with VRID {vrid} not present in advert from {from}: {address}"
        ),
    }
}

/// A reason with the interface that it may name.
struct Reason<'a>(FaultReason, &'a str);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let interface = self.1;
        match self.0 {
            FaultReason::NoInterface => write!(f, "interface {interface} does not exist"),
            FaultReason::InterfaceDown => write!(f, "interface {interface} down"),
            FaultReason::NoAddress(Family::V4) => f.write_str("no IPv4 address for interface"),
            FaultReason::NoAddress(Family::V6) => f.write_str("no IPv6 address for interface"),
            FaultReason::NoSource => f.write_str("src address not configured"),
            FaultReason::NoPeers => f.write_str("unicast without any peers"),
            FaultReason::Socket(errno) => write!(f, "no VRRP socket on {interface}: error {errno}"),
            FaultReason::Script => write!(f, "script {interface} failed"),
            FaultReason::File(value) => write!(f, "tracked file {interface} has status {value}"),
            FaultReason::Bfd => write!(f, "tracked BFD instance {interface}"),
            FaultReason::Process => {
                write!(f, "tracked process {interface} quorum not achieved")
            }
            FaultReason::NoOwnLink => write!(f, "its own interface on {interface} is missing"),
            FaultReason::OwnLinkDown => write!(f, "its own interface on {interface} down"),
            FaultReason::Contested => f.write_str(
                "something else on this host, such as a network manager or a script, keeps removing its addresses",
            ),
        }
    }
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;

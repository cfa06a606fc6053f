//! The configuration while it is being read: what was said, before defaults.
//!
//! Owns: one field for each setting, `None` until the file sets it, and where each object began.
//! Never does: fill in defaults (`resolve` does). Driven by: the handlers in `bind`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use super::diag::Diagnostic;
use super::model::options::{InstanceOptions, LinkSettings, SyncGroup, Trackers};
use super::model::routing::Statics;
use super::model::{
    AuthPass, BfdAudience, BfdInstance, BfdProbe, CheckDefaults, DnsProbe, Dynamic, FileProbe,
    Forwarding, GarpSettings, Global, HttpProbe, IndirectTarget, InitialState, Protocol, Scheduler,
    ServerGroup, ServerPolicy, ServicePolicy, SmtpProbe, TlsClient, UdpProbe, VirtualAddress,
};
use super::reader::Place;
use super::source::{Access, HostFacts, Identity, Program};
use crate::base::{Duration, Family, Shared};

/// Everything that was said.
#[derive(Debug, Default)]
pub(super) struct Draft {
    /// `script_user` and `enable_script_security` stand in `scripts` until all is read.
    pub(super) global: Global,
    pub(super) instances: Vec<InstanceDraft>,
    /// The `virtual_server` that is being read.
    pub(super) services: Vec<ServiceDraft>,
    /// Those whose blocks have ended in this slice.
    pub(super) closed: Vec<ServiceDraft>,
    pub(super) groups: Vec<ServerGroup>,
    /// The `bfd_instance` that is being read.
    pub(super) bfd: Option<BfdDraft>,
    pub(super) bfd_instances: Vec<BfdInstance>,
    /// Names of those that lack something: who refers to them is told so, but not that they are
    /// unknown.
    pub(super) disabled_bfd: Vec<String>,
    /// Services of each group so far.
    pub(super) group_uses: BTreeMap<String, u32>,
    pub(super) tls: Option<TlsClient>,
    pub(super) trackers: Trackers,
    pub(super) sync_groups: Vec<SyncGroup>,
    pub(super) scripts: ScriptRules,
    /// Where each of the sync groups began.
    pub(super) group_places: Vec<Place>,
    /// The network namespace does not exist that all but `global_defs` is about.
    pub(super) elsewhere: bool,
    /// It is read by one of keepalived's children: where it lives its parent has decided.
    pub(super) of_child: bool,
    pub(super) statics: Statics,
    /// Static addresses that name no interface, by their place in the list, with what is said if
    /// there is none for them.
    pub(super) homeless: Vec<(usize, Diagnostic)>,
    pub(super) links: LinkSettings,
    /// How many rules of each family have no preference of their own.
    pub(super) unordered_rules: [u32; 2],
    /// So many lists of interfaces had `garp_group` so far.
    pub(super) garp_lists: u32,
    /// What a list of names has so far that is looked at at its end.
    pub(super) names: Vec<String>,
    /// The `vrrp_script` that is being read cannot run, which was said.
    pub(super) unusable_script: bool,
    /// In an `auth_hmac` that does not count.
    pub(super) signing_again: bool,
    /// An interface was named that does not exist.
    pub(super) missing_interface: bool,
    /// `dynamic_interfaces` is known to stand below.
    pub(super) will_be_dynamic: bool,
}

/// What is said of scripts as a whole, and those that are no part of another object.
#[derive(Debug, Clone, Default)]
pub(super) struct ScriptRules {
    /// `enable_script_security`
    pub(super) secure: bool,
    /// `script_user`
    pub(super) user: Option<String>,
    /// Its second word.
    pub(super) group: Option<String>,
    /// There is nobody whom scripts run as that name nobody, and it was said: by the side of VRRP,
    /// and by that of the checks.
    pub(super) nobody: [bool; 2],
    /// What the host says of the programs that are named.
    pub(super) programs: BTreeMap<String, (Program, Option<Access>)>,
    /// What it says of the users and groups that are named, and of nobody.
    pub(super) identities: BTreeMap<(Option<String>, Option<String>), Identity>,
}

impl Draft {
    /// Whether interfaces may come later (`dynamic_interfaces`).
    pub(super) fn is_dynamic(&self) -> bool {
        self.will_be_dynamic || self.global.interfaces.dynamic != Dynamic::No
    }

    /// Whether an interface was missed above the line that lets it come later.
    pub(super) fn missed_too_soon(&self) -> bool {
        self.missing_interface && !self.will_be_dynamic && self.is_dynamic()
    }

    /// Whether an interface is missing that has to be there; without it nothing starts.
    pub(super) fn misses(&mut self, name: &str, facts: &dyn HostFacts) -> bool {
        let misses = !self.is_dynamic() && !facts.interface_exists(name);
        self.missing_interface |= misses;
        misses
    }
}

/// `vrrp_instance`
#[derive(Debug)]
pub(super) struct InstanceDraft {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) interface: Option<String>,
    /// Where its source address is, of a unicast instance that names no interface.
    pub(super) found_interface: Option<String>,
    /// What `lvs_sync_daemon_interface` named.
    pub(super) sync_interface: Option<String>,
    pub(super) vrid: Option<u8>,
    pub(super) state: Option<InitialState>,
    pub(super) priority: Option<u8>,
    pub(super) advert_interval: Option<Duration>,
    pub(super) auth: AuthKind,
    pub(super) auth_pass: Option<AuthPass>,
    pub(super) family: Option<Family>,
    pub(super) addresses: Vec<VirtualAddress>,
    pub(super) taken: TakenAddresses,
    pub(super) no_preempt: bool,
    pub(super) preempt_delay: Option<Duration>,
    pub(super) garp: GarpSettings,
    pub(super) options: Shared<InstanceOptions>,
}

/// The addresses of an instance so far, with the interfaces that their lines name.
#[derive(Debug, Default)]
pub(super) struct TakenAddresses {
    advertised: BTreeSet<IpAddr>,
    with_interfaces: BTreeSet<(IpAddr, Option<String>)>,
    excluded: BTreeSet<(IpAddr, Option<String>)>,
}

impl TakenAddresses {
    /// Takes one of `virtual_ipaddress`; else what it is a duplicate of. An advert names an address
    /// once, whatever interface it is on.
    pub(super) fn take(&mut self, vip: &VirtualAddress) -> Result<(), &'static str> {
        let place = (vip.address, vip.interface.clone());
        if self.advertised.contains(&vip.address) {
            Err("a VIP")
        } else if self.excluded.contains(&place) {
            Err("an excluded VIP")
        } else {
            self.advertised.insert(vip.address);
            self.with_interfaces.insert(place);
            Ok(())
        }
    }

    /// The same of `virtual_ipaddress_excluded`.
    pub(super) fn take_excluded(&mut self, vip: &VirtualAddress) -> Result<(), &'static str> {
        let place = (vip.address, vip.interface.clone());
        if self.with_interfaces.contains(&place) {
            Err("a VIP")
        } else if self.excluded.insert(place) {
            Ok(())
        } else {
            Err("an excluded VIP")
        }
    }
}

impl InstanceDraft {
    /// Whether it makes an interface of that name.
    pub(super) fn makes(&self, name: &str) -> bool {
        let vmac = self.options.vmac.as_ref();
        vmac.is_some_and(|vmac| vmac.name.as_deref() == Some(name))
    }
}

/// `auth_type`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum AuthKind {
    #[default]
    None,
    Pass,
    Ah,
}

/// `virtual_server`
#[derive(Debug)]
pub(super) struct ServiceDraft {
    pub(super) place: Place,
    pub(super) target: Target,
    /// How many services of its group stand before it.
    pub(super) nth: u32,
    pub(super) protocol: Option<Protocol>,
    pub(super) scheduler: Option<Scheduler>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) persistence_timeout: Option<Duration>,
    pub(super) granularity: Option<u8>,
    pub(super) weight: u32,
    pub(super) checks: CheckDefaults,
    pub(super) real_servers: Vec<RealServerDraft>,
    /// `inhibit_on_failure` of servers that do not say.
    pub(super) inhibit: bool,
    pub(super) policy: ServicePolicy,
}

/// What a service is for.
#[derive(Debug)]
pub(super) enum Target {
    /// An address and port; port 0 takes all.
    Address(IpAddr, u16),
    /// A mark or a group.
    Indirect(IndirectTarget),
}

impl ServiceDraft {
    /// The family of its packets, as far as it is known.
    pub(super) fn family(&self) -> Option<Family> {
        match self.target {
            Target::Address(address, _) => Some(Family::of(address)),
            Target::Indirect(_) => self.policy.family.or_else(|| {
                let first = self.real_servers.first()?;
                let tunnel = matches!(first.forwarding, Some(Forwarding::Tun(_)));
                (!tunnel).then(|| Family::of(first.address))
            }),
        }
    }

    /// Its port; 0 if it has none of its own.
    pub(super) const fn port(&self) -> u16 {
        match self.target {
            Target::Address(_, port) => port,
            Target::Indirect(_) => 0,
        }
    }

    /// As keepalived calls it in messages.
    pub(super) fn label(&self) -> String {
        match &self.target {
            Target::Address(address, port) => format!(
                "[{address}]:{}:{port}",
                self.protocol.map_or("none", Protocol::name)
            ),
            Target::Indirect(IndirectTarget::Fwmark(mark)) => format!("FWM {mark}"),
            Target::Indirect(IndirectTarget::Group(name)) => format!("[{name}]:{}", self.nth),
        }
    }
}

impl ServiceDraft {
    /// What is said of a service without servers.
    pub(super) fn without_servers(&self) -> String {
        format!(
            "Virtual server {} has no real servers - ignoring",
            self.label()
        )
    }
}

/// `real_server`
#[derive(Debug)]
pub(super) struct RealServerDraft {
    pub(super) place: Place,
    pub(super) address: IpAddr,
    pub(super) port: Option<u16>,
    pub(super) weight: Option<u32>,
    pub(super) forwarding: Option<Forwarding>,
    pub(super) checks: CheckDefaults,
    pub(super) probes: Vec<ProbeDraft>,
    pub(super) inhibit: Option<bool>,
    pub(super) policy: Option<Box<ServerPolicy>>,
}

/// Any health check.
#[derive(Debug, Default)]
pub(super) struct ProbeDraft {
    pub(super) connect: TcpCheckDraft,
    /// `None`: a `TCP_CHECK`, by far the most frequent one.
    pub(super) kind: Option<Box<KindDraft>>,
}

/// What is particular of a check.
#[derive(Debug)]
pub(super) enum KindDraft {
    Http(HttpProbe),
    Smtp(SmtpDraft),
    Dns(DnsProbe),
    Misc(MiscDraft),
    Udp(UdpProbe),
    Ping,
    File(FileProbe),
    Bfd(BfdCheckDraft),
}

/// `SMTP_CHECK`
#[derive(Debug, Default)]
pub(super) struct SmtpDraft {
    pub(super) probe: SmtpProbe,
    pub(super) hosts: Vec<TcpCheckDraft>,
    /// The lines belong to the last host.
    pub(super) in_host: bool,
}

/// `MISC_CHECK`
#[derive(Debug, Default)]
pub(super) struct MiscDraft {
    /// Whoever it would run as does not exist: nothing comes of the check.
    pub(super) refused: bool,
    pub(super) command: Option<String>,
    pub(super) user: Option<(String, Option<String>)>,
    pub(super) timeout: Option<Duration>,
    pub(super) dynamic: bool,
}

/// `bfd_instance`
#[derive(Debug, Default)]
pub(super) struct BfdDraft {
    pub(super) name: String,
    pub(super) source: Option<IpAddr>,
    pub(super) neighbor: Option<IpAddr>,
    /// The neighbor is none: nothing comes of the block.
    pub(super) refused: bool,
    pub(super) min_rx: Option<Duration>,
    pub(super) min_tx: Option<Duration>,
    pub(super) idle_tx: Option<Duration>,
    pub(super) multiplier: Option<u8>,
    pub(super) passive: bool,
    pub(super) ttl: Option<u8>,
    /// `Some(None)`: any number.
    pub(super) max_hops: Option<Option<u8>>,
    pub(super) multihop: Option<bool>,
    pub(super) weight: i16,
    pub(super) reverse: bool,
    pub(super) audience: BfdAudience,
}

/// `BFD_CHECK`
#[derive(Debug, Default)]
pub(super) struct BfdCheckDraft {
    pub(super) probe: BfdProbe,
    /// The session is none: nothing comes of the check.
    pub(super) refused: bool,
}

/// What every check that connects has; all of a `TCP_CHECK`.
#[derive(Debug, Default)]
pub(super) struct TcpCheckDraft {
    pub(super) connect_ip: Option<IpAddr>,
    pub(super) connect_port: Option<u16>,
    pub(super) bind_ip: Option<IpAddr>,
    pub(super) bind_port: Option<u16>,
    pub(super) bind_interface: Option<String>,
    pub(super) fwmark: u32,
    pub(super) checks: CheckDefaults,
    pub(super) log_all_failures: bool,
}

/// The host bits of an IPv4 network all set or all clear (`brd +`, `brd -`).
pub(super) fn broadcast(address: Ipv4Addr, prefix: u8, set: bool) -> Ipv4Addr {
    let host = u32::MAX.checked_shr(u32::from(prefix)).unwrap_or(0);
    let bits = u32::from(address);
    Ipv4Addr::from(if set { bits | host } else { bits & !host })
}

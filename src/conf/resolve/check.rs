//! Rules of `virtual_server` that need the whole block.
//!
//! Owns: defaults of a service, its servers and their checks, and what they inherit. Driven by:
//! `resolve`.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;

use super::super::diag::{Class, Diagnostics};
use super::super::draft::{RealServerDraft, ServiceDraft, Target};
use super::super::model::{
    CheckDefaults, Forwarding, GroupEntry, IndirectTarget, Nth, Persistence, Protocol, RealServer,
    RealServerKey, Scheduler, ServerGroup, ServiceKey, VirtualServer,
};
use super::super::reader::Place;
use super::super::source::Source;
use super::scripts::names_scripts;
use super::{Context, entry_ports, probes};
use crate::base::{Duration, Family, Shared};

/// What a bare `persistence_timeout` means, and one that only a granularity asks for.
const DEFAULT_PERSISTENCE: Duration = Duration::from_secs(360);

/// The services, which are resolved a slice at a time while the text is still being read.
#[derive(Debug, Default)]
pub(in super::super) struct Services {
    /// Only what a verdict needs is kept.
    verdict_only: bool,
    next: u32,
    waiting: VecDeque<(u32, ServiceDraft)>,
    current: Option<Partial>,
    /// Their groups may still come.
    by_group: Vec<(u32, ServiceDraft)>,
    /// Each in its final place: there may be very many of them to put together at the end.
    done: Vec<(u32, Shared<VirtualServer>)>,
    /// keepalived tells of them when it has read everything.
    findings: Diagnostics,
}

/// Those of each name.
type Groups<'a> = HashMap<&'a str, Vec<&'a ServerGroup>>;

impl Services {
    /// None yet. For a verdict alone those are dropped of which nothing is asked later.
    pub(in super::super) fn new(verdict_only: bool) -> Self {
        Self {
            verdict_only,
            ..Self::default()
        }
    }

    /// Takes a service whose block has ended.
    pub(in super::super) fn push(&mut self, draft: ServiceDraft) {
        let order = self.next;
        self.next = order.saturating_add(1);
        let group = matches!(draft.target, Target::Indirect(IndirectTarget::Group(_)));
        if group {
            self.by_group.push((order, draft));
        } else {
            self.waiting.push_back((order, draft));
        }
    }

    /// Whether there is something to resolve.
    pub(in super::super) fn has_work(&self) -> bool {
        self.current.is_some() || !self.waiting.is_empty()
    }

    /// Resolves about `servers` real servers.
    pub(in super::super) fn step(&mut self, sources: &[Source], servers: usize) {
        self.resolve(&Groups::new(), sources, servers);
    }

    fn resolve(&mut self, groups: &Groups<'_>, sources: &[Source], servers: usize) {
        let mut cx = Context {
            sources,
            diagnostics: &mut self.findings,
        };
        let mut left = servers.max(1);
        while left > 0 {
            let Some(partial) = &mut self.current else {
                let Some((order, draft)) = self.waiting.pop_front() else {
                    break;
                };
                left -= 1;
                self.current = begin(order, draft, groups, &mut cx);
                continue;
            };
            left = left.saturating_sub(partial.step(left, &mut cx));
            if partial.drafts.len() == 0
                && let Some(partial) = self.current.take()
            {
                let order = partial.order;
                let service = partial.finish(&mut cx);
                if !self.verdict_only || self.done.is_empty() || names_scripts(&service) {
                    self.done.push((order, Shared::new(service)));
                }
            }
        }
    }

    /// All of them; `open` is one whose block has not ended.
    pub(super) fn finish(
        mut self,
        open: Vec<ServiceDraft>,
        groups: &[ServerGroup],
        cx: &mut Context<'_>,
    ) -> Vec<Shared<VirtualServer>> {
        for draft in open {
            if draft.real_servers.is_empty() {
                let finding = cx.finding(Class::General, draft.without_servers(), draft.place);
                self.findings.push(finding);
                continue;
            }
            self.push(draft);
        }
        self.waiting.extend(std::mem::take(&mut self.by_group));
        let mut by_name = Groups::new();
        for group in groups {
            by_name.entry(&group.name).or_default().push(group);
        }
        while self.has_work() {
            self.resolve(&by_name, cx.sources, usize::MAX);
        }
        cx.diagnostics.append(self.findings);
        self.done.sort_by_key(|(order, _)| *order);
        let mut seen = HashMap::new();
        let services = self.done.into_iter();
        services
            .map(|(_, service)| numbered(service, &mut seen))
            .collect()
    }
}

/// Numbers the services of each group.
fn numbered(
    mut service: Shared<VirtualServer>,
    seen: &mut HashMap<String, u32>,
) -> Shared<VirtualServer> {
    if matches!(service.key, ServiceKey::Group { .. })
        && let ServiceKey::Group { name, nth, .. } = &mut service.key
    {
        let next = seen.entry(name.clone()).or_insert(0);
        *nth = Nth(*next);
        *next += 1;
    }
    service
}

/// A service whose real servers are being resolved.
#[derive(Debug)]
struct Partial {
    order: u32,
    place: Place,
    service: VirtualServer,
    inherited: Inherited,
    drafts: std::vec::IntoIter<RealServerDraft>,
    /// Servers as they are written.
    seen: HashSet<RealServerKey>,
    /// Servers that got another port.
    rewritten: HashSet<RealServerKey>,
}

impl Partial {
    /// Resolves up to `most` real servers; returns how many there were.
    fn step(&mut self, most: usize, cx: &mut Context<'_>) -> usize {
        let mut count = 0;
        for draft in self.drafts.by_ref().take(most) {
            count += 1;
            let place = draft.place;
            let written = RealServerKey {
                address: draft.address,
                port: draft.port.unwrap_or(self.inherited.port),
            };
            let mut server = real_server(draft, &self.inherited, cx);
            let key = server.key;
            let inherited = &self.inherited;
            if !self.seen.insert(written) {
                let message = format!(
                    "VS {}: real server [{}]:{}:{} is duplicated - removing second rs",
                    inherited.label, written.address, inherited.protocol, written.port
                );
                cx.report(Class::General, message, place);
            } else if self.rewritten.contains(&key)
                || written != key && (self.seen.contains(&key) || !self.rewritten.insert(key))
            {
                let message = format!(
                    "VS {}: real server [{}]:{}:{} has the port of the service and is a server twice \
                     with it; the second one is left out",
                    inherited.label, key.address, inherited.protocol, written.port
                );
                cx.report(Class::Advice, message, place);
            } else {
                server.tcp_checks.shrink_to_fit();
                server.probes.shrink_to_fit();
                self.service.real_servers.push(Shared::new(server));
            }
        }
        count
    }

    fn finish(self, cx: &mut Context<'_>) -> VirtualServer {
        let mut service = self.service;
        service.real_servers.shrink_to_fit();
        let label = &self.inherited.label;
        probes::quorum(
            &mut service.policy,
            label,
            &service.real_servers,
            self.place,
            cx,
        );
        if self.inherited.ports == Ports::Entries {
            entry_ports::tell(&service, label, self.inherited.protocol, self.place, cx);
        }
        probes::unchecked(label, &service.real_servers, self.place, cx);
        service
    }
}

/// Whether a service has entries with addresses, and one of these without a port.
fn addresses(target: &Target, groups: &[&ServerGroup]) -> (bool, bool) {
    match target {
        Target::Address(_, port) => (true, *port == 0),
        Target::Indirect(IndirectTarget::Fwmark(_)) => (false, false),
        Target::Indirect(IndirectTarget::Group(name)) => {
            let Some(group) = groups.iter().find(|group| group.name == *name) else {
                return (true, false);
            };
            let ports = || {
                group.entries.iter().filter_map(|entry| match entry {
                    GroupEntry::Addresses { port, .. } => Some(*port),
                    GroupEntry::Fwmark { .. } => None,
                })
            };
            (ports().count() > 0, ports().any(|port| port == 0))
        }
    }
}

/// An entry of a service's group and one of its servers between which only a tunnel would lead.
fn strangers(draft: &ServiceDraft, groups: &[&ServerGroup]) -> Option<(Family, IpAddr)> {
    let entries = || groups.iter().flat_map(|group| &group.entries);
    let has = |family| {
        entries().any(|entry| match entry {
            GroupEntry::Addresses { first, .. } => Family::of(*first) == family,
            GroupEntry::Fwmark { family: own, .. } => *own == Some(family),
        })
    };
    let families = [Family::V4, Family::V6].map(|family| (family, has(family)));
    // A method that the service names behind a server comes too late, as with keepalived.
    let servers = draft.real_servers.iter();
    let servers = servers.map(|server| (server.address, server.forwarding));
    let sorry = draft.policy.sorry_server.as_ref();
    let sorry = sorry.map(|sorry| (sorry.address, sorry.forwarding.or(draft.forwarding)));
    let bound = |(_, way): &(IpAddr, Option<Forwarding>)| !matches!(way, Some(Forwarding::Tun(_)));
    let mut pairs = servers
        .chain(sorry)
        .filter(bound)
        .filter_map(|(address, _)| {
            let own = Family::of(address);
            let mut others = families
                .iter()
                .filter(|(family, has)| *has && *family != own);
            others.next().map(|(family, _)| (*family, address))
        });
    pairs.next()
}

/// Why there is no such service, which keepalived leaves out without a word.
fn left_out(draft: &ServiceDraft, groups: &[&ServerGroup]) -> Option<String> {
    let by_group = matches!(draft.target, Target::Indirect(IndirectTarget::Group(_)));
    if by_group && groups.is_empty() {
        let why = "there is no virtual_server_group of this name, the service is left out";
        return Some(why.to_owned());
    }
    let (family, server) = strangers(draft, groups)?;
    let family = match family {
        Family::V4 => "IPv4",
        Family::V6 => "IPv6",
    };
    Some(format!(
        "the service is left out, as its server {server} is of another family than the {family} \
         entries of its group, and only TUN leads from one to the other"
    ))
}

/// What waits for an address cannot be a mark.
fn clear_suspension(draft: &mut ServiceDraft, groups: &[&ServerGroup], cx: &mut Context<'_>) {
    if draft.policy.ha_suspend && has_mark(&draft.target, groups) {
        let message = format!(
            "Virtual server {}: cannot use ha_suspend with fwmarks - clearing ha_suspend",
            draft.label()
        );
        cx.report(Class::General, message, draft.place);
        draft.policy.ha_suspend = false;
    }
}

/// Whether a service is, or has among its entries, a mark, which has no address to wait for.
fn has_mark(target: &Target, groups: &[&ServerGroup]) -> bool {
    match target {
        Target::Address(..) => false,
        Target::Indirect(IndirectTarget::Fwmark(_)) => true,
        Target::Indirect(IndirectTarget::Group(name)) => {
            let mut entries = groups.iter().filter(|group| group.name == *name);
            entries.any(|group| {
                let mut entries = group.entries.iter();
                entries.any(|entry| matches!(entry, GroupEntry::Fwmark { .. }))
            })
        }
    }
}

/// The protocol of a service with addresses; a mark has none.
fn protocol(draft: &ServiceDraft, by_address: bool, cx: &mut Context<'_>) -> Option<Protocol> {
    let message = match (draft.protocol, by_address) {
        (Some(_), true) | (None, false) => return draft.protocol,
        (None, true) => format!(
            "Virtual server {}: no protocol set - defaulting to UDP",
            draft.label()
        ),
        (Some(_), false) => format!(
            "Warning: Virtual server {}: protocol specified for fwmark - protocol will be ignored",
            draft.label()
        ),
    };
    cx.report(Class::General, message, draft.place);
    by_address.then_some(Protocol::Udp)
}

/// The kernel takes a service for any port only if its connections persist.
fn persist(draft: &mut ServiceDraft, cx: &mut Context<'_>) {
    let message = format!(
        "Virtual server {}: zero port only valid for persistent services - setting",
        draft.label()
    );
    cx.report(Class::General, message, draft.place);
    draft.persistence_timeout = Some(DEFAULT_PERSISTENCE);
}

/// All of a service but its real servers.
fn begin(
    order: u32,
    mut draft: ServiceDraft,
    groups: &Groups<'_>,
    cx: &mut Context<'_>,
) -> Option<Partial> {
    let place = draft.place;
    let groups = match &draft.target {
        Target::Indirect(IndirectTarget::Group(name)) => groups.get(name.as_str()),
        Target::Indirect(IndirectTarget::Fwmark(_)) | Target::Address(..) => None,
    };
    let groups = groups.map_or(&[][..], Vec::as_slice);
    if let Some(why) = left_out(&draft, groups) {
        let message = format!("Virtual server {}: {why}", draft.label());
        cx.report(Class::Advice, message, place);
        return None;
    }
    let (by_address, any_port) = addresses(&draft.target, groups);
    clear_suspension(&mut draft, groups, cx);
    draft.protocol = protocol(&draft, by_address, cx);
    let label = draft.label();
    if any_port && draft.persistence_timeout.is_none() && draft.granularity.is_none() {
        persist(&mut draft, cx);
    }
    let scheduler = draft.scheduler.unwrap_or_else(|| {
        let message = format!("Virtual server {label}: no scheduler set, setting default 'wlc'");
        cx.report(Class::General, message, place);
        Scheduler::Wlc
    });
    let all_set = draft
        .real_servers
        .iter()
        .all(|server| server.forwarding.is_some());
    let forwarding = draft.forwarding.unwrap_or_else(|| {
        if !all_set {
            let message =
                format!("Virtual server {label}: no forwarding method set, setting default NAT");
            cx.report(Class::General, message, place);
        }
        Forwarding::Nat
    });
    if let (Target::Indirect(IndirectTarget::Fwmark(_)), Some(sorry)) =
        (&draft.target, &mut draft.policy.sorry_server)
        && sorry.forwarding.unwrap_or(forwarding) != Forwarding::Nat
        && sorry.port.take().is_some()
    {
        let message =
            format!("WARNING - virtual server {label}, sorry server has port specified - clearing");
        cx.report(Class::General, message, place);
    }
    if let (Target::Address(_, port), Some(sorry)) = (&draft.target, &mut draft.policy.sorry_server)
        && sorry.forwarding.unwrap_or(forwarding) != Forwarding::Nat
        && sorry.port.is_some_and(|own| own != *port)
    {
        let message = format!(
            "WARNING - virtual server {label} and sorry server ports don't match - resetting"
        );
        cx.report(Class::General, message, place);
        sorry.port = None;
    }
    let persistence = persistence(&draft);
    let family = draft.family().unwrap_or(Family::V4);
    let (key, entries) = target(&draft, family, groups)?;
    let mut policy = std::mem::take(&mut draft.policy);
    policy.checks = draft.checks;
    policy.inhibit = draft.inhibit;
    probes::one_packet(&mut policy, (&label, draft.protocol), place, cx);
    let inherited = Inherited {
        label,
        port: draft.port(),
        ports: match draft.target {
            Target::Address(..) => Ports::Service,
            Target::Indirect(IndirectTarget::Fwmark(_)) => Ports::None,
            Target::Indirect(IndirectTarget::Group(_)) => Ports::Entries,
        },
        protocol: draft.protocol.map_or("none", Protocol::name),
        forwarding,
        weight: draft.weight,
        checks: draft.checks,
        inhibit: draft.inhibit,
    };
    Some(Partial {
        order,
        place,
        service: VirtualServer {
            key,
            entries,
            family,
            forwarding,
            scheduler,
            persistence,
            real_servers: Vec::with_capacity(draft.real_servers.len()),
            policy,
        },
        inherited,
        seen: HashSet::with_capacity(draft.real_servers.len()),
        rewritten: HashSet::new(),
        drafts: draft.real_servers.into_iter(),
    })
}

/// What a service is called, and what its group holds; `None` if there is no such group, which has
/// been reported.
fn target(
    draft: &ServiceDraft,
    family: Family,
    groups: &[&ServerGroup],
) -> Option<(ServiceKey, Vec<GroupEntry>)> {
    match &draft.target {
        // One with an address has a protocol by now.
        Target::Address(address, port) => {
            let protocol = draft.protocol?;
            Some((ServiceKey::address(*address, *port, protocol), Vec::new()))
        }
        Target::Indirect(IndirectTarget::Fwmark(mark)) => {
            let mark = *mark;
            Some((ServiceKey::Fwmark { mark, family }, Vec::new()))
        }
        Target::Indirect(IndirectTarget::Group(name)) => {
            let group = groups.iter().find(|group| group.name == *name)?;
            let key = ServiceKey::Group {
                name: name.clone(),
                nth: Nth(0),
                protocol: draft.protocol,
            };
            Some((key, group.entries.clone()))
        }
    }
}

fn persistence(draft: &ServiceDraft) -> Option<Persistence> {
    let timeout = match (draft.persistence_timeout, draft.granularity) {
        (Some(timeout), _) => timeout,
        (None, Some(_)) => DEFAULT_PERSISTENCE,
        (None, None) => return None,
    };
    Some(Persistence {
        timeout,
        granularity: draft
            .granularity
            .unwrap_or(draft.family().unwrap_or(Family::V4).bits()),
    })
}

/// Which port a server has to have unless it is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ports {
    /// The service's.
    Service,
    /// That of each entry of the group; it is not known here.
    Entries,
    /// None: a mark has no port.
    None,
}

/// What a server gets from its service.
#[derive(Debug)]
struct Inherited {
    label: String,
    port: u16,
    ports: Ports,
    protocol: &'static str,
    forwarding: Forwarding,
    weight: u32,
    checks: CheckDefaults,
    inhibit: bool,
}

fn real_server(draft: RealServerDraft, service: &Inherited, cx: &mut Context<'_>) -> RealServer {
    let forwarding = draft.forwarding.unwrap_or(service.forwarding);
    let written = draft.port.unwrap_or(service.port);
    let mut port = written;
    // Only NAT rewrites the port; the others deliver the packet with the service's.
    if port != service.port && forwarding != Forwarding::Nat && service.ports != Ports::Entries {
        let server = format!("[{}]:{}:{port}", draft.address, service.protocol);
        let message = if service.ports == Ports::None {
            format!(
                "WARNING - fwmark virtual server {}, real server {server} has port specified - \
                 clearing",
                service.label
            )
        } else {
            format!(
                "WARNING - virtual server {} and real server {server} ports don't match - \
                 resetting",
                service.label
            )
        };
        cx.report(Class::General, message, draft.place);
        port = service.port;
    }
    let key = RealServerKey {
        address: draft.address,
        port,
    };
    let above = probes::inherit(draft.checks, service.checks);
    // Checks go to the port that was written, as keepalived's do.
    let asked = RealServerKey {
        port: written,
        ..key
    };
    let (tcp_checks, probes) = probes::checks(draft.probes, asked, above);
    let mut policy = draft.policy;
    if draft.checks != CheckDefaults::NONE {
        policy.get_or_insert_default().checks = draft.checks;
    }
    if draft.inhibit.unwrap_or(service.inhibit) {
        policy.get_or_insert_default().inhibit_on_failure = true;
    }
    RealServer {
        key,
        weight: draft.weight.unwrap_or(service.weight),
        forwarding,
        tcp_checks,
        probes,
        policy,
    }
}

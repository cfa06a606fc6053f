//! What the host holds as long as the daemon runs: `static_ipaddress`, `static_routes`,
//! `static_rules`.
//!
//! Owns: these lists, and putting back what something else removes, which keepalived does at once;
//! here at most [`ROUNDS`] times a minute. Never does: depend on the state of an instance. Driven
//! by: `domain`.

use std::collections::VecDeque;

use super::Action;
use super::addresses::{Kind, RETRY_DELAY, Standing, is_gone, prefix_len, spec, tag};
use super::domain::Domain;
use super::fixtures::{Fixtures, Refusal};
use super::instance::InstanceId;
use super::links::{AddressKey, Links};
use crate::base::ident::VRRP;
use crate::base::{Duration, IfIndex, Instant};
use crate::conf::model::routing::{StaticAddress, Statics as Config};
use crate::ops::{Effect, KernelOp, RoutingNews};
use crate::wire::rtnl;

/// Whose operations they are.
pub(super) const STATICS: InstanceId = InstanceId::MAX;

/// How often something is put back within [`SPAN`], before it is left alone for as long.
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(60);

#[derive(Debug)]
struct Address {
    config: StaticAddress,
    slot: u32,
    on: Option<IfIndex>,
    standing: Standing,
    complained: bool,
}

/// The lists and where they stand.
#[derive(Debug, Default)]
pub(super) struct Statics {
    config: Config,
    addresses: Vec<Address>,
    fixtures: Fixtures,
    next_slot: u32,
    repairs: VecDeque<Instant>,
    /// Until then nothing is put back.
    truce: Option<Instant>,
    retry_at: Option<Instant>,
}

impl Address {
    fn key(&self) -> Option<AddressKey> {
        Some(AddressKey {
            on: self.on?,
            address: self.config.address.address,
            prefix_len: prefix_len(&self.config.address),
        })
    }

    fn op(&self, kind: Kind) -> Option<Action> {
        let spec = spec(&self.config.address, self.on?);
        let op = match kind {
            Kind::Add => KernelOp::AddressAdd(spec),
            Kind::Del => KernelOp::AddressDel(spec),
        };
        let tag = tag(STATICS, self.slot, kind);
        Some(Action::World(Effect::Kernel(op, tag)))
    }

    fn text(&self) -> String {
        let address = &self.config.address;
        let group = self.config.group.as_deref();
        let group = group.map_or_else(String::new, |group| format!(" track_group {group}"));
        address.text(address.interface.as_deref().unwrap_or_default(), &group)
    }
}

impl Statics {
    /// Takes a configuration over: only what differs is touched.
    pub(super) fn apply(
        &mut self,
        now: Instant,
        config: &Config,
        links: &mut Links,
        out: &mut Vec<Action>,
    ) {
        let mut old = std::mem::take(&mut self.addresses);
        for config in &config.addresses {
            let at = old.iter().position(|address| address.config == *config);
            let address = at.map(|at| old.remove(at)).unwrap_or_else(|| {
                self.next_slot += 1;
                Address {
                    config: config.clone(),
                    slot: self.next_slot,
                    on: None,
                    standing: Standing::Absent,
                    complained: false,
                }
            });
            self.addresses.push(address);
        }
        remove(now, &mut old, links, out);
        let lists = (config.routes.as_slice(), config.rules.as_slice());
        self.fixtures
            .adopt(lists, &mut self.next_slot, STATICS, out);
        self.truce = None;
        self.config.clone_from(config);
        self.settle(links, out);
    }

    /// Looks interfaces up anew and adds what is missing: addresses, routes, rules.
    pub(super) fn settle(&mut self, links: &Links, out: &mut Vec<Action>) {
        for address in &mut self.addresses {
            let name = address.config.address.interface.as_deref();
            let on = name.and_then(|name| links.by_name(name));
            let on = on.map(|facts| facts.index);
            if on != address.on {
                address.on = on;
                address.standing = Standing::Absent;
            }
        }
        self.fixtures.place(links, STATICS, out);
        self.install(&[Standing::Absent], out);
    }

    /// An interface has come up: what the kernel dropped when it went down is added again.
    pub(super) fn came_up(&self, name: &str, out: &mut Vec<Action>) {
        self.fixtures.reassert(STATICS, Some(name), out);
    }

    /// Nobody knows what was removed meanwhile.
    pub(super) fn reassert(&self, out: &mut Vec<Action>) {
        self.fixtures.reassert(STATICS, None, out);
    }

    fn install(&mut self, standings: &[Standing], out: &mut Vec<Action>) {
        for address in &mut self.addresses {
            if standings.contains(&address.standing)
                && let Some(op) = address.op(Kind::Add)
            {
                address.standing = Standing::Ours;
                out.push(op);
            }
        }
        self.fixtures.install(STATICS, standings, out);
    }

    /// Somebody else removed an address of the host.
    pub(super) fn address_gone(&mut self, now: Instant, key: AddressKey, out: &mut Vec<Action>) {
        let mut addresses = self.addresses.iter_mut();
        let lost = addresses.find(|address| {
            address.key() == Some(key)
                && address.standing == Standing::Ours
                && !address.config.address.options.untracked
        });
        if let Some(address) = lost {
            address.standing = Standing::Lost;
            let text = format!("address {} set", address.text());
            self.restore(now, &text, out);
        }
    }

    /// Somebody else removed a route or a rule of the host.
    pub(super) fn routing_gone(
        &mut self,
        now: Instant,
        what: rtnl::Kind,
        told: &[u8],
        out: &mut Vec<Action>,
    ) {
        let noun = match what {
            rtnl::Kind::Route => "route",
            rtnl::Kind::Rule => "rule",
        };
        let lost = self.fixtures.lost(what, told);
        if let Some(text) = lost.map(|wanted| format!("{noun} {wanted}")) {
            self.restore(now, &text, out);
        }
    }

    fn restore(&mut self, now: Instant, text: &str, out: &mut Vec<Action>) {
        if self.truce.is_some() {
            return;
        }
        while self.repairs.front().is_some_and(|&at| at + SPAN < now) {
            self.repairs.pop_front();
        }
        if self.repairs.len() >= ROUNDS {
            self.repairs.clear();
            self.truce = Some(now + SPAN);
            log::error!(
                target: VRRP,
                "Something else on this host, such as a network manager or a script, keeps removing static \
                 {text} - leaving it alone for {} seconds",
                SPAN.as_secs()
            );
            return;
        }
        self.repairs.push_back(now);
        log::info!(target: VRRP, "Restoring deleted static {text}");
        self.install(&[Standing::Lost], out);
    }

    /// The kernel refused an operation.
    pub(super) fn refused(&mut self, now: Instant, slot: u32, kind: Kind, errno: i32) {
        let verb = match kind {
            Kind::Add => "add",
            Kind::Del => "remove",
        };
        let say = |text: &str| {
            log::error!(target: VRRP, "the kernel refused to {verb} static {text}: error {errno}");
        };
        let mut addresses = self.addresses.iter_mut();
        if let Some(address) = addresses.find(|address| address.slot == slot) {
            if kind == Kind::Add && errno != EEXIST {
                address.standing = Standing::Refused;
                self.retry_at = Some(now + RETRY_DELAY);
                if !std::mem::replace(&mut address.complained, true) {
                    say(&format!("address {}", address.text()));
                }
            }
            return;
        }
        let refusal = self
            .fixtures
            .refused(slot, kind, errno, |wanted| say(&wanted.to_string()));
        match refusal {
            Refusal::Again => self.retry_at = Some(now + RETRY_DELAY),
            Refusal::None if kind == Kind::Del && !is_gone(errno) => {}
            Refusal::None => {}
        }
    }

    /// Takes everything away: rules, routes, addresses.
    pub(super) fn stop(&mut self, now: Instant, links: &mut Links, out: &mut Vec<Action>) {
        self.fixtures.remove(STATICS, out);
        remove(now, &mut self.addresses, links, out);
        self.retry_at = None;
        self.truce = None;
    }

    /// When [`Statics::handle_timeout`] is due.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        [self.retry_at, self.truce].into_iter().flatten().min()
    }

    /// Asks the kernel again.
    pub(super) fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.truce.is_some_and(|until| until <= now) {
            self.truce = None;
            self.install(&[Standing::Lost], out);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.install(&[Standing::Refused], out);
        }
    }

    /// Names of the interfaces that this instance depends on by a `track_group`.
    pub(super) fn implied<'a>(&'a self, instance: &str) -> impl Iterator<Item = &'a str> + use<'a> {
        let mine = self.config.groups.iter().filter(|group| {
            let mut members = group.members.iter();
            members.any(|member| member == instance)
        });
        let mine: Vec<&str> = mine.map(|group| group.name.as_str()).collect();
        let depends = move |group: &Option<String>| {
            group.as_deref().is_some_and(|group| mine.contains(&group))
        };
        let mut names: Vec<&str> = Vec::new();
        for fixed in self
            .config
            .addresses
            .iter()
            .filter(|one| depends(&one.group))
        {
            names.extend(fixed.address.interface.as_deref());
        }
        for route in self.config.routes.iter().filter(|one| depends(&one.group)) {
            names.extend(route.interface.as_deref());
        }
        for rule in self.config.rules.iter().filter(|one| depends(&one.group)) {
            names.extend(rule.input.as_deref());
        }
        names.into_iter()
    }

    /// Names of the interfaces that matter here.
    pub(super) fn concerns(&self, name: &str) -> bool {
        let mut addresses = self.addresses.iter();
        let carries =
            addresses.any(|address| address.config.address.interface.as_deref() == Some(name));
        carries || self.fixtures.interfaces().any(|through| through == name)
    }
}

fn remove(now: Instant, addresses: &mut [Address], links: &mut Links, out: &mut Vec<Action>) {
    for address in addresses {
        if address.standing == Standing::Ours
            && let (Some(key), Some(op)) = (address.key(), address.op(Kind::Del))
        {
            links.removing(key, now);
            out.push(op);
        }
        address.standing = Standing::Absent;
    }
}

impl Domain {
    /// An interface is up again.
    pub(super) fn came_up(&self, name: &str, out: &mut Vec<Action>) {
        self.statics.came_up(name, out);
        for id in self.watchers.get(name).into_iter().flatten() {
            if let Some(instance) = self.instances.get(id) {
                instance.fixtures.reassert(*id, Some(name), out);
            }
        }
    }

    /// Something was removed by somebody else.
    pub(super) fn routing(&mut self, now: Instant, news: RoutingNews<'_>, out: &mut Vec<Action>) {
        match news {
            RoutingNews::Gone(what, told) => {
                self.statics.routing_gone(now, what, told, out);
                let ids: Vec<InstanceId> = self.instances.keys().copied().collect();
                for id in ids {
                    if let Some((instance, mut cx)) = self.split(now, id, out) {
                        instance.routing_lost(&mut cx, what, told);
                    }
                }
            }
            RoutingNews::Uncertain => {
                self.statics.reassert(out);
                for (id, instance) in &self.instances {
                    instance.fixtures.reassert(*id, None, out);
                }
            }
        }
    }

    /// Takes the host's own addresses, routes and rules over.
    pub fn apply_statics(&mut self, now: Instant, statics: &Config, out: &mut Vec<Action>) {
        if !self.stopped {
            self.statics.apply(now, statics, &mut self.links, out);
        }
    }
}

/// As on every architecture.
const EEXIST: i32 = 17;

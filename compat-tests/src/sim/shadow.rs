//! What should be true, whatever happens.
//!
//! Owns: the invariants, checked after every step, and the little memory that they need. Never
//! does: look into a node; it judges by frames and kernel state alone, as a neighbour on the LAN
//! and an administrator would. Driven by: `world`. A broken invariant is a panic; `random` and
//! cargo turn it into a report with seed, step and trace.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Range;

use keepalived_rs::base::{Duration, Family, IfIndex, Instant};
use keepalived_rs::conf::model::options::Version;
use keepalived_rs::conf::model::{Config, Transport, VirtualAddress, VrrpInstance};
use keepalived_rs::ops::{IpvsOp, KernelOp};

use super::host::{Arrival, Host};
use super::kernel::{Link, errno};
use super::wire::{Advert, Announcement};
use super::world::{Cause, World};
use super::{balance, trace, tracking, wire};
use keepalived_rs::ops::ServiceName;

/// A virtual router on a segment.
pub type Router = (usize, u8);

/// How long after the last disturbance nothing but steady state may be seen, beside the protocol's
/// own times.
const MARGIN: Duration = Duration::from_millis(500);
/// How often the shadow looks although nothing happened.
const TICK: Duration = Duration::from_millis(500);
/// More effects than this in one turn are not one decision any more.
const MAX_EFFECTS: usize = 5_000;

/// The memory of the invariants.
#[derive(Debug, Default)]
pub struct Shadow {
    /// When something last disturbed the world.
    disturbed: Instant,
    /// Faults that go on.
    ongoing: u32,
    /// Who owned what when it was first calm: nobody else may until the next disturbance.
    owners: BTreeMap<Router, usize>,
    /// The last advert of a master, by sender.
    adverts: BTreeMap<(usize, Router), (Instant, u8)>,
    /// Two masters of a virtual router: since when, and who.
    pub(super) doubles: BTreeMap<Router, (Instant, Vec<usize>)>,
    /// When a master last heard a lesser one.
    losers_heard: BTreeMap<(usize, Router), Instant>,
    /// Routers that resigned in this turn, and to whom.
    resigned: BTreeSet<(Router, IpAddr)>,
    /// Whom a host that slept has to acknowledge before it speaks again.
    bow: BTreeMap<usize, BTreeSet<Router>>,
    /// Until when a master that slept too long has to listen.
    listens: BTreeMap<(usize, Router), Instant>,
    /// The configuration before the reload that is going on.
    before: Option<Config>,
    /// Hosts whose kernel may rightly refuse: something foreign happened to it.
    tolerant: BTreeSet<usize>,
    /// Hosts whose daemon was killed with nobody left to clean up.
    leftovers: BTreeSet<usize>,
    /// Until when a daemon may wait before it asks its kernel again after a refusal.
    patience: BTreeMap<usize, Instant>,
    /// Services that are not ours, by host, as they have to stay.
    pub(super) foreign: BTreeMap<usize, BTreeMap<ServiceName, super::ipvs::Service>>,
    /// Effects of the last turn of a host.
    effects: usize,
    exited: BTreeMap<usize, i32>,
    generation: u64,
    /// How often all invariants were looked at in a calm world.
    pub calm_checks: u64,
    /// How often a router changed its owner.
    pub adverts_seen: u64,
}

/// What a host has of a virtual router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holding {
    /// All of its addresses.
    All,
    /// None.
    Nothing,
    /// Some.
    Part,
}

/// The addresses of an instance that its adverts name, in order.
pub(super) fn advertised(instance: &VrrpInstance) -> Vec<IpAddr> {
    let addresses = instance.addresses.iter().map(|address| address.address);
    addresses
        .filter(|address| Family::of(*address) == instance.family)
        .collect()
}

/// The authentication that its adverts carry.
pub(super) fn auth(instance: &VrrpInstance) -> (u8, [u8; 8]) {
    instance.auth.map_or((0, [0; 8]), |pass| (1, pass.0))
}

/// The version of its adverts as the wire has it.
pub(super) const fn version(instance: &VrrpInstance) -> u8 {
    match instance.version {
        Version::V2 => 2,
        Version::V3 => 3,
    }
}

/// Down time, skew and one advert until a router has its owner, whatever the phase of its timers.
/// A preempt delay begins when the wrong master is heard, and ends with a down time of its own.
pub(super) fn settle_time(instance: &VrrpInstance) -> Duration {
    let election = instance.advert_interval * 4 + Duration::from_secs(1);
    if instance.preempt_delay.is_zero() {
        election + MARGIN
    } else {
        election * 2 + instance.preempt_delay + MARGIN
    }
}

/// Whether nothing goes on but `cuts` segments that are in parts.
pub(super) fn settled_without(world: &World, cuts: usize) -> bool {
    usize::try_from(world.shadow.ongoing).is_ok_and(|ongoing| ongoing == cuts)
}

impl Shadow {
    pub(super) fn count_effects(&mut self, host: usize, count: usize) {
        assert!(
            count < MAX_EFFECTS,
            "host {host} asks for {count} effects at once"
        );
        self.effects = count;
    }

    pub(super) fn exited(&mut self, host: usize, status: i32) {
        self.exited.insert(host, status);
    }

    pub(super) fn started(&mut self, host: usize) {
        self.exited.remove(&host);
        self.leftovers.remove(&host);
        self.listens.retain(|(sleeper, _), _| *sleeper != host);
        self.adverts.retain(|(sender, _), _| *sender != host);
    }

    pub(super) fn killed(&mut self, host: usize) {
        self.leftovers.insert(host);
        self.tolerant.insert(host);
    }

    pub(super) fn is_tolerant(&self, host: usize) -> bool {
        self.tolerant.contains(&host)
    }

    pub(super) fn tolerate(&mut self, host: usize) {
        self.tolerant.insert(host);
    }

    pub(super) fn refused_until(&mut self, host: usize, end: Instant) {
        let until = end + keepalived_rs::ipvs::RETRY_AFTER + MARGIN;
        self.patience.insert(host, until);
    }

    pub(super) const fn fault_begins(&mut self) {
        self.ongoing += 1;
    }

    pub(super) const fn fault_ends(&mut self) {
        self.ongoing -= 1;
    }

    /// Effects that the last turn asked for.
    pub(super) const fn last_effects(&self) -> usize {
        self.effects
    }

    /// Exit status of a host's daemon, if it ended by itself.
    #[must_use]
    pub fn exit_status(&self, host: usize) -> Option<i32> {
        self.exited.get(&host).copied()
    }

    pub(super) fn forget_resignations(&mut self) {
        self.resigned.clear();
    }

    pub(super) fn resignations(&self) -> BTreeSet<Router> {
        self.resigned.iter().map(|(router, _)| *router).collect()
    }

    pub(super) fn reloading(&mut self, before: Option<Config>) {
        self.before = before;
    }
}

impl World {
    /// Something happens that nodes have to answer.
    pub fn disturb(&mut self) {
        self.shadow.disturbed = self.now;
        self.shadow.owners.clear();
    }

    /// Looks at the world now and then although nothing happens.
    pub(super) fn shadow_tick(&mut self) {
        self.check();
        self.plan(self.now + TICK, Self::shadow_tick);
    }

    /// Looks at the world after a step, if a kernel changed.
    pub(super) fn shadow_step(&mut self) {
        let generation = self.hosts.iter().map(|host| host.kernel.generation).sum();
        if self.shadow.generation != generation {
            self.shadow.generation = generation;
            self.check();
        }
    }

    /// Whether the last disturbance is at least `time` ago and none goes on.
    fn calm_for(&self, time: Duration) -> bool {
        self.shadow.ongoing == 0 && self.quiet_for(time)
    }

    /// Whether the last disturbance, be it the begin of one that goes on, is at least `time` ago.
    pub(super) fn quiet_for(&self, time: Duration) -> bool {
        self.now >= self.shadow.disturbed + time
    }

    /// When the world will be calm for everything, if nothing more happens: elections, checks and
    /// second bursts of gratuitous ARP.
    #[must_use]
    pub fn time_to_settle(&self) -> Duration {
        let configs = self.hosts.iter().map(|host| &host.config);
        let vrrp = self.routers().into_iter();
        let vrrp = vrrp.map(|router| self.settle_time(router));
        let vrrp = vrrp.max().unwrap_or_default();
        let checks = configs.map(balance::settle_time).max().unwrap_or_default();
        let patience = self.shadow.patience.values().max().copied();
        let patience = patience.unwrap_or_default().saturating_since(self.now);
        vrrp.max(checks).max(patience) + Duration::from_secs(1)
    }

    fn check(&mut self) {
        if self.shadow.ongoing > 0 {
            self.check_parts();
            return;
        }
        let mut all_calm = true;
        for router in self.routers() {
            if !self.calm_for(self.settle_time(router)) {
                all_calm = false;
            } else if self.is_agreed(router) {
                let owner = self.check_router(router);
                self.check_stability(router, owner);
            } else {
                self.check_doubles(router, self.settle_time(router));
            }
        }
        for host in 0..self.hosts.len() {
            if self.hosts[host].awake() && self.calm_for(MARGIN) {
                self.check_groups(host);
            }
            let settle = balance::settle_time(&self.hosts[host].config);
            let patience = self.shadow.patience.get(&host).copied();
            if self.calm_for(settle) && patience.is_none_or(|until| self.now > until) {
                self.check_services(host);
            } else {
                all_calm = false;
            }
        }
        if all_calm && !self.hosts.is_empty() {
            self.shadow.calm_checks += 1;
            if self.shadow.leftovers.is_empty() {
                self.shadow.tolerant.clear();
            }
        }
    }

    /// Every virtual router of the world.
    #[must_use]
    pub fn routers(&self) -> BTreeSet<Router> {
        let mut routers = BTreeSet::new();
        for host in &self.hosts {
            for instance in &host.config.vrrp_instances {
                if let Some((_, link)) = host.kernel.link_named(&instance.interface) {
                    routers.insert((link.segment, instance.vrid.get()));
                }
            }
        }
        routers
    }

    /// The instance of a host in a virtual router.
    #[must_use]
    pub fn instance(&self, host: usize, router: Router) -> Option<&VrrpInstance> {
        let host = &self.hosts[host];
        let mut instances = host.config.vrrp_instances.iter().map(|one| &**one);
        instances.find(|instance| {
            let link = host.kernel.link_named(&instance.interface);
            instance.vrid.get() == router.1 && link.is_some_and(|(_, l)| l.segment == router.0)
        })
    }

    pub(super) fn instances(&self, router: Router) -> Vec<(usize, VrrpInstance)> {
        let hosts: Range<usize> = 0..self.hosts.len();
        hosts
            .filter_map(|host| Some((host, self.instance(host, router)?.clone())))
            .collect()
    }

    /// What a host has of an instance's addresses.
    #[must_use]
    pub fn holding(&self, host: usize, instance: &VrrpInstance) -> Holding {
        let kernel = &self.hosts[host].kernel;
        let running = self.hosts[host].process.is_some();
        let present = |address: &VirtualAddress| {
            let name = address.interface.as_ref().unwrap_or(&instance.interface);
            let Some((index, _)) = kernel.link_named(name) else {
                return false;
            };
            kernel.addresses().iter().any(|a| {
                // Without a daemon an owner's own address is the administrator's business.
                (running || a.protocol != 0)
                    && a.spec.interface == index
                    && a.spec.address == address.address
                    && a.spec.prefix_len == address.prefix_len
            })
        };
        let count = instance.addresses.iter().filter(|a| present(a)).count();
        if count == instance.addresses.len() {
            Holding::All
        } else if count == 0 {
            Holding::Nothing
        } else {
            Holding::Part
        }
    }

    /// Who holds all addresses of a virtual router.
    #[must_use]
    pub fn owners(&self, router: Router) -> Vec<usize> {
        self.instances(router)
            .into_iter()
            .filter(|(host, instance)| self.holding(*host, instance) == Holding::All)
            .map(|(host, _)| host)
            .collect()
    }

    /// Whether a host can be master of an instance: nothing keeps it or its group in FAULT.
    pub(super) fn eligible(&self, host: usize, instance: &VrrpInstance) -> bool {
        let config = &self.hosts[host].config;
        let mut company = tracking::company(config, instance).into_iter();
        company.all(|member| self.able(host, member))
    }

    pub(super) fn able(&self, host: usize, instance: &VrrpInstance) -> bool {
        let host = &self.hosts[host];
        if tracking::outlook(host, instance).fault {
            return false;
        }
        let link = host.kernel.link_named(&instance.interface);
        host.awake()
            && link.is_some_and(|(index, link)| {
                link.works() && host.kernel.primary(index, instance.family).is_some()
            })
    }

    /// Exactly one eligible host has the addresses, all of them; the others have none.
    fn check_router(&self, router: Router) -> Option<usize> {
        let instances = self.instances(router);
        let eligible: Vec<_> = instances
            .iter()
            .filter(|(host, instance)| self.eligible(*host, instance))
            .collect();
        let mut owner = None;
        for (host, instance) in &instances {
            if self.shadow.leftovers.contains(host) {
                continue;
            }
            let name = &self.hosts[*host].name;
            if self.hosts[*host].awake() {
                let eligible = eligible.iter().any(|(other, _)| other == host);
                self.check_told(*host, instance, eligible);
            }
            match self.holding(*host, instance) {
                Holding::Nothing => {}
                Holding::Part => panic!("{name} has some addresses of {router:?} only"),
                Holding::All => {
                    assert!(
                        eligible.iter().any(|(other, _)| other == host),
                        "{name} has the addresses of {router:?}, but cannot be master"
                    );
                    assert_eq!(owner, None, "{router:?} has two masters, one is {name}");
                    owner = Some(*host);
                }
            }
        }
        let Some(best) = eligible
            .iter()
            .filter(|(_, instance)| !instance.no_preempt)
            .map(|(host, instance)| tracking::outlook(&self.hosts[*host], instance).priority)
            .max()
        else {
            assert!(
                owner.is_some() || eligible.is_empty(),
                "nobody has the addresses of {router:?}"
            );
            return owner;
        };
        let Some(owner) = owner else {
            panic!("nobody has the addresses of {router:?}")
        };
        let has = eligible.iter().find(|(host, _)| *host == owner);
        if let Some((_, instance)) = has {
            let priority = tracking::outlook(&self.hosts[owner], instance).priority;
            assert!(
                priority >= best,
                "{} is master of {router:?} by {priority}, somebody has {best}",
                self.hosts[owner].name,
            );
            self.check_speech(router, owner, instance);
        }
        Some(owner)
    }

    /// The owner advertises, and the client believes it.
    ///
    /// One exception, known of keepalived: after a partition the loser may hear the winner first
    /// and fall silent at once. The winner never learns that somebody else announced its
    /// addresses, and the clients on the loser's side wait for their ARP caches to expire.
    fn check_speech(&self, router: Router, owner: usize, instance: &VrrpInstance) {
        let host = &self.hosts[owner];
        let patience = instance.advert_interval + host.lateness + Duration::from_millis(20);
        let last = self.shadow.adverts.get(&(owner, router)).copied();
        let priority = tracking::outlook(host, instance).priority.0;
        assert!(
            last.is_some_and(|(at, _)| self.now.saturating_since(at) <= patience),
            "{} has the addresses of {router:?}, its last advert was at {last:?}",
            host.name
        );
        assert!(
            last.is_some_and(|(_, said)| said == priority),
            "{} is master of {router:?} by {priority}, it said {last:?}",
            host.name
        );
        let link = host.kernel.link_named(&instance.interface);
        let mac = link.map(|(_, link)| link.mac);
        let heard = self.shadow.losers_heard.get(&(owner, router)).copied();
        for address in advertised(instance) {
            let Some((believed, since)) = self.segments[router.0].arp.get(&address).copied() else {
                panic!("the client never heard of {address}")
            };
            // The client cannot know what was said while it was cut off.
            let unheard = self.segments[router.0].unheard.get(&address).copied();
            assert!(
                Some(believed) == mac || unheard == mac || heard.is_none_or(|heard| heard <= since),
                "the client believes {address} at {believed} since {since:?}, not at {}, which \
                 heard the other one at {heard:?}",
                host.name
            );
        }
    }

    /// A packet reaches the daemon of a host: a master that hears a lesser one has to speak up.
    pub(super) fn shadow_heard(&mut self, host: usize, interface: IfIndex, bytes: &[u8]) {
        let machine = &self.hosts[host];
        let Ok(advert) = wire::read_advert(bytes) else {
            return;
        };
        let (Some(link), Some(own)) = (
            machine.kernel.link(interface),
            machine.kernel.primary(interface, Family::of(advert.ends.0)),
        ) else {
            return;
        };
        let router = (link.segment, advert.vrid);
        let Some(instance) = self.instance(host, router) else {
            return;
        };
        let priority = tracking::outlook(machine, instance).priority.0;
        let lesser = (advert.priority, advert.ends.0) < (priority, own);
        let own_kind = heeds(instance, &advert);
        if own_kind && advert.priority == 0 {
            // The rival is leaving: skew is all that has to be waited for.
            self.shadow.listens.remove(&(host, router));
            return;
        }
        if own_kind && lesser && self.holding(host, instance) == Holding::All {
            self.shadow.losers_heard.insert((host, router), self.now);
        }
    }

    /// Whoever had the addresses when it became calm keeps them.
    fn check_stability(&mut self, router: Router, owner: Option<usize>) {
        let Some(owner) = owner else { return };
        let first = *self.shadow.owners.entry(router).or_insert(owner);
        assert_eq!(first, owner, "{router:?} changed hands without a cause");
    }

    /// The table holds the configured services with the servers that answer; what is not ours is
    /// as it was.
    fn check_services(&self, host: usize) {
        let machine = &self.hosts[host];
        if self.shadow.leftovers.contains(&host) || !machine.kernel.traits.ipvs {
            return;
        }
        let none = BTreeMap::new();
        let foreign = self.shadow.foreign.get(&host).unwrap_or(&none);
        let wanted = if machine.process.is_some() {
            balance::expected(&machine.config, &self.servers)
        } else {
            BTreeMap::new()
        };
        let table = machine.kernel.ipvs.services();
        for (id, service) in table {
            if let Some(before) = foreign.get(id) {
                assert_eq!(
                    service, before,
                    "{}: a foreign service was touched",
                    machine.name
                );
                continue;
            }
            let Some((spec, destinations)) = wanted.get(id) else {
                panic!("{}: {id:?} should not be in IPVS", machine.name)
            };
            assert_eq!(&service.spec, spec, "{}: wrong service", machine.name);
            assert_eq!(
                &service.destinations, destinations,
                "{}: {id:?}",
                machine.name
            );
        }
        for id in wanted.keys().chain(foreign.keys()) {
            assert!(
                table.contains_key(id),
                "{}: {id:?} is not in IPVS",
                machine.name
            );
        }
    }

    /// An operation of a node failed although nothing foreign happened to its kernel: its idea of
    /// the kernel is wrong.
    pub(super) fn shadow_kernel_op(&self, host: usize, op: &KernelOp, result: Result<(), i32>) {
        let Err(error) = result else { return };
        let machine = &self.hosts[host];
        let rightly = match op {
            // It went with its primary address.
            KernelOp::AddressDel(_) => error == errno::EADDRNOTAVAIL,
            // The owner's addresses are on the interface already.
            KernelOp::AddressAdd(_) => error == errno::EEXIST && self.has_owner(host),
            // It went with the one below it.
            KernelOp::LinkDel(_) | KernelOp::SetVrf(..) => error == errno::ENODEV,
            KernelOp::LinkAdd(_) | KernelOp::Firewall(_) | KernelOp::PromoteSecondaries(..) => {
                false
            }
            // What is there already, or what an earlier run may have left and did not.
            KernelOp::Routing(_) => matches!(error, errno::EEXIST | errno::ESRCH),
            KernelOp::Ipvs(_) => !machine.kernel.traits.ipvs,
        };
        let foreign = machine.refusal.is_some() || self.shadow.tolerant.contains(&host);
        // A service that somebody else has is reported by `check_services` if it is changed.
        let taken = matches!(op, KernelOp::Ipvs(IpvsOp::ServiceAdd(spec))
            if self.shadow.foreign.get(&host).is_some_and(|f| f.contains_key(&spec.name)));
        assert!(
            rightly || foreign || taken,
            "{}: {op:?} fails with {error}",
            machine.name
        );
    }

    fn has_owner(&self, host: usize) -> bool {
        let instances = &self.hosts[host].config.vrrp_instances;
        instances
            .iter()
            .any(|instance| instance.priority.is_owner())
    }

    /// An advert leaves a host: it must be correct, and priority 0 needs a reason.
    pub(super) fn shadow_advert(&mut self, host: usize, interface: IfIndex, bytes: &[u8]) {
        let machine = &self.hosts[host];
        let advert = match wire::read_advert(bytes) {
            Ok(advert) => advert,
            Err(error) => panic!("{}: bad advert: {error}", machine.name),
        };
        trace::line(format_args!(
            "advert vrid {} prio {}",
            advert.vrid, advert.priority
        ));
        self.shadow.adverts_seen += 1;
        let Some(link) = machine.kernel.link(interface) else {
            return;
        };
        let router = (link.segment, advert.vrid);
        let name = &machine.name;
        let configs = [Some(&machine.config), self.shadow.before.as_ref()];
        let matches = configs.into_iter().flatten().any(|config| {
            config.vrrp_instances.iter().any(|instance| {
                let weighed = tracking::is_weighed(config, instance);
                instance.interface == link.name && says(instance, &advert, weighed)
            })
        });
        assert!(matches, "{name}: no instance says {advert:?}");
        let source = machine.kernel.primary(interface, Family::of(advert.ends.0));
        assert!(
            source.is_none_or(|source| source == advert.ends.0),
            "{name}: advert from {}, the address is {source:?}",
            advert.ends.0
        );
        if advert.priority == 0 {
            let cause = self.cause;
            // Silence of a neighbour, or its word, may be a fault where somebody tracks it.
            let mut instances = machine.config.vrrp_instances.iter();
            let tracks = instances.any(|instance| {
                !instance.options.tracking.bfd.is_empty()
                    || tracking::is_weighed(&machine.config, instance)
            });
            assert!(
                matches!(
                    cause,
                    Cause::Stop | Cause::Reload | Cause::News | Cause::Kernel
                ) || tracks,
                "{name} resigns from {router:?} because of {cause:?}"
            );
            let first = self.shadow.resigned.insert((router, advert.ends.1));
            assert!(first, "{name} resigns from {router:?} twice");
            self.shadow.adverts.remove(&(host, router));
            return;
        }
        let bows = self
            .shadow
            .bow
            .get(&host)
            .is_some_and(|set| set.contains(&router));
        assert!(
            !bows,
            "{name} slept and advertises {router:?} before it listens"
        );
        let listens = self.shadow.listens.get(&(host, router));
        assert!(
            listens.is_none_or(|until| self.now >= *until),
            "{name} slept and advertises {router:?} before it listened for an interval"
        );
        let said = (self.now, advert.priority);
        self.shadow.adverts.insert((host, router), said);
    }

    /// A host falls asleep: where it is master, and sleeps for longer than a rival needs to take
    /// over, it has to listen for an interval when it wakes up, because the rival's adverts may
    /// have been lost. Owners are left out: they come back at once from a fault.
    pub(super) fn shadow_sleeps(&mut self, host: usize, time: Duration) {
        for router in self.mastered(host) {
            let Some(instance) = self.instance(host, router) else {
                continue;
            };
            let interval = instance.advert_interval;
            if time > interval * 3 + Duration::from_secs(1) && !instance.priority.is_owner() {
                let until = self.now + time + interval;
                self.shadow.listens.insert((host, router), until);
            }
        }
    }

    /// An announcement leaves a host: its own MAC address, one of its own addresses.
    pub(super) fn shadow_announcement(&self, host: usize, interface: IfIndex, heard: Announcement) {
        let machine = &self.hosts[host];
        let mac = machine.kernel.link(interface).map(|link| link.mac);
        assert!(
            mac.is_none_or(|mac| mac == heard.mac && mac == heard.from),
            "{}: announces {heard:?}",
            machine.name
        );
        // Who is told nothing cannot know that an address has gone with its link.
        let tolerant =
            machine.refusal.is_some() || machine.overflow || self.shadow.tolerant.contains(&host);
        assert!(
            tolerant || machine.kernel.has(heard.address),
            "{}: announces {}, which it does not have",
            machine.name,
            heard.address
        );
    }

    /// A host wakes up: if a better master spoke meanwhile, it has to hear that first.
    pub(super) fn shadow_overslept(&mut self, host: usize, waiting: &[Arrival]) {
        let mut bow = BTreeSet::new();
        for arrival in waiting {
            let Arrival::Packet(interface, bytes) = arrival else {
                continue;
            };
            let machine = &self.hosts[host];
            let Some(link) = machine.kernel.link(*interface).filter(|link| link.works()) else {
                continue;
            };
            let Ok(advert) = wire::read_advert(bytes) else {
                continue;
            };
            let router = (link.segment, advert.vrid);
            let (Some(instance), Some(own)) = (
                self.instance(host, router),
                machine
                    .kernel
                    .primary(*interface, Family::of(advert.ends.0)),
            ) else {
                continue;
            };
            let heard = heeds(instance, &advert);
            let outlook = tracking::outlook(machine, instance);
            if heard && advert.priority == 0 {
                bow.remove(&router);
            } else if heard
                && (advert.priority, advert.ends.0) > (outlook.most.0, own)
                && self.holding(host, instance) == Holding::All
            {
                bow.insert(router);
            }
        }
        self.shadow.bow.insert(host, bow);
    }

    /// The host that woke up has read everything.
    pub(super) fn shadow_awake(&mut self, host: usize) {
        self.shadow.bow.remove(&host);
    }

    /// Routers whose addresses a host has while its link works: it has to resign from these.
    pub(super) fn mastered(&self, host: usize) -> Vec<Router> {
        let hears = |instance: &VrrpInstance| {
            let link = self.hosts[host].kernel.link_named(&instance.interface);
            link.is_some_and(|(_, link)| Link::works(link))
        };
        self.routers()
            .into_iter()
            .filter(|router| {
                let instance = self.instance(host, *router);
                instance.is_some_and(|instance| {
                    hears(instance) && self.holding(host, instance) == Holding::All
                })
            })
            .collect()
    }

    /// A daemon has ended: its kernel is as it was found.
    pub(super) fn check_left_clean(&self, host: usize) {
        let machine: &Host = &self.hosts[host];
        assert_eq!(
            self.shadow.exit_status(host),
            Some(0),
            "{} did not end",
            machine.name
        );
        let left: Vec<_> = machine
            .kernel
            .addresses()
            .iter()
            .filter(|address| address.protocol != 0)
            .collect();
        assert!(left.is_empty(), "{} leaves {left:?}", machine.name);
        self.check_services(host);
    }
}

/// Whether an instance would say this advert, to whomever; its own priority, any that its trackers
/// may make of it, or 0.
fn says(instance: &VrrpInstance, advert: &Advert, weighed: bool) -> bool {
    let weighed = weighed && !instance.priority.is_owner() && advert.priority != 255;
    heeds(instance, advert)
        && (advert.priority == 0 || weighed || advert.priority == instance.priority.0)
        && instance.advert_interval == advert.interval
        && advert.addresses == advertised(instance)
}

/// Whether an instance acts upon this advert. The addresses may be others than its own, and in
/// version 3 the interval: that is worth a line, but no reason to discard it.
fn heeds(instance: &VrrpInstance, advert: &Advert) -> bool {
    let (_, to) = advert.ends;
    let place = match instance.transport {
        Transport::Multicast(group) => group == to,
        Transport::Unicast => !to.is_multicast(),
    };
    place
        && instance.family == Family::of(to)
        && instance.vrid.get() == advert.vrid
        && version(instance) == advert.version
        && (advert.version == 3 || instance.advert_interval == advert.interval)
        && advert.auth == auth(instance)
}

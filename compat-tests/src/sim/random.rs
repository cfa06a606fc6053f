//! A world and its fate from one number.
//!
//! Owns: what is chosen at random: routers, priorities, addresses, services, and rounds of faults
//! each followed by a calm in which every invariant has to hold. Never does: judge. Driven by:
//! `tests/simulate.rs`.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use keepalived_rs::base::{Duration, Family, Instant, Rng, Shared};
use keepalived_rs::conf::model::options::{Peer, Version};
use keepalived_rs::conf::model::{
    Config, Forwarding, Garp, GroupEntry, InitialState, Nth, Priority, Protocol, RealServer,
    Scheduler, ServerGroup, ServerPolicy, ServiceKey, SorryServer, Transport, VRRP_GROUP_V4,
    VRRP_GROUP_V6, VirtualAddress, VirtualServer, VrrpInstance,
};

use super::host::Refusal;
use super::kernel::{Traits, errno};
use super::network::{Place, Weather};
use super::noise::{self, Flaw};
use super::world::{HostSetup, Server, World};
use super::{company, edit, setup, trace};

/// What a run did, if nothing was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Hash of the trace.
    pub hash: u64,
    /// Lines of the trace.
    pub lines: u64,
    /// Simulated time.
    pub time: Instant,
    /// How often all invariants were looked at in a calm world.
    pub calm_checks: u64,
    /// Adverts that were sent.
    pub adverts: u64,
}

/// What was wrong.
#[derive(Debug, Clone)]
pub struct Failure {
    seed: u64,
    /// The test that replays the seed.
    test: &'static str,
    message: String,
    tail: Vec<String>,
    lines: u64,
}

impl Failure {
    /// The same, of another test.
    #[must_use]
    pub(super) fn of_test(self, test: &'static str) -> Self {
        Self { test, ..self }
    }

    /// Seed and message on one line.
    #[must_use]
    pub fn headline(&self) -> String {
        let message = self.message.lines().skip(1).collect::<Vec<_>>().join(" ");
        format!("seed {}: {message}", self.seed)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "seed {} at trace line {}: {}",
            self.seed, self.lines, self.message
        )?;
        for line in &self.tail {
            writeln!(f, "    {line}")?;
        }
        if self.seed == 0 {
            return Ok(()); // A scenario; its test has a name.
        }
        write!(
            f,
            "replay: SIM_SEED={} cargo test -p compat-tests --test simulate {}",
            self.seed, self.test
        )
    }
}

thread_local! {
    /// The last panic of this thread, while a run catches them.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static CATCHING: RefCell<bool> = const { RefCell::new(false) };
}

/// Runs something in a world, keeping every line of its trace or not; a panic in it, of the node or of an invariant, becomes a failure.
///
/// # Errors
/// What was wrong, with the last lines of the trace.
pub fn guarded<T>(
    seed: u64,
    keep: bool,
    run: impl FnOnce() -> T,
) -> Result<(T, trace::Summary), Failure> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CATCHING.with_borrow(|catching| *catching) {
                PANIC.set(Some(info.to_string()));
            } else {
                before(info);
            }
        }));
    });
    let print = std::env::var_os("SIM_TRACE").is_some();
    trace::begin(keep || print);
    CATCHING.set(true);
    let result: Result<T, Box<dyn Any + Send>> = catch_unwind(AssertUnwindSafe(run));
    CATCHING.set(false);
    let summary = trace::end();
    if print {
        println!("{}", summary.all.join("\n"));
    }
    match result {
        Ok(value) => Ok((value, summary)),
        Err(_) => Err(Failure {
            seed,
            test: "seeds_keep_every_invariant",
            message: PANIC.take().unwrap_or_default(),
            tail: summary.tail,
            lines: summary.lines,
        }),
    }
}

/// Builds the world of `seed`, lets everything happen to it, and ends it.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(seed: u64) -> Result<Report, Failure> {
    let run = || {
        let mut world = build(seed);
        for host in 0..world.hosts.len() {
            let at = world.now + world.rng.duration_below(Duration::from_secs(4));
            world.plan(at, move |world| world.start(host));
        }
        if world.one_in(2) {
            noise(&mut world);
        }
        world.run_for(Duration::from_secs(5));
        world.settle();
        for _ in 0..2 + world.rng.below(3) {
            round(&mut world);
        }
        if world.one_in(2) {
            let segment = usize::try_from(world.rng.below(world.segments.len() as u64));
            let (one, other) = halves(&mut world);
            world.part_and_meet(segment.unwrap_or(0), &one, &other);
        }
        finish(&mut world);
        (
            world.now,
            world.shadow.calm_checks,
            world.shadow.adverts_seen,
        )
    };
    let ((time, calm_checks, adverts), summary) = guarded(seed, false, run)?;
    Ok(Report {
        hash: summary.hash,
        lines: summary.lines,
        time,
        calm_checks,
        adverts,
    })
}

impl World {
    /// Waits until everything has to be as it should, then a while longer, to see that it stays.
    pub fn settle(&mut self) {
        let stay = Duration::from_secs(6);
        self.run_for(self.time_to_settle() + stay);
        self.check_fifos();
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.rng.below(n) == 0
    }
}

/// A number below `bound` as the small integer that addresses are made of.
pub(super) fn small(rng: &mut Rng, bound: u8) -> u8 {
    u8::try_from(rng.below(bound.into())).unwrap_or(0)
}

pub(super) fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    let at = rng.below(u64::try_from(from.len()).unwrap_or(1));
    from[usize::try_from(at).unwrap_or(0)]
}

/// Seconds, up to and including `most`.
pub(super) fn seconds(rng: &mut Rng, most: u64) -> Duration {
    Duration::from_secs(rng.below(most + 1))
}

pub(super) fn build(seed: u64) -> World {
    // Not the world's own generator: what is built should not depend on what happens.
    let mut rng = Rng::new(seed ^ 0x5eed);
    let segments = 1 + small(&mut rng, 2);
    let mut world = World::new(seed, segments.into());
    let hosts = 2 + pick(&mut rng, &[0, 0, 1, 1, 2, 3, 4, 5]);
    let mut routers: Vec<_> = (0..pick(&mut rng, &[1, 1, 2, 2, 3, 3, 4]))
        .map(|n| virtual_router(&mut rng, 51 + n, segments, hosts))
        .collect();
    let together = company::unite(&mut rng, &mut routers);
    let services = services(&mut rng, &mut world);
    let late = pick(&mut rng, &[0, 0, 50, 300]);
    for number in 0..hosts {
        let instances = routers.iter().filter_map(|router| {
            let instance = router.get(usize::from(number))?;
            instance.clone()
        });
        let mut config = Config {
            vrrp_instances: instances.map(Shared::new).collect(),
            virtual_servers: services.clone(),
            server_groups: groups(&services),
            ..Config::default()
        };
        company::outfit(
            &mut rng,
            &mut config,
            &together[usize::from(number)],
            segments,
        );
        let traits = Traits {
            promote_secondaries: rng.below(2) == 0,
            address_protocol: rng.below(2) == 0,
            ipvs: rng.below(8) != 0,
        };
        let host = world.add_host(HostSetup {
            traits,
            lateness: Duration::from_micros(late),
            ..setup::host(number, segments, config)
        });
        company::begin(&mut world, host);
        if traits.ipvs {
            let foreign = setup::service(Ipv4Addr::new(203, 0, 113, 99), 99);
            let spec = super::balance::expected(
                &Config {
                    virtual_servers: vec![foreign.into()],
                    ..Config::default()
                },
                &world.servers,
            );
            for (spec, _) in spec.into_values() {
                world.add_foreign_service(host, &spec);
            }
        }
    }
    world
}

/// The address of a host that adverts of this family come from.
fn address(family: Family, segment: u8, host: u8) -> IpAddr {
    match family {
        Family::V4 => setup::host_address(segment, host).into(),
        Family::V6 => setup::link_local(segment, host).into(),
    }
}

/// Version, family, group or peers: what all routers of one virtual router have in common.
#[derive(Debug, Clone, Copy)]
struct Kind {
    version: Version,
    family: Family,
    unicast: bool,
}

impl Kind {
    fn any(rng: &mut Rng) -> Self {
        let (version, family) = pick(
            rng,
            &[
                (Version::V2, Family::V4),
                (Version::V2, Family::V4),
                (Version::V3, Family::V4),
                (Version::V3, Family::V6),
            ],
        );
        Self {
            version,
            family,
            unicast: rng.below(4) == 0,
        }
    }

    /// Makes an instance of one that is of version 2 over IPv4 by multicast.
    fn of(self, instance: &mut VrrpInstance) {
        instance.version = self.version;
        instance.family = self.family;
        instance.transport = match (self.unicast, self.family) {
            (true, _) => Transport::Unicast,
            (false, Family::V4) => Transport::Multicast(VRRP_GROUP_V4),
            (false, Family::V6) => Transport::Multicast(VRRP_GROUP_V6),
        };
        if self.version == Version::V3 {
            instance.options.version = Some(Version::V3);
            instance.auth = None;
        }
    }

    /// Gives an instance of `host` everybody else as a peer.
    fn peers(self, instance: &mut VrrpInstance, segment: u8, host: u8, hosts: u8, rng: &mut Rng) {
        if !self.unicast {
            return;
        }
        instance.options.unicast = true;
        if rng.below(2) == 0 {
            instance.options.source = Some(address(self.family, segment, host));
        }
        let others = (0..hosts).filter(|other| *other != host);
        instance.options.peers = others
            .map(|other| Peer {
                address: address(self.family, segment, other),
                min_ttl: 0,
                max_ttl: 255,
            })
            .collect();
    }

    fn virtual_address(self, rng: &mut Rng, segment: u8, vrid: u8, n: u8) -> VirtualAddress {
        if self.family == Family::V6 {
            let prefix_len = pick(rng, &[64, 128]);
            return setup::vip(setup::virtual_address_v6(vrid, n), prefix_len);
        }
        match rng.below(3) {
            0 => setup::vip(setup::host_address(segment, 100 + 8 * (vrid - 51) + n), 24),
            1 => setup::vip(setup::virtual_address(vrid, n), 24),
            _ => setup::vip(setup::virtual_address(vrid, n), 32),
        }
    }
}

/// One virtual router: the instance of each host, `None` for those that do not take part.
fn virtual_router(rng: &mut Rng, vrid: u8, segments: u8, hosts: u8) -> Vec<Option<VrrpInstance>> {
    let segment = small(rng, segments);
    let vips = 1 + small(rng, 4);
    let kind = Kind::any(rng);
    let addresses = (0..vips)
        .map(|n| kind.virtual_address(rng, segment, vrid, n))
        .collect();
    let interval = match kind.version {
        Version::V2 => Duration::from_secs(1 + rng.below(3)),
        Version::V3 => Duration::from_millis(pick(rng, &[250, 1_000, 1_500])),
    };
    let mut base = VrrpInstance {
        interface: format!("eth{segment}"),
        advert_interval: interval,
        auth: pick(rng, &[setup::instance(vrid, 1).auth, None]),
        addresses,
        garp: Garp {
            repeat: pick(rng, &[5, 1, 3]),
            delay: seconds(rng, 5),
            refresh: pick(rng, &[Duration::ZERO, Duration::from_secs(10)]),
            ..Garp::default()
        },
        ..setup::instance(vrid, 100)
    };
    kind.of(&mut base);
    if rng.below(5) == 0 {
        base.auth = None;
        base.options.signing = Some(Box::new(setup::signing(&[1, 2])));
    }
    let owner = (rng.below(6) == 0).then(|| small(rng, hosts));
    (0..hosts)
        .map(|host| {
            let left_out = hosts > 2 && rng.below(5) == 0;
            let mut instance = base.clone();
            kind.peers(&mut instance, segment, host, hosts, rng);
            instance.priority = Priority(pick(rng, &[1, 50, 100, 100, 150, 150, 200, 254]));
            if rng.below(4) == 0 {
                instance.initial_state = InitialState::Master;
            }
            if owner == Some(host) {
                instance.priority = Priority::OWNER;
                instance.initial_state = InitialState::Master;
            } else if instance.initial_state == InitialState::Backup {
                match rng.below(6) {
                    0 => instance.no_preempt = true,
                    1 => instance.preempt_delay = seconds(rng, 6),
                    _ => {}
                }
            }
            (!left_out || owner == Some(host)).then_some(instance)
        })
        .collect()
}

fn services(rng: &mut Rng, world: &mut World) -> Vec<Shared<VirtualServer>> {
    (0..small(rng, 3))
        .map(|n| {
            let mut service = random_service(rng, n);
            service.real_servers = (0..=small(rng, 3))
                .map(|server| {
                    let server = random_server(rng, 10 * n + server);
                    for check in &server.tcp_checks {
                        world.servers.insert(check.target, Server::Up);
                    }
                    server.into()
                })
                .collect();
            policy(rng, &mut service);
            if matches!(service.key, ServiceKey::Fwmark { .. }) {
                // Without translation a mark's servers have no port.
                for server in &mut service.real_servers {
                    server.forwarding = Forwarding::Nat;
                }
            }
            service.into()
        })
        .collect()
}

/// By address, by mark or by group.
fn random_service(rng: &mut Rng, n: u8) -> VirtualServer {
    let address = Ipv4Addr::new(203, 0, 113, 1 + n);
    let key = match rng.below(6) {
        0 => ServiceKey::Fwmark {
            mark: u32::from(n) + 1,
            family: Family::V4,
        },
        1 => ServiceKey::Group {
            name: format!("g{n}"),
            nth: Nth(0),
            protocol: Some(Protocol::Tcp),
        },
        _ => return setup::service(address, 3306),
    };
    let mut service = VirtualServer::new(key, Scheduler::Wrr);
    if matches!(service.key, ServiceKey::Group { .. }) {
        service.entries = group_entries(rng, 30 + 10 * n);
    }
    service
}

/// Entries of a group around the address 203.0.113.`first`.
pub(super) fn group_entries(rng: &mut Rng, first: u8) -> Vec<GroupEntry> {
    let address = |last| Ipv4Addr::new(203, 0, 113, last).into();
    let mut entries = vec![GroupEntry::Addresses {
        first: address(first),
        last: address(first + small(rng, 3)),
        port: 3306,
    }];
    if rng.below(2) == 0 {
        let mark = 100 + u32::from(first);
        entries.push(GroupEntry::Fwmark { mark, family: None });
    }
    entries
}

/// Gives a service a quorum, a sorry server, servers that stay and limits, or none of these.
pub(super) fn policy(rng: &mut Rng, service: &mut VirtualServer) {
    service.policy.quorum = pick(rng, &[1, 1, 1, 2, 4]);
    service.policy.sorry_server = (rng.below(3) == 0).then(|| SorryServer {
        address: Ipv4Addr::new(10, 0, 0, 250).into(),
        port: matches!(service.key, ServiceKey::Address(_)).then_some(3306),
        forwarding: None,
        inhibit: rng.below(2) == 0,
    });
    for server in &mut service.real_servers {
        server.policy = (rng.below(4) == 0).then(|| {
            Box::new(ServerPolicy {
                inhibit_on_failure: rng.below(2) == 0,
                upper_threshold: pick(rng, &[0, 100]),
                ..ServerPolicy::default()
            })
        });
    }
}

/// The groups that services name, as the file has them.
pub(super) fn groups(services: &[Shared<VirtualServer>]) -> Vec<ServerGroup> {
    let of = |service: &Shared<VirtualServer>| match &service.key {
        ServiceKey::Group { name, .. } => Some(ServerGroup {
            name: name.clone(),
            entries: service.entries.clone(),
        }),
        ServiceKey::Address(_) | ServiceKey::Fwmark { .. } => None,
    };
    services.iter().filter_map(of).collect()
}

pub(super) fn random_server(rng: &mut Rng, number: u8) -> RealServer {
    let mut server = setup::real_server(Ipv4Addr::new(10, 0, 0, 1 + number), 3306);
    server.weight = pick(rng, &[1, 1, 3, 100, 0]);
    if rng.below(6) == 0 {
        server.tcp_checks.clear();
    }
    if rng.below(4) == 0
        && let Some(first) = server.tcp_checks.first().cloned()
    {
        // A second check, on another port.
        let target = SocketAddr::new(first.target.ip(), 3307);
        server.tcp_checks.push(setup::tcp_check(target));
    }
    for check in &mut server.tcp_checks {
        check.delay_loop = Duration::from_secs(1 + rng.below(6));
        check.connect_timeout = Duration::from_secs(1 + rng.below(4));
        check.retries = u32::from(small(rng, 4));
        check.delay_before_retry = Duration::from_secs(1 + rng.below(3));
        check.warmup = pick(rng, &[Duration::ZERO, check.delay_loop]);
        check.alpha = rng.below(4) == 0;
    }
    server
}

/// Packets that have to be discarded, now and then until the end.
fn noise(world: &mut World) {
    let routers: Vec<_> = world.routers().into_iter().collect();
    if !routers.is_empty() {
        let router = pick(&mut world.rng, &routers);
        let host = (0..world.hosts.len()).find_map(|host| world.instance(host, router));
        if let Some(instance) = host.cloned() {
            let flaw = pick(&mut world.rng, &Flaw::ALL);
            let priority = pick(&mut world.rng, &[0, 254, 255]);
            let host = small(&mut world.rng, u8::try_from(world.hosts.len()).unwrap_or(1));
            let segment = u8::try_from(router.0).unwrap_or(0);
            let unicast = address(instance.family, segment, host);
            world.note(format_args!(
                "noise {flaw:?} priority {priority} to {router:?}"
            ));
            if flaw.concerns(&instance) {
                world.inject(router.0, &noise::packet(&instance, unicast, priority, flaw));
            }
        }
    }
    let at = world.now + world.rng.duration_below(Duration::from_secs(6));
    world.plan(at, noise);
}

/// Faults for a while, then everything heals, then the calm.
fn round(world: &mut World) {
    for _ in 0..1 + world.rng.below(5) {
        let at = world.now + world.rng.duration_below(Duration::from_secs(20));
        world.plan(at, inject);
    }
    world.run_for(Duration::from_secs(21) + LONGEST);
    world.heal();
    world.settle();
    let host = usize::try_from(world.rng.below(world.hosts.len() as u64)).unwrap_or(0);
    let config = world.hosts[host].config.clone();
    world.reload(host, &config);
    world.run_for(Duration::from_secs(2));
}

/// How long a fault lasts at most.
const LONGEST: Duration = Duration::from_secs(15);

fn finish(world: &mut World) {
    while let Some(host) = (0..world.hosts.len()).find(|host| world.hosts[*host].process.is_some())
    {
        world.stop(host);
        world.run_for(Duration::from_secs(8));
    }
}

/// How many kinds of faults there are.
const KINDS: u64 = 18;

/// Does one thing to the world, and plans its end where it has one.
fn inject(world: &mut World) {
    let host = usize::try_from(world.rng.below(world.hosts.len() as u64)).unwrap_or(0);
    let segment = usize::try_from(world.rng.below(world.segments.len() as u64)).unwrap_or(0);
    let until = world.now + Duration::from_millis(100) + world.rng.duration_below(LONGEST);
    match world.rng.below(KINDS) {
        0 => storm(world, segment, until),
        1 => divide(world, segment, until),
        2 => deafen(world, segment, host, until),
        3 => flap(world, host, segment),
        4 => {
            let time = Duration::from_millis(200) + world.rng.duration_below(LONGEST);
            if world.one_in(2) {
                world.pause(host, time);
            } else {
                world.suspend(host, time);
            }
        }
        5 => {
            if let Some(unplugged) = world.unplug(host, &format!("eth{segment}")) {
                world.plan(until, move |world| {
                    world.replug(host, unplugged);
                });
            }
        }
        6 => {
            let backoff = Duration::from_secs(pick(&mut world.rng, &[0, 0, 1, 2, 4]));
            world.crash_worker(host, backoff);
        }
        7 => {
            lose_ledger(world, host);
            world.kill(host);
            world.plan(until, move |world| start_again(world, host));
        }
        8 => {
            world.stop(host);
            world.plan(until, move |world| start_again(world, host));
        }
        9 | 10 => reloads(world, host),
        11 => refuse(world, host, until),
        12 => break_server(world, until),
        13 => take_address(world, host),
        15 | 16 => company::any_mood(world, host, Some(until)),
        17 => company::any_mood(world, host, None),
        _ => {
            // What happens meanwhile, the daemon learns at the end.
            world.set_overflow(host, true);
            world.plan(until, move |world| world.set_overflow(host, false));
            match world.rng.below(3) {
                0 => take_address(world, host),
                1 => flap(world, host, segment),
                _ => {}
            }
        }
    }
}

/// Sometimes the supervisor's ledger is gone as well, and the node has to cope by itself. It cannot
/// where it owns its addresses: those of an earlier run look like the administrator's.
fn lose_ledger(world: &mut World, host: usize) {
    let lost = world.one_in(2);
    let machine = &mut world.hosts[host];
    let instances = &machine.config.vrrp_instances;
    let owner = instances
        .iter()
        .any(|instance| instance.priority.is_owner());
    machine.ledger_lost = lost && !owner && machine.process.is_some();
}

fn start_again(world: &mut World, host: usize) {
    if world.hosts[host].process.is_none() {
        world.start(host);
    }
}

fn storm(world: &mut World, segment: usize, until: Instant) {
    let rng = &mut world.rng;
    let weather = Weather {
        loss: pick(rng, &[0, 50, 200, 400]),
        duplication: pick(rng, &[0, 50, 300]),
        damage: pick(rng, &[0, 50, 200]),
        jitter: Duration::from_millis(pick(rng, &[0, 1, 30, 400])),
    };
    world.set_weather(segment, weather);
    world.plan(until, move |world| {
        world.set_weather(segment, Weather::default());
    });
}

fn places(world: &World) -> Vec<Place> {
    (0..world.hosts.len()).map(Place::Host).collect()
}

/// Everybody on either side of a cut.
fn halves(world: &mut World) -> (Vec<Place>, Vec<Place>) {
    let (mut one, mut other) = (vec![Place::Client], Vec::new());
    for place in places(world) {
        if world.one_in(2) {
            one.push(place);
        } else {
            other.push(place);
        }
    }
    (one, other)
}

fn divide(world: &mut World, segment: usize, until: Instant) {
    let (one, other) = halves(world);
    world.cut(segment, &one, &other, true);
    world.plan(until, move |world| world.mend(segment));
}

/// One direction only: a host hears nobody, or nobody hears it.
fn deafen(world: &mut World, segment: usize, host: usize, until: Instant) {
    let others: Vec<_> = places(world)
        .into_iter()
        .filter(|place| *place != Place::Host(host))
        .collect();
    if world.one_in(2) {
        world.cut(segment, &[Place::Host(host)], &others, false);
    } else {
        world.cut(segment, &others, &[Place::Host(host)], false);
    }
    world.plan(until, move |world| world.mend(segment));
}

fn flap(world: &mut World, host: usize, segment: usize) {
    let name = format!("eth{segment}");
    let admin = world.one_in(2);
    let mut at = world.now;
    for _ in 0..=world.rng.below(3) {
        let name = name.clone();
        let back = name.clone();
        world.plan(at, move |world| world.set_link(host, &name, !admin, admin));
        at += Duration::from_millis(10) + world.rng.duration_below(Duration::from_secs(4));
        world.plan(at, move |world| world.set_link(host, &back, true, true));
        at += Duration::from_millis(10) + world.rng.duration_below(Duration::from_secs(1));
    }
}

/// A storm of reloads: changes and repetitions, some in the same second.
fn reloads(world: &mut World, host: usize) {
    let mut at = world.now;
    for _ in 0..=world.rng.below(4) {
        world.plan(at, move |world| {
            let mut config = world.hosts[host].config.clone();
            if !world.one_in(3) {
                let original = world.hosts[host].original.clone();
                edit::config(&mut config, &original, &mut world.rng);
            }
            world.reload(host, &config);
        });
        at += world.rng.duration_below(Duration::from_secs(3));
    }
}

fn take_address(world: &mut World, host: usize) {
    let addresses: Vec<IpAddr> = world.hosts[host]
        .config
        .vrrp_instances
        .iter()
        .flat_map(|instance| instance.addresses.iter().map(|a| a.address))
        .collect();
    if !addresses.is_empty() {
        let address = pick(&mut world.rng, &addresses);
        world.remove_address(host, address);
    }
}

fn refuse(world: &mut World, host: usize, until: Instant) {
    let rng = &mut world.rng;
    let refusal = Refusal {
        permille: pick(rng, &[200, 1000]),
        errno: pick(rng, &[errno::ENOMEM, 105]),
        addresses: rng.below(2) == 0,
        ipvs: rng.below(2) == 0,
    };
    world.refuse(host, Some(refusal));
    world.plan(until, move |world| world.refuse(host, None));
}

fn break_server(world: &mut World, until: Instant) {
    let servers: Vec<SocketAddr> = world.servers.keys().copied().collect();
    if servers.is_empty() {
        return;
    }
    let server = pick(&mut world.rng, &servers);
    let late = Duration::from_millis(pick(&mut world.rng, &[300, 1500, 2500, 9000]));
    let how = pick(
        &mut world.rng,
        &[Server::Refusing, Server::Silent, Server::Slow(late)],
    );
    world.set_server(server, how);
    if !world.one_in(3) {
        world.plan(until, move |world| world.set_server(server, Server::Up));
    }
}

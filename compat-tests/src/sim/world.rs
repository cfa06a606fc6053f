//! The virtual world: hosts, segments, servers, and the one heap of what will happen.
//!
//! Owns: time, the random numbers, and the execution of effects. Never does: judge; after every
//! step the shadow does. Driven by: scenarios (`tests/simulate.rs`) and `random`. The nodes in it
//! are the compiled code that ships.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use keepalived_rs::base::{Duration, IfIndex, Instant, Mac, Rng};
use keepalived_rs::conf::diff;
use keepalived_rs::conf::model::Config;
use keepalived_rs::node::{Node, Options};
use keepalived_rs::ops::{AddressSpec, AddressTraits, Effect, ProbeId};

use super::host::{Arrival, Host, Process};
use super::kernel::{Kernel, Link, News, Traits};
use super::monitor::Monitor;
use super::network::Segment;
use super::outside::Outside;
use super::schedule::{Rank, Schedule};
use super::shadow::Shadow;
use super::transcript::Transcript;
use super::{text, trace, wire};

/// A real server's TCP port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// Listens.
    Up,
    /// Nobody listens: the machine answers with a reset.
    Refusing,
    /// The machine is dead: no answer.
    Silent,
    /// Listens, but answers that late.
    Slow(Duration),
}

/// Why a node is given the word; effects are judged by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The process starts.
    Start,
    /// A timer.
    Timer,
    /// A packet.
    Packet,
    /// A link or an address changed.
    News,
    /// A probe was answered.
    Probe,
    /// The kernel answered.
    Kernel,
    /// A new configuration.
    Reload,
    /// The process has to end.
    Stop,
}

/// What will happen.
pub(super) enum Item {
    /// Something reaches a process.
    Arrival(usize, u64, Arrival),
    /// A frame reaches an interface.
    Frame(usize, IfIndex, Rc<[u8]>),
    /// An announcement reaches the client of a segment.
    Announcement(usize, wire::Announcement),
    /// A process looks at its timers.
    Wake(usize, Instant),
    /// A connection attempt reaches its server; the number counts the retransmissions.
    Syn(usize, u64, ProbeId, u32),
    /// A paused process goes on.
    Resume(usize),
    /// The supervisor starts a worker, unless another one runs already.
    Restart(usize, u64),
    /// The scenario or the shadow acts.
    Act(Act),
}

/// A change of the world that was planned beforehand.
pub(super) type Act = Box<dyn FnOnce(&mut World)>;

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// An interface of a host on a segment.
#[derive(Debug, Clone)]
pub struct Plug {
    /// Its name.
    pub name: String,
    /// The segment.
    pub segment: usize,
    /// Its addresses with the lengths of their prefixes.
    pub addresses: Vec<(IpAddr, u8)>,
}

/// What a host is made of.
#[derive(Debug, Clone)]
pub struct HostSetup {
    /// Name.
    pub name: String,
    /// Its interfaces.
    pub interfaces: Vec<Plug>,
    /// Its kernel.
    pub traits: Traits,
    /// Its configuration.
    pub config: Config,
    /// How late its timers are, at most.
    pub lateness: Duration,
}

/// Everything.
pub struct World {
    /// The time.
    pub now: Instant,
    /// The machines.
    pub hosts: Vec<Host>,
    /// The LAN segments.
    pub segments: Vec<Segment>,
    /// The real servers; whatever is not in here is a dead machine.
    pub servers: BTreeMap<SocketAddr, Server>,
    /// The only source of chance.
    pub rng: Rng,
    /// What should be true.
    pub shadow: Shadow,
    /// Why the node that acts acts.
    pub(super) cause: Cause,
    /// What each daemon told people.
    pub(super) transcripts: BTreeMap<usize, Transcript>,
    pub(super) schedule: Schedule<Item>,
    pub(super) identification: u16,
    /// Turns at one and the same time: an endless loop of effects and events has no end here.
    turns: (Instant, u32),
}

/// How many turns at one time are an endless loop.
const MAX_TURNS: u32 = 20_000;
/// How many calls of `handle_timeout` at one time are.
const MAX_TIMEOUTS: u32 = 1_000;

impl World {
    /// An empty world.
    #[must_use]
    pub fn new(seed: u64, segments: usize) -> Self {
        let mut world = Self {
            now: Instant::from_micros(1_000_000),
            hosts: Vec::new(),
            segments: (0..segments).map(|_| Segment::default()).collect(),
            servers: BTreeMap::new(),
            rng: Rng::new(seed),
            shadow: Shadow::default(),
            cause: Cause::Start,
            transcripts: BTreeMap::new(),
            schedule: Schedule::default(),
            identification: 0,
            turns: (Instant::ZERO, 0),
        };
        world.shadow_tick();
        world
    }

    /// Adds a machine; its daemon does not run yet.
    pub fn add_host(&mut self, setup: HostSetup) -> usize {
        let host = self.hosts.len();
        let mut kernel = Kernel::new(setup.traits);
        for (at, plug) in setup.interfaces.into_iter().enumerate() {
            let low = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
            let interface = kernel.add_link(Link {
                name: plug.name,
                admin_up: true,
                carrier: true,
                mac: Mac([2, 0, 0, 0, low(host), low(at)]),
                segment: plug.segment,
                base: None,
            });
            for (address, prefix_len) in plug.addresses {
                let spec = AddressSpec {
                    interface,
                    address,
                    prefix_len,
                    scope: 0,
                    broadcast: None,
                    label: None,
                    more: AddressTraits::default(),
                };
                if kernel.add_address(&spec, 0).is_err() {
                    unreachable!("a new interface takes an address")
                }
            }
        }
        drop(kernel.take_news());
        self.hosts.push(Host {
            name: setup.name,
            kernel,
            config: text::through(&setup.config),
            original: text::through(&setup.config),
            options: Options {
                seed: self.rng.next_u64(),
                ..Options::default()
            },
            outside: Outside::default(),
            process: None,
            epoch: 0,
            ledger_lost: false,
            paused: false,
            suspended: false,
            inbox: Vec::new(),
            refusal: None,
            clock_ahead: 0,
            lateness: setup.lateness,
            monitor: Monitor::default(),
            overflow: false,
            netlink_clock: Instant::ZERO,
        });
        host
    }

    /// Writes a line of the trace in the world's own name.
    pub fn note(&self, text: std::fmt::Arguments<'_>) {
        trace::at(self.now, "world");
        trace::line(text);
    }

    /// Plans `act` for `at`.
    pub fn plan(&mut self, at: Instant, act: impl FnOnce(&mut Self) + 'static) {
        self.schedule
            .push(at, Rank::Observer, Item::Act(Box::new(act)));
    }

    /// Lets everything happen up to and including `until`.
    pub fn run_until(&mut self, until: Instant) {
        while let Some((at, item)) = self.schedule.pop(until) {
            assert!(at >= self.now, "time runs backwards");
            self.now = at;
            self.happen(item);
            self.shadow_step();
        }
        self.now = until;
    }

    /// Lets time pass.
    pub fn run_for(&mut self, time: Duration) {
        self.run_until(self.now + time);
    }

    fn happen(&mut self, item: Item) {
        match item {
            Item::Arrival(host, epoch, arrival) => {
                if self.hosts[host].epoch == epoch {
                    self.arrive(host, arrival);
                }
            }
            Item::Frame(host, interface, bytes) => {
                let works = self.hosts[host]
                    .kernel
                    .link(interface)
                    .is_some_and(Link::works);
                if works {
                    self.arrive(host, Arrival::Packet(interface, bytes));
                }
            }
            Item::Announcement(segment, heard) => {
                let entry = (heard.mac, self.now);
                self.segments[segment].arp.insert(heard.address, entry);
            }
            Item::Wake(host, at) => self.wake(host, at),
            Item::Syn(host, epoch, probe, attempt) => self.syn(host, epoch, probe, attempt),
            Item::Resume(host) => self.resume(host),
            Item::Restart(host, epoch) => {
                if self.hosts[host].epoch == epoch && self.hosts[host].process.is_none() {
                    self.start(host);
                }
            }
            Item::Act(act) => act(self),
        }
    }

    fn arrive(&mut self, host: usize, arrival: Arrival) {
        if self.hosts[host].process.is_none() {
            return;
        }
        let machine = &mut self.hosts[host];
        if machine.paused {
            if !machine.suspended || !arrival.is_lost_asleep() {
                machine.inbox.push(arrival);
            }
            return;
        }
        let cause = match &arrival {
            Arrival::News(_) => Cause::News,
            Arrival::Packet(..) => Cause::Packet,
            Arrival::Probe(..) => Cause::Probe,
            Arrival::SocketFailed(..)
            | Arrival::Refused(..)
            | Arrival::IpvsTable(_)
            | Arrival::IpvsLook(_)
            | Arrival::IpvsTimeouts(_)
            | Arrival::LinkAsked(..)
            | Arrival::Fifo(..) => Cause::Kernel,
            Arrival::Child(..) | Arrival::File(..) | Arrival::Processes(_) => Cause::News,
        };
        if let Arrival::News(news) = &arrival {
            trace::at(self.now, &self.hosts[host].name);
            trace::line(format_args!("< {news:?}"));
        }
        if let Arrival::Packet(interface, bytes) = &arrival {
            self.shadow_heard(host, *interface, bytes);
        }
        if let Arrival::Refused(_, errno) = &arrival {
            trace::at(self.now, &self.hosts[host].name);
            trace::line(format_args!("< refused {errno}"));
        }
        self.turn(host, cause, |host, now, out| {
            host.deliver(now, arrival, out);
        });
    }

    /// Gives the word to a node, then carries out what it asks for.
    pub(super) fn turn(
        &mut self,
        host: usize,
        cause: Cause,
        act: impl FnOnce(&mut Host, Instant, &mut Vec<Effect>),
    ) {
        if self.turns.0 == self.now {
            self.turns.1 += 1;
        } else {
            self.turns = (self.now, 0);
        }
        assert!(
            self.turns.1 < MAX_TURNS,
            "events and effects go round in circles"
        );
        self.cause = cause;
        self.shadow.forget_resignations();
        trace::at(self.now, &self.hosts[host].name);
        let mut effects = Vec::new();
        self.hosts[host].tell_time(self.now);
        act(&mut self.hosts[host], self.now, &mut effects);
        self.shadow.count_effects(host, effects.len());
        for effect in effects {
            self.execute(host, effect);
        }
        self.tell_news(host);
        self.arm(host);
    }

    /// Arms the wake-up of a host for the node's next deadline.
    fn arm(&mut self, host: usize) {
        let now = self.now;
        let lateness = self.hosts[host].lateness;
        let Some(process) = &mut self.hosts[host].process else {
            return;
        };
        let deadline = process.node.next_deadline();
        if deadline == process.wake.map(|(deadline, _)| deadline) {
            return;
        }
        process.wake = deadline.map(|deadline| {
            let at = deadline.max(now) + self.rng.duration_below(lateness);
            (deadline, at)
        });
        if let Some((_, at)) = process.wake {
            self.schedule.push(at, Rank::Timer, Item::Wake(host, at));
        }
    }

    fn wake(&mut self, host: usize, at: Instant) {
        let stale = |host: &Host| {
            let armed = host.process.as_ref().and_then(|process| process.wake);
            host.paused || armed.is_none_or(|(_, armed)| armed != at)
        };
        if stale(&self.hosts[host]) {
            return;
        }
        self.run_timers(host);
    }

    /// Calls `handle_timeout` until no deadline is due any more.
    pub(super) fn run_timers(&mut self, host: usize) {
        for _ in 0..MAX_TIMEOUTS {
            if let Some(process) = &mut self.hosts[host].process {
                process.wake = None;
            }
            self.turn(host, Cause::Timer, |host, now, out| {
                if let Some(process) = &mut host.process {
                    process.node.handle_timeout(now, out);
                }
            });
            let next = self.hosts[host]
                .process
                .as_ref()
                .and_then(|process| process.node.next_deadline());
            if next.is_none_or(|next| next > self.now) {
                return;
            }
        }
        panic!(
            "{}: handle_timeout leaves a deadline in the past",
            self.hosts[host].name
        );
    }

    /// Passes the kernel's news on to the process, a little later and in order.
    pub(super) fn tell_news(&mut self, host: usize) {
        let news = self.hosts[host].kernel.take_news();
        if !self.hosts[host].overflow {
            self.tell(host, news);
        }
    }

    /// Tells what is news of `news`.
    fn tell(&mut self, host: usize, news: Vec<News>) {
        let (now, epoch) = (self.now, self.hosts[host].epoch);
        for news in news {
            if !self.hosts[host].monitor.take(&news) {
                continue;
            }
            let delay = Duration::from_micros(5 + self.rng.below(100));
            let at = (now + delay).max(self.hosts[host].netlink_clock);
            self.hosts[host].netlink_clock = at;
            let item = Item::Arrival(host, epoch, Arrival::News(news));
            self.schedule.push(at, Rank::Arrival, item);
        }
    }

    /// The daemon learns that messages were dropped, and lists everything anew.
    pub(super) fn relist(&mut self, host: usize) {
        let machine = &mut self.hosts[host];
        let list = machine.kernel.dump();
        let news = machine.monitor.clone().relist(&list);
        self.tell(host, news);
    }

    /// Puts an answer to the process in, to be delivered before anything else.
    pub(super) fn answer(&mut self, host: usize, delay: Duration, arrival: Arrival) {
        let item = Item::Arrival(host, self.hosts[host].epoch, arrival);
        self.schedule.push(self.now + delay, Rank::Arrival, item);
    }

    /// Starts the daemon of a host with the configuration on its disk.
    pub fn start(&mut self, host: usize) {
        self.disturb();
        self.hosts[host].epoch += 1;
        self.note(format_args!("start {}", self.hosts[host].name));
        if !std::mem::take(&mut self.hosts[host].ledger_lost) {
            self.clean_up(host);
        }
        let options = self.hosts[host].options;
        self.hosts[host].process = Some(Process {
            node: Node::new(options),
            sockets: BTreeMap::new(),
            probes: BTreeMap::new(),
            wake: None,
        });
        self.hosts[host].paused = false;
        self.hosts[host].inbox.clear();
        self.shadow.started(host);
        self.transcript_begins(host);
        self.turn(host, Cause::Start, |host, now, out| {
            host.monitor = Monitor::default();
            for news in host.kernel.dump() {
                host.monitor.take(&news);
                host.deliver(now, Arrival::News(news), out);
            }
            let config = host.config.clone();
            let plan = diff::plan(&Config::default(), &config);
            if let Some(process) = &mut host.process {
                process.node.apply(now, plan, config, out);
            }
        });
    }

    /// Schedules a start, unless something else starts the daemon first.
    pub(super) fn start_later(&mut self, host: usize, delay: Duration) {
        let item = Item::Restart(host, self.hosts[host].epoch);
        self.schedule.push(self.now + delay, Rank::Observer, item);
    }

    /// SIGSTOP for `time`: what arrives waits, timers do not fire.
    pub fn pause(&mut self, host: usize, time: Duration) {
        if !self.hosts[host].awake() {
            return;
        }
        self.note(format_args!("pause {} for {time:?}", self.hosts[host].name));
        self.disturb();
        self.shadow.fault_begins();
        self.shadow_sleeps(host, time);
        self.hosts[host].paused = true;
        self.schedule
            .push(self.now + time, Rank::Arrival, Item::Resume(host));
    }

    /// The whole machine stands still for `time`: as a pause, but packets are lost meanwhile.
    pub fn suspend(&mut self, host: usize, time: Duration) {
        if self.hosts[host].awake() {
            self.pause(host, time);
            self.hosts[host].suspended = true;
        }
    }

    fn resume(&mut self, host: usize) {
        if !self.hosts[host].paused {
            return;
        }
        self.note(format_args!("resume {}", self.hosts[host].name));
        self.disturb();
        self.shadow.fault_ends();
        self.hosts[host].paused = false;
        self.hosts[host].suspended = false;
        let mut waiting = std::mem::take(&mut self.hosts[host].inbox);
        waiting.sort_by_key(Arrival::loop_order);
        self.shadow_overslept(host, &waiting);
        // As in the daemon's loop: everything that waits is read before timers are looked at.
        for arrival in waiting {
            self.arrive(host, arrival);
        }
        if self.hosts[host].process.is_some() {
            self.run_timers(host);
        }
        self.shadow_awake(host);
    }
}

//! One virtual router: the state machine (RFC 3768 §6).
//!
//! Owns: the state, the reasons that hold it in FAULT, and what each transition does. Never does:
//! look at bytes (`receive`), build them (`advertise`, `garp`) or plan addresses (`addresses`).
//! Driven by: `domain`, one [`Input`] at a time; every pair of state and input is spelled out in
//! [`Instance::step`], and every transition goes through [`Instance::enter`].

use std::net::IpAddr;

use super::Action;
use super::addresses::{Fight, Standing, Vip};
use super::clash::Clash;
use super::departed::Departed;
use super::fitness::Fitness;
use super::fixtures::Fixtures;
use super::group::{Bond, Hold};
use super::hear::DEAF_AFTER;
use super::links::{AddressKey, Links};
use super::messages::{Line, Note, note, say};
use super::own_link::Own;
use super::pace::Pace;
use super::seal::Seals;
use super::signed::Sequences;
use super::stats::Stats;
use super::tell::Told;
use super::tracking::Use;
use super::transport::Channel;
use crate::base::{Duration, Family, IfIndex, Instant, Rare, Shared, TimerQueue};
use crate::conf::model::{InitialState, LogStyle, Priority, VrrpInstance};
use crate::ops::{Effect, SocketId};

/// Identifies an instance within the domain; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct InstanceId(pub(super) u32);

impl InstanceId {
    pub(super) const MIN: Self = Self(0);
    pub(super) const MAX: Self = Self(u32::MAX);
}

/// State of a virtual router. RFC 3768 has no fault: there, such a router would be in Initialize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Not started yet, or stopped.
    Init,
    /// Listens; another router is master.
    Backup,
    /// Advertises and holds the addresses.
    Master,
    /// Cannot take part.
    Fault,
}

/// Why an instance cannot take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FaultReason {
    NoInterface,
    InterfaceDown,
    /// The interface has no address of this family to speak from.
    NoAddress(Family),
    /// `track_src_ip`: the address to speak from is not there.
    NoSource,
    /// Unicast to nobody.
    NoPeers,
    /// The socket cannot be opened or broke: the system's error.
    Socket(i32),
    /// Something else on this host keeps removing an address.
    Contested,
    /// A tracked script failed.
    Script,
    /// A tracked file holds this.
    File(i64),
    /// There are too few or too many of a tracked process.
    Process,
    /// A tracked BFD session is down, or up where it should not be.
    Bfd,
    /// The link of its own is not there.
    NoOwnLink,
    /// It is down, or switched off.
    OwnLinkDown,
}

/// The timers of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// In BACKUP: no master was heard.
    MasterDown,
    /// In MASTER: the next advert.
    Advert,
    /// In BACKUP: a lower master has been tolerated for long enough.
    PreemptDelay,
    /// In MASTER: the burst of announcements that follows the first.
    SecondBurst,
    /// In MASTER: the burst that follows the answer to a lower advert.
    LowerBurst,
    /// In MASTER: the periodic burst.
    Refresh,
    /// In MASTER: announcements on interfaces that no advert passes by.
    Elsewhere,
    /// In MASTER: addresses that somebody removed are put back.
    Repair,
    /// In FAULT: the fight over an address may be over.
    Truce,
    /// In every state: the kernel is asked again for what it refused.
    Retry,
}

/// What the machine reacts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The instance is new.
    Start,
    /// The reasons for FAULT are gone.
    Able,
    /// There is a reason for FAULT.
    Unable(FaultReason),
    /// Somebody else removed the address at this position of the list.
    AddressLost(usize),
    /// Another member of the sync group is in this state now.
    Sync(State),
    /// A timer that was due at this time.
    Timer(Timer, Instant),
    /// A valid advert.
    Advert(Heard),
    /// A master was not run for so long that a rival may have taken over.
    Overslept(Duration),
    /// The same as the heir of a master: see [`super::Domain::inherit`].
    Inherit,
    /// The daemon ends, or the instance leaves the configuration.
    Stop,
}

/// A valid advert of another router.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heard {
    pub(super) from: IpAddr,
    pub(super) priority: Priority,
    /// Version 3: the interval that it keeps; ours in version 2, where no other is heard.
    pub(super) interval: Duration,
}

/// What an instance works with during one call.
pub(super) struct Cx<'a> {
    pub(super) now: Instant,
    /// Microseconds since 1970; signatures alone need them.
    pub(super) wall: u64,
    pub(super) style: LogStyle,
    pub(super) timers: &'a mut TimerQueue<(InstanceId, Timer)>,
    pub(super) links: &'a mut Links,
    pub(super) departed: &'a mut Departed,
    pub(super) link_socket: SocketId,
    pub(super) pace: &'a mut Pace,
    pub(super) out: &'a mut Vec<Action>,
}

impl Cx<'_> {
    pub(super) fn effect(&mut self, effect: Effect) {
        self.out.push(Action::World(effect));
    }

    pub(super) fn arm(&mut self, id: InstanceId, timer: Timer, at: Instant) {
        self.timers.set((id, timer), at);
    }

    pub(super) fn disarm(&mut self, id: InstanceId, timer: Timer) {
        self.timers.cancel((id, timer));
    }
}

/// One virtual router.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) id: InstanceId,
    pub(super) config: Shared<VrrpInstance>,
    pub(super) state: State,
    pub(super) stats: Stats,
    /// When it came into its state.
    pub(super) since: Option<Instant>,
    /// The interface, while it exists, and the socket there.
    pub(super) link: Option<IfIndex>,
    pub(super) channel: Option<Channel>,
    pub(super) socket: Option<SocketId>,
    /// Source of adverts.
    pub(super) source: Option<IpAddr>,
    pub(super) vips: Vec<Vip>,
    /// Its routes and rules.
    pub(super) fixtures: Fixtures,
    /// Where it has secondary addresses promoted.
    pub(super) promoting: Option<IfIndex>,
    pub(super) next_slot: u32,
    /// What adverts name, computed when configuration or MTU change.
    pub(super) advertised: Vec<IpAddr>,
    pub(super) ip_id: u16,
    /// Version 3: the interval of the master that is followed, else the own one.
    pub(super) master_interval: Duration,
    /// What is known of the authentication of peers, and the own sequence numbers.
    pub(super) seals: Seals,
    /// Of signatures.
    pub(super) sequences: Rare<Sequences>,
    pub(super) last_sent: Option<Instant>,
    /// When the addresses were last announced against a lower master.
    pub(super) insisted: Option<Instant>,
    /// When an advert of a lower priority was last answered.
    pub(super) answered: Option<Instant>,
    pub(super) peers: Peers,
    pub(super) clash: Rare<Clash>,
    pub(super) fight: Rare<Fight>,
    /// The error of the socket, while it is broken.
    pub(super) socket_error: Option<i32>,
    /// The link that it brings with it, and what the firewall does for it.
    pub(super) own: Rare<Own>,
    /// The preempt delay has run out, so that lower adverts no longer count.
    pub(super) preempt_now: bool,
    /// What it tracks.
    pub(super) uses: Vec<Use>,
    /// The priority with what trackers add.
    pub(super) effective: Priority,
    pub(super) fitness: Fitness,
    pub(super) bond: Bond,
    /// Changes of the priority are told.
    pub(super) tells_priority: bool,
}

/// How long an instance stays away from an address that something else keeps removing.
pub(super) const TRUCE: Duration = Duration::from_secs(60);

/// What is known of other routers.
#[derive(Debug)]
pub(super) struct Peers {
    /// The last one whose advert was accepted as a master's.
    pub(super) master: Option<IpAddr>,
    /// The priority in its last advert.
    pub(super) master_priority: Priority,
    /// Any packet for this virtual router was heard, even one that was refused.
    pub(super) heard: bool,
    /// It was said that none was ever heard.
    pub(super) missed: bool,
    /// Complaints made since state or master last changed, as bits.
    pub(super) complaints: u32,
    /// A lower master that was told and goes on, and how often it has.
    pub(super) rival: Option<(IpAddr, u32)>,
    /// The last thing that the master followed said was that it resigns.
    pub(super) resigned: bool,
    /// This one is master because that one resigned.
    pub(super) heir_of: Option<IpAddr>,
    /// This one is master because a master that it followed fell silent without a word: that one may
    /// go on behind a partition.
    pub(super) lost: bool,
}

impl Peers {
    /// A master that does not hear this one, and how often it was answered.
    pub(super) fn rival(&self) -> Option<(IpAddr, u32)> {
        self.rival.filter(|&(_, told)| told >= DEAF_AFTER)
    }
}

impl Default for Peers {
    fn default() -> Self {
        Self {
            master: None,
            master_priority: Priority::RESIGN,
            heard: false,
            missed: false,
            complaints: 0,
            rival: None,
            resigned: false,
            heir_of: None,
            lost: false,
        }
    }
}

impl Instance {
    /// An instance in [`State::Init`]; it takes part from [`Input::Start`] on.
    pub(super) fn new(id: InstanceId, config: Shared<VrrpInstance>) -> Self {
        let master_interval = config.advert_interval;
        let effective = config.priority;
        Self {
            id,
            config,
            state: State::Init,
            stats: Stats::default(),
            since: None,
            link: None,
            channel: None,
            socket: None,
            source: None,
            vips: Vec::new(),
            fixtures: Fixtures::default(),
            promoting: None,
            next_slot: 0,
            advertised: Vec::new(),
            ip_id: 0,
            master_interval,
            seals: Seals::default(),
            sequences: Rare::default(),
            last_sent: None,
            insisted: None,
            answered: None,
            peers: Peers::default(),
            clash: Rare::default(),
            fight: Rare::default(),
            socket_error: None,
            own: Rare::default(),
            preempt_now: false,
            uses: Vec::new(),
            effective,
            fitness: Fitness::default(),
            bond: Bond::default(),
            tells_priority: false,
        }
    }

    /// The priority that adverts carry now.
    pub(super) fn priority(&self) -> Priority {
        self.clash.limit(self.effective)
    }

    /// Whether the addresses are the interface's own, whatever the priority is at the moment.
    pub(super) fn owns_addresses(&self) -> bool {
        self.config.priority.is_owner()
    }

    /// Feeds the machine.
    pub(super) fn step(&mut self, cx: &mut Cx<'_>, input: Input) {
        match self.state {
            State::Init => self.step_init(cx, input),
            State::Backup => self.step_backup(cx, input),
            State::Master => self.step_master(cx, input),
            State::Fault => self.step_fault(cx, input),
        }
    }

    fn step_init(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Start | Input::Inherit => self.start(cx, matches!(input, Input::Inherit)),
            // Nothing reaches an instance before its start or after its stop.
            Input::Able
            | Input::Unable(_)
            | Input::Sync(_)
            | Input::AddressLost(_)
            | Input::Timer(..)
            | Input::Advert(_)
            | Input::Overslept(_)
            | Input::Stop => {}
        }
    }

    fn step_backup(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Unable(reason) => self.fault(cx, reason),
            Input::Sync(State::Master) => {
                self.restore_priority(cx);
                self.enter(cx, State::Master);
            }
            Input::Sync(State::Fault) => self.enter(cx, State::Fault),
            Input::Advert(heard) => self.backup_hears(cx, heard),
            // RFC 3768 §6.4.2: a backup that shuts down says nothing.
            Input::Stop => self.enter(cx, State::Init),
            Input::Timer(timer, due) => match timer {
                Timer::MasterDown => self.master_down(cx, due),
                Timer::PreemptDelay => self.preempt_now = true,
                Timer::Retry => self.retry(cx),
                // Of other states, and disarmed when those are left.
                Timer::Advert
                | Timer::SecondBurst
                | Timer::LowerBurst
                | Timer::Refresh
                | Timer::Elsewhere
                | Timer::Repair
                | Timer::Truce => {}
            },
            // It is started and able already, holds no address, and does not speak in its sleep.
            Input::Start
            | Input::Inherit
            | Input::Able
            | Input::Sync(State::Init | State::Backup)
            | Input::AddressLost(_)
            | Input::Overslept(_) => {}
        }
    }

    fn step_master(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Unable(reason) => self.fault(cx, reason),
            Input::Sync(State::Backup) => {
                self.last_word(cx, None);
                self.enter(cx, State::Backup);
            }
            Input::Sync(State::Fault) => self.enter(cx, State::Fault),
            Input::AddressLost(index) => self.address_lost(cx, index),
            Input::Advert(heard) => self.master_hears(cx, heard),
            Input::Overslept(late) => self.overslept(cx, late),
            Input::Stop => self.enter(cx, State::Init),
            Input::Timer(timer, due) => match timer {
                Timer::Advert => self.advertise(cx, due),
                Timer::SecondBurst => self.announce(cx, self.config.garp.repeat),
                Timer::LowerBurst => self.announce(cx, self.config.garp.lower_priority_repeat),
                Timer::Refresh => {
                    self.announce(cx, self.config.garp.refresh_repeat);
                    self.arm_refresh(cx);
                }
                Timer::Elsewhere => {
                    self.announce_elsewhere(cx);
                    self.arm_elsewhere(cx);
                }
                Timer::Repair => self.repair(cx),
                Timer::Retry => self.retry(cx),
                Timer::MasterDown | Timer::PreemptDelay | Timer::Truce => {}
            },
            Input::Start
            | Input::Inherit
            | Input::Able
            | Input::Sync(State::Init | State::Master) => {}
        }
    }

    fn step_fault(&mut self, cx: &mut Cx<'_>, input: Input) {
        match input {
            Input::Able => self.recover(cx),
            Input::Sync(State::Backup | State::Master) if self.is_fit() => self.recover(cx),
            Input::Stop => self.enter(cx, State::Init),
            Input::Timer(timer, _) => match timer {
                Timer::Truce => self.truce(cx),
                Timer::Retry => self.retry(cx),
                Timer::MasterDown
                | Timer::Advert
                | Timer::PreemptDelay
                | Timer::SecondBurst
                | Timer::LowerBurst
                | Timer::Refresh
                | Timer::Elsewhere
                | Timer::Repair => {}
            },
            // Adverts may still come in while an address is missing; without one there is
            // nothing to answer with. A second reason for FAULT changes nothing.
            Input::Start
            | Input::Inherit
            | Input::Unable(_)
            | Input::Sync(_)
            | Input::AddressLost(_)
            | Input::Advert(_)
            | Input::Overslept(_) => {}
        }
    }

    /// Takes part from now on; `heir`: as the master that another process here was until now.
    fn start(&mut self, cx: &mut Cx<'_>, heir: bool) {
        let fault = self.fitness.fault.as_deref().map(|(reason, _)| *reason);
        if let Some(reason) = fault {
            self.say_fault(cx, reason);
            self.move_to(cx, State::Fault, true);
        } else if self.bond.held == Some(Hold::Fault) {
            self.move_to(cx, State::Fault, true);
        } else if heir {
            // Trackers without a word yet disturb it as little as after a reload.
            self.move_to(cx, State::Master, true);
        } else if self.fitness.waits || self.bond.held.is_some() {
            // Not a word until the verdict is there.
            self.fitness.quiet = true;
            self.move_to(cx, State::Fault, true);
        } else if self.priority().is_owner() {
            // RFC 3768 §6.4.1: the owner asks nobody.
            self.move_to(cx, State::Master, true);
        } else {
            self.move_to(cx, State::Backup, true);
            if self.config.initial_state == InitialState::Master {
                let at = cx.now + self.listen_interval();
                cx.arm(self.id, Timer::MasterDown, at);
            }
        }
    }

    /// RFC 3768 §6.4.1 again: the owner asks nobody, everybody else listens first.
    pub(super) fn recover(&mut self, cx: &mut Cx<'_>) {
        let owner = self.priority().is_owner();
        self.enter(cx, if owner { State::Master } else { State::Backup });
    }

    pub(super) fn say_fault(&self, cx: &Cx<'_>, reason: FaultReason) {
        let blame = self
            .fitness
            .fault
            .as_deref()
            .map(|(_, blame)| blame.as_str());
        let line = Line::Fault(reason, blame.unwrap_or(&self.config.interface));
        say(cx.style, &self.config.name, line);
    }

    pub(super) fn fault(&mut self, cx: &mut Cx<'_>, reason: FaultReason) {
        if self.fitness.fault.is_none() {
            self.fitness.fault = Some(Box::new((reason, self.config.interface.clone())));
        }
        // Of a session a line has told already.
        if reason != FaultReason::Bfd {
            self.say_fault(cx, reason);
        }
        self.enter(cx, State::Fault);
    }

    /// Nobody was heard for the master down interval. If this is noticed much too late, this host
    /// stood still (suspended, starved) and may have missed adverts: it listens once more.
    fn master_down(&mut self, cx: &mut Cx<'_>, due: Instant) {
        let late = cx.now.saturating_since(due);
        if late > self.config.advert_interval {
            note(cx.style, &self.config.name, Note::Overslept(late));
            let at = cx.now + self.listen_interval();
            cx.arm(self.id, Timer::MasterDown, at);
            return;
        }
        say(cx.style, &self.config.name, Line::Timeout);
        if self.bond.grouped && !self.bond.may_lead {
            self.bond.would_lead = true;
            let at = cx.now + self.master_down_interval();
            cx.arm(self.id, Timer::MasterDown, at);
            return;
        }
        self.restore_priority(cx);
        self.enter(cx, State::Master);
        if !self.peers.heard && !self.peers.missed {
            self.peers.missed = true;
            let missing = Note::NeverHeard {
                vrid: self.config.vrid.get(),
                interface: &self.config.interface,
                to: self.config.transport,
                stranger: self.link.and_then(|link| cx.links.stranger(link)),
            };
            note(cx.style, &self.config.name, missing);
        }
    }

    /// A host that stood still must not speak before it has listened: it steps back without a
    /// word, and takes over again if nobody answers within one interval.
    fn overslept(&mut self, cx: &mut Cx<'_>, late: Duration) {
        note(cx.style, &self.config.name, Note::Overslept(late));
        self.enter(cx, State::Backup);
        let at = cx.now + self.listen_interval();
        cx.arm(self.id, Timer::MasterDown, at);
    }

    /// How long a master has been silent, if so long that a rival may have taken over.
    pub(super) fn overslept_for(&self, now: Instant) -> Option<Duration> {
        let silent = now.saturating_since(self.last_sent?);
        let slept = self.state == State::Master && silent > self.quickest_takeover();
        slept.then_some(silent)
    }

    /// Changes the state; does what leaving the old one and entering the new one take.
    pub(super) fn enter(&mut self, cx: &mut Cx<'_>, to: State) {
        self.move_to(cx, to, false);
    }

    fn move_to(&mut self, cx: &mut Cx<'_>, to: State, init: bool) {
        let from = std::mem::replace(&mut self.state, to);
        self.since = Some(cx.now);
        self.peers.complaints = 0;
        self.peers.rival = None;
        self.preempt_now = false;
        self.bond.would_lead = false;
        self.fitness.quiet &= to == State::Fault;
        let quiet = self.fitness.quiet;
        let line = Line::Entering { state: to, init };
        match to {
            State::Fault if quiet => {}
            State::Backup | State::Fault => say(cx.style, &self.config.name, line),
            State::Master => say(
                cx.style,
                &self.config.name,
                Line::Entering {
                    state: to,
                    init: false,
                },
            ),
            State::Init => {}
        }
        match from {
            State::Init => self.take_leftovers_away(cx, to),
            State::Backup => {
                cx.disarm(self.id, Timer::MasterDown);
                cx.disarm(self.id, Timer::PreemptDelay);
            }
            State::Master => self.leave_master(cx, to),
            State::Fault => cx.disarm(self.id, Timer::Truce),
        }
        match to {
            State::Backup => {
                let at = cx.now + self.master_down_interval();
                cx.arm(self.id, Timer::MasterDown, at);
            }
            State::Master => self.become_master(cx),
            State::Fault if self.fight.given_up => {
                cx.arm(self.id, Timer::Truce, cx.now + TRUCE);
            }
            State::Init => {
                cx.disarm(self.id, Timer::Retry);
                self.remove_stuck(cx);
            }
            State::Fault => {}
        }
        if to != State::Init && !quiet {
            self.tell(cx, Told::State(to));
        }
    }

    fn leave_master(&mut self, cx: &mut Cx<'_>, to: State) {
        for timer in [
            Timer::Advert,
            Timer::SecondBurst,
            Timer::LowerBurst,
            Timer::Refresh,
            Timer::Elsewhere,
            Timer::Repair,
        ] {
            cx.disarm(self.id, timer);
        }
        self.stats.release_master += 1;
        if let Some(clash) = self.clash.present() {
            clash.forget_rival();
        }
        match to {
            // RFC 3768 §6.4.3, shutdown: the backups need not wait for a timeout.
            State::Init | State::Fault => {
                if self.send_advert(cx, Priority::RESIGN) {
                    say(cx.style, &self.config.name, Line::SentZero);
                }
            }
            State::Backup | State::Master => {}
        }
        self.last_sent = None;
        self.remove_fixtures(cx);
        self.remove_addresses(cx);
        self.settle_firewall(cx, false);
    }

    /// The advert goes first: it is what stops a rival; then each address with its announcement.
    fn become_master(&mut self, cx: &mut Cx<'_>) {
        self.stats.become_master += 1;
        self.master_interval = self.config.advert_interval;
        self.peers.lost = self.peers.master.is_some()
            && !self.peers.resigned
            && self.peers.master_priority >= self.priority();
        self.peers.heir_of = self.peers.master.take().filter(|_| self.peers.resigned);
        self.advertise(cx, cx.now);
        self.settle_firewall(cx, true);
        for excluded in [false, true] {
            if self.vips.iter().any(|vip| vip.config.excluded == excluded) {
                say(cx.style, &self.config.name, Line::SettingVips { excluded });
            }
        }
        for line in self.fixtures.lines(true) {
            say(cx.style, &self.config.name, line);
        }
        for vip in &mut self.vips {
            vip.complained = false;
        }
        let lacking = [Standing::Absent, Standing::Refused, Standing::Stuck];
        self.add_addresses(cx, &lacking);
        self.arm_burst(cx, Timer::SecondBurst, self.config.garp.delay);
        self.arm_refresh(cx);
        self.arm_elsewhere(cx);
    }
}

impl Instance {
    /// Where the address stands in the list.
    pub(super) fn position(&self, key: AddressKey) -> Option<usize> {
        self.vips.iter().position(|vip| vip.key() == Some(key))
    }

    /// What must hold between two calls.
    pub(super) fn check_invariants(&self, timers: &TimerQueue<(InstanceId, Timer)>) {
        let armed = |timer| timers.get((self.id, timer)).is_some();
        debug_assert_eq!(armed(Timer::MasterDown), self.state == State::Backup);
        debug_assert_eq!(armed(Timer::Advert), self.state == State::Master);
        debug_assert!(self.state == State::Backup || !armed(Timer::PreemptDelay));
        debug_assert!(
            self.state == State::Master
                || ![
                    Timer::SecondBurst,
                    Timer::LowerBurst,
                    Timer::Refresh,
                    Timer::Elsewhere,
                    Timer::Repair
                ]
                .map(armed)
                .contains(&true)
        );
        debug_assert!(self.state == State::Fault || !armed(Timer::Truce));
        debug_assert!(
            self.state == State::Master || self.vips.iter().all(|vip| !vip.standing.is_there())
        );
    }
}

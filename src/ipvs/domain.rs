//! Keeps the kernel's table as the checks want it.
//!
//! Owns: when the table is read, when operations are sent, what a refusal means. Never does: touch
//! a service that nobody here wants. Driven by: `node`, through [`Event`].
//!
//! The table is read before the first operation, so services that are there already (a restart
//! after a crash) are edited in place. A refusal means that the mirror is wrong, because somebody
//! else changes the table: it is read again and the difference sent once more. What is refused
//! after that is an error; it is tried again with patience, never in a loop.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Bound;

use super::control::Control;
use super::table::{Entry, Settings, Slot};
use super::watch::Watch;
use super::{Action, Event, messages, plan};
use crate::base::{Duration, Instant};
use crate::conf::model::Lvs;
use crate::ops::{
    DestinationSpec, Effect, IpvsOp, IpvsService, KernelOp, OpOwner, OpTag, ServiceName,
    ServiceSpec,
};

/// Pause between attempts while the kernel has no IPVS or refuses a service.
pub const RETRY_AFTER: Duration = Duration::from_secs(30);

/// Linux error numbers: no IPVS, and no such service.
const ENOENT: i32 = 2;
const ESRCH: i32 = 3;
/// It is there already.
const EEXIST: i32 = 17;
/// How often a service that somebody else keeps changing is named at most.
const QUIET: Duration = Duration::from_secs(60);

/// Where the kernel's table stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Nothing was wanted yet.
    Idle,
    /// It is being read.
    Reading,
    /// It is mirrored.
    Ready,
    /// It cannot be had.
    Unavailable,
}

/// Why the table is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// To adopt what is there.
    Adopt,
    /// Because an operation was refused.
    Repair,
    /// To try again what was refused after a repair, or to see whether there is IPVS by now.
    Retry,
}

/// Wanted and installed services.
#[derive(Debug)]
pub struct Domain {
    entries: BTreeMap<ServiceName, Entry>,
    phase: Phase,
    purpose: Purpose,
    /// When to try again.
    retry_at: Option<Instant>,
    /// The error of a missing IPVS was said.
    complained: bool,
    /// Serial of the next operation.
    serial: u64,
    /// Serial of the first operation after the table was last read; refusals of earlier ones are
    /// answered by that reading.
    read_serial: u64,
    /// The services of the last repair in the order of their operations, and the serial behind
    /// the last: refusals of these are final.
    repair: (Vec<Repaired>, u64),
    /// The operations since the table was last read that added a service, by serial.
    adds: Vec<(u64, ServiceName)>,
    /// Deletions of services that may still be refused, by serial.
    deletions: BTreeMap<u64, ServiceName>,
    /// Services that nobody wants any more and that the kernel refused to delete.
    stuck: BTreeSet<ServiceName>,
    /// Those of them that the kernel was asked for once more; they were named before.
    asked_again: BTreeSet<ServiceName>,
    /// Operations under way to the queue; kept for its memory.
    ops: Vec<IpvsOp>,
    control: Control,
    /// Operations of `control` that may still be refused, by serial.
    controls: BTreeMap<u64, IpvsOp>,
    watch: Watch,
}

/// A service that a repair sent operations for.
#[derive(Debug, Clone, Copy)]
struct Repaired {
    key: ServiceName,
    /// Serial of its first operation.
    first: u64,
    /// That operation is about the service itself, not about a destination.
    about_service: bool,
}

/// What is wanted and installed, for reports and the simulator.
#[derive(Debug, Clone, Copy)]
pub struct View<'a>(&'a Domain);

impl Default for Domain {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            phase: Phase::Idle,
            purpose: Purpose::Adopt,
            retry_at: None,
            complained: false,
            serial: 0,
            read_serial: 0,
            repair: (Vec::new(), 0),
            adds: Vec::new(),
            deletions: BTreeMap::new(),
            stuck: BTreeSet::new(),
            asked_again: BTreeSet::new(),
            ops: Vec::new(),
            control: Control::default(),
            controls: BTreeMap::new(),
            watch: Watch::off(),
        }
    }
}

impl Domain {
    /// Takes an event.
    pub fn handle(&mut self, now: Instant, event: Event<'_>, out: &mut Vec<Action>) {
        match event {
            Event::Want(spec, destinations) => self.want(spec, &destinations, out),
            Event::Unwant(name) => self.unwant(name, out),
            Event::WantDestination(key, address, wanted) => {
                // A refusal follows its operation before anything else happens.
                self.deletions.clear();
                self.want_destination(key, address, wanted, out);
            }
            Event::Table(Ok(table)) => self.table(now, table, out),
            Event::Look(found) => self.look(now, found, out),
            Event::Timeouts(timeouts) => {
                self.control.found(timeouts);
                self.settle_control(out);
            }
            Event::Follow(master) => {
                self.control.follow(master);
                self.settle_control(out);
            }
            Event::Stop => {
                let mut ops = Vec::new();
                self.control.stop(&mut ops);
                for op in ops {
                    self.send(op, out);
                }
                self.watch.off = true;
                self.watch.restart(now);
            }
            Event::Table(Err(errno)) => self.no_table(now, errno),
            Event::Refused(tag, errno) => self.refused(now, tag.serial, errno, out),
        }
    }

    /// Lets timers that are due at `now` fire; harmless if none is.
    pub fn handle_timeout(&mut self, now: Instant, out: &mut Vec<Action>) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.asked_again = std::mem::take(&mut self.stuck);
            for name in self.asked_again.clone() {
                self.delete(name, out);
            }
            if !self.entries.is_empty() || self.control.is_wanted() {
                self.read(Purpose::Retry, out);
            }
        }
        if self.watch_due().is_some_and(|at| at <= now) {
            let behind = self.watch.behind();
            let from = behind.map_or(Bound::Unbounded, Bound::Excluded);
            let names = self.entries.range((from, Bound::Unbounded));
            let count = (self.entries.len(), self.serial);
            let slice = self.watch.slice(now, names.map(|(name, _)| name), count);
            if !slice.is_empty() {
                out.push(Action::World(Effect::LookIpvs(slice)));
            }
        }
    }

    /// When the table has to be looked at for what others change in it.
    fn watch_due(&self) -> Option<Instant> {
        let at_rest = self.phase == Phase::Ready && !self.entries.is_empty();
        self.watch.due().filter(|_| at_rest)
    }

    /// Takes the settings of IPVS as a whole over. `router_id`: that of the instance which the
    /// daemon for connections follows.
    pub fn apply(&mut self, now: Instant, lvs: &Lvs, router_id: Option<u8>, out: &mut Vec<Action>) {
        let first = self.phase == Phase::Idle;
        self.control.apply(lvs, router_id);
        if !first {
            // The table of a daemon that runs is its own work.
            self.control.take_flush();
        }
        if self.watch.off != lvs.no_repair {
            self.watch.off = lvs.no_repair;
            self.watch.restart(now);
        }
        if first && self.control.is_wanted() {
            self.read(Purpose::Adopt, out);
        } else {
            self.settle_control(out);
        }
    }

    /// Sends what concerns IPVS as a whole, once it is known to be there.
    fn settle_control(&mut self, out: &mut Vec<Action>) {
        if self.phase != Phase::Ready {
            return;
        }
        if self.control.take_question() {
            out.push(Action::World(Effect::ReadIpvsTimeouts));
        }
        let mut ops = Vec::new();
        self.control.settle(&mut ops);
        // Refusals follow before anything else happens.
        self.controls.clear();
        for op in ops {
            self.controls.insert(self.serial, op.clone());
            self.send(op, out);
        }
    }

    /// Repairs what somebody else has changed of the services that were looked at.
    fn look(&mut self, now: Instant, found: Result<&[IpvsService], i32>, out: &mut Vec<Action>) {
        let asked = self.watch.answered(self.serial);
        let Ok(found) = found else {
            // There is no table any more: a reading says why.
            if self.phase == Phase::Ready {
                self.read(Purpose::Repair, out);
            }
            return;
        };
        if self.phase != Phase::Ready {
            return;
        }
        for name in asked {
            let Some(entry) = self.entries.get_mut(&name) else {
                continue;
            };
            // One that the kernel refuses is tried in its own time.
            if entry.refused {
                continue;
            }
            entry.found(found.iter().find(|service| service.name == name));
            if entry.is_settled() {
                continue;
            }
            if entry.quiet_until.is_none_or(|until| now >= until) {
                messages::differs(name);
                entry.quiet_until = Some(now + QUIET);
            }
            self.reconcile(name, out);
        }
    }

    /// When `handle_timeout` is next needed.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        [self.retry_at, self.watch_due()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Whether a service of that name should be in the table.
    #[must_use]
    pub fn wants(&self, name: ServiceName) -> bool {
        self.entries.get(&name).is_some_and(|entry| entry.wanted)
    }

    /// What is wanted and installed.
    #[must_use]
    pub const fn view(&self) -> View<'_> {
        View(self)
    }

    fn want(&mut self, spec: ServiceSpec, destinations: &[DestinationSpec], out: &mut Vec<Action>) {
        let key = spec.name;
        self.stuck.remove(&key);
        self.asked_again.remove(&key);
        let entry = self
            .entries
            .entry(key)
            .or_insert_with(|| Entry::new(spec.clone()));
        entry.want(spec, destinations);
        let refused = entry.refused;
        match self.phase {
            Phase::Idle => self.read(Purpose::Adopt, out),
            Phase::Reading => {}
            Phase::Unavailable => {
                if self.retry_at.is_none() {
                    self.read(Purpose::Retry, out);
                }
            }
            Phase::Ready if refused => self.read(Purpose::Repair, out),
            Phase::Ready => self.reconcile(key, out),
        }
    }

    /// A service that goes is deleted at once if it is ours, whatever is being read: at a stop
    /// there is no later.
    fn unwant(&mut self, key: ServiceName, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        entry.unwant();
        if entry.installed != Settings::Absent {
            self.reconcile(key, out);
        } else if self.phase != Phase::Reading {
            self.entries.remove(&key);
        }
        if self.entries.is_empty() && self.stuck.is_empty() {
            self.retry_at = None;
        }
    }

    fn want_destination(
        &mut self,
        key: ServiceName,
        address: SocketAddr,
        wanted: Option<DestinationSpec>,
        out: &mut Vec<Action>,
    ) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        if !entry.wanted {
            return;
        }
        entry.want_destination(address, wanted);
        if self.phase != Phase::Ready {
            return;
        }
        if entry.refused {
            // The mirror of this one is a guess.
            self.read(Purpose::Repair, out);
            return;
        }
        let op = plan::destination(entry, address);
        entry.settle_destination(address);
        if let Some(op) = op {
            self.send(op, out);
        }
    }

    fn read(&mut self, purpose: Purpose, out: &mut Vec<Action>) {
        if purpose == Purpose::Adopt {
            messages::initializing();
        }
        self.phase = Phase::Reading;
        self.purpose = purpose;
        out.push(Action::World(Effect::ReadIpvs));
    }

    fn no_table(&mut self, now: Instant, errno: i32) {
        self.phase = Phase::Unavailable;
        // What was installed stays in the mirror: at a stop it has to be tried to delete it.
        self.entries
            .retain(|_, entry| entry.wanted || entry.installed != Settings::Absent);
        let idle = self.entries.is_empty() && self.stuck.is_empty();
        self.retry_at = (!idle).then(|| now + RETRY_AFTER);
        if !self.complained && !self.entries.is_empty() {
            self.complained = true;
            messages::unavailable(errno, RETRY_AFTER.as_secs());
        }
    }

    fn table(&mut self, now: Instant, table: &[IpvsService], out: &mut Vec<Action>) {
        if self.complained {
            self.complained = false;
            messages::available();
        }
        self.phase = Phase::Ready;
        if self.control.take_flush() && self.purpose == Purpose::Adopt {
            self.send(IpvsOp::Flush, out);
            self.adopt(&[]);
        } else {
            self.adopt(table);
        }
        self.read_serial = self.serial;
        self.adds.clear();
        let repairing = self.purpose != Purpose::Adopt;
        let mut repaired = std::mem::take(&mut self.repair.0);
        repaired.clear();
        let mut to_verify = false;
        let keys: Vec<ServiceName> = self.entries.keys().copied().collect();
        for key in keys {
            let (first, begin) = (self.serial, out.len());
            self.reconcile(key, out);
            let changed = self.serial != first;
            to_verify |= self.judge(key, changed, repairing);
            if changed && repairing {
                repaired.push(Repaired {
                    key,
                    first,
                    about_service: out.get(begin).is_some_and(sets_service),
                });
            }
        }
        self.repair = (repaired, self.serial);
        if to_verify {
            self.retry_at = Some(now + RETRY_AFTER);
        }
        self.settle_control(out);
        self.watch.restart(now);
        self.check_invariants();
    }

    /// Says what a reading of the table has shown of a service; whether it has to be looked at
    /// again. `changed`: it was not as wanted, and operations were sent.
    fn judge(&mut self, key: ServiceName, changed: bool, repairing: bool) -> bool {
        let Some(entry) = self.entries.get_mut(&key) else {
            return false;
        };
        let add_refused = std::mem::take(&mut entry.add_refused);
        match (entry.refused, changed) {
            (true, true) => return true,
            (true, false) => {
                entry.refused = false;
                messages::accepted(key);
            }
            (false, true) if repairing && !add_refused => messages::differs(key),
            (false, true | false) => {}
        }
        false
    }

    /// Makes the mirror what the kernel's table says of our services.
    fn adopt(&mut self, table: &[IpvsService]) {
        let found: BTreeMap<_, _> = table
            .iter()
            .map(|service| (service.name, service))
            .collect();
        for entry in self.entries.values_mut() {
            entry.found(found.get(&entry.spec.name).copied());
        }
    }

    fn refused(&mut self, now: Instant, serial: u64, errno: i32, out: &mut Vec<Action>) {
        if let Some(name) = self.deletions.remove(&serial) {
            self.not_deleted(now, name, errno);
            return;
        }
        if let Some(op) = self.controls.remove(&serial) {
            self.control_refused(op, errno, out);
            return;
        }
        if serial < self.read_serial || self.entries.is_empty() {
            return;
        }
        if let Ok(at) = self.adds.binary_search_by_key(&serial, |&(add, _)| add)
            && let Some(&(_, key)) = self.adds.get(at)
            && let Some(entry) = self.entries.get_mut(&key)
        {
            entry.add_refused = true;
        }
        match self.phase {
            // The answer to this is on its way.
            Phase::Reading | Phase::Idle | Phase::Unavailable => {}
            Phase::Ready => match self.repair_of(serial) {
                None => self.read(Purpose::Repair, out),
                Some(repaired) => {
                    self.retry_at = Some(now + RETRY_AFTER);
                    if let Some(entry) = self.entries.get_mut(&repaired.key)
                        && !entry.refused
                    {
                        entry.refused = true;
                        let scheduler = (serial == repaired.first && repaired.about_service)
                            .then_some(entry.spec.scheduler);
                        messages::refused(repaired.key, scheduler, errno, RETRY_AFTER.as_secs());
                    }
                }
            },
        }
    }

    /// A daemon for connections that runs already is one of an earlier life: it is replaced.
    fn control_refused(&mut self, op: IpvsOp, errno: i32, out: &mut Vec<Action>) {
        match op {
            IpvsOp::DaemonStart(role, _) if errno == EEXIST => {
                self.send(IpvsOp::DaemonStop(role), out);
                self.send(op, out);
            }
            IpvsOp::DaemonStop(_) if errno == ESRCH => {}
            _ => messages::control_refused(&op, errno),
        }
    }

    /// What operation `serial` was to repair; `None` if it belongs to no repair.
    fn repair_of(&self, serial: u64) -> Option<Repaired> {
        let (repaired, end) = &self.repair;
        if serial >= *end {
            return None;
        }
        let behind = repaired.partition_point(|one| one.first <= serial);
        repaired.get(behind.checked_sub(1)?).copied()
    }

    /// Sends the operations that `key` needs.
    fn reconcile(&mut self, key: ServiceName, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(&key) else {
            return;
        };
        let mut ops = std::mem::take(&mut self.ops);
        plan::service(entry, &mut ops);
        entry.settle();
        if !entry.wanted {
            self.entries.remove(&key);
        }
        for op in ops.drain(..) {
            match op {
                IpvsOp::ServiceDel(name) => self.delete(name, out),
                IpvsOp::ServiceAdd(_) => {
                    self.note_add(key);
                    self.send(op, out);
                }
                IpvsOp::ServiceSet(_)
                | IpvsOp::DestAdd(..)
                | IpvsOp::DestSet(..)
                | IpvsOp::DestDel(..)
                | IpvsOp::Flush
                | IpvsOp::Timeouts(_)
                | IpvsOp::DaemonStart(..)
                | IpvsOp::DaemonStop(_) => self.send(op, out),
            }
        }
        self.ops = ops;
    }

    /// Deletes a service that nobody wants any more.
    fn delete(&mut self, name: ServiceName, out: &mut Vec<Action>) {
        self.deletions.insert(self.serial, name);
        self.send(IpvsOp::ServiceDel(name), out);
    }

    /// The kernel did not delete a service. Unless that is gone anyway it is asked again: what is
    /// left behind would go on taking the clients of whoever has the address.
    fn not_deleted(&mut self, now: Instant, name: ServiceName, errno: i32) {
        if matches!(errno, ENOENT | ESRCH) || self.entries.contains_key(&name) {
            return;
        }
        if !self.asked_again.contains(&name) {
            messages::refused(name, None, errno, RETRY_AFTER.as_secs());
        }
        self.stuck.insert(name);
        self.retry_at.get_or_insert(now + RETRY_AFTER);
    }

    /// Remembers which operation adds a service. What is refused is refused soon, so that only as
    /// many are kept as there are services.
    fn note_add(&mut self, key: ServiceName) {
        if self.adds.len() > 2 * self.entries.len() {
            self.adds.drain(..self.entries.len());
        }
        self.adds.push((self.serial, key));
    }

    fn send(&mut self, op: IpvsOp, out: &mut Vec<Action>) {
        let tag = OpTag {
            owner: OpOwner::Ipvs,
            serial: self.serial,
        };
        self.serial += 1;
        out.push(Action::World(Effect::Kernel(KernelOp::Ipvs(op), tag)));
    }
}

impl Domain {
    /// What has to hold once the table was read.
    fn check_invariants(&self) {
        debug_assert!(
            self.entries
                .values()
                .all(|entry| entry.wanted && entry.is_settled()),
            "a service that is not wanted or was not sent"
        );
    }
}

impl<'a> View<'a> {
    /// Whether the kernel's table could be read when it was last tried.
    #[must_use]
    pub fn available(self) -> bool {
        self.0.phase == Phase::Ready
    }

    /// The services that are wanted, each with its destinations in the order of their addresses.
    pub fn wanted(
        self,
    ) -> impl Iterator<Item = (&'a ServiceSpec, impl Iterator<Item = DestinationSpec> + 'a)> {
        self.0
            .entries
            .values()
            .filter(|entry| entry.wanted)
            .map(|entry| (&entry.spec, entry.slots().iter().filter_map(Slot::wanted)))
    }

    /// Whether the mirror of the kernel's table is what is wanted and nothing was refused.
    #[must_use]
    pub fn settled(self) -> bool {
        self.0.phase == Phase::Ready
            && self
                .0
                .entries
                .values()
                .all(|entry| entry.is_settled() && !entry.refused)
    }
}

/// Whether an action makes or edits a service itself.
const fn sets_service(action: &Action) -> bool {
    matches!(
        action,
        Action::World(Effect::Kernel(
            KernelOp::Ipvs(IpvsOp::ServiceAdd(_) | IpvsOp::ServiceSet(_)),
            _
        ))
    )
}

//! Whether an instance may take part, and what follows when that changes.
//!
//! Owns: the reasons of its own that keep an instance in FAULT, the wait for the first verdict of
//! a tracker, and the effective priority. Never does: look at the world; `transport` and `tracking`
//! do. Driven by: `domain`.

use super::Action;
use super::TrackerKind;
use super::domain::Domain;
use super::group::Hold;
use super::instance::{Cx, FaultReason, Input, Instance, InstanceId, State};
use super::messages::{Line, say};
use super::tell::Told;
use super::tracking::weigh;
use crate::base::Instant;

/// What an instance's own circumstances allow.
#[derive(Debug, Default)]
pub(super) struct Fitness {
    /// Why it cannot take part, and what is to blame: an interface, a script…
    pub(super) fault: Option<Box<(FaultReason, String)>>,
    /// A tracker that could be a fault has not said anything yet.
    pub(super) waits: bool,
    /// It is in FAULT since its start because of such a wait, and nobody was told.
    pub(super) quiet: bool,
    /// The sum of weights that its trackers add.
    pub(super) adjustment: i64,
    /// What its trackers come to, for reports.
    pub(super) trackers: Trackers,
}

/// What the trackers of an instance come to, for reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trackers {
    /// How many scripts, files, processes and sessions keep it in FAULT.
    pub faults: u32,
    /// A tracked interface keeps it in FAULT.
    pub link_down: bool,
    /// How many scripts have not returned a result yet that could be such a reason.
    pub scripts_unknown: u32,
}

impl Fitness {
    /// What this means for other members of the group. An instance that takes part already is not
    /// disturbed by a tracker that is new.
    pub(super) const fn hold(&self) -> Option<Hold> {
        if self.fault.is_some() {
            Some(Hold::Fault)
        } else if self.waits {
            Some(Hold::Waits)
        } else {
            None
        }
    }
}

impl Instance {
    /// Whether nothing, of its own or of its group, keeps it in FAULT.
    pub(super) const fn is_fit(&self) -> bool {
        self.fitness.fault.is_none() && !self.fitness.waits && self.bond.held.is_none()
    }

    /// Its priority with the weights of its trackers, were it beyond what adverts can carry.
    pub(super) fn total_priority(&self) -> i64 {
        let base = i64::from(self.config.priority.0);
        if self.config.priority.is_owner() {
            base
        } else {
            base + self.fitness.adjustment
        }
    }

    /// Takes the sum of its weights over. In FAULT the priority stays what it was until that ends;
    /// then it is set without a notice.
    pub(super) fn take_adjustment(&mut self, cx: &mut Cx<'_>, adjustment: i64) {
        // keepalived reckons sessions on in FAULT, and says so; of what else is tracked it does not.
        let mut uses = self.uses.iter();
        let follows = uses.any(|one| one.kind == TrackerKind::Bfd && one.weighs());
        if self.fitness.fault.is_some() && !follows {
            return;
        }
        let in_fault = self.state == State::Fault && !self.fitness.quiet && !follows;
        self.fitness.adjustment = adjustment;
        let before = self.priority();
        self.effective = weigh(self.config.priority, adjustment);
        let to = self.priority();
        if before == to {
            return;
        }
        let line = if in_fault {
            Line::SettingPriority(to)
        } else {
            Line::EffectivePriority { from: before, to }
        };
        say(cx.style, &self.config.name, line);
        if self.tells_priority && !in_fault {
            let master = self.state == State::Master;
            self.tell(cx, Told::Priority { master });
        }
    }

    /// The verdict that was waited for is a fault: now people are told.
    fn break_silence(&mut self, cx: &mut Cx<'_>, reason: FaultReason) {
        self.fitness.quiet = false;
        self.say_fault(cx, reason);
        let line = Line::Entering {
            state: State::Fault,
            init: false,
        };
        say(cx.style, &self.config.name, line);
        self.tell(cx, Told::State(State::Fault));
    }
}

impl Domain {
    /// Does what follows from a look at the circumstances of an instance.
    pub(super) fn settle_fitness(&mut self, now: Instant, id: InstanceId, out: &mut Vec<Action>) {
        if let Some((name, _)) = self.group_of(id) {
            let name = name.to_owned();
            self.restrain(&name);
        }
        // All of a group together.
        let settles_later = self.groups.reloading && self.group_of(id).is_some();
        let Some((instance, mut cx)) = self.split(now, id, out) else {
            return;
        };
        let fault = instance.fitness.fault.as_deref().map(|(reason, _)| *reason);
        if settles_later && !instance.fitness.quiet {
            return;
        }
        match (fault, instance.state) {
            (Some(reason), State::Backup | State::Master) => {
                self.step(now, id, Input::Unable(reason), out);
            }
            (Some(reason), State::Fault) if instance.fitness.quiet => {
                instance.break_silence(&mut cx, reason);
                self.follow(now, id, out);
            }
            (None, State::Fault) if instance.is_fit() => self.step(now, id, Input::Able, out),
            (Some(_) | None, State::Init | State::Fault)
            | (None, State::Backup | State::Master) => {}
        }
    }
}

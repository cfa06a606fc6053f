//! What a valid advert of another router does to an instance.
//!
//! Owns: whom a backup follows, whom a master yields to or answers, and how often. Never does: look
//! at bytes (`receive`) or decide whether an advert is valid. Driven by: `instance`.

use std::net::IpAddr;

use super::instance::{Cx, Heard, Instance, State, Timer};
use super::messages::{Line, Note, note, say};
use super::tell::Told;
use crate::base::{Duration, Instant};
use crate::conf::model::Priority;

/// After how many answers a lower master counts as deaf: by the RFC the first one ends it.
pub(super) const DEAF_AFTER: u32 = 5;

/// From an answer to a lower or resigning router to the next one; less than the shortest interval.
const ANSWER_PAUSE: Duration = Duration::from_millis(5);

impl Instance {
    /// RFC 3768 §6.4.2.
    pub(super) fn backup_hears(&mut self, cx: &mut Cx<'_>, heard: Heard) {
        if self.clash.is_over(heard) {
            self.restore_priority(cx);
        }
        let name = self.config.name.as_str();
        if heard.priority == Priority::RESIGN {
            self.peers.resigned = true;
            let at = cx.now + self.skew();
            // Who goes on resigning must not put the takeover off for ever.
            let armed = cx.timers.get((self.id, Timer::MasterDown));
            if armed.is_none_or(|armed| at < armed) {
                say(cx.style, name, Line::BackupGotZero);
                cx.arm(self.id, Timer::MasterDown, at);
            }
            return;
        }
        if heard.priority >= self.priority() {
            if cx.timers.cancel((self.id, Timer::PreemptDelay)).is_some() {
                say(cx.style, name, Line::StopPreemptDelay);
            }
            self.preempt_now = false;
            self.follow(cx, heard);
        } else if self.config.no_preempt {
            self.follow(cx, heard);
        } else if !self.config.preempt_delay.is_zero() && !self.preempt_now {
            if cx.timers.get((self.id, Timer::PreemptDelay)).is_none() {
                let delay = self.config.preempt_delay;
                say(cx.style, name, Line::StartPreemptDelay(delay));
                cx.arm(self.id, Timer::PreemptDelay, cx.now + delay);
            }
            self.follow(cx, heard);
        } else {
            // The timer runs on, so that the lower master is displaced when it fires.
            let Heard { priority, from, .. } = heard;
            say(cx.style, name, Line::LowerDiscarded { priority, from });
        }
    }

    /// Takes the sender for the master.
    fn follow(&mut self, cx: &mut Cx<'_>, heard: Heard) {
        if self.peers.master != Some(heard.from) {
            self.peers.master = Some(heard.from);
            self.peers.complaints = 0;
        }
        self.peers.resigned = false;
        self.bond.would_lead = false;
        // RFC 9568 §6.4.2: Active_Adver_Interval, and what is computed from it.
        self.master_interval = heard.interval;
        self.peers.master_priority = heard.priority;
        let at = cx.now + self.master_down_interval();
        cx.arm(self.id, Timer::MasterDown, at);
    }

    /// RFC 3768 §6.4.3, with an answer to a lower advert as RFC 9568 §6.4.3 has it.
    pub(super) fn master_hears(&mut self, cx: &mut Cx<'_>, heard: Heard) {
        let Heard { priority, from, .. } = heard;
        if priority == Priority::RESIGN {
            if self.may_answer(cx.now) {
                say(cx.style, &self.config.name, Line::MasterGotZero);
                self.advertise(cx, cx.now);
            }
            return;
        }
        if priority.is_owner() {
            self.meet_owner(cx, from);
        }
        let quiet = self.config.options.lower_no_advert == Some(true);
        let ours = self.priority();
        let name = self.config.name.as_str();
        let higher_address = self.source.is_some_and(|source| from > source);
        if priority > ours {
            let line = Line::MasterGotHigher {
                priority,
                ours,
                from,
            };
            say(cx.style, name, line);
        } else if priority == ours && higher_address {
            say(cx.style, name, Line::MasterGotSame { priority, from });
        } else {
            let line = Line::MasterGotLower {
                priority,
                ours,
                from,
                answered: !quiet,
            };
            if !self.is_flooded_by(cx.now, from) {
                say(cx.style, name, line);
            }
            self.insist(cx, from);
            return;
        }
        self.last_word(cx, Some(from));
        // RFC 9568 §6.4.3: the timer that is armed now runs with the interval of the new master.
        self.master_interval = heard.interval;
        self.enter(cx, State::Backup);
        self.peers.master = Some(from);
        self.peers.master_priority = priority;
        self.peers.resigned = false;
    }

    /// One more advert of a master that yields, where that is asked for, and after a partition: only
    /// so does the other learn that somebody else has announced its addresses, and announces them once
    /// more. Who took over from nobody says nothing, nor to the master that had resigned and is back;
    /// another one may have been master all the while.
    pub(super) fn last_word(&mut self, cx: &mut Cx<'_>, to: Option<IpAddr>) {
        let other = self
            .peers
            .heir_of
            .is_some_and(|left| to.is_some_and(|to| to != left));
        let lost = (self.peers.lost || other) && !self.config.strict;
        if self.config.options.higher_send_advert.unwrap_or(lost) {
            self.send_advert(cx, self.priority());
        }
    }

    /// Whether a rival that does not hear us goes on faster than any interval: what is to be said of
    /// it was said.
    fn is_flooded_by(&self, now: Instant, from: IpAddr) -> bool {
        let known = self.peers.rival().is_some_and(|(rival, _)| rival == from);
        let pause = self.config.advert_interval / 2;
        known && self.insisted.is_some_and(|at| now < at + pause)
    }

    /// Whether an advert that wants an answer gets one. No two adverts of one router are that close
    /// together; those of several hear the same answer, and a flood does not make another one.
    fn may_answer(&mut self, now: Instant) -> bool {
        let may = self.answered.is_none_or(|at| now >= at + ANSWER_PAUSE);
        if may {
            self.answered = Some(now);
        }
        may
    }

    /// Tells a lower master that there is a higher one, and the segment where the addresses are:
    /// the other has announced its own MAC address. In a flood of such adverts the addresses are
    /// announced twice an interval at most, and once more when it is over.
    fn insist(&mut self, cx: &mut Cx<'_>, from: IpAddr) {
        if self.config.options.lower_no_advert != Some(true) && self.may_answer(cx.now) {
            self.advertise(cx, cx.now);
        }
        let told = match self.peers.rival {
            Some((rival, told)) if rival == from => told.saturating_add(1),
            Some(_) | None => 1,
        };
        self.peers.rival = Some((from, told));
        if told == DEAF_AFTER {
            note(cx.style, &self.config.name, Note::DeafRival { from });
        }
        let pause = self.config.advert_interval / 2;
        if self.insisted.is_none_or(|at| cx.now >= at + pause) {
            self.insisted = Some(cx.now);
            self.tell(cx, Told::LowerPriority);
            self.announce(cx, self.config.garp.lower_priority_repeat);
        }
        let delay = self.config.garp.lower_priority_delay;
        self.arm_burst(cx, Timer::LowerBurst, delay);
    }
}

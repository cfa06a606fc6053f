//! When to look at the table for what other programs change in it.
//!
//! Owns: the rhythm and the place of the look. Never does: look or judge. Driven by: `domain`.
//!
//! A sweep over all services begins every [`PERIOD`] and is spread over three quarters of it, a
//! slice at a time, so that a table of thousands of services costs the loop no long turn.

use crate::base::{Duration, Instant};
use crate::ops::ServiceName;

/// From the beginning of one sweep to that of the next.
pub const PERIOD: Duration = Duration::from_secs(4);
/// Services in one look.
const SLICE: usize = 64;

/// The sweep.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// It is not wished.
    pub(super) off: bool,
    /// When the next slice is due.
    next: Option<Instant>,
    /// When the sweep that goes on began.
    begin: Instant,
    /// The last service that was looked at in it.
    last: Option<ServiceName>,
    /// What is being looked at.
    asked: Vec<ServiceName>,
    /// Serial of the next operation when that was asked.
    serial: u64,
}

impl Watch {
    /// One that never looks.
    pub(super) fn off() -> Self {
        Self {
            off: true,
            ..Self::default()
        }
    }

    /// Begins a sweep a period from now: all is as it should be at the moment.
    pub(super) fn restart(&mut self, now: Instant) {
        self.last = None;
        self.asked.clear();
        self.next = (!self.off).then(|| now + PERIOD);
    }

    /// When the next look is due, if there is something to look at.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.next
    }

    /// The services to look at now, of all that there are in order.
    pub(super) fn slice<'a>(
        &mut self,
        now: Instant,
        services: impl Iterator<Item = &'a ServiceName>,
        (count, serial): (usize, u64),
    ) -> Vec<ServiceName> {
        if self.last.is_none() {
            self.begin = now;
        }
        self.asked = services.take(SLICE).copied().collect();
        self.serial = serial;
        self.last = self
            .asked
            .last()
            .copied()
            .filter(|_| self.asked.len() == SLICE);
        let slices = u32::try_from(count / SLICE + 1).unwrap_or(u32::MAX);
        self.next = Some(match self.last {
            Some(_) => now + PERIOD * 3 / 4 / slices,
            None => (self.begin + PERIOD).max(now + PERIOD / 4),
        });
        self.asked.clone()
    }

    /// Where the next slice begins: behind this one.
    pub(super) const fn behind(&self) -> Option<ServiceName> {
        self.last
    }

    /// What was asked for, unless operations went out meanwhile: then the answer is out of date.
    pub(super) fn answered(&mut self, serial: u64) -> Vec<ServiceName> {
        let asked = std::mem::take(&mut self.asked);
        if self.serial == serial {
            asked
        } else {
            Vec::new()
        }
    }
}

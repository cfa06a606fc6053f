//! What checks say of the weights of their servers.
//!
//! Owns: how the weight that is configured and what the checks of a server add to it make the
//! weight that it has. Never does: judge a server. Driven by: `domain` and `reload`.

use super::Action;
use super::domain::Domain;
use super::messages::Subject;
use super::probe::{Detail, MiscEnd, Outcome, Verdict};
use super::service::CheckerIndex;
use crate::conf::model::{CheckRef, ProbeKind};

/// The largest weight that the kernel takes.
const LARGEST: i64 = i32::MAX as i64;

/// What a check makes of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Shift {
    /// Nothing.
    #[default]
    None,
    /// It would have the server have this weight.
    To(u32),
    /// It adds so much.
    By(i64),
}

impl Shift {
    /// What it adds to the weight that is configured.
    pub(super) fn beyond(self, configured: u32) -> i64 {
        match self {
            Self::None => 0,
            Self::To(weight) => i64::from(weight) - i64::from(configured),
            Self::By(more) => more,
        }
    }

    /// What the outcome of an attempt says of the weight; `None`: that it stays.
    pub(super) const fn of(check: CheckRef<'_>, verdict: &Verdict) -> Option<Self> {
        match (check.kind, verdict.outcome, verdict.detail) {
            (_, _, Detail::Misc(MiscEnd::Weighed(weight))) => Some(Self::To(weight)),
            (Some(ProbeKind::Misc(probe)), Outcome::Success, _) if probe.dynamic => {
                Some(Self::None)
            }
            _ => None,
        }
    }
}

impl Domain {
    /// The weight of a server with these checks.
    pub(super) fn weight_of(&self, checkers: &[CheckerIndex], configured: u32) -> u32 {
        let entries = checkers
            .iter()
            .filter_map(|index| self.checkers.get(*index));
        let shifts = entries.map(|entry| entry.shift.beyond(configured));
        let sum = shifts.fold(i64::from(configured), i64::saturating_add);
        u32::try_from(sum.clamp(0, LARGEST)).unwrap_or(0)
    }

    /// A check makes something else of its server's weight from now on.
    pub(super) fn shift(&mut self, index: CheckerIndex, shift: Shift, out: &mut Vec<Action>) {
        let Some(entry) = self.checkers.get_mut(index).filter(|e| e.shift != shift) else {
            return;
        };
        entry.shift = shift;
        let (service, place) = (entry.service, entry.server);
        let Some(weight) = self.weight_at(service, place) else {
            return;
        };
        let style = self.style;
        if let Some(service) = self.services.get_mut(service) {
            service.reweigh(style, (place, weight), out);
        }
    }

    /// The same without a word.
    pub(super) fn set_shift(&mut self, index: CheckerIndex, shift: Shift, out: &mut Vec<Action>) {
        let Some(entry) = self.checkers.get_mut(index).filter(|e| e.shift != shift) else {
            return;
        };
        entry.shift = shift;
        let (service, place) = (entry.service, entry.server);
        let style = self.style;
        if let Some(weight) = self.weight_at(service, place)
            && let Some(service) = self.services.get_mut(service)
        {
            service.set_weight(style, (place, weight), out);
        }
    }

    /// A check that is down makes nothing of the weight any more. Its server has none now, so that
    /// this is not worth a word.
    pub(super) fn unshift(&mut self, index: CheckerIndex) {
        let Some(entry) = self.checkers.get_mut(index) else {
            return;
        };
        if std::mem::take(&mut entry.shift) == Shift::None {
            return;
        }
        let (service, place) = (entry.service, entry.server);
        if let Some(weight) = self.weight_at(service, place)
            && let Some(service) = self.services.get_mut(service)
            && let Some(server) = service.servers.get_mut(place)
        {
            server.weight = weight;
        }
    }

    /// Which server a line is about.
    pub(super) fn subject_at(&self, (service, place): (usize, usize)) -> Option<Subject<'_>> {
        let service = self.services.get(service)?;
        Some(Subject {
            style: self.style,
            service: service.key(),
            server: service.servers.get(place)?.key(),
        })
    }

    fn weight_at(&self, service: usize, place: usize) -> Option<u32> {
        let server = self.services.get(service)?.servers.get(place)?;
        Some(self.weight_of(&server.checkers, server.config.weight))
    }
}

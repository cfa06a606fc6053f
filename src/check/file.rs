//! `FILE_CHECK`: a file whose number is worth a weight, or says that a server is down.
//!
//! Owns: which checks go by which tracked file, and what its number means for them. Never does:
//! watch or read a file; the trackers do, and each new number is an event. Driven by: `domain`.
//!
//! As runs of keepalived 2.2.7 show it: the number times the factor is added to the weight; with
//! the factor 0 any number but 0 is a fault, and so is a product at the lower end of its range.

use std::collections::BTreeSet;

use super::Action;
use super::checker::Policy;
use super::domain::Domain;
use super::messages;
use super::probe::Outcome;
use super::service::CheckerIndex;
use super::weight::Shift;
use crate::conf::model::{FileProbe, ProbeKind};

/// A tracked file.
#[derive(Debug, Default)]
pub(super) struct TrackedFile {
    /// Its number; `None`: not read yet.
    value: Option<i64>,
    /// The checks that go by it.
    watchers: BTreeSet<CheckerIndex>,
}

/// What a file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    /// The server is down.
    Fault,
    /// It is up, and its weight is to be more by so much.
    More(i64),
}

impl Domain {
    /// A tracked file holds this number now; `None`: it is to be read yet.
    pub(super) fn file(&mut self, name: &str, value: Option<i64>, out: &mut Vec<Action>) {
        let file = self.files.entry(name.to_owned()).or_default();
        file.value = value;
        let Some(value) = value else {
            return;
        };
        for index in file.watchers.clone() {
            self.take_value(index, value, out);
        }
    }

    /// A check goes by a file from now on.
    pub(super) fn follow_file(&mut self, index: CheckerIndex, name: &str, out: &mut Vec<Action>) {
        let file = self.files.entry(name.to_owned()).or_default();
        file.watchers.insert(index);
        if let Some(value) = file.value {
            self.take_value(index, value, out);
        }
    }

    /// A check goes by a file no longer.
    pub(super) fn leave_file(&mut self, index: CheckerIndex, name: &str) {
        if let Some(file) = self.files.get_mut(name) {
            file.watchers.remove(&index);
        }
    }

    /// Whether its number is known.
    pub(super) fn is_read(&self, probe: &FileProbe) -> bool {
        let name = probe.track_file.as_deref().unwrap_or_default();
        let file = self.files.get(name);
        file.is_some_and(|file| file.value.is_some())
    }

    fn take_value(&mut self, index: CheckerIndex, value: i64, out: &mut Vec<Action>) {
        let Some((entry, check, _)) = self.checker_and_check(index) else {
            return;
        };
        let Some(ProbeKind::File(probe)) = check.kind else {
            return;
        };
        let says = judge(probe, value);
        let name = probe.track_file.clone().unwrap_or_default();
        let policy = Policy {
            retries: 0,
            ..Policy::from(check)
        };
        let was_up = entry.checker.is_up();
        let aloud = std::mem::replace(&mut entry.aloud, true);
        let outcome = match says {
            Says::Fault => Outcome::Failure,
            Says::More(_) => Outcome::Success,
        };
        let news = entry.checker.settle(outcome, policy).news;
        let place = (entry.service, entry.server);
        let up = entry.checker.is_up();
        if up != was_up
            && let Some(subject) = self.subject_at(place)
        {
            messages::file(subject, &name, up);
        }
        match says {
            // At the start, and of a server that is out, a weight is not worth a word.
            Says::More(more) if !aloud || !was_up => self.set_shift(index, Shift::By(more), out),
            Says::More(more) => self.shift(index, Shift::By(more), out),
            Says::Fault => {}
        }
        self.pass_on(news, place, out);
    }
}

/// What a number in the file means.
fn judge(probe: &FileProbe, number: i64) -> Says {
    let factor = probe.factor();
    let product = number.saturating_mul(factor);
    let product = product.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
    if factor == 0 {
        if number == 0 {
            Says::More(0)
        } else {
            Says::Fault
        }
    } else if product == i64::from(i32::MIN) {
        Says::Fault
    } else {
        Says::More(product)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: numbers and factors. Output: what keepalived 2.2.7 was seen to do with them.
    #[test]
    fn a_number_is_a_weight_or_a_fault() {
        let with = |weight, reverse| FileProbe {
            weight: Some(weight),
            reverse,
            ..FileProbe::default()
        };
        let least = i64::from(i32::MIN);
        assert_eq!(judge(&with(2, false), 300), Says::More(600));
        assert_eq!(judge(&with(3, true), -3), Says::More(9));
        assert_eq!(judge(&with(0, false), 0), Says::More(0));
        assert_eq!(judge(&with(0, false), 1), Says::Fault);
        assert_eq!(judge(&with(1, false), least), Says::Fault);
        assert_eq!(judge(&with(2, false), least), Says::Fault);
        let most = Says::More(i64::from(i32::MAX));
        assert_eq!(judge(&with(3, true), least), most);
        assert_eq!(judge(&with(1, false), -1_000_000), Says::More(-1_000_000));
    }
}

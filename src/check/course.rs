//! The way through the resources of an `HTTP_GET`.
//!
//! Owns: which resource is asked for next, and when all of them together make a success. Never
//! does: ask, count failures. Driven by: `domain`.
//!
//! As keepalived 2.2.7 was seen to do it: one resource each `delay_loop`, in turn. The first round
//! decides only when it is through. A check that is down asks for what failed until that succeeds,
//! then for all from the first on; the last of them brings it up. With `fast_recovery` a round that
//! decides is made without pauses.

use crate::conf::model::HttpProbe;

/// The place in the round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Course {
    place: usize,
    /// What had failed has succeeded: a round that brings the check up is under way.
    recovering: bool,
    /// The last answer was a failure.
    stuck: bool,
}

/// What a success of one resource means for the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Passed {
    /// The check has succeeded.
    Whole,
    /// More resources have to.
    Part {
        /// The next is asked for without a pause.
        at_once: bool,
    },
}

impl Course {
    pub(super) const fn place(&self) -> usize {
        self.place
    }

    /// The place of the resource that has failed and stays due.
    pub(super) const fn failed_at(&self) -> Option<usize> {
        if self.stuck { Some(self.place) } else { None }
    }

    /// The resource that was due has answered as it should.
    pub(super) fn passed(&mut self, probe: &HttpProbe, up: bool, has_run: bool) -> Passed {
        let part = Passed::Part {
            at_once: probe.fast_recovery,
        };
        let stuck = std::mem::take(&mut self.stuck);
        if stuck && !up {
            self.place = 0;
            self.recovering = true;
            return part;
        }
        let next = self.place + 1;
        let last = next >= probe.urls.len();
        self.place = if last { 0 } else { next };
        let decides = self.recovering || !has_run;
        if decides && !last {
            return part;
        }
        self.recovering = false;
        Passed::Whole
    }

    /// It has not; it stays due.
    pub(super) const fn failed(&mut self) {
        self.stuck = true;
        self.recovering = false;
    }

    /// The resources may be others: begin with the first.
    pub(super) fn restart(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conf::model::HttpUrl;

    fn probe(urls: usize, fast_recovery: bool) -> HttpProbe {
        HttpProbe {
            urls: vec![HttpUrl::default(); urls],
            fast_recovery,
            ..HttpProbe::default()
        }
    }

    const LATER: Passed = Passed::Part { at_once: false };
    const AT_ONCE: Passed = Passed::Part { at_once: true };

    // Input: three resources that answer. Output: the first round is one success; then each is.
    #[test]
    fn the_first_round_decides_when_it_is_through() {
        let mut course = Course::default();
        let probe = probe(3, false);
        let first: Vec<_> = (0..3).map(|_| course.passed(&probe, true, false)).collect();
        assert_eq!(first, [LATER, LATER, Passed::Whole]);
        assert_eq!(course.place(), 0);
        assert_eq!(course.passed(&probe, true, true), Passed::Whole);
        assert_eq!(course.place(), 1);
    }

    // Input: the third of three fails until the check is down, then all answer. Output: it is asked
    // for until it answers, then a whole round is made.
    #[test]
    fn a_check_comes_up_after_what_failed_and_a_whole_round() {
        for (fast, part) in [(false, LATER), (true, AT_ONCE)] {
            let mut course = Course::default();
            let probe = probe(3, fast);
            course.place = 2;
            course.failed();
            course.failed();
            assert_eq!(course.place(), 2);
            let seen: Vec<_> = (0..4)
                .map(|_| (course.place(), course.passed(&probe, false, true)))
                .collect();
            assert_eq!(seen, [(2, part), (0, part), (1, part), (2, Passed::Whole)]);
        }
    }

    // Input: one resource, down, up again. Output: it has to answer twice.
    #[test]
    fn a_single_resource_answers_twice_before_it_counts() {
        let mut course = Course::default();
        let probe = probe(1, false);
        course.failed();
        assert_eq!(course.passed(&probe, false, true), LATER);
        assert_eq!(course.passed(&probe, false, true), Passed::Whole);
    }

    // Input: a failure that a retry makes good. Output: the round goes on; nothing to recover from.
    #[test]
    fn a_retry_that_succeeds_goes_on() {
        let mut course = Course::default();
        let probe = probe(2, false);
        course.failed();
        assert_eq!(course.passed(&probe, true, true), Passed::Whole);
        assert_eq!(course.place(), 1);
    }
}

//! From the outcomes of attempts to up and down.
//!
//! Owns: retries and hysteresis, for every kind of check alike. Never does: probe, keep time.
//! Driven by: `domain`, which schedules the next attempt as told.
//!
//! A check that fails is tried again `retry` times, `delay_before_retry` apart; it is down when all
//! of them failed. A single success brings a check up. The kinds differ, as keepalived's do, in what
//! comes before the first success and while they are down: see [`Rhythm`].

use super::probe::Outcome;
use super::view::CheckView;
use crate::base::Duration;
use crate::conf::model::{CheckRef, ProbeKind};

/// What a check knows of its server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Checker {
    /// The current verdict.
    up: bool,
    /// An attempt has told something since the start.
    has_run: bool,
    /// Retries made since the last attempt that followed `delay_loop`.
    retried: u32,
    /// It came with a reload: its first attempt has retries, whatever its kind.
    late: bool,
}

/// The numbers that rule a checker, of whatever kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    pub(super) retries: u32,
    pub(super) delay_before_retry: Duration,
    pub(super) delay_loop: Duration,
    pub(super) rhythm: Rhythm,
}

/// How a kind of check goes about failures; as runs of keepalived 2.2.7 show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rhythm {
    /// The first attempt after the start has retries too. Without, it decides alone: nothing is
    /// known in the server's favour yet.
    pub(super) first_retries: bool,
    /// A check that is down goes on in rounds of retries, which finds a server that comes back
    /// sooner. Without, it is made every `delay_loop`.
    pub(super) down_retries: bool,
    /// The log tells the number of retries that is configured, not that which were made.
    pub(super) tells_configured: bool,
}

impl Rhythm {
    /// That of a kind of check; `None` is `TCP_CHECK`.
    pub(super) const fn of(kind: Option<&ProbeKind>) -> Self {
        let (first_retries, down_retries, tells_configured) = match kind {
            None => (false, true, false),
            Some(ProbeKind::Http(_) | ProbeKind::Misc(_)) => (false, false, true),
            Some(ProbeKind::Smtp(_)) => (true, true, true),
            Some(
                ProbeKind::Dns(_)
                | ProbeKind::Udp(_)
                | ProbeKind::Ping
                | ProbeKind::File(_)
                | ProbeKind::Bfd(_),
            ) => (false, false, false),
        };
        Self {
            first_retries,
            down_retries,
            tells_configured,
        }
    }
}

impl From<CheckRef<'_>> for Policy {
    fn from(check: CheckRef<'_>) -> Self {
        Self {
            retries: check.connect.retries,
            delay_before_retry: check.connect.delay_before_retry,
            delay_loop: check.connect.delay_loop,
            rhythm: Rhythm::of(check.kind),
        }
    }
}

/// What an outcome comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Settled {
    /// Until the next attempt.
    pub(super) after: Duration,
    /// What is new.
    pub(super) news: News,
}

/// After a shortage of this host. It is short, so that a check that waits for a descriptor is served
/// before those that had one since; a dead server must not be hidden by many that are slow.
const PAUSE: Duration = Duration::from_millis(250);

/// What an outcome changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// Nothing worth a word.
    Nothing,
    /// The first attempt succeeded; the check was up anyway.
    Confirmed,
    /// The check is up now.
    Up,
    /// An attempt failed; the check stays up for the time being.
    Wavers,
    /// The check is down now, after so many retries.
    Down {
        /// Retries that were made.
        retries: u32,
    },
    /// The first attempt failed; the check was down anyway.
    StaysDown {
        /// Retries that were made.
        retries: u32,
    },
}

impl Checker {
    /// A check at the start, or `late`, with a reload: counts as up unless `alpha`.
    pub(super) const fn new(alpha: bool, late: bool) -> Self {
        Self {
            up: !alpha,
            has_run: false,
            retried: 0,
            late,
        }
    }

    pub(super) const fn is_up(&self) -> bool {
        self.up
    }

    /// What reports tell of it.
    pub(super) const fn view(&self) -> CheckView {
        CheckView {
            up: self.up,
            has_run: self.has_run,
            retried: self.retried,
            weight: 0,
            unreachable: false,
            run: None,
            failed_url: None,
        }
    }

    /// Takes the outcome of an attempt.
    pub(super) fn settle(&mut self, outcome: Outcome, policy: Policy) -> Settled {
        let first = !self.has_run;
        let was_up = self.up;
        let (after, news) = match outcome {
            // Another try soon: a shortage of this host must not hide a dead server for long.
            Outcome::Unknown(_) => {
                return Settled {
                    after: PAUSE,
                    news: News::Nothing,
                };
            }
            Outcome::Success => {
                self.up = true;
                self.retried = 0;
                let news = match (was_up, first) {
                    (false, true | false) => News::Up,
                    (true, true) => News::Confirmed,
                    (true, false) => News::Nothing,
                };
                (policy.delay_loop, news)
            }
            Outcome::Failure | Outcome::Timeout if self.tries_again(policy) => {
                self.retried += 1;
                let news = if was_up { News::Wavers } else { News::Nothing };
                return Settled {
                    after: policy.delay_before_retry,
                    news,
                };
            }
            Outcome::Failure | Outcome::Timeout => {
                self.up = false;
                let made = std::mem::take(&mut self.retried);
                let retries = if policy.rhythm.tells_configured {
                    policy.retries
                } else {
                    made
                };
                let news = match (was_up, first) {
                    (true, true | false) => News::Down { retries },
                    (false, true) => News::StaysDown { retries },
                    (false, false) => News::Nothing,
                };
                (policy.delay_loop, news)
            }
        };
        self.has_run = true;
        Settled { after, news }
    }

    /// A failure now is followed by another try before it counts.
    const fn tries_again(&self, policy: Policy) -> bool {
        let Rhythm {
            first_retries,
            down_retries,
            tells_configured: _,
        } = policy.rhythm;
        let may = if !self.has_run && !first_retries && !self.late {
            false
        } else {
            // Before the first verdict a check that starts down has its retries as well.
            self.up || down_retries || (first_retries && !self.has_run)
        };
        may && self.retried < policy.retries
    }

    /// Whether an attempt has led to a verdict since the start.
    pub(super) const fn has_run(&self) -> bool {
        self.has_run
    }

    /// A part of a check with several has succeeded; the rest decides.
    pub(super) const fn forgive(&mut self) {
        self.retried = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOP: Duration = Duration::from_secs(6);
    const RETRY: Duration = Duration::from_secs(3);

    const fn policy(retries: u32) -> Policy {
        Policy {
            retries,
            delay_before_retry: RETRY,
            delay_loop: LOOP,
            rhythm: Rhythm::of(None),
        }
    }

    fn run(checker: &mut Checker, retries: u32, outcomes: &[Outcome]) -> Vec<(Duration, News)> {
        outcomes
            .iter()
            .map(|&outcome| {
                let settled = checker.settle(outcome, policy(retries));
                (settled.after, settled.news)
            })
            .collect()
    }

    use News::{Confirmed, Down, Nothing, StaysDown, Up, Wavers};
    use Outcome::{Failure, Success, Timeout, Unknown};

    // Input: retry 3, a success, then four failures. Output: three retries 3 s apart, then down.
    #[test]
    fn retries_come_before_the_verdict() {
        let mut checker = Checker::new(false, false);
        assert_eq!(
            run(
                &mut checker,
                3,
                &[Success, Failure, Timeout, Failure, Failure, Failure]
            ),
            [
                (LOOP, Confirmed),
                (RETRY, Wavers),
                (RETRY, Wavers),
                (RETRY, Wavers),
                (LOOP, Down { retries: 3 }),
                (RETRY, Nothing),
            ]
        );
        assert!(!checker.is_up());
    }

    // Input: retry 3 and nothing but failures, as keepalived 2.2.7 was seen to do. Output: after
    // the first, rounds of four attempts; the last of each is followed by the long pause.
    #[test]
    fn a_check_that_is_down_goes_on_with_retries() {
        let mut checker = Checker::new(false, false);
        let pauses: Vec<Duration> = run(&mut checker, 3, &[Failure; 9])
            .into_iter()
            .map(|(after, _)| after)
            .collect();
        assert_eq!(
            pauses,
            [LOOP, RETRY, RETRY, RETRY, LOOP, RETRY, RETRY, RETRY, LOOP]
        );
    }

    // Input: two failures, a success, two failures. Output: still up.
    #[test]
    fn a_success_forgives_the_failures_before_it() {
        let mut checker = Checker::new(false, false);
        let news = run(
            &mut checker,
            2,
            &[Success, Failure, Failure, Success, Failure, Failure],
        );
        assert_eq!(news.last(), Some(&(RETRY, Wavers)));
        assert!(checker.is_up());
    }

    #[test]
    fn the_first_attempt_has_no_retries() {
        let mut checker = Checker::new(false, false);
        assert_eq!(
            run(&mut checker, 3, &[Failure, Success, Success]),
            [(LOOP, Down { retries: 0 }), (LOOP, Up), (LOOP, Nothing)]
        );
    }

    #[test]
    fn alpha_starts_down_and_one_success_brings_it_up() {
        let mut checker = Checker::new(true, false);
        assert!(!checker.is_up());
        assert_eq!(
            run(&mut checker, 3, &[Timeout, Failure, Success]),
            [
                (LOOP, StaysDown { retries: 0 }),
                (RETRY, Nothing),
                (LOOP, Up)
            ]
        );
    }

    // Input: a check that came with a reload, of a dead server. Output: its first attempt has a retry,
    // which that of a start has not.
    #[test]
    fn a_check_that_comes_later_has_retries_at_once() {
        let mut checker = Checker::new(false, true);
        assert_eq!(
            run(&mut checker, 1, &[Failure, Failure]),
            [(RETRY, Wavers), (LOOP, Down { retries: 1 })]
        );
        let mut checker = Checker::new(false, false);
        assert_eq!(
            run(&mut checker, 1, &[Failure]),
            [(LOOP, Down { retries: 0 })]
        );
    }

    // Input: no retries, a failure that is the host's own in between. Output: no verdict from it.
    #[test]
    fn a_shortage_of_this_host_says_nothing_of_the_server() {
        let mut checker = Checker::new(false, false);
        assert_eq!(
            run(
                &mut checker,
                0,
                &[Unknown(24), Success, Unknown(24), Failure]
            ),
            [
                (PAUSE, Nothing),
                (LOOP, Confirmed),
                (PAUSE, Nothing),
                (LOOP, Down { retries: 0 }),
            ]
        );
    }
}

//! `BFD_CHECK`: a server that is up as long as a BFD session is.
//!
//! Owns: which checks go by which session. Never does: speak BFD; the sessions do, and each change
//! is an event. Driven by: `domain`.

use std::collections::BTreeSet;

use super::Action;
use super::checker::Policy;
use super::domain::Domain;
use super::messages;
use super::probe::Outcome;
use super::service::CheckerIndex;

/// A BFD session.
#[derive(Debug, Default)]
pub(super) struct TrackedSession {
    /// Whether it is up; `None`: it has not said so.
    up: Option<bool>,
    /// The checks that go by it.
    watchers: BTreeSet<CheckerIndex>,
}

impl Domain {
    /// A session says what state it is in.
    pub(super) fn session(&mut self, name: &str, up: bool, out: &mut Vec<Action>) {
        messages::heard_session(name, up);
        let session = self.sessions.entry(name.to_owned()).or_default();
        session.up = Some(up);
        for index in session.watchers.clone() {
            self.take_session(index, name, up, out);
        }
    }

    /// A check goes by a session from now on; one that has not said anything is waited for.
    pub(super) fn follow_session(
        &mut self,
        index: CheckerIndex,
        name: &str,
        out: &mut Vec<Action>,
    ) {
        let session = self.sessions.entry(name.to_owned()).or_default();
        session.watchers.insert(index);
        if let Some(up) = session.up {
            self.take_session(index, name, up, out);
        }
    }

    /// A check goes by a session no longer.
    pub(super) fn leave_session(&mut self, index: CheckerIndex, name: &str) {
        if let Some(session) = self.sessions.get_mut(name) {
            session.watchers.remove(&index);
        }
    }

    fn take_session(&mut self, index: CheckerIndex, name: &str, up: bool, out: &mut Vec<Action>) {
        let Some((entry, check, _)) = self.checker_and_check(index) else {
            return;
        };
        let policy = Policy {
            retries: 0,
            ..Policy::from(check)
        };
        let was_up = entry.checker.is_up();
        let outcome = if up {
            Outcome::Success
        } else {
            Outcome::Failure
        };
        let news = entry.checker.settle(outcome, policy).news;
        let place = (entry.service, entry.server);
        let is_up = entry.checker.is_up();
        if is_up != was_up
            && let Some(subject) = self.subject_at(place)
        {
            messages::session(subject, name, is_up);
        }
        self.pass_on(news, place, out);
    }
}

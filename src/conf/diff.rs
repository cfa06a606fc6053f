//! How far the change of each field reaches at a reload.
//!
//! Owns: the identity of each object and the class of each of its fields. Never does: carry a
//! change out. Driven by: [`super::model::plan::diff`].

use super::model::plan::{Change, Planned};
use super::model::{RealServer, RealServerKey};

impl Planned for RealServer {
    type Key = RealServerKey;

    fn plan_key(&self) -> RealServerKey {
        self.key
    }

    fn change(&self, new: &Self) -> Change {
        // Spelled out so that a new field cannot be forgotten here.
        let Self {
            key: _,
            weight: _,     // edited in place
            forwarding: _, // edited in place
            tcp_checks,
        } = self;
        if *tcp_checks == new.tcp_checks {
            Change::Live
        } else {
            Change::Rearm
        }
    }
}

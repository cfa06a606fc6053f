//! What holds of a network that is in parts.
//!
//! Owns: that of routers that hear each other one is master, also while others are cut off, and that
//! parts that meet again need one transition each at most. Never does: cut. Driven by: `shadow`, and
//! by `random` for the meeting.

use super::network::Place;
use super::shadow::settled_without;
use super::world::World;

impl World {
    /// While nothing but cuts goes on: no two masters hear each other.
    pub(super) fn check_parts(&self) {
        let cut = self.segments.iter().filter(|segment| !segment.is_whole());
        if !settled_without(self, cut.count()) {
            return;
        }
        for router in self.routers() {
            // In either part others are eligible, so nobody can say who should lead by groups.
            let alike = self.is_alike(&self.companions(router));
            if !alike || !self.quiet_for(self.settle_time(router)) {
                continue;
            }
            let owners = self.owners(router);
            let wire = &self.segments[router.0];
            let hears = |from, to| wire.reaches(Place::Host(from), Place::Host(to));
            for (at, &one) in owners.iter().enumerate() {
                for &other in owners.get(at + 1..).unwrap_or_default() {
                    let both = [one, other].iter().all(|host| self.hosts[*host].awake());
                    assert!(
                        !(both && hears(one, other) && hears(other, one)),
                        "{router:?} has two masters that hear each other: {} and {}",
                        self.hosts[one].name,
                        self.hosts[other].name
                    );
                }
            }
        }
    }

    /// A segment in two parts until each has its master, and whole again: nobody changes its mind
    /// more than once.
    pub(super) fn part_and_meet(&mut self, segment: usize, one: &[Place], other: &[Place]) {
        self.cut(segment, one, other, true);
        self.run_for(self.time_to_settle());
        let before: Vec<_> = (0..self.hosts.len()).map(|host| self.told(host)).collect();
        self.mend(segment);
        self.settle();
        let alike = self.routers().into_iter();
        if !alike
            .map(|router| self.companions(router))
            .all(|all| self.is_alike(&all))
        {
            return;
        }
        for (host, before) in before.iter().enumerate() {
            for (object, count) in self.told(host) {
                let was = before.get(&object).copied().unwrap_or(0);
                assert!(
                    count <= was + 1,
                    "{}: {object:?} flaps when the parts meet",
                    self.hosts[host].name
                );
            }
        }
    }
}

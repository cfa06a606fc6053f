//! Which instance is the virtual router of a description.
//!
//! Owns: the instances of each VRID. Never does: keep a description, which is the instance's own.
//! Driven by: `domain`.

use std::collections::BTreeMap;

use super::instance::InstanceId;
use crate::conf::model::Vrid;

/// Instances by VRID. Few share one: it is another's on another link.
#[derive(Debug, Default)]
pub(super) struct Registry(BTreeMap<Vrid, Vec<InstanceId>>);

impl Registry {
    /// Notes an instance.
    pub(super) fn insert(&mut self, vrid: Vrid, id: InstanceId) {
        self.0.entry(vrid).or_default().push(id);
    }

    /// Forgets it.
    pub(super) fn remove(&mut self, vrid: Vrid, id: InstanceId) {
        if let Some(ids) = self.0.get_mut(&vrid) {
            ids.retain(|&other| other != id);
            if ids.is_empty() {
                self.0.remove(&vrid);
            }
        }
    }

    /// The instances of a VRID, in the order in which they came.
    pub(super) fn of(&self, vrid: Vrid) -> &[InstanceId] {
        self.0.get(&vrid).map_or(&[], Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: two instances of one VRID, one of which goes, then the other. Output: those that are
    // left, and no trace at the end.
    #[test]
    fn instances_of_a_vrid_come_and_go() {
        let vrid = Vrid::new(7).unwrap();
        let mut registry = Registry::default();
        registry.insert(vrid, InstanceId(1));
        registry.insert(vrid, InstanceId(2));
        assert_eq!(registry.of(vrid), [InstanceId(1), InstanceId(2)]);
        assert_eq!(registry.of(Vrid::new(8).unwrap()), []);
        registry.remove(vrid, InstanceId(1));
        assert_eq!(registry.of(vrid), [InstanceId(2)]);
        registry.remove(vrid, InstanceId(2));
        assert!(registry.0.is_empty());
    }
}

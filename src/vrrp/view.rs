//! What others may see of the VRRP domain.
//!
//! Owns: a copy, so that a reader keeps nothing borrowed. Never does: change anything. Driven by:
//! reports, and the simulator, which compares it with its shadow model.

use super::instance::State;
use super::stats::Stats;
use crate::base::Family;
use crate::conf::model::{Priority, Vrid};
use crate::ops::AddressSpec;

/// One virtual router as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceView {
    /// Name of the block.
    pub name: String,
    /// `virtual_router_id`.
    pub vrid: Vrid,
    /// Family of the adverts.
    pub family: Family,
    /// `interface`.
    pub interface: String,
    /// State.
    pub state: State,
    /// The priority that adverts carry now.
    pub priority: Priority,
    /// The addresses that should be on this host now.
    pub wanted: Vec<AddressSpec>,
    /// Counters.
    pub stats: Stats,
}

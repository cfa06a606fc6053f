//! Benchmarks: ours beside the real daemon, measured in the same run on the same machine.
//!
//! Owns what is measured and how: configuration test ([`parse`]), steady state and
//! memory ([`steady`]), TCP checks ([`checks`]) and failover ([`failover`]). Nothing here is a test: figures are compared
//! with goals in a table for people, never asserted in the ordinary run.
//! Driven by `bin/bench.rs`, behind the command `compat-tests/bench`.

pub mod checks;
pub mod failover;
pub mod meters;
pub mod parse;
pub mod stats;
pub mod steady;
pub mod table;

use std::path::{Path, PathBuf};

/// The two daemons.
#[derive(Clone, Debug)]
pub struct Daemons {
    /// The one under test.
    pub ours: PathBuf,
    /// The peer, if there is one here.
    pub real: Option<PathBuf>,
}

impl Daemons {
    /// Measures both, ours first, the peer's absence as a reason.
    pub fn both(
        &self,
        mut measure: impl FnMut(&Path) -> crate::bed::Result<f64>,
    ) -> [table::Figure; 2] {
        let ours = measure(&self.ours).into();
        let real = match &self.real {
            Some(real) => measure(real).into(),
            None => table::Figure::Skipped("no real daemon (KEEPALIVED_REAL)".to_owned()),
        };
        [ours, real]
    }
}

//! Benchmarks: ours beside the real daemon, measured in the same run on the same machine.
//!
//! Owns what is measured and how: configuration test ([`parse`]), steady state and
//! memory ([`steady`]), TCP checks ([`checks`]), failover ([`failover`]), steps of a reload
//! ([`reload`]), and on an emulated machine
//! ([`emulator`]) what the kernel's part is in. Nothing here is a test: figures are compared
//! with goals in a table for people, never asserted in the ordinary run.
//! Driven by `bin/bench.rs`, behind the command `compat-tests/bench`.

pub mod checks;
pub mod emulator;
pub mod failover;
pub mod meters;
pub mod parse;
pub mod reload;
pub mod stats;
pub mod steady;
pub mod table;

use std::path::{Path, PathBuf};

use crate::bed::Error;

/// The two daemons.
#[derive(Clone, Debug)]
pub struct Daemons {
    /// The one under test.
    pub ours: PathBuf,
    /// The peer, if there is one here.
    pub real: Option<PathBuf>,
}

impl Daemons {
    /// Has both measured, ours first, at the same time: only where times of the machine below do
    /// not matter.
    pub fn each<T: Send>(
        &self,
        measure: impl Fn(&Path) -> crate::bed::Result<T> + Sync,
    ) -> [crate::bed::Result<T>; 2] {
        let real = self.real.as_deref();
        std::thread::scope(|scope| {
            let peer = scope.spawn(|| match real {
                Some(real) => measure(real),
                None => Err(Error::new("no real daemon (KEEPALIVED_REAL)")),
            });
            let ours = measure(&self.ours);
            let real = peer.join();
            [
                ours,
                real.unwrap_or_else(|_| Err(Error::new("a measurement has panicked"))),
            ]
        })
    }

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

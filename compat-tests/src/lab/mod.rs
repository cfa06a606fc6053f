//! The lab: the document's five hosts, running, and its verification step by step.
//!
//! ```text
//!            client .240 .241
//!               │
//!   ────┬───────┴──┬──────────────┬──────────────┬──── 182.148.15.224/27
//!   LVS_Master   LVS_Backup     MySQL1         MySQL2
//!   .237         .236           .233           .238        VIP .239
//! ```
//!
//! Owns the choice of the ground (this kernel, or user-mode Linux where it has no IPVS), the hosts
//! with MariaDB and the directors on them, and every step with its limits. Never contains anything
//! of the daemon: it runs whatever binary it is given, through the init script, and looks at what
//! anybody could look at: the wire, `ip`, `ipvsadm`, the log, and a mysql client.
//!
//! Driven by `compat-tests/lab`, by way of `src/bin/lab.rs`.

mod console;
mod director;
pub(crate) mod ground;
mod heartbeat;
pub mod mysql;
mod report;
mod steps;
mod table;
mod town;

pub use ground::{Options, run};
pub use steps::inside;

use crate::bed::{Context, Error, Result};

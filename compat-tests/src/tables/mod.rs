//! The IPVS tables of both daemons side by side, on a real IPVS kernel.
//!
//! Owns: for every configuration in `cases/ipvs`, what either daemon puts into the kernel, its
//! log and its FIFO at the start, while a server is down, after it has come back, after a reload,
//! and after the stop. Never contains anything of either daemon: it runs the two binaries that it
//! is given, each in a network of its own, and reads the kernel. Driven by
//! `tests/side_by_side_tables.rs`, by way of `src/bin/tables.rs`.
//!
//! Where this kernel has no IPVS everything runs in user-mode Linux, which is booted once: the
//! daemons of many cases run at the same time there.

mod backend;
mod case;
pub mod differs;
mod ground;
mod kernel;
mod run;

pub use ground::{Options, inside, run, traffic};

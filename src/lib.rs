//! keepalived-rs: VRRP and health-checked IPVS, as a library that the `keepalived` binary drives.
//!
//! ```text
//! main ── cli ── host ── report ── node ── {vrrp track bfd notify check ipvs iface} ── conf::model
//!         lint ──┘ │                 │                   │
//!                  └────── ops ──────┴───────────────────┴── wire ── base
//! ```
//!
//! The whole daemon minus system calls is one pure value, [`node::Node`]: it takes events with the
//! time at which they happened, asks for effects, and says when it next needs the clock. `host`
//! drives it against the kernel, the simulator in `compat-tests` against a virtual world.
//! `compat-tests/tests/layers.rs` keeps the arrows of the drawing true.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used))]

// What pest makes of the grammar names it.
extern crate alloc;

pub mod base;
pub mod bfd;
pub mod check;
pub mod cli;
pub mod conf;
pub mod host;
pub mod iface;
pub mod ipvs;
pub mod lint;
pub mod node;
pub mod notify;
pub mod ops;
pub mod report;
pub mod track;
pub mod vrrp;
pub mod wire;

#[cfg(test)]
mod tests;

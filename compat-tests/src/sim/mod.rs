//! The simulator: many daemons, virtual kernels and wires, one thread, one seed.
//!
//! ```text
//! random / scenarios -> world (heap, time, chance) -> host = kernel + Node (the shipped code)
//!                          |-> network: who hears a frame     |-> shadow: what must be true
//! ```
//!
//! Owns: a world in which every fault can be had at will and every run can be had again. Never
//! does: replace a part of the daemon; frames pass the real codecs as bytes, and the node is the
//! one that ships. Driven by: `tests/simulate.rs`. A failure names the seed; `SIM_SEED=n` repeats
//! it.

mod agreement;
pub mod balance;
pub mod company;
pub mod converge;
pub mod datagrams;
pub mod edit;
pub mod effects;
pub mod faults;
pub mod host;
pub mod ipvs;
pub mod kernel;
pub mod monitor;
pub mod network;
pub mod noise;
pub mod outside;
mod parts;
pub mod random;
pub mod scenario;
pub mod schedule;
pub mod setup;
pub mod shadow;
pub mod text;
mod text_tracking;
pub mod trace;
mod tracking;
mod transcript;
pub mod wire;
pub mod world;

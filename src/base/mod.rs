//! Vocabulary without behaviour: time, timers, addresses, random numbers, syslog idents.
//!
//! Owns: types that every layer speaks. Never does: input, output, reading a clock.
//! Driven by: everybody; imports nothing of this crate.

pub mod bytes;
pub mod command;
pub mod ident;
pub mod net;
pub mod rare;
pub mod rng;
pub mod shared;
pub mod time;
pub mod timers;

pub use net::{Family, IfIndex, Mac};
pub use rare::{Blank, Rare};
pub use rng::Rng;
pub use shared::Shared;
pub use time::{Duration, Instant};
pub use timers::TimerQueue;

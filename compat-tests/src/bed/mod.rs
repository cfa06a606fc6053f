//! Testbed: hosts made of Linux namespaces, joined by a virtual LAN.
//!
//! Owns everything a test needs from the kernel: hosts ([`Host`]), the network between them
//! ([`Lan`]), processes inside them ([`Proc`]), packet captures ([`Capture`]) and a syslog sink
//! ([`Syslog`]). Never decides whether a daemon is right: that is the test's business.
//!
//! Nothing here has a name outside the process: namespaces belong to a thread of ours, the
//! bridge lives in a namespace of its own, so the kernel takes all of it away when the test ends
//! in whatever manner. Only processes can outlive a test that was killed; each carries a mark in
//! its environment, by which the next test run ends it ([`sweep`]).
//!
//! Driven by the namespace tests, the side-by-side tests, the benchmarks and the lab.

mod capture;
mod decode;
mod error;
mod host;
mod lan;
mod needs;
mod process;
mod sweep;
mod syslog;
mod wait;

pub use capture::{Capture, Direction, Frame};
pub use decode::{Advert, Arp, Content, Packet, Segment, priority_of};
pub use error::{Context, Error, Result};
pub use host::{Host, Output};
pub use lan::{Lan, Port};
pub use needs::{needs, needs_root};
pub use process::Proc;
pub use sweep::sweep;
pub use syslog::{Line, Syslog};
pub use wait::{wait_for, wait_until};

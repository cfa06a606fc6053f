//! The driver of the node against the real kernel: mio loop, sockets, netlink, processes.
//!
//! Owns: every descriptor, the clock, and the ledger of what is installed. Never does: decide
//! anything about VRRP, checks or IPVS. Driven by: `main`.

pub mod files;

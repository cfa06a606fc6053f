//! The syslog idents of keepalived, used as `log` targets.
//!
//! One process does the work of keepalived's three, but operators filter their logs by these
//! names, so every line keeps the ident of the subsystem that says it.

/// The supervisor, and what concerns the daemon as a whole.
pub const DAEMON: &str = "Keepalived";
/// VRRP: elections, addresses, gratuitous ARP.
pub const VRRP: &str = "Keepalived_vrrp";
/// Health checks and IPVS.
pub const CHECK: &str = "Keepalived_healthcheckers";
/// BFD sessions.
pub const BFD: &str = "Keepalived_bfd";

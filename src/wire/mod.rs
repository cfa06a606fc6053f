//! Packets and messages as bytes: the only place where byte order exists.
//!
//! Owns: encoding and checked decoding. Never does: judge a packet by anything but its form;
//! decoders take any bytes and never panic. Driven by: the domains and the host's drivers.

pub mod ah;
pub mod arp;
pub mod bfd;
pub mod checksum;
pub mod icmp;
pub mod ip;
pub mod ipvs;
pub mod ndisc;
pub mod proc_event;
pub mod rtnl;
pub mod sha256;
pub mod signature;
pub mod vrrp;

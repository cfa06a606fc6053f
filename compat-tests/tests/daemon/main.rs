//! The daemon as a process: start, stop, reload, crash, pid files, command line. In namespaces,
//! against the real kernel and without a peer.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod backends;
mod checks;
mod command_line;
mod container;
mod crash;
mod files;
mod flood;
mod hand_over;
mod kernel;
mod life;
mod mails;
mod old_tls;
mod partition;
mod pause;
mod reload;
mod reports;
mod scripts;
mod services;
mod setup;
mod shortage;
mod web;

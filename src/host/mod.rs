//! The driver of the node against the real kernel: mio loop, sockets, netlink, processes.
//!
//! Owns: every descriptor, the clock, and the ledger of what is installed. Never does: decide
//! anything about VRRP, checks or IPVS. Driven by: `main`.
//!
//! ```text
//! main ── supervisor ── worker ── event_loop ── exec ── raw_socket, netlink, genl, conn ── sys
//!              └── ledger ──────────────────────┘
//! ```

mod address_log;
mod backlog;
mod child;
mod clean_up;
mod clock;
mod conn;
mod console;
mod daemon_script;
mod event_loop;
mod exec;
mod fetch;
mod fifo;
pub mod files;
mod firewall;
mod gather;
pub mod genhash;
mod genl;
mod ground;
mod hand_over;
mod lanes;
mod ledger;
mod link_kind;
mod links;
mod local_reports;
mod log_file;
pub mod logger;
mod marks;
mod memo;
mod names;
mod namespace;
mod netlink;
mod nftables;
mod pidfile;
mod ping;
mod process;
mod process_events;
mod processes;
mod programs;
mod protocol_name;
mod raw_socket;
mod reading;
mod reloading;
mod report_facts;
mod reports;
mod request;
mod routing;
mod search;
mod service_manager;
pub mod signals;
mod sources;
mod supervisor;
mod sys;
mod terms;
mod tls;
mod udp_socket;
mod watch;
mod worker;

pub use exec::Leave;
pub use files::{Facts, HostFiles, Offline, PatientFacts};
pub use ground::{NoHost, ThisHost};
pub use pidfile::directory as run_directory;
pub use process::log_panics;
pub use reports::directory as temporary_directory;
pub use supervisor::{CoreDumps, Settings, run};
pub use worker::WorkerOptions;

/// The release of keepalived whose behaviour this is, with our own version: scripts read the first
/// to know which keywords they may use.
#[must_use]
pub fn version() -> String {
    format!(
        "Keepalived v2.4.3 (keepalived-rs {})",
        env!("CARGO_PKG_VERSION")
    )
}

/// Writes to a descriptor that whoever started this program has left open.
///
/// # Errors
/// It is not open, or cannot be written to.
pub fn write_to_descriptor(descriptor: i32, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let path = format!("/proc/self/fd/{descriptor}");
    std::fs::OpenOptions::new()
        .append(true)
        .open(path)?
        .write_all(bytes)
}

/// Lets a command-line mode end quietly when its output is cut off, as in `-t | head`.
pub fn default_sigpipe() {
    sys::dispositions::default_sigpipe();
}

//! The driver of the node against the real kernel: mio loop, sockets, netlink, processes.
//!
//! Owns: every descriptor, the clock, and the ledger of what is installed. Never does: decide
//! anything about VRRP, checks or IPVS. Driven by: `main`.
//!
//! ```text
//! main ── supervisor ── worker ── event_loop ── exec ── raw_socket, netlink, genl, conn ── sys
//!              └── ledger ──────────────────────┘
//! ```

mod child;
mod clock;
mod conn;
mod console;
mod event_loop;
mod exec;
mod fifo;
pub mod files;
mod firewall;
mod genl;
mod ground;
mod ledger;
mod link_kind;
mod links;
pub mod logger;
mod netlink;
mod pidfile;
mod ping;
mod processes;
mod programs;
mod raw_socket;
mod report_facts;
mod reports;
mod request;
mod routing;
mod service_manager;
pub mod signals;
mod sources;
mod supervisor;
mod sys;
mod tls;
mod watch;
mod worker;

pub use exec::Leave;
pub use files::{Facts, HostFiles, Offline, PatientFacts};
pub use ground::ThisHost;
pub use pidfile::directory as run_directory;
pub use supervisor::{Settings, run};
pub use worker::{WorkerOptions, log_panics};

/// The release of keepalived whose behaviour this is, with our own version: scripts read the first
/// to know which keywords they may use.
#[must_use]
pub fn version() -> String {
    format!(
        "Keepalived v2.4.3 (keepalived-rs {})",
        env!("CARGO_PKG_VERSION")
    )
}

/// Lets a command-line mode end quietly when its output is cut off, as in `-t | head`.
pub fn default_sigpipe() {
    sys::default_sigpipe();
}

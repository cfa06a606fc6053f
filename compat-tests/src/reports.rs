//! Reports of a configuration, made without a host, and the ground for those of services.
//!
//! Owns: a node with the links of `node1` and a configuration, and the facts of a host that never
//! changes. Never does: judge a report. Driven by: the tests of the layout.

use std::net::IpAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use keepalived_rs::base::{IfIndex, Instant, Mac};
use keepalived_rs::conf::diff;
use keepalived_rs::conf::model::Config;
use keepalived_rs::node::{Node, Options};
use keepalived_rs::ops::{AddressChange, Effect, Event, LinkChange, LinkState, SocketId};
use keepalived_rs::report::{Facts, Kind, Moment, Page, Progress, Report};

use crate::bed::{Context, Error, Result};
use crate::lab::ground;

/// When everything happens.
const NOW: Instant = Instant::from_micros(1_000_000);

/// A host without surprises.
#[derive(Debug, Clone, Copy)]
pub struct StillHost;

impl Facts for StillHost {
    fn moment(&self, instant: Instant) -> Moment {
        let micros = instant.as_micros();
        Moment {
            seconds: micros / 1_000_000,
            micros: u32::try_from(micros % 1_000_000).unwrap_or(0),
            text: "Thu Jan  1 00:00:00".to_owned(),
            year: 1970,
        }
    }

    fn ids(&self, _: Option<&str>, _: Option<&str>) -> (u32, u32) {
        (0, 0)
    }

    fn descriptor(&self, _: SocketId) -> Option<i32> {
        Some(9)
    }

    fn host_name(&self) -> String {
        "node1".to_owned()
    }

    fn umask(&self) -> u32 {
        0o177
    }

    fn namespaces(&self) -> (Option<String>, Option<String>) {
        (None, None)
    }
}

/// A node that has just started with a configuration.
#[must_use]
pub fn started(config: &Config) -> Node {
    let mut node = Node::new(Options::default());
    let mut effects = Vec::new();
    for (raw, name) in [(1, "lo"), (2, "eth0"), (3, "eth1")] {
        let Some(index) = IfIndex::new(raw) else {
            continue;
        };
        let last = u8::try_from(raw).unwrap_or(0);
        let state = LinkState {
            admin_up: true,
            running: true,
            loopback: raw == 1,
            mac: Some(Mac([2, 0, 0, 0, 0, last])),
            mtu: 1500,
            forwards_v6: false,
            vrf: None,
        };
        let link = LinkChange {
            index,
            name: name.to_owned(),
            state: Some(state),
        };
        let address = AddressChange {
            index,
            address: IpAddr::from([192, 0, 2, 248 + last]),
            prefix_len: 24,
            secondary: false,
            protocol: 0,
            present: true,
        };
        node.handle(NOW, Event::Link(link), &mut effects);
        node.handle(NOW, Event::Address(address), &mut effects);
    }
    let plan = diff::plan(&Config::default(), config);
    node.apply(NOW, plan, config.clone(), &mut effects);
    // No tracked file exists.
    for effect in std::mem::take(&mut effects) {
        if let Effect::Watch(id, _) = effect {
            let event = Event::File { id, content: None };
            node.handle(NOW, event, &mut effects);
        }
    }
    node
}

/// A whole report, made of pieces of about `piece` bytes.
#[must_use]
pub fn whole(node: &Node, kind: Kind, running: bool, piece: usize) -> String {
    let page = Page {
        snapshot: node.snapshot(),
        facts: &StillHost,
        running,
    };
    let mut report = Report::new(kind);
    let mut text = String::new();
    while report.step(&page, piece, &mut text) == Progress::More {}
    text
}

/// How long anything may take in user-mode Linux.
const USER_MODE: Duration = Duration::from_secs(300);

/// Runs a command in user-mode Linux, which has IPVS and this machine's files.
///
/// # Errors
/// When it is not installed, does not start, or does not end in time.
pub fn in_user_mode(scratch: &Path, words: &[String]) -> Result<()> {
    let arguments = ground::user_mode_arguments((false, ground::MEMORY), scratch, words)?;
    let status = Command::new("timeout")
        .arg(USER_MODE.as_secs().to_string())
        .args(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context(|| "user-mode Linux".to_owned())?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::new(format!("user-mode Linux: {status}")))
    }
}

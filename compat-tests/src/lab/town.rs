//! The document's five hosts on their LAN.
//!
//! Owns them, their addresses (the document's, hardware addresses included), the MariaDB pair and
//! the capture at the client. Never runs a step. Driven by [`super::steps`].

use std::fs;
use std::path::Path;

use nix::mount::{MsFlags, mount};

use super::director::{Director, Flavour};
use super::mysql::{self, Server};
use super::{Context, Error, Result};
use crate::bed::{Capture, Host, Lan, Port};

/// The client's two addresses: "two clients" differ by what they are sent from.
pub(super) const CLIENTS: [&str; 2] = ["182.148.15.240", "182.148.15.241"];
/// Hardware addresses of the real servers.
pub(super) const MYSQL_MACS: [[u8; 6]; 2] = [
    [0x52, 0x54, 0, 0xd1, 0x27, 0x75],
    [0x52, 0x54, 0, 0x3b, 0x33, 0x8f],
];
const MASTER_MAC: [u8; 6] = [0x52, 0x54, 0, 0x68, 0xdc, 0xb6];
const BACKUP_MAC: [u8; 6] = [0x52, 0x54, 0, 0x90, 0xac, 0x0f];

/// Everything that the steps work on.
pub(super) struct Town {
    // The order is that of dropping: what looks goes first, the LAN last.
    pub(super) wire: Capture,
    pub(super) master: Director,
    pub(super) backup: Director,
    pub(super) servers: [Server; 2],
    pub(super) mysql: [Host; 2],
    pub(super) client: Host,
    pub(super) lan: Lan,
    pub(super) flavour: Flavour,
}

impl Town {
    /// Builds it: everything but the daemon runs.
    pub(super) fn build(scratch: &Path, binary: &Path) -> Result<Self> {
        let flavour = Flavour::of(binary)?;
        let memory = in_memory(scratch)?;
        let lan = Lan::new("switch")?;
        let join = |name: &str, mac: [u8; 6], addresses: &[&str]| {
            let host = Host::new(name)?;
            let mac = mac.map(|byte| format!("{byte:02x}")).join(":");
            lan.attach(
                &host,
                &Port {
                    interface: "eth0",
                    mac: &mac,
                    addresses,
                },
            )?;
            Ok::<_, Error>(host)
        };
        let mysql = [
            join("MySQL1", MYSQL_MACS[0], &["182.148.15.233/27"])?,
            join("MySQL2", MYSQL_MACS[1], &["182.148.15.238/27"])?,
        ];
        let prepared = scratch.join("mysql");
        let mut servers = [
            Server::new(1, &prepared, memory.join("mysql1"), "182.148.15.238")?,
            Server::new(2, &prepared, memory.join("mysql2"), "182.148.15.233")?,
        ];
        for (server, host) in servers.iter_mut().zip(&mysql) {
            real_server(host)?;
            server.start(host)?;
        }
        let client = join(
            "client",
            [0x52, 0x54, 0, 0, 2, 0x40],
            &["182.148.15.240/27", "182.148.15.241/27"],
        )?;
        let master = join("LVS_Master", MASTER_MAC, &["182.148.15.237/27"])?;
        let backup = join("LVS_Backup", BACKUP_MAC, &["182.148.15.236/27"])?;
        let master = Director::new(master, MASTER_MAC, "director-master", binary, flavour)?;
        let backup = Director::new(backup, BACKUP_MAC, "director-backup", binary, flavour)?;
        for (server, host) in servers.iter_mut().zip(&mysql) {
            server.wait_for_port(host)?;
        }
        let wire = Capture::start(&client, "eth0")?;
        Ok(Self {
            wire,
            master,
            backup,
            servers,
            mysql,
            client,
            lan,
            flavour,
        })
    }

    /// Both directors, the master first.
    pub(super) fn directors(&self) -> [&Director; 2] {
        [&self.master, &self.backup]
    }

    /// Every host a person may want a shell on.
    pub(super) fn hosts(&self) -> [&Host; 5] {
        [
            &self.master.host,
            &self.backup.host,
            &self.mysql[0],
            &self.mysql[1],
            &self.client,
        ]
    }

    /// A query through the VIP from one of the client's two addresses.
    pub(super) fn query_from(&self, source: &str, statement: &str) -> Result<String> {
        let vip = super::director::VIP.to_string();
        self.client.must(&[
            "ip",
            "route",
            "replace",
            &format!("{vip}/32"),
            "dev",
            "eth0",
            "src",
            source,
        ])?;
        mysql::query(&self.client, &vip, statement)
    }

    /// A query through the VIP.
    pub(super) fn query(&self, statement: &str) -> Result<String> {
        self.query_from(CLIENTS[0], statement)
    }
}

/// A real server as the document has it: the VIP on lo, by the script in packaging/.
fn real_server(host: &Host) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/init.d/realserver");
    host.write(
        "/etc/init.d/realserver",
        fs::read(&script).context(|| script.display().to_string())?,
    )?;
    host.write("/etc/sysconfig/realserver", "VIPS=182.148.15.239\n")?;
    host.must(&["chmod", "+x", "/etc/init.d/realserver"])?;
    let said = host.must(&["/etc/init.d/realserver", "start"])?;
    if said == "LVS-DR real server starts successfully.\n" {
        return Ok(());
    }
    Err(Error::new(format!(
        "{}: realserver start said “{said}”",
        host.name()
    )))
}

/// A folder in memory for the databases: user-mode Linux's view of this machine's disk is slow,
/// and its mapped files are not coherent. Mounted in our own mount namespace, or UML's.
fn in_memory(scratch: &Path) -> Result<std::path::PathBuf> {
    let folder = scratch.join("memory");
    fs::create_dir_all(&folder)?;
    let none = None::<&str>;
    mount(
        Some("tmpfs"),
        &folder,
        Some("tmpfs"),
        MsFlags::empty(),
        none,
    )
    .context(|| folder.display().to_string())?;
    Ok(folder)
}

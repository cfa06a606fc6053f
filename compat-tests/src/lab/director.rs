//! A director: a host with its syslog, the document's configuration file and the init script.
//!
//! Owns how the daemon is started and looked at: init script, pid file, VIP, IPVS table. Never
//! waits for anything but a command: when something has to be true is the steps' business.
//! Driven by [`super::town`] and [`super::steps`].

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Context, Error, Result, table};
use crate::bed::{Host, Output, Syslog};

/// The document's virtual address.
pub(super) const VIP: Ipv4Addr = Ipv4Addr::new(182, 148, 15, 239);
/// Where the daemon reads its configuration.
pub(super) const CONFIG: &str = "/etc/keepalived/keepalived.conf";
const PIDFILE: &str = "/var/run/keepalived.pid";

/// Which daemon is under test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// keepalived-rs: takes the document's files as they are, and speaks the document's words.
    Ours,
    /// The keepalived of a distribution: refuses no-break spaces, speaks its own release's words.
    Other,
}

/// One director.
pub(super) struct Director {
    pub(super) host: Host,
    pub(super) log: Syslog,
    /// Its hardware address.
    pub(super) mac: [u8; 6],
}

impl Flavour {
    /// Asks the binary itself.
    pub(super) fn of(binary: &Path) -> Result<Self> {
        let help = std::process::Command::new(binary).arg("--help").output();
        let help = help.context(|| binary.display().to_string())?;
        let text = [help.stdout, help.stderr].concat();
        let ours = String::from_utf8_lossy(&text).contains("--log-style");
        Ok(if ours { Self::Ours } else { Self::Other })
    }
}

impl Director {
    /// Puts the daemon's files on a host.
    pub(super) fn new(
        host: Host,
        mac: [u8; 6],
        case: &str,
        binary: &Path,
        flavour: Flavour,
    ) -> Result<Self> {
        let log = Syslog::start(&host)?;
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let config = root.join("cases/lab").join(case).join("keepalived.conf");
        let config = fs::read_to_string(&config).context(|| config.display().to_string())?;
        let (config, options) = match flavour {
            Flavour::Ours => (config, "-D --log-style 1.3"),
            Flavour::Other => (config.replace('\u{a0}', " "), "-D"),
        };
        host.write(CONFIG, config)?;
        let binary = binary.display();
        host.write(
            "/etc/sysconfig/keepalived",
            format!("DAEMON={binary}\nKEEPALIVED_OPTIONS=\"{options}\"\n"),
        )?;
        let script = root.join("../packaging/init.d/keepalived");
        host.write(
            "/etc/init.d/keepalived",
            fs::read(&script).context(|| script.display().to_string())?,
        )?;
        host.must(&["chmod", "+x", "/etc/init.d/keepalived"])?;
        host.write("/proc/sys/net/ipv4/ip_forward", "1")?;
        Ok(Self { host, log, mac })
    }

    /// Runs the init script.
    pub(super) fn service(&self, action: &str) -> Result<Output> {
        self.host.run(&["/etc/init.d/keepalived", action])
    }

    /// Runs the init script, which has to succeed; gives back what it printed.
    pub(super) fn must(&self, action: &str) -> Result<String> {
        let what = format!("{}: /etc/init.d/keepalived {action}", self.host.name());
        self.service(action)?.stdout_if_ok(&what)
    }

    /// Pid of the daemon's first process, by its pid file.
    pub(super) fn parent(&self) -> Result<Pid> {
        let text = self.host.read(PIDFILE)?;
        let pid = text
            .trim()
            .parse()
            .map_err(|_| Error::new(format!("{PIDFILE} holds “{text}”")))?;
        Ok(Pid::from_raw(pid))
    }

    /// Pids of the processes that the first one has started.
    pub(super) fn workers(&self) -> Result<Vec<Pid>> {
        let parent = self.parent()?;
        let children = |pid: &i32| {
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            // The parent is the second field after the name in parentheses.
            let parent_of = stat
                .rsplit_once(')')
                .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
            parent_of == Some(parent.as_raw())
        };
        Ok(self
            .host
            .processes()
            .into_iter()
            .filter(children)
            .map(Pid::from_raw)
            .collect())
    }

    /// True if the daemon's first process runs.
    pub(super) fn is_running(&self) -> bool {
        self.parent().is_ok_and(|pid| kill(pid, None).is_ok())
    }

    /// Ends everything of the daemon at once, as a power cut would.
    pub(super) fn kill_all(&self) -> Result<()> {
        let parent = self.parent()?;
        // Stopped first, so that it cannot start a worker anew between two signals.
        kill(parent, Signal::SIGSTOP)?;
        for pid in self.workers()? {
            kill(pid, Signal::SIGKILL)?;
        }
        kill(parent, Signal::SIGKILL)?;
        Ok(())
    }

    /// Does its `eth0` hold the VIP?
    pub(super) fn has_vip(&self) -> bool {
        let looked = self.host.enter(|| {
            let addresses = nix::ifaddrs::getifaddrs().into_iter().flatten();
            addresses
                .filter(|entry| entry.interface_name.starts_with("eth0"))
                .filter_map(|entry| Some(entry.address?.as_sockaddr_in()?.ip()))
                .any(|address| address == VIP)
        });
        looked.unwrap_or(false)
    }

    /// Its real servers in the kernel's table: last byte of the address, and weight.
    pub(super) fn servers(&self) -> Vec<(u8, u32)> {
        // Not /proc/net, which is the view of the process's first thread.
        let table = self
            .host
            .read("/proc/thread-self/net/ip_vs")
            .unwrap_or_default();
        table::servers(&table)
    }

    /// What `ipvsadm -ln` prints.
    pub(super) fn table(&self) -> Result<String> {
        self.host.must(&["ipvsadm", "-ln"])
    }
}

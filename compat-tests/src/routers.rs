//! VRRP routers on one LAN, each run by a daemon of the caller's choice.
//!
//! Owns the segment that the side-by-side tests and the benchmarks share: two hosts on a bridge,
//! a capture that sees every multicast and broadcast frame, and the life of a daemon in each host.
//! Never judges what a daemon does. Driven by `tests/side_by_side*.rs` and by [`crate::bench`].

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bed::{Advert, Arp, Capture, Error, Frame, Host, Lan, Port, Proc, Result, wait_until};

/// Where a router's configuration lies inside its host.
const CONFIGURATION: &str = "/etc/keepalived/keepalived.conf";
/// Where its log goes.
const LOG: &str = "/var/log/keepalived.log";
/// Interface of every router.
pub const INTERFACE: &str = "eth0";
/// Longer than any daemon needs to start, to stop or to take over with the intervals used here.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon binary from the environment; `None` when the variable is not set.
#[must_use]
pub fn daemon_from(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

/// Ours and the real one (`KEEPALIVED_OURS`, `KEEPALIVED_REAL`), in this order; `None`, with a line
/// that a test is skipped, when one of them is not set.
#[must_use]
pub fn both_daemons() -> Option<[PathBuf; 2]> {
    let find = |variable| {
        let daemon = daemon_from(variable);
        if daemon.is_none() {
            println!("skipped: {variable} is not set");
        }
        daemon
    };
    Some([find("KEEPALIVED_OURS")?, find("KEEPALIVED_REAL")?])
}

/// The part of `vrrp_instance` that differs between the configurations compared.
#[derive(Clone, Debug)]
pub struct Instance {
    /// `state`.
    pub state: &'static str,
    /// `priority`.
    pub priority: u8,
    /// `virtual_router_id`.
    pub vrid: u8,
    /// `advert_int` in seconds.
    pub interval: u8,
    /// `auth_pass`, if any.
    pub password: Option<&'static str>,
    /// Lines of `virtual_ipaddress`.
    pub addresses: Vec<String>,
    /// Other lines of the block.
    pub extra: &'static str,
}

impl Instance {
    /// An ordinary instance with these many addresses from 10.1.0.1 on.
    #[must_use]
    pub fn with_addresses(count: u16) -> Self {
        let addresses = (1..=count)
            .map(|index| format!("10.1.{}.{}", index >> 8, index & 0xff))
            .collect();
        Self {
            state: "BACKUP",
            priority: 100,
            vrid: 51,
            interval: 1,
            password: None,
            addresses,
            extra: "",
        }
    }

    /// The same with another priority.
    #[must_use]
    pub fn priority(&self, priority: u8) -> Self {
        Self {
            priority,
            ..self.clone()
        }
    }

    /// The same with another initial state.
    #[must_use]
    pub fn state(&self, state: &'static str) -> Self {
        Self {
            state,
            ..self.clone()
        }
    }

    /// Its configuration file.
    #[must_use]
    pub fn configuration(&self) -> String {
        let authentication = self.password.map_or_else(String::new, |word| {
            format!(
                "    authentication {{\n        auth_type PASS\n        auth_pass {word}\n    }}\n"
            )
        });
        let extra = if self.extra.is_empty() {
            String::new()
        } else {
            format!("    {}\n", self.extra)
        };
        let addresses: String = self
            .addresses
            .iter()
            .map(|line| format!("        {line}\n"))
            .collect();
        format!(
            "global_defs {{\n    router_id bench\n}}\nvrrp_instance VI_1 {{\n    state {}\n    interface {INTERFACE}\n    \
             virtual_router_id {}\n    priority {}\n    advert_int {}\n{authentication}{extra}    \
             virtual_ipaddress {{\n{addresses}    }}\n}}\n",
            self.state, self.vrid, self.priority, self.interval
        )
    }

    /// How long a backup of this priority waits after the last advert (RFC 3768 §6.1): three
    /// intervals and the skew time, (256 - priority) / 256 of a second.
    #[must_use]
    pub fn master_down(&self) -> Duration {
        let skew = Duration::from_secs(1) * (256 - u32::from(self.priority)) / 256;
        3 * Duration::from_secs(u64::from(self.interval)) + skew
    }
}

/// One router.
pub struct Router {
    host: Host,
    daemon: PathBuf,
    address: Ipv4Addr,
    mac: [u8; 6],
    running: Option<Proc>,
}

impl Router {
    /// The host it runs on.
    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// Its own address, the source of its adverts.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Hardware address of its interface.
    #[must_use]
    pub fn mac(&self) -> [u8; 6] {
        self.mac
    }

    /// Writes its configuration; a running daemon notices with the next HUP.
    ///
    /// # Errors
    /// As the file system's.
    pub fn configure(&self, text: &str) -> Result<()> {
        self.host.write(CONFIGURATION, text)
    }

    /// Starts the daemon in the foreground, its log to a file inside the host, its reports in /run.
    ///
    /// # Errors
    /// When it cannot be executed.
    pub fn start(&mut self) -> Result<()> {
        let log = self.host.enter(|| {
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(LOG)
        })??;
        let mut command = Command::new(&self.daemon);
        // The console log (-l) goes to standard error; -G keeps the machine's syslog clean.
        command.args(["-n", "-l", "-D", "-G", "-f", CONFIGURATION]);
        // For its reports: /tmp is everybody's.
        command.env("TMPDIR", "/run");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.running = Some(self.host.spawn(command)?);
        Ok(())
    }

    /// Process id of the daemon's parent process.
    #[must_use]
    pub fn parent(&self) -> Option<Pid> {
        self.running.as_ref().map(Proc::pid)
    }

    /// Stops the daemon in order (TERM) and waits for its end.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop(&mut self) -> Result<()> {
        let Some(mut running) = self.running.take() else {
            return Ok(());
        };
        running.signal(Signal::SIGTERM)?;
        running.wait(PATIENCE).map(drop)
    }

    /// Kills every process of the daemon at once, as a power failure would: none gets to say
    /// anything, although a child learns of its parent's death and a parent of its child's.
    ///
    /// # Errors
    /// When one survives.
    pub fn kill_all(&mut self) -> Result<()> {
        let pids = self.host.processes();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in &pids {
                // It may have ended of itself.
                let _gone = kill(Pid::from_raw(*pid), signal);
            }
        }
        self.running = None;
        wait_until(PATIENCE, "the daemon's processes to end", || {
            pids.iter().all(|pid| has_ended(*pid))
        })
        .map(drop)
    }

    /// Everything it has logged.
    ///
    /// # Errors
    /// When it has never been started.
    pub fn log(&self) -> Result<String> {
        self.host.read(LOG)
    }

    /// The end of its log, for people.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = self.log().unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }

    /// Addresses of the router's interface as `ip` prints them, one a line, without their lifetimes.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn addresses(&self) -> Result<Vec<String>> {
        let text = self.host.must(&["ip", "-o", "-4", "addr", "show"])?;
        let tidy = |line: &str| {
            let words: Vec<&str> = line
                .split_whitespace()
                .skip(1)
                .take_while(|word| !word.contains("valid_lft"))
                .collect();
            words.join(" ").replace('\\', "").trim_end().to_owned()
        };
        Ok(text.lines().map(tidy).collect())
    }

    /// Whether the interface carries this address.
    ///
    /// # Errors
    /// When `ip` fails.
    pub fn has(&self, address: &str) -> Result<bool> {
        let wanted = format!("inet {address}/");
        Ok(self.addresses()?.iter().any(|line| line.contains(&wanted)))
    }
}

/// Two routers on a LAN and a capture of all that is flooded on it.
pub struct Segment {
    /// The routers, 10.1.255.1 and 10.1.255.2.
    pub routers: [Router; 2],
    /// What passed the bridge.
    pub capture: Capture,
    lan: Lan,
}

impl Segment {
    /// Builds the segment for these two daemons; starts none of them.
    ///
    /// # Errors
    /// When the kernel refuses a part of it.
    pub fn new(daemons: [&Path; 2]) -> Result<Self> {
        Self::build(daemons, false)
    }

    /// The same with IPv6 beside IPv4 (fd00::1 and fd00::2), and a hub for a switch, so that the
    /// capture sees unicast too.
    ///
    /// # Errors
    /// When the kernel refuses a part of it.
    pub fn dual_stack(daemons: [&Path; 2]) -> Result<Self> {
        Self::build(daemons, true)
    }

    fn build(daemons: [&Path; 2], v6: bool) -> Result<Self> {
        let lan = Lan::new("lan")?;
        if v6 {
            // A bridge that forgets at once whom it has heard where.
            lan.switch()
                .ip_batch("link set lan0 type bridge ageing_time 0\nlink set lan0 promisc on\n")?;
        }
        let [first, second] = daemons;
        let routers = [router(&lan, 1, first, v6)?, router(&lan, 2, second, v6)?];
        let capture = Capture::start(lan.switch(), "lan0")?;
        Ok(Self {
            routers,
            capture,
            lan,
        })
    }

    /// The namespace of the bridge that joins the routers.
    #[must_use]
    pub fn switch(&self) -> &Host {
        self.lan.switch()
    }

    /// The adverts of a router seen since `from`.
    #[must_use]
    pub fn adverts(&self, router: &Router, from: SystemTime) -> Vec<(Frame, Advert)> {
        let mine = |frame: Frame| {
            let advert = frame.packet().advert()?.clone();
            (advert.source == IpAddr::V4(router.address)).then_some((frame, advert))
        };
        self.capture
            .since(from)
            .into_iter()
            .filter_map(mine)
            .collect()
    }

    /// The gratuitous ARPs of a router for virtual addresses seen since `from`.
    #[must_use]
    pub fn announcements(&self, router: &Router, from: SystemTime) -> Vec<(Frame, Arp)> {
        let mine = |frame: Frame| {
            let packet = frame.packet();
            let arp = packet.arp()?.clone();
            let wanted = packet.source_mac == router.mac
                && arp.is_gratuitous()
                && arp.sender != router.address;
            wanted.then_some((frame, arp))
        };
        self.capture
            .since(from)
            .into_iter()
            .filter_map(mine)
            .collect()
    }

    /// Waits for an advert of this router with a priority that does not resign.
    ///
    /// # Errors
    /// When there is none in time; the error ends with the router's log.
    pub fn wait_for_master(&self, index: usize, from: SystemTime) -> Result<Frame> {
        let router = &self.routers[index];
        let source = IpAddr::V4(router.address);
        let what = format!("an advert of router {}", index + 1);
        self.capture
            .wait_for(PATIENCE, &what, from, |packet| {
                packet
                    .advert()
                    .is_some_and(|advert| advert.source == source && advert.priority > 0)
            })
            .map_err(|error| Error::new(format!("{error}\n{}", router.log_tail())))
    }
}

/// Whether a process is gone, or a zombie: only then are its files closed and their locks free.
fn has_ended(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The state follows the name, which stands in parentheses.
    stat.rsplit_once(')')
        .is_none_or(|(_, rest)| rest.trim_start().starts_with(['Z', 'X']))
}

fn router(lan: &Lan, number: u8, daemon: &Path, v6: bool) -> Result<Router> {
    let host = Host::new(&format!("router{number}"))?;
    let mac = [0x02, 0, 0, 0, 0, number];
    let text = mac.map(|byte| format!("{byte:02x}")).join(":");
    let address = Ipv4Addr::new(10, 1, 255, number);
    let unique = format!("fd00::{number}/64");
    let own = format!("{address}/16");
    let addresses: &[&str] = if v6 {
        // The link-local address is usable at once.
        host.shell("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad")?;
        &[&own, &unique]
    } else {
        // Adverts are counted and compared, so the kernel's own IPv6 chatter stays away.
        host.shell("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6 2>/dev/null || true")?;
        &[&own]
    };
    lan.attach(
        &host,
        &Port {
            interface: INTERFACE,
            mac: &text,
            addresses,
        },
    )?;
    Ok(Router {
        host,
        daemon: daemon.to_owned(),
        address,
        mac,
        running: None,
    })
}

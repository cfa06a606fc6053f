//! One host on a LAN with a configuration, and the daemon that was built with these tests.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use compat_tests::bed::{Capture, Host, Lan, Port, Proc, Syslog, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than anything here takes on a busy machine.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The address that the daemon of [`CONFIG`] brings up.
pub(crate) const VIP: &str = "192.0.2.100";

/// A lone master that takes over after a second.
pub(crate) const CONFIG: &str = "\
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 1111
    }
    virtual_ipaddress {
        192.0.2.100
    }
}
";

/// Where the daemon looks for its configuration.
pub(crate) const FILE: &str = "/etc/keepalived/keepalived.conf";

/// A host with the daemon's configuration, its log and a view of what it sends.
pub(crate) struct Bed {
    pub(crate) host: Host,
    pub(crate) log: Syslog,
    pub(crate) wire: Capture,
    pub(crate) start: SystemTime,
    pub(crate) lan: Lan,
}

impl Bed {
    pub(crate) fn new(config: &str) -> Self {
        let lan = Lan::new("switch").unwrap();
        let host = Host::new("director").unwrap();
        let port = Port {
            interface: "eth0",
            mac: "02:00:00:00:00:01",
            addresses: &["192.0.2.1/24"],
        };
        lan.attach(&host, &port).unwrap();
        host.write(FILE, config).unwrap();
        let log = Syslog::start(&host).unwrap();
        let wire = Capture::start(&host, "eth0").unwrap();
        Self {
            host,
            log,
            wire,
            start: SystemTime::now(),
            lan,
        }
    }

    /// 198.51.100.0/24 behind a neighbour that exists on paper only: packets leave, nothing comes
    /// back.
    pub(crate) fn add_silent_network(&self) {
        let commands = [
            "ip route add 198.51.100.0/24 via 192.0.2.77",
            "ip neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0",
        ];
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            self.host.must(&words).unwrap();
        }
    }

    /// Starts the daemon in the foreground.
    pub(crate) fn daemon(&self) -> Proc {
        let mut command = Command::new(binary());
        command.args(["-n", "-D"]).stdin(Stdio::null());
        self.host.spawn(command).unwrap()
    }

    /// Puts another host on the LAN and starts the daemon there.
    pub(crate) fn peer(&self, config: &str) -> (Host, Proc) {
        let host = Host::new("peer").unwrap();
        let port = Port {
            interface: "eth0",
            mac: "02:00:00:00:00:02",
            addresses: &["192.0.2.2/24"],
        };
        self.lan.attach(&host, &port).unwrap();
        host.write(FILE, config).unwrap();
        let mut command = Command::new(binary());
        command.arg("-n").stdin(Stdio::null());
        let daemon = host.spawn(command).unwrap();
        (host, daemon)
    }

    /// Runs the program to its end, with its output.
    pub(crate) fn run(&self, options: &[&str]) -> compat_tests::bed::Output {
        let mut words = vec![binary()];
        words.extend(options);
        self.host.run(&words).unwrap()
    }

    pub(crate) fn has(&self, address: &str) -> bool {
        let shown = self.host.must(&["ip", "-o", "addr", "show", "dev", "eth0"]);
        shown.unwrap().contains(&format!(" {address}/"))
    }

    pub(crate) fn wait_address(&self, address: &str, there: bool) -> Duration {
        let what = format!("{address} there: {there}");
        wait_until(SOON, &what, || self.has(address) == there).unwrap()
    }

    /// Waits for a log line that contains `text`, from the start of the test on.
    pub(crate) fn wait_log(&self, text: &str) {
        self.log.wait_for(SOON, self.start, text).unwrap();
    }

    pub(crate) fn logged(&self) -> Vec<String> {
        let lines = self.log.lines().into_iter();
        lines
            .map(|line| format!("{}: {}", line.ident, line.text))
            .collect()
    }

    /// The process id in a pid file, once it is there.
    pub(crate) fn pid(&self, name: &str) -> Pid {
        let path = format!("/run/{name}.pid");
        let read = || self.host.read(&path).ok()?.trim().parse().ok();
        let (pid, _) = wait_for(SOON, &path, read).unwrap();
        Pid::from_raw(pid)
    }

    /// Waits until a pid file names another process than `old`.
    pub(crate) fn new_pid(&self, name: &str, old: Pid) -> Pid {
        let other = || Some(self.pid(name)).filter(|pid| *pid != old);
        wait_for(SOON, "a new process", other).unwrap().0
    }

    /// Ends a daemon in the foreground and gives its exit status.
    pub(crate) fn stop(&self, daemon: &mut Proc) -> Option<i32> {
        daemon.signal(Signal::SIGTERM).unwrap();
        daemon.wait(SOON).unwrap().code()
    }
}

/// Signals a process that a pid file named.
pub(crate) fn signal(pid: Pid, signal: Signal) {
    kill(pid, signal).unwrap();
}

/// The daemon: what was built beside this test, or what `KEEPALIVED` names.
pub(crate) fn binary() -> &'static str {
    static BINARY: OnceLock<String> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Ok(path) = std::env::var("KEEPALIVED") {
            return path;
        }
        let build = Command::new(env!("CARGO"))
            .args(["build", "-q", "-p", "keepalived-rs", "--bin", "keepalived"])
            .args(if cfg!(debug_assertions) {
                None
            } else {
                Some("--release")
            })
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(build.success());
        // target/debug/deps/daemon-0123 is this test.
        let own = std::env::current_exe().unwrap();
        let path: PathBuf = own.ancestors().nth(2).unwrap().join("keepalived");
        path.to_str().unwrap().to_owned()
    })
}

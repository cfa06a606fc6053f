//! What a signal makes the daemon write, and where.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::process::{Command, Stdio};

use compat_tests::bed::{Host, Proc, needs_root, wait_until};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::setup::{Bed, CONFIG, SOON, VIP, binary, signal};

/// A directory of the test's own for what is written.
struct Reports {
    bed: Bed,
    directory: tempfile::TempDir,
}

impl Reports {
    fn new(config: &str) -> Self {
        Self {
            bed: Bed::new(config),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    fn daemon(&self, options: &[&str]) -> Proc {
        let mut command = Command::new(binary());
        command
            .args(["-n", "-D"])
            .args(options)
            .env("TMPDIR", self.directory.path())
            .stdin(Stdio::null());
        self.bed.host.spawn(command).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// A report that is there.
    fn wait(&self, name: &str) -> String {
        let path = self.path(name);
        wait_until(SOON, name, || path.is_file() && !path.is_symlink()).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    fn ask(&self, pid: Pid, function: &str) {
        let number = self.bed.run(&["--signum", function]).stdout;
        let kill: &Host = &self.bed.host;
        kill.must(&["kill", &format!("-{}", number.trim()), &pid.to_string()])
            .unwrap();
    }
}

/// Input: USR1 to the parent of a master; a link stands where a report goes. Output: the data of
/// VRRP and of the parent, readable for the owner alone; the link is replaced and its target is
/// untouched; no data of parts that do not run.
#[test]
fn usr1_writes_configuration_and_state() {
    if !needs_root() {
        return;
    }
    let reports = Reports::new(CONFIG);
    let precious = reports.path("precious");
    std::fs::write(&precious, "precious").unwrap();
    symlink(&precious, reports.path("keepalived.data")).unwrap();
    let daemon = reports.daemon(&[]);
    reports.bed.wait_address(VIP, true);
    daemon.signal(Signal::SIGUSR1).unwrap();
    let data = reports.wait("keepalived.data");
    for line in [
        "------< VRRP Topology >------",
        " VRRP Instance = VI_1",
        "   State = MASTER",
        "     192.0.2.100 dev eth0 scope global set",
        "   Password = ********",
        " Name = eth0",
    ] {
        assert!(data.lines().any(|found| found == line), "{line}\n{data}");
    }
    assert!(reports.wait("keepalived_parent.data").contains("Router ID"));
    assert!(!reports.path("keepalived_check.data").exists());
    assert_eq!(std::fs::read_to_string(&precious).unwrap(), "precious");
    let found = reports.path("keepalived.data").metadata().unwrap();
    assert_eq!(
        (found.permissions().mode() & 0o777, found.uid()),
        (0o600, 0)
    );
    reports.bed.wait_log("Printing VRRP data for process(");
}

/// Input: the three signals about counters, the last to the worker itself. Output: the counters,
/// which the second sets to zero, and JSON.
#[test]
fn counters_are_written_cleared_and_told_to_programs() {
    if !needs_root() {
        return;
    }
    let reports = Reports::new(CONFIG);
    let daemon = reports.daemon(&["-u", "022"]);
    reports.bed.wait_address(VIP, true);
    reports.ask(daemon.pid(), "STATS_CLEAR");
    let stats = reports.wait("keepalived.stats");
    assert!(stats.contains("  Became master: 1\n"), "{stats}");
    let found = reports.path("keepalived.stats").metadata().unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o644);
    let again = || {
        daemon.signal(Signal::SIGUSR2).unwrap();
        reports
            .wait("keepalived.stats")
            .contains("  Became master: 0\n")
    };
    wait_until(SOON, "cleared counters", again).unwrap();
    reports.ask(reports.bed.pid("vrrp"), "JSON");
    let json = reports.wait("keepalived.json");
    assert!(json.starts_with("[{\"data\":{\"iname\":\"VI_1\""), "{json}");
    assert!(json.contains("\"state\":2") && json.ends_with("}]\n"));
}

/// Input: `-d`. Output: the configuration in the log of VRRP; the daemon runs.
#[test]
fn dump_conf_tells_the_configuration_in_the_log() {
    if !needs_root() {
        return;
    }
    let reports = Reports::new(CONFIG);
    let _daemon = reports.daemon(&["-d"]);
    reports.bed.wait_address(VIP, true);
    reports.bed.wait_log("   Virtual Router ID = 51");
    let logged = reports.bed.logged();
    let heading = "Keepalived_vrrp: ------< VRRP Topology >------";
    assert!(logged.iter().any(|line| line == heading));
}

/// Input: USR1 again and again, while the configuration is reloaded. Output: each report that is
/// there is whole.
#[test]
fn a_reader_never_sees_half_a_report() {
    if !needs_root() {
        return;
    }
    let reports = Reports::new(CONFIG);
    let daemon = reports.daemon(&[]);
    reports.bed.wait_address(VIP, true);
    let path = reports.path("keepalived_parent.data");
    for round in 0..20 {
        daemon.signal(Signal::SIGUSR1).unwrap();
        if round % 4 == 0 {
            signal(daemon.pid(), Signal::SIGHUP);
        }
        let data = reports.wait("keepalived_parent.data");
        assert!(
            data.ends_with("iproute etc directory /etc/iproute2\n"),
            "{data}"
        );
        std::fs::remove_file(&path).unwrap();
    }
}

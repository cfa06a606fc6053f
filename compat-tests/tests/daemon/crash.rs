//! Deaths that nobody planned.

use compat_tests::bed::{needs, needs_root, wait_until};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::setup::{Bed, CONFIG, FILE, SOON, VIP, binary, signal};

/// Input: the worker killed, then aborted as a panic does. Output: the address is away before a
/// new worker starts, comes back by its election, and the log tells.
#[test]
fn a_dead_worker_is_cleaned_up_and_replaced() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = bed.daemon();
    let mut worker = bed.pid("vrrp");
    for how in [Signal::SIGKILL, Signal::SIGSEGV, Signal::SIGABRT] {
        bed.wait_address(VIP, true);
        let from = std::time::SystemTime::now();
        signal(worker, how);
        let gone = bed.wait_address(VIP, false);
        assert!(gone.as_millis() < 900, "cleaned up by {gone:?} after {how}");
        worker = bed.new_pid("vrrp", worker);
        for text in [
            "left behind",
            &format!("exited due to signal {how}"),
            "VRRP child process(",
        ] {
            bed.log.wait_for(SOON, from, text).unwrap();
        }
    }
    bed.wait_address(VIP, true);
    assert!(
        !bed.logged()
            .iter()
            .any(|line| line.contains("Healthcheck child"))
    );
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(!bed.has(VIP));
}

/// Waits until nothing is left of these processes. One that has left its namespace may still hold
/// the lock of the pid file, and a start would say that a daemon is running.
fn wait_gone(pids: &[Pid]) {
    let gone = |pid: &Pid| !std::path::Path::new(&format!("/proc/{pid}")).exists();
    wait_until(SOON, "the end of all", || pids.iter().all(gone)).unwrap();
}

/// Input: both processes killed at once, then a new start. Output: the address stays, as nobody
/// is left to take it away; the new start removes it before anything else.
#[test]
fn a_start_cleans_up_after_the_death_of_all() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    assert_eq!(bed.run(&[]).code, 0);
    bed.wait_address(VIP, true);
    let (parent, worker) = (bed.pid("keepalived"), bed.pid("vrrp"));
    // The supervisor first would let the worker hear of it and resign.
    signal(worker, Signal::SIGSTOP);
    signal(parent, Signal::SIGKILL);
    signal(worker, Signal::SIGKILL);
    wait_gone(&[parent, worker]);
    assert!(bed.has(VIP));
    // So slow that nobody can mistake the address of the new election for the old one.
    let slow = CONFIG.replace("advert_int 1", "advert_int 20");
    bed.host.write(FILE, slow).unwrap();
    assert_eq!(bed.run(&[]).code, 0);
    assert!(!bed.has(VIP), "removed before the start was over");
    bed.wait_log("an earlier run left behind");
}

/// Input: the supervisor killed. Output: the worker resigns and ends; a new start works.
#[test]
fn a_worker_does_not_outlive_its_supervisor() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    assert_eq!(bed.run(&[]).code, 0);
    bed.wait_address(VIP, true);
    let (parent, worker) = (bed.pid("keepalived"), bed.pid("vrrp"));
    signal(parent, Signal::SIGKILL);
    bed.wait_address(VIP, false);
    wait_gone(&[parent, worker]);
    let resigned = bed.wire.frames().iter().any(|frame| {
        frame
            .packet()
            .advert()
            .is_some_and(|advert| advert.priority == 0)
    });
    assert!(resigned);
    assert_eq!(bed.run(&[]).code, 0);
    bed.wait_address(VIP, true);
}

/// Input: `-R` and a dead worker. Output: the daemon ends too, cleaned up.
#[test]
fn without_respawn_the_daemon_ends_with_its_worker() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    assert_eq!(bed.run(&["-R"]).code, 0);
    bed.wait_address(VIP, true);
    signal(bed.pid("vrrp"), Signal::SIGKILL);
    bed.wait_log("died: Exiting");
    wait_until(SOON, "the end of the daemon", || {
        bed.host.processes().is_empty()
    })
    .unwrap();
    assert!(!bed.has(VIP));
    assert!(bed.host.read("/run/keepalived.pid").is_err());
    assert!(bed.host.read("/run/vrrp.pid").is_err());
}

/// Input: a worker that does not react to the stop. Output: it is killed after five seconds, and
/// what it had installed is taken away.
#[test]
fn a_stuck_worker_does_not_keep_the_address_at_a_stop() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = bed.daemon();
    bed.wait_address(VIP, true);
    signal(bed.pid("vrrp"), Signal::SIGSTOP);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(!bed.has(VIP));
    bed.wait_log("process failed to die - forcing termination");
}

/// Input: groups with `nftables_ipvs` over both families; the worker dies, then both processes, the
/// next start has no group; then groups again, and a stop. Output: both tables of marks are taken away at
/// once with what they belong to, by the next start, and by the stop.
#[test]
fn tables_of_marks_do_not_outlive_their_daemon() {
    if !needs_root() || !needs("nft") {
        return;
    }
    let group = "global_defs {
    nftables_ipvs marks
    nftables_ipvs_priority -7
    nftables_ipvs_start_fwmark 7000
}
virtual_server_group G {
    192.0.2.101-102 80
    2001:db8::101 80
}
virtual_server group G {
    lb_algo rr
    lb_kind TUN
    protocol TCP
    real_server 192.0.2.1 80 {
    }
}
";
    let config = format!("{group}{CONFIG}");
    let bed = Bed::new(&config);
    let tables = || {
        let out = bed.host.must(&["nft", "list", "tables"]).unwrap();
        out.lines().filter(|line| line.ends_with(" marks")).count()
    };
    let wait = |count| {
        let what = format!("{count} tables");
        wait_until(SOON, &what, || tables() == count).unwrap()
    };
    // Beside ours stands one of somebody else.
    bed.host
        .must(&["nft", "add", "table", "ip", "other"])
        .unwrap();
    // The next worker would make them anew before anybody could look.
    let mut command = std::process::Command::new(binary());
    command.args(["-n", "-D", "--dont-respawn"]);
    let mut daemon = bed.host.spawn(command).unwrap();
    wait(2);
    let shown = bed.host.must(&["nft", "list", "table", "ip", "marks"]);
    let shown = shown.unwrap();
    assert!(shown.contains("priority filter - 7;"), "{shown}");
    assert!(shown.contains(" : 0x00001b58"), "{shown}");
    signal(bed.pid("vrrp"), Signal::SIGKILL);
    daemon.wait(SOON).unwrap();
    assert_eq!(tables(), 0);
    let mut daemon = bed.daemon();
    wait(2);
    let (parent, worker) = (bed.pid("keepalived"), bed.pid("vrrp"));
    // The supervisor first would let the worker hear of it and resign.
    signal(worker, Signal::SIGSTOP);
    signal(parent, Signal::SIGKILL);
    signal(worker, Signal::SIGKILL);
    daemon.wait(SOON).unwrap();
    wait_gone(&[worker]);
    assert_eq!(tables(), 2);

    let without = format!("global_defs {{\n    nftables_ipvs marks\n}}\n{CONFIG}");
    bed.host.write(FILE, without).unwrap();
    let mut daemon = bed.daemon();
    wait(0);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    bed.host.write(FILE, config).unwrap();
    let mut daemon = bed.daemon();
    wait(2);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert_eq!(tables(), 0);
    let left = bed.host.must(&["nft", "list", "tables"]).unwrap();
    assert_eq!(left.trim(), "table ip other");
}

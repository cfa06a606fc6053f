//! What stands in the kernel because of the daemon: routes, rules and links that come and go.

use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use compat_tests::bed::{needs_root, wait_until};
use nix::sys::signal::Signal;

use super::setup::{Bed, CONFIG, SOON, VIP, signal};

/// The lone master, with a route and a rule.
fn with_routes() -> String {
    let more = "    virtual_routes {\n        198.51.100.0/24 via 192.0.2.7 dev eth0\n    }\n    \
                virtual_rules {\n        from 203.0.113.0/24 table 100 preference 7777\n    }\n}\n";
    format!("{}{more}", CONFIG.trim_end().trim_end_matches('}'))
}

fn shows(bed: &Bed, words: &[&str], text: &str) -> bool {
    bed.host.must(words).unwrap().contains(text)
}

fn has_both(bed: &Bed) -> (bool, bool) {
    (
        shows(bed, &["ip", "route"], "198.51.100.0/24"),
        shows(bed, &["ip", "rule"], "203.0.113.0/24"),
    )
}

fn wait_both(bed: &Bed, there: bool) -> Duration {
    let what = format!("route and rule there: {there}");
    wait_until(SOON, &what, || has_both(bed) == (there, there)).unwrap()
}

/// How long after its removal each time what these words name was there again, as the kernel told a
/// listener; `None`: not yet.
fn gaps(told: &str, words: &str) -> Vec<Option<Duration>> {
    let mut gaps = Vec::new();
    let mut gone = None;
    for line in told.lines().filter(|line| line.contains(words)) {
        let clock = line
            .split_once('T')
            .and_then(|(_, rest)| rest.split_once(']'));
        let parts = clock.map(|(clock, _)| clock.split(':').map(str::parse::<f64>));
        let seconds = parts.map_or(0.0, |parts| {
            parts.fold(0.0, |sum, part| sum * 60.0 + part.unwrap_or(0.0))
        });
        if line.contains("Deleted") {
            gone = Some(seconds);
            gaps.push(None);
        } else if let Some(gone) = gone.take() {
            // Midnight.
            let gap = if seconds < gone {
                seconds + 86_400.0
            } else {
                seconds
            } - gone;
            if let Some(last) = gaps.last_mut() {
                *last = Some(Duration::from_secs_f64(gap));
            }
        }
    }
    gaps
}

/// Input: address, route and rule of a master are removed by somebody else, three times. Output: each is
/// back every time, within 50 ms unless the machine stood still; the master stayed master.
#[test]
fn what_somebody_removes_is_back_within_50_ms() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&with_routes());
    let mut daemon = bed.daemon();
    wait_both(&bed, true);
    bed.wait_address(VIP, true);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "exec ip -ts -o monitor address route rule >/run/monitor",
        ])
        .stdin(Stdio::null());
    let _monitor = bed.host.spawn(command).unwrap();
    let told = || bed.host.read("/run/monitor").unwrap_or_default();
    let mark = || {
        let lo = |verb: &str| ["ip", "addr", verb, "127.7.7.7/32", "dev", "lo"].map(str::to_owned);
        for verb in ["add", "del"] {
            let words = lo(verb);
            bed.host
                .must(&words.each_ref().map(String::as_str))
                .unwrap();
        }
        told().contains("127.7.7.7")
    };
    wait_until(SOON, "the listener", mark).unwrap();
    let from = SystemTime::now();
    let removals: [(&[&str], &str); 3] = [
        (
            &["ip", "addr", "del", "192.0.2.100/32", "dev", "eth0"],
            "inet 192.0.2.100/32",
        ),
        (
            &["ip", "route", "del", "198.51.100.0/24"],
            "198.51.100.0/24",
        ),
        (&["ip", "rule", "del", "preference", "7777"], "7777:"),
    ];
    for count in 1..=3 {
        for (remove, _) in removals {
            bed.host.must(remove).unwrap();
        }
        wait_until(SOON, "all to be back", || {
            removals.iter().all(|(_, words)| {
                let gaps = gaps(&told(), words);
                gaps.len() == count && gaps.iter().all(Option::is_some)
            })
        })
        .unwrap();
    }
    for (_, words) in removals {
        let gaps = gaps(&told(), words);
        let quickest = gaps.iter().flatten().min();
        assert!(
            quickest <= Some(&Duration::from_millis(50)),
            "{words}: {gaps:?}"
        );
    }
    let lines = bed.log.since(from);
    assert!(lines.iter().all(|line| !line.text.contains("STATE")));
    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert_eq!(has_both(&bed), (false, false));
}

/// Input: a unicast instance whose source the host does not have, which comes later. Output: it takes
/// part from the start, as keepalived 2.3 does, and goes on.
#[test]
fn a_source_may_be_missing() {
    if !needs_root() {
        return;
    }
    let unicast =
        "    unicast_src_ip 192.0.2.77\n    unicast_peer {\n        192.0.2.8\n    }\n}\n";
    let bed = Bed::new(&format!(
        "{}{unicast}",
        CONFIG.trim_end().trim_end_matches('}')
    ));
    let mut daemon = bed.daemon();
    bed.wait_log("(VI_1) Entering MASTER STATE");
    bed.wait_address(VIP, true);
    bed.host
        .must(&["ip", "addr", "add", "192.0.2.77/32", "dev", "eth0"])
        .unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    let faults = bed
        .logged()
        .iter()
        .filter(|line| line.contains("FAULT"))
        .count();
    assert_eq!(faults, 0);
}

/// Input: the worker of a master with a route and a rule is killed. Output: the supervisor takes both
/// away before the next worker is master again.
#[test]
fn a_crash_leaves_no_routes_and_rules() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&with_routes());
    let _daemon = bed.daemon();
    wait_both(&bed, true);
    let worker = bed.pid("vrrp");
    signal(worker, Signal::SIGKILL);
    let gone = wait_both(&bed, false);
    assert!(gone.as_millis() < 900, "cleaned up by {gone:?}");
    wait_both(&bed, true);
}

/// Input: HUP with the same file while `ip monitor` listens, then a change as a check of the listener.
/// Output: not one message of the kernel about links, addresses, routes or rules; then the change.
#[test]
fn a_reload_without_a_change_writes_nothing_to_the_kernel() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&with_routes());
    let daemon = bed.daemon();
    wait_both(&bed, true);
    bed.wait_address(VIP, true);
    let mut command = Command::new("sh");
    command
        .args([
            "-c",
            "exec ip -o monitor link address route rule >/run/monitor",
        ])
        .stdin(Stdio::null());
    let _monitor = bed.host.spawn(command).unwrap();
    let told = || bed.host.read("/run/monitor").unwrap_or_default();
    let mark = |address: &str| {
        bed.host
            .must(&["ip", "addr", "add", address, "dev", "lo"])
            .unwrap();
        bed.host
            .must(&["ip", "addr", "del", address, "dev", "lo"])
            .unwrap();
        told().contains(address)
    };
    wait_until(SOON, "the listener", || mark("127.7.7.7/32")).unwrap();
    let now = SystemTime::now();
    daemon.signal(Signal::SIGHUP).unwrap();
    let unchanged = "configuration unchanged";
    bed.log.wait_for(SOON, now, unchanged).unwrap();
    wait_until(SOON, "the second mark", || mark("127.7.7.8/32")).unwrap();
    // The kernel's own address of the interface may have become usable only now.
    let ours = |line: &&str| !line.contains("127.7.7.") && !line.contains("fe80::");
    let all = told();
    let lines: Vec<&str> = all.lines().filter(ours).collect();
    assert!(lines.is_empty(), "{lines:#?}");
}

/// Input: `dynamic_interfaces` with an interface that is missing; it is made, renamed while it is up,
/// renamed back, deleted. Output: master once it is there; the address leaves it with the name; the log
/// tells of each step; nothing is left at the end.
#[test]
fn an_interface_comes_is_renamed_and_goes() {
    if !needs_root() {
        return;
    }
    let instance = CONFIG.replace("interface eth0", "interface late0");
    let bed = Bed::new(&format!(
        "global_defs {{\n dynamic_interfaces\n}}\n{instance}"
    ));
    let mut daemon = bed.daemon();
    bed.wait_log("interface late0 which doesn't currently exist - will use if created");
    bed.wait_log("(VI_1) Entering FAULT STATE (init)");
    let ip = |line: &str| {
        let mut words = vec!["ip"];
        words.extend(line.split(' '));
        bed.host.must(&words).unwrap();
    };
    let on = |name: &str| {
        let listed = bed.host.run(&["ip", "-o", "addr", "show", "dev", name]);
        listed.unwrap().stdout.contains(VIP)
    };
    ip("link add late0 type veth peer name far0");
    ip("addr add 192.0.2.9/24 dev late0");
    ip("link set far0 up");
    ip("link set late0 up");
    wait_until(SOON, "a master", || on("late0")).unwrap();
    ip("link set late0 name other0");
    bed.wait_log("Interface name has changed from late0 to other0");
    wait_until(SOON, "its end", || !on("other0")).unwrap();
    ip("link set other0 name late0");
    wait_until(SOON, "the master again", || on("late0")).unwrap();
    ip("link del late0");
    bed.wait_log("Netlink reports late0 down");
    assert_eq!(bed.stop(&mut daemon), Some(0));
    let lines = bed.logged();
    let left = lines.iter().any(|line| line.contains("left behind"));
    assert!(!left, "{lines:#?}");
}

/// Input: a delay of 1.5 s; the link of a master goes for a moment, then for good. Output: nothing,
/// then FAULT.
#[test]
fn a_link_may_flap() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&format!(
        "interface_up_down_delays {{\n eth0 1.5 0.1\n}}\n{CONFIG}"
    ));
    let _daemon = bed.daemon();
    bed.wait_address(VIP, true);
    bed.wait_log("(VI_1) Entering MASTER STATE");
    let from = SystemTime::now();
    let set = |state: &str| {
        let words = ["ip", "link", "set", "eth0", state];
        bed.host.must(&words).unwrap();
    };
    set("down");
    set("up");
    bed.log
        .wait_for(SOON, from, "Adding change to down")
        .unwrap();
    let again = SystemTime::now();
    set("down");
    bed.log
        .wait_for(SOON, again, "Netlink reports eth0 down")
        .unwrap();
    let waited = again.elapsed().unwrap_or_default();
    assert!(waited >= Duration::from_millis(1400), "{waited:?}");
    bed.log
        .wait_for(SOON, again, "(VI_1) Entering FAULT STATE")
        .unwrap();
    let lines = bed.log.since(from);
    let states = lines.iter().filter(|line| line.text.contains("STATE"));
    assert_eq!(states.count(), 1);
}

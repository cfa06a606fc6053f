//! The testbed itself: hosts are apart from each other and from the machine, a LAN joins them,
//! and nothing is left when they end.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use compat_tests::bed::{
    Capture, Direction, Host, Lan, Port, Syslog, needs, needs_root, wait_until,
};

const SOON: Duration = Duration::from_secs(5);

fn pair() -> (Lan, Host, Host) {
    let lan = Lan::new("switch").unwrap();
    let (left, right) = (Host::new("left").unwrap(), Host::new("right").unwrap());
    let port = |mac, addresses| Port {
        interface: "eth0",
        mac,
        addresses,
    };
    lan.attach(
        &left,
        &port("02:00:00:00:00:01", &["192.0.2.1/24", "2001:db8::1/64"]),
    )
    .unwrap();
    lan.attach(&right, &port("02:00:00:00:00:02", &["192.0.2.2/24"]))
        .unwrap();
    (lan, left, right)
}

/// Input: a connection attempt from left to right, where nobody listens.
/// Output: both captures show ARP and the refused SYN, with the chosen hardware addresses.
#[test]
fn hosts_on_a_lan_reach_each_other_and_captures_show_how() {
    if !needs_root() {
        return;
    }
    let (_lan, left, right) = pair();
    let (sent, seen) = (
        Capture::start(&left, "eth0").unwrap(),
        Capture::start(&right, "eth0").unwrap(),
    );
    let start = SystemTime::now();
    let refused = left
        .enter(|| {
            std::net::TcpStream::connect("192.0.2.2:9")
                .unwrap_err()
                .kind()
        })
        .unwrap();
    assert_eq!(refused, std::io::ErrorKind::ConnectionRefused);
    let request = seen
        .wait_for(SOON, "an ARP request", start, |packet| {
            packet.arp().is_some()
        })
        .unwrap();
    assert_eq!(request.packet().source_mac, [2, 0, 0, 0, 0, 1]);
    assert_eq!(request.direction, Direction::In);
    let reset =
        |packet: &compat_tests::bed::Packet| packet.tcp().is_some_and(|segment| segment.rst);
    assert_eq!(
        seen.wait_for(SOON, "the reset", start, reset)
            .unwrap()
            .direction,
        Direction::Out
    );
    assert_eq!(
        sent.wait_for(SOON, "the reset", start, reset)
            .unwrap()
            .direction,
        Direction::In
    );
}

/// Input: one end of a cable pulled, then plugged in. Output: the carrier goes and comes.
#[test]
fn a_pulled_cable_takes_the_carrier_away() {
    if !needs_root() {
        return;
    }
    let (lan, left, _right) = pair();
    let carrier = |state: &str| {
        let mark = if state == "up" {
            "LOWER_UP"
        } else {
            "NO-CARRIER"
        };
        wait_until(SOON, mark, || {
            left.must(&["ip", "link", "show", "eth0"])
                .unwrap()
                .contains(mark)
        })
        .unwrap();
    };
    carrier("up");
    lan.unplug(&left, "eth0").unwrap();
    carrier("down");
    lan.plug(&left, "eth0").unwrap();
    carrier("up");
}

/// Input: files written to /etc, /run and /var/log inside a host, and its host name.
/// Output: neither the other host nor the machine has them.
#[test]
fn what_a_host_writes_stays_in_it() {
    if !needs_root() {
        return;
    }
    let (left, right) = (Host::new("left").unwrap(), Host::new("right").unwrap());
    let files = [
        "/etc/keepalived/testbed.conf",
        "/run/testbed.pid",
        "/var/log/testbed",
        "/etc/testbed",
    ];
    for file in files {
        left.write(file, "left").unwrap();
        assert_eq!(left.read(file).unwrap(), "left");
        assert!(right.read(file).is_err(), "{file} is on the other host");
        assert!(!Path::new(file).exists(), "{file} is on the machine");
    }
    assert_eq!(left.must(&["uname", "-n"]).unwrap(), "left\n");
    assert_eq!(
        left.must(&["cat", "/etc/passwd"]).unwrap(),
        std::fs::read_to_string("/etc/passwd").unwrap()
    );
}

/// Input: a line through syslog(3). Output: it in memory with its parts, and in the file.
#[test]
fn the_syslog_of_a_host_hears_its_programs() {
    if !needs_root() || !needs("logger") {
        return;
    }
    let host = Host::new("left").unwrap();
    let syslog = Syslog::start(&host).unwrap();
    let start = SystemTime::now();
    host.must(&[
        "logger",
        "-t",
        "Keepalived",
        "-p",
        "daemon.info",
        "Stopping",
    ])
    .unwrap();
    let line = syslog.wait_for(SOON, start, "Stopping").unwrap();
    assert_eq!((line.ident.as_str(), line.priority), ("Keepalived", 30));
    assert!(
        host.read("/var/log/messages")
            .unwrap()
            .contains(" left Keepalived: Stopping\n")
    );
}

/// Input: a child, and a daemon that has left its parent. Output: both end with their owner.
#[test]
fn processes_end_with_their_host() {
    if !needs_root() {
        return;
    }
    let host = Host::new("left").unwrap();
    let mut command = Command::new("sleep");
    command.arg("1000");
    let child = host.spawn(command).unwrap();
    host.must(&["sh", "-c", "setsid sleep 1001 >/dev/null 2>&1 </dev/null &"])
        .unwrap();
    wait_until(SOON, "two processes", || host.processes().len() == 2).unwrap();
    let pids = host.processes();
    drop(child);
    wait_until(SOON, "one process", || host.processes().len() == 1).unwrap();
    drop(host);
    for pid in pids {
        // Whoever adopted the daemon may take its time to reap it; what has ended runs no program.
        assert!(
            std::fs::read_link(format!("/proc/{pid}/exe")).is_err(),
            "{pid} still runs"
        );
    }
}

/// Input: commands that fail, and one that does not exist. Output: their status, and an error.
#[test]
fn a_command_tells_how_it_ended() {
    if !needs_root() {
        return;
    }
    let host = Host::new("left").unwrap();
    assert_eq!(host.shell("exit 3").unwrap().code, 3);
    assert_eq!(host.shell("kill -9 $$").unwrap().code, 137);
    assert!(host.run(&["/nonexistent"]).is_err());
    assert!(host.must(&["false"]).is_err());
    assert_eq!(
        host.run_with_input(&["cat"], "through").unwrap().stdout,
        "through"
    );
}

//! The init scripts in packaging/, run inside hosts of their own: what they print, the exit
//! statuses of the LSB, and what is left in the kernel. The lab runs them with the daemon; here a
//! few lines of shell play its part, so that each case can be forced.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::time::Duration;

use compat_tests::bed::{Host, Lan, Output, Port, needs, needs_root, wait_until};

const SOON: Duration = Duration::from_secs(5);
const PIDFILE: &str = "/var/run/keepalived.pid";
const OK: &str = "Starting keepalived:                                       [  OK  ]\n";

/// Daemonises, writes its arguments and pid, notes a HUP, ends on TERM unless told not to.
const DAEMON: &str = r#"#!/bin/sh
echo "$@" >/run/arguments
[ ! -e /run/refuse ] || exit 2
(
    trap 'echo HUP >>/run/signals' HUP
    trap '[ -e /run/stubborn ] || { rm -f /var/run/keepalived.pid; exit 0; }' TERM
    sh -c 'echo $PPID' >/var/run/keepalived.pid
    while :; do sleep 1 & wait $!; done
) </dev/null >/dev/null 2>&1 &
"#;

fn script(name: &str) -> String {
    format!("{}/../packaging/init.d/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn installed() -> Host {
    let host = Host::new("director").unwrap();
    for name in ["keepalived", "realserver"] {
        host.write(
            format!("/etc/init.d/{name}"),
            fs::read(script(name)).unwrap(),
        )
        .unwrap();
    }
    host.write("/run/sbin/keepalived", DAEMON).unwrap();
    host.write("/etc/keepalived/keepalived.conf", "").unwrap();
    host.write(
        "/etc/sysconfig/keepalived",
        "DAEMON=/run/sbin/keepalived\nSTOP_TIMEOUT=1\n",
    )
    .unwrap();
    host.must(&[
        "chmod",
        "+x",
        "/etc/init.d/keepalived",
        "/etc/init.d/realserver",
        "/run/sbin/keepalived",
    ])
    .unwrap();
    host
}

fn service(host: &Host, name: &str, action: &str) -> Output {
    host.run(&[&format!("/etc/init.d/{name}"), action]).unwrap()
}

fn expect(host: &Host, name: &str, action: &str, code: i32, stdout: &str) {
    let output = service(host, name, action);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (code, stdout),
        "{name} {action}: {}",
        output.stderr
    );
}

/// Input: a whole life. Output: the document's lines, and the LSB's statuses.
#[test]
fn the_daemon_starts_reloads_and_stops() {
    if !needs_root() {
        return;
    }
    let host = installed();
    host.write("/etc/default/keepalived", "DAEMON_ARGS=\"--two\"\n")
        .unwrap();
    let settings =
        host.read("/etc/sysconfig/keepalived").unwrap() + "KEEPALIVED_OPTIONS=\"-D --one\"\n";
    host.write("/etc/sysconfig/keepalived", settings).unwrap();
    expect(&host, "keepalived", "status", 3, "keepalived is stopped\n");
    expect(&host, "keepalived", "start", 0, OK);
    assert_eq!(host.read("/run/arguments").unwrap(), "-D --one --two\n");
    let pid = host.read(PIDFILE).unwrap();
    expect(
        &host,
        "keepalived",
        "status",
        0,
        &format!("keepalived (pid  {}) is running...\n", pid.trim()),
    );
    expect(&host, "keepalived", "start", 0, OK);
    assert_eq!(
        host.read(PIDFILE).unwrap(),
        pid,
        "a second start must not start a second daemon"
    );
    expect(
        &host,
        "keepalived",
        "reload",
        0,
        "Reloading keepalived:                                      [  OK  ]\n",
    );
    wait_until(SOON, "the HUP", || {
        host.read("/run/signals").is_ok_and(|text| text == "HUP\n")
    })
    .unwrap();
    let restart = service(&host, "keepalived", "restart");
    let stopped = "Stopping keepalived:                                       [  OK  ]\n";
    assert_eq!(
        (restart.code, restart.stdout),
        (0, format!("{stopped}{OK}"))
    );
    assert_ne!(host.read(PIDFILE).unwrap(), pid);
    assert_eq!(
        service(&host, "keepalived", "condrestart").stdout,
        format!("{stopped}{OK}")
    );
    expect(&host, "keepalived", "stop", 0, stopped);
    expect(&host, "keepalived", "stop", 0, stopped);
    expect(&host, "keepalived", "condrestart", 0, "");
    expect(&host, "keepalived", "try-restart", 0, "");
    expect(
        &host,
        "keepalived",
        "reload",
        7,
        "Reloading keepalived:                                      [FAILED]\n",
    );
}

/// Input: what goes wrong. Output: a status that says which, and `[FAILED]` where the work began.
#[test]
fn failures_are_told_apart() {
    if !needs_root() {
        return;
    }
    let host = installed();
    assert_eq!(service(&host, "keepalived", "begin").code, 2);
    host.write("/run/refuse", "").unwrap();
    expect(
        &host,
        "keepalived",
        "start",
        1,
        &OK.replace("  OK  ", "FAILED"),
    );
    host.must(&["rm", "/run/refuse"]).unwrap();

    host.write(PIDFILE, "1\n").unwrap();
    expect(
        &host,
        "keepalived",
        "status",
        1,
        "keepalived dead but pid file exists\n",
    );
    host.write(PIDFILE, "garbage").unwrap();
    expect(
        &host,
        "keepalived",
        "status",
        1,
        "keepalived dead but pid file exists\n",
    );
    expect(&host, "keepalived", "start", 0, OK);
    host.write("/run/stubborn", "").unwrap();
    expect(
        &host,
        "keepalived",
        "stop",
        1,
        "Stopping keepalived:                                       [FAILED]\n",
    );
    assert_eq!(
        service(&host, "keepalived", "restart").code,
        1,
        "a daemon that does not stop is not restarted"
    );
    host.must(&["rm", "/run/stubborn"]).unwrap();
    assert_eq!(service(&host, "keepalived", "stop").code, 0);

    host.must(&["rm", "/etc/keepalived/keepalived.conf"])
        .unwrap();
    expect(&host, "keepalived", "start", 6, "");
    host.write("/etc/sysconfig/keepalived", "DAEMON=/nonexistent\n")
        .unwrap();
    expect(&host, "keepalived", "start", 5, "");
    let user = host
        .shell("setpriv --reuid 65534 --clear-groups /etc/init.d/keepalived stop")
        .unwrap();
    assert_eq!(user.code, 4, "{}", user.stderr);
}

/// Input: the functions of a Red Hat machine; then a machine that has neither those nor LSB's.
/// Output: the former's words; then our own.
#[test]
fn the_functions_of_the_machine_are_used_if_there_are_any() {
    if !needs_root() {
        return;
    }
    let host = installed();
    host.shell("[ ! -d /lib/lsb ] || mount -t tmpfs none /lib/lsb")
        .unwrap();
    expect(&host, "keepalived", "start", 0, OK);
    let functions = "success() { printf '[ yes ]'; }\nfailure() { printf '[ no ]'; return 1; }\n";
    host.write("/etc/rc.d/init.d/functions", functions).unwrap();
    expect(
        &host,
        "keepalived",
        "stop",
        0,
        "Stopping keepalived: [ yes ]\n",
    );
    expect(
        &host,
        "keepalived",
        "reload",
        7,
        "Reloading keepalived: [ no ]\n",
    );
}

/// Input: a life of the real-server script with addresses of both families and settings other than
/// the kernel's defaults. Output: addresses on lo, ARP silenced, and after stop all as before.
#[test]
fn the_real_server_script_leaves_nothing_behind() {
    if !needs_root() {
        return;
    }
    let host = installed();
    let state = "ip -o addr show dev lo; cat /proc/sys/net/ipv4/conf/*/arp_*";
    host.shell("echo 1 >/proc/sys/net/ipv4/conf/all/arp_announce")
        .unwrap();
    let before = host.shell(state).unwrap().stdout;
    assert_eq!(service(&host, "realserver", "start").code, 6);
    assert_eq!(service(&host, "realserver", "status").code, 4);
    assert_eq!(service(&host, "realserver", "frobnicate").code, 2);
    let settings = "VIPS=\"182.148.15.239 182.148.15.240 2001:db8::239\"\n";
    host.write("/etc/sysconfig/realserver", settings).unwrap();
    expect(
        &host,
        "realserver",
        "status",
        3,
        "LVS-DR real server has not run yet.\n",
    );
    expect(&host, "realserver", "condrestart", 0, "");
    for _ in 0..2 {
        expect(
            &host,
            "realserver",
            "start",
            0,
            "LVS-DR real server starts successfully.\n",
        );
        expect(
            &host,
            "realserver",
            "status",
            0,
            "LVS-DR real server is running.\n",
        );
    }
    let addresses = host
        .must(&["ip", "-o", "addr", "show", "dev", "lo"])
        .unwrap();
    for (address, label) in [
        ("182.148.15.239/32", "lo:0"),
        ("182.148.15.240/32", "lo:1"),
        ("2001:db8::239/128", ""),
    ] {
        let line = addresses
            .lines()
            .find(|line| line.contains(address))
            .unwrap();
        assert!(line.contains(label), "{line}");
    }
    let arp = "cd /proc/sys/net/ipv4/conf; cat all/arp_ignore all/arp_announce lo/arp_ignore lo/arp_announce";
    assert_eq!(host.shell(arp).unwrap().stdout, "1\n2\n1\n2\n");
    host.must(&["ip", "addr", "del", "182.148.15.240/32", "dev", "lo"])
        .unwrap();
    let incomplete = "LVS-DR real server is incomplete: not on lo: 182.148.15.240\n";
    expect(&host, "realserver", "status", 1, incomplete);
    let both = "LVS-DR real server stopped.\nLVS-DR real server starts successfully.\n";
    expect(&host, "realserver", "condrestart", 0, both);
    expect(
        &host,
        "realserver",
        "stop",
        0,
        "LVS-DR real server stopped.\n",
    );
    expect(
        &host,
        "realserver",
        "stop",
        0,
        "LVS-DR real server stopped.\n",
    );
    assert_eq!(host.shell(state).unwrap().stdout, before);
}

/// Input: a neighbour that asks for the address of a started real server, and for the machine's.
/// Output: silence for the former, whichever order the settings came in; an answer for the latter.
#[test]
fn a_real_server_does_not_answer_arp_for_the_service() {
    if !needs_root() || !needs("arping") {
        return;
    }
    let (lan, host, client) = (
        Lan::new("switch").unwrap(),
        installed(),
        Host::new("client").unwrap(),
    );
    lan.attach(
        &host,
        &Port {
            interface: "eth0",
            mac: "",
            addresses: &["182.148.15.233/27"],
        },
    )
    .unwrap();
    lan.attach(
        &client,
        &Port {
            interface: "eth0",
            mac: "",
            addresses: &["182.148.15.240/27"],
        },
    )
    .unwrap();
    let asks = |address: &str| {
        client
            .run(&["arping", "-c", "1", "-w", "1", "-I", "eth0", address])
            .unwrap()
            .code
    };
    assert_eq!(asks("182.148.15.233"), 0);
    host.must(&["ip", "addr", "add", "182.148.15.241/32", "dev", "lo"])
        .unwrap();
    assert_eq!(
        asks("182.148.15.241"),
        0,
        "without the script the kernel does answer"
    );
    host.write("/etc/default/realserver", "VIPS=182.148.15.239\n")
        .unwrap();
    assert_eq!(service(&host, "realserver", "start").code, 0);
    assert_ne!(asks("182.148.15.239"), 0);
    assert_eq!(asks("182.148.15.233"), 0);
}

/// Input: all scripts. Output: nothing that shellcheck complains about.
#[test]
fn the_scripts_are_clean() {
    if !needs("shellcheck") {
        return;
    }
    for name in ["keepalived", "realserver"] {
        let output = std::process::Command::new("shellcheck")
            .arg("--shell=sh")
            .arg(script(name))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

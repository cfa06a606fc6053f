//! As in a container: in the foreground, with the log on standard error, as a user with no more
//! than the capabilities that are needed, where the kernel's settings cannot be written.

use std::process::{Command, Stdio};

use compat_tests::bed::{needs_root, wait_until};

use super::setup::{Bed, SOON, binary};

/// Where the container writes: nothing else is the user's.
const PLACE: &str = "/run/container";

/// Two instances, so that a warning for each would show.
const VMACS: &str = "\
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 100
    use_vmac
    advert_int 0.2
    version 3
    virtual_ipaddress {
        192.0.2.100
    }
}
vrrp_instance VI_2 {
    interface eth0
    virtual_router_id 52
    priority 100
    use_vmac
    advert_int 0.2
    version 3
    virtual_ipaddress {
        192.0.2.101
    }
}
";

/// Input: the user nobody with three capabilities, /proc/sys read-only. Output: both addresses on
/// their VMACs, one warning of the settings, the log on standard error alone, and after the stop
/// nothing is left.
#[test]
fn the_capabilities_are_enough_and_read_only_settings_are_said_once() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(VMACS);
    let place = format!("mkdir -p {PLACE} && chown 65534:65534 {PLACE}");
    bed.host.must(&["sh", "-c", &place]).unwrap();
    let read_only = "mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys";
    let who = "--reuid 65534 --regid 65534 --clear-groups --no-new-privs";
    let capabilities = "+net_admin,+net_raw,+net_bind_service";
    let options = format!("-nlGD -p {PLACE}/a -r {PLACE}/b -c {PLACE}/c");
    let program = binary();
    let script = format!(
        "{read_only} && exec setpriv {who} --inh-caps {capabilities} --ambient-caps {capabilities} \
         --bounding-set -all,{capabilities} {program} {options} 2>{PLACE}/log"
    );
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", &script]);
    command.stdin(Stdio::null());
    let mut daemon = bed.host.spawn(command).unwrap();
    let shown = || bed.host.must(&["ip", "-o", "addr"]).unwrap();
    let log = || bed.host.read(format!("{PLACE}/log")).unwrap_or_default();
    for address in ["192.0.2.100", "192.0.2.101"] {
        wait_until(SOON, address, || shown().contains(&format!(" {address}/")))
            .unwrap_or_else(|error| panic!("{error}: {}", log()));
    }
    let told = log();
    let warnings = told.lines().filter(|line| line.contains("read-only"));
    assert_eq!(warnings.count(), 1, "{told}");
    assert!(told.contains("(VI_2) Entering MASTER STATE"), "{told}");
    assert!(bed.logged().is_empty(), "{:?}", bed.logged());

    assert_eq!(bed.stop(&mut daemon), Some(0));
    assert!(!shown().contains("192.0.2.10"), "{}", shown());
    let left = bed.host.must(&["ls", PLACE]).unwrap();
    assert_eq!(left.trim(), "log");
}

/// Input: VRRP without the right to packets of its own protocol. Output: the end with keepalived's
/// status for it, the reason on standard error, and no pid file.
#[test]
fn without_raw_packets_the_daemon_ends_and_says_why() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(VMACS);
    let capabilities = "-all,+net_admin";
    let program = binary();
    let words = [
        "setpriv",
        "--bounding-set",
        capabilities,
        "--inh-caps",
        capabilities,
    ];
    for options in ["-nG", "-G"] {
        let started = bed
            .host
            .run(&[&words[..], &[program, options]].concat())
            .unwrap();
        assert_eq!(started.code, 4, "{options}: {}", started.stderr);
        assert!(started.stderr.contains("CAP_NET_RAW"), "{}", started.stderr);
        assert!(bed.host.read("/run/keepalived.pid").is_err());
    }
    assert_eq!(bed.host.processes(), Vec::<i32>::new());
}

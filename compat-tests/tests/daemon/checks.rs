//! Health checks over real connections. Whether the kernel has IPVS does not matter here: without
//! it the daemon says so once, and everything else goes on.

use std::net::TcpListener;
use std::time::SystemTime;

use compat_tests::bed::{needs_root, wait_until};
use nix::sys::signal::Signal;

use super::setup::{Bed, CONFIG, SOON, VIP};

const SERVICE: &str = "
virtual_server 192.0.2.100 3306 {
    delay_loop 1
    lb_algo wrr
    lb_kind DR
    protocol TCP
    real_server 192.0.2.1 3306 {
        weight 3
        TCP_CHECK {
            connect_timeout 3
            retry 1
            delay_before_retry 1
            warmup 0
        }
    }
}
";

fn listener(bed: &Bed) -> TcpListener {
    let bound = bed.host.enter(|| TcpListener::bind("192.0.2.1:3306"));
    bound.unwrap().unwrap()
}

/// Input: a server that listens, goes, and listens again. Output: it is in, out, in again, by the
/// lines that operators know; VRRP is there all the time; the stop takes the service away.
#[test]
fn a_server_is_in_while_it_accepts_connections() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&format!("{CONFIG}{SERVICE}"));
    let server = listener(&bed);
    let mut daemon = bed.daemon();
    bed.wait_log("TCP connection to [192.0.2.1]:tcp:3306 success.");
    bed.wait_address(VIP, true);
    assert_eq!(bed.pid("checkers"), bed.pid("vrrp"));

    let from = SystemTime::now();
    drop(server);
    for text in [
        "TCP_CHECK on service [192.0.2.1]:tcp:3306 failed after 1 retries.",
        "Removing service [192.0.2.1]:tcp:3306 from VS [192.0.2.100]:tcp:3306",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
    let from = SystemTime::now();
    let _server = listener(&bed);
    for text in [
        "TCP connection to [192.0.2.1]:tcp:3306 success.",
        "Adding service [192.0.2.1]:tcp:3306 to VS [192.0.2.100]:tcp:3306",
    ] {
        bed.log.wait_for(SOON, from, text).unwrap();
    }
    assert!(bed.has(VIP));
    daemon.signal(Signal::SIGTERM).unwrap();
    assert_eq!(daemon.wait(SOON).unwrap().code(), Some(0));
    bed.wait_log("Shutting down service [192.0.2.1]:tcp:3306 from VS [192.0.2.100]:tcp:3306");
    let told = bed.logged();
    let missing = told
        .iter()
        .filter(|line| line.contains("IPVS cannot be used"))
        .count();
    assert!(missing <= 1, "{told:#?}");
}

/// Input: a server that neither accepts nor refuses: its packets go nowhere. Output: the check fails
/// after its time, and adverts keep their pace meanwhile.
#[test]
fn a_silent_server_times_out_without_holding_anything_up() {
    if !needs_root() {
        return;
    }
    let service = SERVICE
        .replace("192.0.2.1 3306", "198.51.100.9 3306")
        .replace("connect_timeout 3", "connect_timeout 1");
    let bed = Bed::new(&format!("{CONFIG}{service}"));
    bed.add_silent_network();
    let _daemon = bed.daemon();
    bed.wait_log("TCP_CHECK on service [198.51.100.9]:tcp:3306 failed.");
    bed.wait_log("Removing service [198.51.100.9]:tcp:3306");
    let frames = bed.wire.frames();
    let adverts: Vec<_> = frames
        .iter()
        .filter(|frame| frame.packet().advert().is_some())
        .collect();
    for pair in adverts.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at).unwrap().as_millis();
        assert!((900..1100).contains(&gap), "{gap} ms between adverts");
    }
}

/// Input: a check from a port of its own every second; a FIFO with a program that reads it, a name for
/// the process, and buffers. Output: each connection comes from that port; the program is told of
/// the server and its service; the process is called so.
#[test]
fn what_belongs_to_checks_alone_acts() {
    if !needs_root() {
        return;
    }
    let globals = "global_defs {
    lvs_notify_fifo /run/checks/fifo
    lvs_notify_fifo_script /run/checks/reader
    lvs_process_name director
    lvs_netlink_cmd_rcv_bufs 100000
    lvs_netlink_monitor_rcv_bufs 100000
    script_user root
}
";
    let service = SERVICE.replace("warmup 0", "warmup 0\n            bind_port 45678");
    let bed = Bed::new(&format!("{globals}{service}"));
    let reader = "#!/bin/sh\nexec cat \"$1\" >/run/checks/told\n";
    bed.host.write("/run/checks/reader", reader).unwrap();
    bed.host
        .must(&["chmod", "755", "/run/checks/reader"])
        .unwrap();
    let server = listener(&bed);
    let mut daemon = bed.daemon();
    for _ in 0..3 {
        let (_stream, from) = server.accept().unwrap();
        assert_eq!(from.port(), 45678);
    }
    drop(server);
    let told = || bed.host.read("/run/checks/told").unwrap_or_default();
    let line = "RS [192.0.2.1]:tcp:3306 [192.0.2.100]:tcp:3306 DOWN";
    wait_until(SOON, line, || told().contains(line)).unwrap();
    let name = bed.host.read(format!("/proc/{}/comm", bed.pid("checkers")));
    assert_eq!(name.unwrap().trim(), "director");
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

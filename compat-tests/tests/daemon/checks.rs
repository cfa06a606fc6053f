//! Health checks over real connections. Whether the kernel has IPVS does not matter here: without
//! it the daemon says so once, and everything else goes on.

use std::net::TcpListener;
use std::time::SystemTime;

use compat_tests::bed::needs_root;
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

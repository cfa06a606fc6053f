//! A host that lacks descriptors: a check that it cannot make is no dead server.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::time::SystemTime;

use compat_tests::bed::needs_root;

use super::setup::{Bed, CONFIG, SOON, VIP, binary};

/// Servers that never answer; each keeps a descriptor busy for a second.
const SILENT: u8 = 30;

fn server(address: &str, check: &str) -> String {
    format!("    real_server {address} {{\n        weight 1\n        {check}\n    }}\n")
}

/// One server that is well, one that is dead, and the silent ones.
fn service() -> String {
    let check = "TCP_CHECK {\n            connect_timeout 1\n            retry 1\n            delay_before_retry 1\n            warmup 0\n        }";
    let mut text = "
virtual_server 192.0.2.100 80 {
    delay_loop 1
    lb_algo rr
    lb_kind NAT
    protocol TCP
"
    .to_owned();
    for number in 1..=SILENT {
        write!(
            text,
            "{}",
            server(&format!("198.51.100.{number} 80"), check)
        )
        .unwrap();
    }
    text.push_str(&server("192.0.2.1 3306", check));
    text.push_str(&server("192.0.2.1 3307", check));
    text.push_str("}\n");
    text
}

/// Input: room for some eight checks at once, and 30 that take a second each. Output: the shortage
/// is told; the dead server goes although many slow ones are in its way; those of which nothing
/// is known stay; adverts keep their pace; and when the server that is well goes, that is found.
#[test]
fn a_shortage_ejects_nobody_and_hides_nobody() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(&format!("{CONFIG}{}", service()));
    bed.add_silent_network();
    let well = bed.host.enter(|| TcpListener::bind("192.0.2.1:3306"));
    let well = well.unwrap().unwrap();
    let mut command = Command::new("prlimit");
    command.args(["--nofile=74:74"]).arg(binary());
    command.args(["-n", "-D"]).stdin(Stdio::null());
    let _daemon = bed.host.spawn(command).unwrap();
    bed.wait_log("could not be made: this host lacks descriptors, ports or memory");
    bed.wait_log("TCP connection to [192.0.2.1]:tcp:3306 success.");
    bed.wait_log("Removing service [192.0.2.1]:tcp:3307 from VS [192.0.2.100]:tcp:80");
    bed.wait_address(VIP, true);
    let gone = "Removing service [192.0.2.1]:tcp:3306 from VS [192.0.2.100]:tcp:80";
    let lines = bed.logged();
    assert!(!lines.iter().any(|line| line.contains(gone)), "{lines:#?}");
    let from = SystemTime::now();
    drop(well);
    bed.log.wait_for(SOON, from, gone).unwrap();
    let frames = bed.wire.frames();
    let adverts = frames
        .iter()
        .filter(|frame| frame.packet().advert().is_some());
    let adverts: Vec<_> = adverts.collect();
    for pair in adverts.windows(2) {
        let gap = pair[1].at.duration_since(pair[0].at).unwrap().as_millis();
        assert!((800..1200).contains(&gap), "{gap} ms between adverts");
    }
}

//! Two of ours that sign their adverts (`auth_hmac`), on a LAN of network namespaces.
//!
//! Owns: that signed adverts pass the kernel in every version, family and transport, and that an
//! advert that somebody recorded and sends again moves nobody. Never does: ask the real daemon, which
//! was not there in the version that signs. Needs root, else says `skipped:` with the reason.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::PathBuf;
use std::time::SystemTime;

use compat_tests::bed::{Error, Result, needs_root, wait_until};
use compat_tests::routers::{PATIENCE, Router, Segment};

/// Name, lines of the instance, where `{peer}` is the number of the other router, and its address.
const SCENARIOS: [(&str, &str, &str); 4] = [
    ("version 2", "advert_int 1", "10.1.0.1/24"),
    ("version 3", "version 3\nadvert_int 0.3", "10.1.0.1/24"),
    (
        "version 3 by unicast",
        "version 3\nadvert_int 0.3\nunicast_peer {\n10.1.255.{peer}\n}",
        "10.1.0.1/24",
    ),
    ("IPv6", "native_ipv6\nadvert_int 0.3", "fe80::51:1/64"),
];

/// The daemon that was built beside these tests, or what `KEEPALIVED` names.
fn binary() -> PathBuf {
    std::env::var_os("KEEPALIVED").map_or_else(
        || {
            let test = std::env::current_exe().unwrap();
            let directory = test.ancestors().nth(2).unwrap();
            directory.join("keepalived")
        },
        PathBuf::from,
    )
}

fn configuration((_, lines, address): (&str, &str, &str), number: u8, key: &str) -> String {
    let priority = if number == 1 { 200 } else { 100 };
    let lines = lines.replace("{peer}", &(3 - number).to_string());
    format!(
        "vrrp_instance VI_1 {{\nstate BACKUP\ninterface eth0\nvirtual_router_id 51\n\
         priority {priority}\n{lines}\nauth_hmac {{\nkey 1 file:/etc/keepalived/key\nkey 2 {key}\n\
         active_key 1\n}}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
    )
}

fn holds(router: &Router) -> bool {
    let shown = router.host().must(&["ip", "-o", "addr", "show"]);
    let shown = shown.unwrap_or_default();
    shown.contains(" 10.1.0.1/") || shown.contains(" fe80::51:1/")
}

fn settled(segment: &Segment, index: usize, what: &str) -> Result<()> {
    let only = || holds(&segment.routers[index]) && !holds(&segment.routers[1 - index]);
    wait_until(PATIENCE, what, only).map(drop).map_err(|error| {
        let logs: Vec<String> = segment.routers.iter().map(Router::log_tail).collect();
        Error::new(format!("{error}\n{}", logs.join("\n--\n")))
    })
}

fn play(scenario: (&str, &str, &str)) -> Result<()> {
    let daemon = binary();
    let mut segment = Segment::dual_stack([&daemon, &daemon])?;
    for (number, router) in (1..).zip(&segment.routers) {
        router.host().shell(
            "umask 077; mkdir -p /etc/keepalived; \
             echo 0123456789abcdef0123456789abcdef >/etc/keepalived/key",
        )?;
        let key = "hex:".to_owned() + &"0f".repeat(32);
        router.configure(&configuration(scenario, number, &key))?;
    }
    for router in &mut segment.routers {
        router.start()?;
    }
    settled(&segment, 0, "one master")?;
    segment.routers[0].stop()?;
    settled(&segment, 1, "the backup to take over")?;
    let before = SystemTime::now();
    segment.routers[0].start()?;
    settled(&segment, 0, "the master to return")?;
    // What both said is 28 bytes longer than without, and nobody has anything to complain of.
    let mac = segment.routers[0].mac();
    let frames = segment.capture.since(before);
    let signed = frames.iter().any(|frame| {
        let bytes = &frame.bytes;
        let trailer = bytes.len().checked_sub(28).and_then(|at| bytes.get(at..));
        frame.packet().source_mac == mac
            && trailer.is_some_and(|trailer| trailer.starts_with(&[1, 1]))
    });
    assert!(signed, "no advert with a signature");
    for router in &mut segment.routers {
        router.stop()?;
        let log = router.log()?;
        assert!(!log.contains("authentication trailer"), "{log}");
        assert!(!log.contains("0123456789abcdef"), "a key in the log");
        assert!(!holds(router), "an address is left behind");
    }
    Ok(())
}

// Input: a pair with keys in a file and in hex. Output: it elects, fails over and returns in every
// version, family and transport.
#[test]
fn signed_pairs_elect_fail_over_and_return() {
    if !needs_root() {
        return;
    }
    let threads: Vec<_> = SCENARIOS
        .into_iter()
        .map(|scenario| std::thread::spawn(move || (scenario.0, play(scenario))))
        .collect();
    for thread in threads {
        let (name, result) = thread.join().expect("a story ends");
        assert!(result.is_ok(), "{name}: {}", result.unwrap_err());
    }
}

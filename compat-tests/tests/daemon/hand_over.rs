//! `--hand-over`: a restart that nobody on the LAN notices.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use compat_tests::bed::{Proc, needs_root, wait_until};

use super::setup::{Bed, CONFIG, SOON, VIP, binary};

fn start(bed: &Bed, options: &[&str]) -> Proc {
    let mut command = Command::new(binary());
    command
        .args(["-n", "-D"])
        .args(options)
        .stdin(Stdio::null());
    bed.host.spawn(command).unwrap()
}

fn adverts(bed: &Bed) -> Vec<(u8, Duration)> {
    let frames = bed.wire.frames();
    frames
        .iter()
        .filter_map(|frame| {
            let packet = frame.packet();
            let advert = packet.advert()?;
            let since = frame.at.duration_since(bed.start).unwrap_or_default();
            Some((advert.priority, since))
        })
        .collect()
}

/// Input: a master with a connection to its virtual address, and a backup; the master is restarted
/// twice, with half a second between stop and start. Output: no advert of priority 0, no advert of
/// the backup, no pause in the adverts; the address stays, the connection lives; the files in the
/// run directory are the new daemon's.
#[test]
fn a_restart_that_hands_over_is_noticed_by_nobody() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = start(&bed, &["--hand-over"]);
    bed.wait_address(VIP, true);
    let backup = CONFIG
        .replace("MASTER", "BACKUP")
        .replace("100\n    advert", "50\n    advert");
    let (peer, _backup) = bed.peer(&backup);
    let listener = bed
        .host
        .enter(|| TcpListener::bind(format!("{VIP}:7777")).unwrap())
        .unwrap();
    let mut client = peer
        .enter(|| TcpStream::connect(format!("{VIP}:7777")).unwrap())
        .unwrap();
    let mut served = listener.accept().unwrap().0;

    for round in 0..2 {
        let before = bed.pid("vrrp");
        assert_eq!(bed.stop(&mut daemon), Some(0), "round {round}");
        assert!(bed.host.read("/run/keepalived.pid").is_err());
        let seen = adverts(&bed).len();
        let goes_on = || adverts(&bed).len() > seen;
        wait_until(SOON, "an advert of the daemon that waits", goes_on).unwrap();
        assert!(bed.has(VIP), "the address went in round {round}");
        daemon = start(&bed, &["--hand-over"]);
        bed.new_pid("vrrp", before);
        assert_eq!(bed.pid("keepalived"), daemon.pid());
        client.write_all(b"still here").unwrap();
        let mut heard = [0; 10];
        served.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"still here");
    }
    let seen = adverts(&bed).len();
    wait_until(SOON, "adverts of the last daemon", || {
        adverts(&bed).len() >= seen + 2
    })
    .unwrap();
    let adverts = adverts(&bed);
    assert!(
        adverts.iter().all(|&(priority, _)| priority == 100),
        "{adverts:?}"
    );
    let longest = adverts
        .windows(2)
        .map(|pair| pair[1].1 - pair[0].1)
        .max()
        .unwrap();
    assert!(
        longest < Duration::from_millis(1500),
        "{longest:?} in {adverts:?}"
    );
    let lines = bed.logged();
    let has = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        has("Going on with the work of the daemon before this one (1 masters)"),
        2
    );
    assert_eq!(
        (has("removing VIPs"), has("sent 0 priority")),
        (0, 0),
        "{lines:#?}"
    );

    // At the end as ever, only later: nobody comes.
    assert_eq!(bed.stop(&mut daemon), Some(0));
    bed.wait_log("No other daemon has come");
    bed.wait_address(VIP, false);
    bed.wait_log("sent 0 priority");
    wait_until(SOON, "nothing in the run directory", || {
        [
            "vrrp.pid",
            "keepalived.pid",
            "keepalived.ledger",
            "keepalived.handover",
        ]
        .iter()
        .all(|file| bed.host.read(format!("/run/{file}")).is_err())
    })
    .unwrap();
}

/// Input: a daemon that waits for a successor, and one without the option; then a configuration
/// that lacks the address. Output: the first stops properly before the second begins; what is not
/// configured any more goes.
#[test]
fn a_successor_takes_only_what_it_wants() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = start(&bed, &["--hand-over"]);
    bed.wait_address(VIP, true);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    let mut daemon = start(&bed, &[]);
    bed.wait_log("it is told to stop");
    bed.wait_log("sent 0 priority");
    bed.wait_address(VIP, true);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    bed.wait_address(VIP, false);

    let mut daemon = start(&bed, &["--hand-over"]);
    bed.wait_address(VIP, true);
    let other = CONFIG.replace(VIP, "192.0.2.101");
    bed.host.write(super::setup::FILE, other).unwrap();
    assert_eq!(bed.stop(&mut daemon), Some(0));
    let mut daemon = start(&bed, &["--hand-over"]);
    bed.wait_address("192.0.2.101", true);
    bed.wait_address(VIP, false);
    assert_eq!(bed.stop(&mut daemon), Some(0));
    bed.wait_address("192.0.2.101", false);
}

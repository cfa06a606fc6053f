//! What is logged, and in which order.

use super::super::Event;
use super::{Bench, Step, advert, config, ms, vip};
use crate::conf::model::options::Peer;
use crate::conf::model::plan::Change;
use crate::conf::model::{LogStyle, Transport, VrrpInstance};
use crate::tests::logged;

/// The lines of `work`, without the ident, which they all must carry.
fn lines(work: impl FnOnce()) -> Vec<String> {
    let strip = |line: String| {
        let text = line.strip_prefix("Keepalived_vrrp: ");
        text.expect("a line with another ident").to_owned()
    };
    logged(work).into_iter().map(strip).collect()
}

/// The document's director on eth0 of a bench.
fn document() -> VrrpInstance {
    let mut document = config();
    document.addresses = vec![vip("182.148.15.239")];
    document.garp.repeat = 2;
    document
}

// Output: the lines of the document's /var/log/messages at the takeover by LVS_Backup, of the
// frames the first two; then those at the stop of LVS_Master.
#[test]
fn a_takeover_and_a_stop_read_as_in_1_3() {
    let mut bench = Bench::styled(LogStyle::V1_3);
    bench.apply(vec![Step::Add(document())]);
    bench.hear("192.0.2.2", 200);
    let takeover = lines(|| drop(bench.run(ms(4000))));
    assert_eq!(
        takeover,
        [
            "VRRP_Instance(VI_1) Transition to MASTER STATE",
            "VRRP_Instance(VI_1) Entering MASTER STATE",
            "VRRP_Instance(VI_1) setting protocol VIPs.",
            "Sending gratuitous ARP on eth0 for 182.148.15.239",
            "VRRP_Instance(VI_1) Sending/queueing gratuitous ARPs on eth0 for 182.148.15.239",
            "Sending gratuitous ARP on eth0 for 182.148.15.239",
        ]
    );
    let stop = lines(|| drop(bench.tell(Event::Stop)));
    assert_eq!(
        stop,
        [
            "VRRP_Instance(VI_1) sent 0 priority",
            "VRRP_Instance(VI_1) removing protocol VIPs.",
        ]
    );
}

// Output: the same of keepalived 2.2.7 with -D -D.
#[test]
fn a_takeover_and_a_stop_read_as_in_2() {
    let mut bench = Bench::new();
    let start = lines(|| drop(bench.apply(vec![Step::Add(document())])));
    assert_eq!(
        start,
        [
            "Assigned address 192.0.2.1 for interface eth0",
            "(VI_1) Entering BACKUP STATE (init)"
        ]
    );
    bench.hear("192.0.2.2", 200);
    let takeover = lines(|| drop(bench.run(ms(4000))));
    assert_eq!(
        takeover,
        [
            "(VI_1) Receive advertisement timeout",
            "(VI_1) Entering MASTER STATE",
            "(VI_1) setting VIPs.",
            "(VI_1) Sending/queueing gratuitous ARPs on eth0 for 182.148.15.239",
            "Sending gratuitous ARP on eth0 for 182.148.15.239",
            "Sending gratuitous ARP on eth0 for 182.148.15.239",
        ]
    );
    let stop = lines(|| drop(bench.tell(Event::Stop)));
    assert_eq!(stop, ["(VI_1) sent 0 priority", "(VI_1) removing VIPs."]);
}

// Input: an unknown VRID on the interface, a takeover, later an advert, and a second takeover.
#[test]
fn a_master_that_never_heard_anybody_says_so_once() {
    let mut bench = Bench::with(config());
    let other = advert("192.0.2.9", 100, 255, |advert| advert.vrid = 15);
    bench.receive(&other);
    let alone = |lines: &[String]| {
        let of = lines.iter();
        of.filter(|line| line.contains("no other router has ever been heard"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let first = alone(&lines(|| drop(bench.run(ms(9000)))));
    assert_eq!(first.len(), 1);
    assert!(first[0].contains("protocol 112"), "{first:?}");
    assert!(first[0].ends_with("(192.0.2.9 speaks for VRID 15 there)"));
    let heard = lines(|| drop(bench.hear("192.0.2.2", 200)));
    assert_eq!(
        heard.first().unwrap(),
        "(VI_1) another router is heard now: 192.0.2.2, priority 200"
    );
    let again = lines(|| {
        bench.hear("192.0.2.2", 200);
        bench.run(ms(9000));
    });
    assert!(
        !again.iter().any(|line| line.contains("heard")),
        "{again:?}"
    );
}

// Output: the cause that is guessed fits to how adverts travel.
#[test]
fn what_may_be_wrong_depends_on_the_transport() {
    let said = |config: VrrpInstance| {
        let mut bench = Bench::with(config);
        lines(|| drop(bench.run(ms(9000)))).concat()
    };
    assert!(said(config()).contains("protocol 112 or 224.0.0.18, for another"));
    let mut unicast = config();
    unicast.transport = Transport::Unicast;
    unicast.options.peers = vec![Peer {
        address: "192.0.2.2".parse().unwrap(),
        min_ttl: 0,
        max_ttl: 255,
    }];
    assert!(said(unicast).contains("protocol 112, for a unicast_peer that is missing there"));
}

// Input: a reload without one address, in a master and in a backup. Output: the line of keepalived, of the
// master alone.
#[test]
fn an_address_that_a_reload_drops_is_named_by_a_master() {
    let mut other = config();
    other.addresses = vec![vip("192.0.2.102")];
    let step = || vec![Step::Update(other.clone(), Change::Live)];
    let mut bench = Bench::master(config());
    let said = lines(|| drop(bench.apply(step())));
    let dropped = "(VI_1) ip address 192.0.2.101/32 dev eth0, no longer exist";
    assert!(said.iter().any(|line| line == dropped), "{said:?}");
    let mut bench = Bench::with(config());
    let said = lines(|| drop(bench.apply(step())));
    assert!(!said.iter().any(|line| line == dropped), "{said:?}");
}

#[test]
fn an_advert_that_is_refused_shows_that_no_firewall_is_in_the_way() {
    let mut bench = Bench::with(config());
    let said = lines(|| {
        bench.receive(&advert("192.0.2.2", 200, 64, |_| {}));
        bench.run(ms(9000));
    });
    assert!(!said.iter().any(|line| line.contains("ever been heard")));
}

// Input: three packets with a wrong TTL, then one of another master, then a wrong TTL again.
#[test]
fn a_complaint_is_made_once_until_the_master_changes() {
    let mut bench = Bench::with(config());
    let spoilt = advert("192.0.2.2", 200, 64, |_| {});
    let said = lines(|| {
        for _ in 0..3 {
            bench.receive(&spoilt);
        }
    });
    assert_eq!(
        said,
        ["(VI_1) invalid TTL/HL from 192.0.2.2. Received 64 and expect 255"]
    );
    bench.hear("192.0.2.3", 200);
    assert_eq!(lines(|| drop(bench.receive(&spoilt))), said);
}

#[test]
fn what_is_kept_by_a_reload_is_not_worth_a_line() {
    let mut bench = Bench::master(config());
    let said = lines(|| drop(bench.apply(vec![Step::Keep(config())])));
    assert_eq!(said, [""; 0]);
}

#[test]
fn an_address_with_the_mark_of_keepalived_in_no_instance_is_reported_and_left_alone() {
    let mut bench = Bench::new();
    let mut stray = super::address("192.0.2.177", 32, true);
    stray.protocol = 18;
    bench.tell(Event::Address(stray));
    let mut effects = Vec::new();
    let said = lines(|| effects = bench.apply(vec![Step::Add(config())]));
    assert_eq!(effects, ["open", "open"]);
    assert_eq!(
        said.last().unwrap(),
        "(VI_1) 192.0.2.177 on eth0 was added by a keepalived, but is in no instance here - left alone"
    );
}

// Input: a lower master that goes on once a second. Output: one line, at the fifth advert; a
// second rival gets one of its own.
#[test]
fn a_rival_that_does_not_hear_is_named_once() {
    let mut bench = Bench::master(config());
    for rival in ["192.0.2.2", "192.0.2.3"] {
        let mut named = Vec::new();
        for round in 1..=20 {
            bench.run(ms(1000));
            let said = lines(|| drop(bench.hear(rival, 50)));
            if said
                .iter()
                .any(|line| line.contains("does not hear this one"))
            {
                named.push(round);
            }
        }
        assert_eq!(named, [5]);
    }
}

// Input: a hundred adverts of a lower master within a tenth of a second. Output: that another router
// is heard, keepalived's line for the first five, one that names the deaf router, the burst's two
// lines, and no more.
#[test]
fn a_flood_of_lower_adverts_does_not_flood_the_log() {
    let mut bench = Bench::master(config());
    let mut count = 0;
    for _ in 0..100 {
        bench.now += ms(1);
        count += lines(|| drop(bench.hear("192.0.2.2", 50))).len();
    }
    assert_eq!(count, 9);
}

//! What is accepted, and what is counted and dropped.

use std::net::{IpAddr, Ipv4Addr};

use super::super::{State, Stats};
use super::{Bench, advert, config, ms, v2};
use crate::conf::model::AuthPass;

fn password(text: &[u8; 4]) -> [u8; 8] {
    let [a, b, c, d] = *text;
    [a, b, c, d, 0, 0, 0, 0]
}

/// A backup with the password 1111.
fn guarded() -> Bench {
    let mut guarded = config();
    guarded.auth = Some(AuthPass(password(b"1111")));
    Bench::with(guarded)
}

// Input: adverts of priority 200, each wrong in one way, each second. Output: the backup takes
// over as if it had heard nothing, and has counted each.
#[test]
fn what_is_wrong_is_counted_and_changes_nothing() {
    const GOOD: Option<[u8; 8]> = Some([b'1', b'1', b'1', b'1', 0, 0, 0, 0]);
    let from = "192.0.2.2";
    let packet = |spoil: fn(&mut Vec<u8>)| {
        let mut packet = advert(from, 200, 255, |advert| advert.form = v2(1, GOOD));
        spoil(&mut packet);
        packet
    };
    type Counter = fn(&Stats) -> u64;
    let rows: Vec<(Vec<u8>, Counter)> = vec![
        (
            advert(from, 200, 64, |advert| advert.form = v2(1, GOOD)),
            |stats| stats.errors.ip_ttl_err,
        ),
        (packet(|packet| packet[20] = 0x31), |stats| {
            stats.errors.version_err
        }),
        (packet(|packet| packet[20] = 0x22), |stats| {
            stats.errors.invalid_type_rcvd
        }),
        (packet(|packet| packet[23] = 2), |stats| {
            stats.errors.packet_len_err
        }),
        (packet(|packet| packet[26] ^= 1), |stats| {
            stats.errors.checksum_err
        }),
        (packet(|packet| packet[24] = 7), |stats| {
            stats.errors.invalid_authtype
        }),
        (advert(from, 200, 255, |_| {}), |stats| {
            stats.errors.authtype_mismatch
        }),
        (
            advert(from, 200, 255, |advert| {
                advert.form = v2(1, Some(password(b"1112")));
            }),
            |stats| stats.errors.auth_failure,
        ),
        (
            advert(from, 200, 255, |advert| {
                advert.form = v2(2, GOOD);
            }),
            |stats| stats.errors.advert_interval_err,
        ),
    ];
    for (index, (packet, counter)) in rows.iter().enumerate() {
        let mut bench = guarded();
        bench.run(ms(3000));
        assert_eq!(bench.receive(packet), [""; 0]);
        let stats = &bench.domain.view()[0].stats;
        assert_eq!(counter(stats), 1, "row {index}");
        assert_eq!(stats.advert_rcvd, 0, "row {index}");
        bench.run(ms(700));
        assert_eq!(bench.state(), State::Master, "row {index}");
    }
}

// Not for an instance at all: another VRID, another destination, a truncated packet, our own.
#[test]
fn what_is_for_nobody_is_dropped() {
    let mut bench = Bench::with(config());
    let mut unicast = advert("192.0.2.2", 200, 255, |_| {});
    unicast[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let other = advert("192.0.2.2", 200, 255, |advert| advert.vrid = 52);
    let own = advert("192.0.2.1", 200, 255, |_| {});
    bench.run(ms(3000));
    for packet in [&unicast[..], &other, &own, &own[..24], &own[..10], &[]] {
        assert_eq!(bench.receive(packet), [""; 0]);
    }
    assert_eq!(bench.domain.view()[0].stats, Stats::default());
    bench.run(ms(700));
    assert_eq!(bench.state(), State::Master);
}

// keepalived accepts since 2.3.3 an advert with other addresses; it only says so.
#[test]
fn another_address_list_is_accepted_and_counted() {
    let address = |last| IpAddr::from([192, 0, 2, last]);
    let lists: [&[IpAddr]; 3] = [&[], &[address(109)], &[address(101), address(102)]];
    for list in lists {
        let mut bench = Bench::with(config());
        bench.run(ms(3000));
        let addresses = list.to_vec();
        let packet = {
            let mut packet = Vec::new();
            let header = super::Ipv4 {
                source: Ipv4Addr::new(192, 0, 2, 2),
                destination: super::VRRP_GROUP_V4,
                identification: 1,
                ttl: 255,
                protocol: 112,
            };
            super::write_ipv4(&header, super::advert_v2_len(list.len()), &mut packet);
            let advert = super::Advert {
                vrid: 51,
                priority: 200,
                form: v2(1, None),
                addresses: &addresses,
            };
            super::write_advert(&advert, &mut packet);
            packet
        };
        bench.receive(&packet);
        assert_eq!(bench.run(ms(3600)), [""; 0]);
        let stats = &bench.domain.view()[0].stats;
        assert_eq!((stats.advert_rcvd, stats.errors.addr_list_err), (1, 1));
    }
}

#[test]
fn the_right_password_is_accepted() {
    let mut bench = guarded();
    bench.run(ms(3000));
    let packet = advert("192.0.2.2", 200, 255, |advert| {
        advert.form = v2(1, Some(password(b"1111")));
    });
    bench.receive(&packet);
    assert_eq!(bench.run(ms(3600)), [""; 0]);
}

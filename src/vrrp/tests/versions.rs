//! Version 3, IPv6, unicast and AH: what they do otherwise than version 2 by multicast.

use std::net::IpAddr;

use super::super::instance::InstanceId;
use super::super::{Event, InterfaceFacts, State};
use super::{Bench, US, address, advert, config, facts, index, ms, vip};
use crate::base::{Duration, Family, IfIndex};
use crate::conf::model::options::{Peer, Version};
use crate::conf::model::{AuthPass, Priority, Transport, VRRP_GROUP_V6, VrrpInstance};
use crate::ops::{RxMeta, SocketId};
use crate::wire::ah::{self, AH_LEN};
use crate::wire::ip::{self, Ipv4};
use crate::wire::vrrp::{Advert, Form, write_advert};

const PEER: &str = "192.0.2.2";

/// Version 3, 500 ms.
fn v3() -> VrrpInstance {
    VrrpInstance {
        version: Version::V3,
        advert_interval: ms(500),
        ..config()
    }
}

fn peer(text: &str, min_ttl: u8, max_ttl: u8) -> Peer {
    Peer {
        address: text.parse().unwrap(),
        min_ttl,
        max_ttl,
    }
}

/// With two peers instead of the group.
fn unicast(mut config: VrrpInstance) -> VrrpInstance {
    config.transport = Transport::Unicast;
    config.options.peers = vec![peer(PEER, 0, 255), peer("192.0.2.3", 60, 64)];
    config
}

fn v6() -> VrrpInstance {
    VrrpInstance {
        family: Family::V6,
        transport: Transport::Multicast(VRRP_GROUP_V6),
        addresses: vec![vip("fe80::51"), vip("2001:db8::51")],
        ..v3()
    }
}

fn bench_v6(config: VrrpInstance) -> Bench {
    let mut bench = Bench::new();
    bench.tell(Event::Address(address("fe80::1", 64, true)));
    bench.apply(vec![crate::conf::model::plan::Step::Add(config)]);
    bench
}

/// What arrives.
struct Arriving {
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    priority: u8,
    centis: u16,
    addresses: Vec<IpAddr>,
    /// Ends of the pseudo-header in its checksum.
    pseudo: Option<(IpAddr, IpAddr)>,
}

impl Arriving {
    /// A good one of version 3 for [`v3`].
    fn v3(priority: u8) -> Self {
        Self::between(PEER, "224.0.0.18", priority, &["192.0.2.101"])
    }

    fn v6(priority: u8) -> Self {
        Self::between(
            "fe80::2",
            "ff02::12",
            priority,
            &["fe80::51", "2001:db8::51"],
        )
    }

    fn between(from: &str, to: &str, priority: u8, addresses: &[&str]) -> Self {
        let (from, to) = (from.parse().unwrap(), to.parse().unwrap());
        Self {
            from,
            to,
            ttl: 255,
            priority,
            centis: 50,
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            pseudo: Some((from, to)),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let advert = Advert {
            vrid: 51,
            priority: self.priority,
            form: Form::V3 {
                interval_centis: self.centis,
                pseudo: self.pseudo,
            },
            addresses: &self.addresses,
        };
        let mut message = Vec::new();
        write_advert(&advert, &mut message);
        let mut packet = Vec::new();
        match (self.from, self.to) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let header = Ipv4 {
                    source,
                    destination,
                    identification: 1,
                    ttl: self.ttl,
                    protocol: ip::PROTOCOL_VRRP,
                };
                ip::write_ipv4(&header, message.len(), &mut packet);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let ends = (source, destination);
                ip::write_ipv6(
                    ends,
                    self.ttl,
                    ip::PROTOCOL_VRRP,
                    message.len(),
                    &mut packet,
                );
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                panic!("two families")
            }
        }
        packet.extend(message);
        packet
    }
}

/// Whether a backup that was about to take over takes this for its master.
fn accepts(bench: &mut Bench, packet: &[u8]) -> bool {
    bench.run(ms(1700));
    assert_eq!(bench.state(), State::Backup);
    assert_eq!(bench.receive(packet), [""; 0]);
    bench.run(ms(1000));
    bench.state() == State::Backup
}

// RFC 9568 §6.1 with hundredths: 3 * 0.5 s + (256 - 100) * 50 / 256 cs = 1.5 s + 30 cs.
#[test]
fn version_3_times_out_by_its_own_arithmetic() {
    let mut bench = Bench::with(v3());
    let took_over = bench.run(ms(3000));
    assert_eq!(took_over[0], "1800000 advert 100");
    assert_eq!(took_over[3], "2300000 advert 100");
}

#[test]
fn down_timer_adverts_counts_other_than_three_intervals() {
    let mut patient = v3();
    patient.options.down_timer_adverts = Some(5);
    let mut bench = Bench::with(patient);
    assert_eq!(bench.run(ms(3000))[0], "2800000 advert 100");
}

// Input: a master of 2 s, which then falls silent. Output: 3 * 2 s and a skew of its interval;
// as master the own interval is kept again.
#[test]
fn the_interval_of_the_master_is_learnt_and_forgotten() {
    let mut bench = Bench::with(v3());
    let slow = Arriving {
        centis: 200,
        ..Arriving::v3(200)
    };
    bench.receive(&slow.bytes());
    let lines = bench.run(ms(8000));
    // 156 * 200 / 256 = 121 cs.
    assert_eq!(lines[0], "7210000 advert 100");
    assert_eq!(lines[3], "7710000 advert 100");
    assert_eq!(bench.domain.view()[0].stats.errors.advert_interval_err, 0);
    // A higher master that comes now is waited for by its own interval again.
    bench.receive(&slow.bytes());
    assert_eq!(bench.state(), State::Backup);
    assert_eq!(bench.run(ms(8000))[0], "7210000 advert 100");
}

#[test]
fn a_good_advert_of_version_3_is_accepted() {
    assert!(accepts(&mut Bench::with(v3()), &Arriving::v3(200).bytes()));
    assert!(accepts(&mut bench_v6(v6()), &Arriving::v6(200).bytes()));
}

// Input: adverts of priority 200, each wrong in one way. Output: the backup takes over when it
// would have without.
#[test]
fn what_is_wrong_in_version_3_changes_nothing() {
    let spoilt = |spoil: fn(&mut Vec<u8>)| {
        let mut bytes = Arriving::v3(200).bytes();
        spoil(&mut bytes);
        bytes
    };
    let rows = [
        (
            "TTL",
            Arriving {
                ttl: 254,
                ..Arriving::v3(200)
            }
            .bytes(),
        ),
        ("version", spoilt(|bytes| bytes[20] = 0x21)),
        ("type", spoilt(|bytes| bytes[20] = 0x32)),
        ("length", spoilt(|bytes| bytes[23] = 2)),
        ("trailing bytes", {
            let mut bytes = Arriving::v3(200).bytes();
            bytes.extend([0; 4]);
            bytes[3] += 4;
            bytes
        }),
        ("checksum", spoilt(|bytes| bytes[27] ^= 1)),
        (
            "checksum without pseudo-header",
            Arriving {
                pseudo: None,
                ..Arriving::v3(200)
            }
            .bytes(),
        ),
        (
            "interval 0",
            Arriving {
                centis: 0,
                ..Arriving::v3(200)
            }
            .bytes(),
        ),
        (
            "no addresses",
            Arriving {
                addresses: Vec::new(),
                ..Arriving::v3(200)
            }
            .bytes(),
        ),
        ("VRID", spoilt(|bytes| bytes[21] = 52)),
    ];
    for (what, packet) in rows {
        assert!(!accepts(&mut Bench::with(v3()), &packet), "{what}");
    }
    let rows = [
        (
            "hop limit",
            Arriving {
                ttl: 64,
                ..Arriving::v6(200)
            }
            .bytes(),
        ),
        (
            "checksum",
            Arriving {
                pseudo: None,
                ..Arriving::v6(200)
            }
            .bytes(),
        ),
        ("truncated", Arriving::v6(200).bytes()[..60].to_vec()),
    ];
    for (what, packet) in rows {
        assert!(!accepts(&mut bench_v6(v6()), &packet), "IPv6 {what}");
    }
}

#[test]
fn reserved_bits_are_ignored() {
    let mut bytes = Arriving::v3(200).bytes();
    bytes[24] |= 0xf0;
    let ends = Some((PEER.parse().unwrap(), "224.0.0.18".parse().unwrap()));
    crate::wire::vrrp::seal(&mut bytes[20..], ends);
    assert!(accepts(&mut Bench::with(v3()), &bytes));
}

#[test]
fn the_checksum_of_version_2_is_taken_where_it_is_asked_for() {
    let plain = Arriving {
        pseudo: None,
        ..Arriving::v3(200)
    }
    .bytes();
    let mut config = v3();
    config.options.old_checksum_v3 = Some(true);
    assert!(accepts(&mut Bench::with(config.clone()), &plain));
    assert!(accepts(
        &mut Bench::with(config.clone()),
        &Arriving::v3(200).bytes()
    ));
    let mut wrong = plain;
    wrong[27] ^= 1;
    assert!(!accepts(&mut Bench::with(config), &wrong));
}

// Before 1.3.6 the group stood in the checksum of unicast adverts.
#[test]
fn the_checksum_of_old_unicast_peers_is_learnt_from_the_first_advert() {
    let own: IpAddr = US.parse().unwrap();
    let old = Arriving {
        to: own,
        pseudo: Some((PEER.parse().unwrap(), "224.0.0.18".parse().unwrap())),
        ..Arriving::v3(200)
    };
    let new = Arriving::between(PEER, US, 200, &["192.0.2.101"]);
    assert!(accepts(&mut Bench::with(unicast(v3())), &old.bytes()));
    assert!(accepts(&mut Bench::with(unicast(v3())), &new.bytes()));
    // Settled by the first advert: the other form is wrong from then on.
    let mut bench = Bench::with(unicast(v3()));
    bench.receive(&new.bytes());
    assert!(!accepts(&mut bench, &old.bytes()));
    let mut never = unicast(v3());
    never.options.old_checksum_unicast = Some(false);
    assert!(!accepts(&mut Bench::with(never), &old.bytes()));
}

#[test]
fn unicast_goes_to_each_peer_and_by_multicast_nothing_is_heard() {
    let mut bench = Bench::with(unicast(v3()));
    assert!(!accepts(&mut bench, &Arriving::v3(200).bytes()));
    let lines = bench.run(ms(500));
    let adverts: Vec<&str> = lines
        .iter()
        .filter_map(|line| line.split_once(' ').map(|(_, rest)| rest))
        .filter(|rest| rest.starts_with("advert"))
        .collect();
    assert_eq!(
        adverts,
        ["advert 100 to 192.0.2.2", "advert 100 to 192.0.2.3"]
    );
}

#[test]
fn the_ttl_of_a_unicast_advert_matters_where_the_peer_has_a_range() {
    let from = |from: &str, ttl: u8| {
        Arriving {
            ttl,
            ..Arriving::between(from, US, 200, &["192.0.2.101"])
        }
        .bytes()
    };
    for (sender, ttl, good) in [
        (PEER, 1, true),
        ("192.0.2.3", 60, true),
        ("192.0.2.3", 64, true),
        ("192.0.2.3", 59, false),
        ("192.0.2.3", 65, false),
        ("192.0.2.77", 1, true),
    ] {
        let mut bench = Bench::with(unicast(v3()));
        assert_eq!(
            accepts(&mut bench, &from(sender, ttl)),
            good,
            "{sender} {ttl}"
        );
    }
    let mut strangers_out = unicast(v3());
    strangers_out.options.check_source = true;
    let mut bench = Bench::with(strangers_out);
    assert!(!accepts(&mut bench, &from("192.0.2.77", 255)));
}

#[test]
fn unicast_without_peers_is_a_fault_where_it_is_said_to_be() {
    let mut config = unicast(v3());
    config.options.peers.clear();
    let bench = Bench::with(config);
    assert_eq!(bench.state(), State::Fault);
}

#[test]
fn ipv6_speaks_from_the_link_local_address_and_announces_by_neighbour_adverts() {
    let mut bench = bench_v6(v6());
    let lines = bench.run(ms(1800));
    assert_eq!(
        lines,
        [
            "1800000 advert 100",
            "1800000 +fe80::51/32",
            "1800000 na fe80::51",
            "1800000 +2001:db8::51/32",
            "1800000 na 2001:db8::51",
        ]
    );
    // Without one there is nothing to speak from.
    bench.tell(Event::Address(address("fe80::1", 64, false)));
    assert_eq!(bench.state(), State::Fault);
}

#[test]
fn of_equals_the_higher_ipv6_address_wins() {
    for (from, state) in [("fe80::2", State::Backup), ("fe80::", State::Master)] {
        let mut bench = bench_v6(v6());
        bench.run(ms(2000));
        let vips = ["fe80::51", "2001:db8::51"];
        bench.receive(&Arriving::between(from, "ff02::12", 100, &vips).bytes());
        assert_eq!(bench.state(), state, "{from}");
    }
}

fn with_ah(priority: u8, sequence: u32, key: &[u8]) -> Vec<u8> {
    let source = "192.0.2.2".parse().unwrap();
    let addresses = ["192.0.2.101".parse().unwrap()];
    let header = Ipv4 {
        source,
        destination: ip::VRRP_GROUP_V4,
        identification: 1,
        ttl: 255,
        protocol: ip::PROTOCOL_AH,
    };
    let mut packet = Vec::new();
    ip::write_ipv4(&header, AH_LEN + 20, &mut packet);
    ah::write_ah(source, sequence, &mut packet);
    let advert = Advert {
        vrid: 51,
        priority,
        form: Form::V2 {
            interval_secs: 1,
            auth_type: 2,
            auth: [0; 8],
        },
        addresses: &addresses,
    };
    write_advert(&advert, &mut packet);
    ah::seal(&mut packet, key);
    packet
}

// Input: a wrong key, a right one, the same packet again, an older and a newer one. Output: what
// is right and new keeps the backup quiet.
#[test]
fn an_authentication_header_has_to_be_right_and_new() {
    let key = *b"1111\0\0\0\0";
    let guarded = VrrpInstance {
        auth: Some(AuthPass(key)),
        ah: true,
        ..config()
    };
    let good = |bench: &mut Bench, packet: &[u8]| {
        bench.run(ms(3000));
        bench.receive(packet);
        bench.run(ms(1000));
        bench.state() == State::Backup
    };
    assert!(!good(
        &mut Bench::with(guarded.clone()),
        &with_ah(200, 5, b"2222\0\0\0\0")
    ));
    assert!(good(
        &mut Bench::with(guarded.clone()),
        &with_ah(200, 5, &key)
    ));
    for (sequence, accepted) in [(5, false), (4, false), (6, true)] {
        let mut bench = Bench::with(guarded.clone());
        bench.receive(&with_ah(200, 5, &key));
        assert_eq!(
            good(&mut bench, &with_ah(200, sequence, &key)),
            accepted,
            "{sequence}"
        );
    }
    // A password or nothing instead is no header.
    let mut bench = Bench::with(guarded);
    assert!(!good(&mut bench, &advert(PEER, 200, 255, |_| {})));
}

// Who comes back and has heard the others goes on with their numbers.
#[test]
fn a_new_master_goes_on_with_the_sequence_that_it_has_heard() {
    let key = *b"1111\0\0\0\0";
    let guarded = VrrpInstance {
        auth: Some(AuthPass(key)),
        ah: true,
        ..config()
    };
    let mut bench = Bench::with(guarded);
    bench.receive(&with_ah(200, 41, &key));
    bench.now += Duration::from_micros(3_609_375);
    let sent = bench.first_packet();
    let packet = ip::parse(&sent).unwrap();
    assert_eq!(ah::read(packet.payload).unwrap().0.sequence, 42);
    assert!(ah::is_right(&sent, &key));
}

#[test]
fn an_owner_may_ignore_adverts() {
    let mut owner = VrrpInstance {
        priority: Priority::OWNER,
        ..config()
    };
    owner.options.owner_ignores = Some(true);
    let mut bench = Bench::with(owner);
    assert_eq!(bench.state(), State::Master);
    assert_eq!(bench.hear(PEER, 255), [""; 0]);
    assert_eq!(bench.hear(PEER, 100), [""; 0]);
    assert_eq!(bench.state(), State::Master);
}

#[test]
fn a_lower_advert_is_not_answered_where_that_is_asked_for() {
    let mut quiet = config();
    quiet.options.lower_no_advert = Some(true);
    let mut bench = Bench::master(quiet);
    assert_eq!(bench.hear(PEER, 50), ["garp 192.0.2.101"]);
}

#[test]
fn a_higher_advert_is_answered_once_more_where_that_is_asked_for() {
    let mut polite = config();
    polite.options.higher_send_advert = Some(true);
    let mut bench = Bench::master(polite);
    assert_eq!(bench.hear(PEER, 200), ["advert 100", "-192.0.2.101/32"]);
}

// Input: the master that a backup follows falls silent, or resigns first, or it is followed although it
// is lesser; then a better one is there. Output: one more advert where a partition may have been the
// reason, so that the other announces the addresses once more.
#[test]
fn who_took_over_from_a_silent_master_has_a_last_word() {
    let after = |strict: bool, said: Option<bool>, adverts: &[u8]| {
        let mut config = config();
        config.strict = strict;
        config.options.higher_send_advert = said;
        let mut bench = Bench::with(config);
        for priority in adverts {
            bench.hear(PEER, *priority);
        }
        bench.run(Duration::from_secs(5));
        assert_eq!(bench.state(), State::Master);
        bench.hear(PEER, 200)[0] == "advert 100"
    };
    assert!(after(false, None, &[200]));
    assert!(after(false, None, &[200, 0, 200]));
    assert!(!after(false, None, &[]));
    assert!(!after(false, None, &[50]));
    assert!(!after(false, None, &[200, 0]));
    assert!(!after(false, Some(false), &[200]));
    assert!(!after(true, None, &[200]));
    // The one that resigned is not the one that is heard: that one may have been master all along.
    let mut bench = Bench::with(config());
    bench.hear(PEER, 200);
    bench.hear(PEER, 0);
    bench.run(Duration::from_secs(5));
    let other = advert("192.0.2.9", 200, 255, |_| {});
    assert_eq!(bench.receive(&other)[0], "advert 100");
}

#[test]
fn the_own_interface_counts_unless_it_is_said_not_to() {
    for (ignored, state) in [(false, State::Fault), (true, State::Backup)] {
        let mut config = config();
        config.options.ignore_own_interface = ignored;
        let mut bench = Bench::with(config);
        bench.tell(Event::Interface(facts(false)));
        assert_eq!(bench.state(), state);
    }
}

#[test]
fn a_source_that_is_tracked_has_to_be_there() {
    let mut config = config();
    config.options.source = Some("192.0.2.9".parse().unwrap());
    let mut bench = Bench::with(config.clone());
    assert_eq!(bench.state(), State::Backup);
    config.options.track_source = true;
    bench = Bench::with(config);
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Address(address("192.0.2.9", 24, true)));
    assert_eq!(bench.state(), State::Backup);
    bench.tell(Event::Address(address("192.0.2.9", 24, false)));
    assert_eq!(bench.state(), State::Fault);
}

// Input: an instance of a VRF, whose source an interface of that VRF has; the source goes, the VRF goes.
// Output: it listens on the VRF itself, and is faulty without the one and the other.
#[test]
fn in_a_vrf_the_source_may_be_on_any_interface_of_it() {
    let vrf = IfIndex::new(9).unwrap();
    let mut config = unicast(v3());
    config.interface = "red".into();
    config.addresses[0].interface = Some("eth0".into());
    config.options.vrf = Some("red".into());
    config.options.ignore_own_interface = true;
    config.options.source = Some(US.parse().unwrap());
    config.options.track_source = true;
    let mut bench = Bench::with(config);
    assert_eq!(bench.state(), State::Fault);
    let red = InterfaceFacts {
        index: vrf,
        name: "red".into(),
        mac: None,
        ..facts(true)
    };
    bench.tell(Event::Interface(red));
    assert_eq!(bench.state(), State::Backup);
    let channel = bench.domain.instances[&InstanceId::MIN].channel.unwrap();
    assert_eq!((channel.on, channel.address), (vrf, US.parse().unwrap()));
    bench.tell(Event::Address(address(US, 24, false)));
    assert_eq!(bench.state(), State::Fault);
    bench.tell(Event::Address(address(US, 24, true)));
    assert_eq!(bench.state(), State::Backup);
    bench.tell(Event::InterfaceGone(vrf));
    assert_eq!(bench.state(), State::Fault);
}

// Two instances of one VRID on one interface, by multicast and by unicast, hear what is theirs.
#[test]
fn multicast_and_unicast_of_one_vrid_are_kept_apart() {
    let mut bench = Bench::new();
    let step = crate::conf::model::plan::Step::Add;
    let mut other = unicast(v3());
    other.name = "VI_2".into();
    other.addresses = vec![vip("192.0.2.102")];
    bench.apply(vec![step(v3()), step(other)]);
    bench.run(ms(1000));
    let packet = Arriving::between(PEER, US, 200, &["192.0.2.102"]).bytes();
    for socket in [2, 3].map(SocketId) {
        let meta = RxMeta { interface: index() };
        bench.tell(Event::Packet {
            socket,
            meta,
            bytes: &packet,
        });
    }
    bench.run(ms(900));
    let states: Vec<State> = bench.domain.view().iter().map(|view| view.state).collect();
    assert_eq!(states, [State::Master, State::Backup]);
}

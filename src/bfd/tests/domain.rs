//! Which packet is whose, sockets, and reloads.

use super::*;

/// Whether a packet moves a session that is down.
fn taken(change: impl FnOnce(&mut Control), ttl: u8, config: BfdInstance) -> bool {
    let mut bench = Bench::new(config);
    let mut control = Control {
        your_discriminator: 0,
        ..bench.packet(State::Down)
    };
    change(&mut control);
    bench.hear_bytes(&control.emit(), ttl);
    bench.view().state == State::Init
}

#[test]
fn the_first_packet_finds_its_session_by_the_address() {
    assert!(taken(|_| (), 255, instance()));
    assert!(!taken(
        |control| control.your_discriminator = 99,
        255,
        instance()
    ));
}

// RFC 5881 §5; `max_hops` is what routers may take off, reckoned from the own TTL, as measured with
// keepalived 2.2.7 (`ttl 100`, `max_hops 3`: 97 is taken, 96 is not).
#[test]
fn packets_from_too_far_are_dropped() {
    let far = |ttl, max_hops| BfdInstance {
        ttl,
        max_hops,
        ..instance()
    };
    assert!(!taken(|_| (), 254, instance()));
    assert!(taken(|_| (), 97, far(100, Some(3))));
    assert!(!taken(|_| (), 96, far(100, Some(3))));
    assert!(taken(|_| (), 1, far(255, None)));
    assert!(taken(|_| (), 0, far(255, Some(255))));
}

#[test]
fn authenticated_packets_are_refused() {
    let mut bench = Bench::new(instance());
    let control = Control {
        your_discriminator: 0,
        ..bench.packet(State::Down)
    };
    let mut bytes = control.emit().to_vec();
    bytes[1] |= 0x04;
    bytes[3] = 26;
    bytes.extend_from_slice(&[1, 2]);
    bench.hear_bytes(&bytes, 255);
    assert_eq!(bench.view().state, State::Down);
}

// Input: a stranger, also with the right number; the other port's socket. Output: nothing.
#[test]
fn only_the_neighbour_is_heard() {
    let mut bench = Bench::new(instance());
    let control = bench.packet(State::Down);
    let bytes = control.emit();
    for (socket, from) in [
        (bench.listener, "192.0.2.3:50000"),
        (SocketId::of_bfd(999), "192.0.2.2:50000"),
    ] {
        let from = from.parse().unwrap();
        bench.event(Event::Datagram(Datagram {
            socket,
            from,
            ttl: 255,
            bytes: &bytes,
        }));
        assert_eq!(bench.view().state, State::Down);
    }
    bench.hear(control);
    assert_eq!(bench.view().state, State::Init);
}

// RFC 5881 §4, RFC 5883 §5. Output: a socket bound to the source with a high port, and one that
// receives on the port of the kind.
#[test]
fn sockets_have_the_ports_of_the_rfc() {
    let multihop = BfdInstance {
        multihop: true,
        max_hops: Some(5),
        ..instance()
    };
    for (config, port) in [(instance(), 3784), (multihop, 4784)] {
        let mut bench = Bench::bare();
        let mut out = Vec::new();
        let plan = vec![Step::Add(config)];
        bench.domain.apply(bench.now, plan, &mut out);
        let specs: Vec<_> = out
            .iter()
            .filter_map(|action| match action {
                Action::World(Effect::Open(
                    _,
                    SocketSpec::Datagram {
                        bind,
                        ttl,
                        receives,
                    },
                )) => Some((*bind, *ttl, *receives)),
                _ => None,
            })
            .collect();
        let [(all, None, true), (own, Some(255), false)] = specs[..] else {
            panic!("{specs:?}")
        };
        assert_eq!(all, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
        assert_eq!(own.ip().to_string(), "192.0.2.1");
        assert!(own.port() >= 49152);
        let to = out.iter().find_map(|action| match action {
            Action::World(Effect::Send(_, Frame::Datagram { to, .. })) => Some(*to),
            _ => None,
        });
        assert_eq!(to, Some(SocketAddr::new(NEIGHBOR, port)));
    }
}

// Input: the source address is not there for 2.5 s. Output: tried each second with another port,
// nothing told, up afterwards.
#[test]
fn a_missing_source_is_waited_for() {
    let mut bench = Bench::new(instance());
    let mut tried = 0;
    for _ in 0..3 {
        let (socket, _) = *bench.opened.last().unwrap();
        bench.opened.pop();
        bench.event(Event::SocketFailed(socket, 99));
        tried += 1;
        assert!(bench.view().socket.is_none());
        bench.sent();
        bench.pass(ms(999));
        assert!(bench.sent().is_empty());
        bench.pass(ms(1));
        assert!(bench.view().socket.is_some());
    }
    assert_eq!((tried, bench.sent().len()), (3, 1));
    bench.bring_up();
}

// Input: the port is taken by another daemon for a while. Output: tried each second.
#[test]
fn a_port_that_is_taken_is_tried_again() {
    let mut bench = Bench::new(instance());
    let listener = bench.listener;
    bench.event(Event::SocketFailed(listener, 98));
    assert_eq!(bench.domain.listener(Family::V4, false), None);
    bench.pass(ms(1000));
    bench.listener = bench.domain.listener(Family::V4, false).unwrap();
    assert_ne!(bench.listener, listener);
    bench.bring_up();
}

// Input: reloads: the same; another name, weight, timing; another TTL; another source; none.
// Output: the session lives through the first four, with its number.
#[test]
fn a_reload_keeps_the_session_of_a_neighbour() {
    let mut bench = Bench::new(instance());
    bench.bring_up();
    let number = bench.view().discriminator;
    bench.load(vec![instance()]);
    assert!(bench.told().is_empty() && bench.sent().is_empty());
    let renamed = BfdInstance {
        name: "other".into(),
        weight: 5,
        multiplier: 9,
        ..instance()
    };
    bench.load(vec![renamed.clone()]);
    assert_eq!(bench.told(), [true], "under its new name");
    let near = BfdInstance {
        ttl: 200,
        ..renamed.clone()
    };
    bench.load(vec![near]);
    let view = bench.view();
    assert_eq!((view.state, view.discriminator), (State::Up, number));
    let ttl = bench.opened.iter().filter_map(|(_, spec)| match spec {
        SocketSpec::Datagram { ttl, .. } => *ttl,
        _ => None,
    });
    assert_eq!(ttl.collect::<Vec<_>>(), [200]);
    bench.load(vec![BfdInstance {
        source: None,
        ..renamed
    }]);
    assert_eq!(bench.view().state, State::Down);
    bench.load(Vec::new());
    assert!(bench.opened.is_empty(), "every socket is closed");
    assert_eq!(bench.domain.next_deadline(), None);
}

// keepalived 2.2.7 ends without a word: its peers do not count AdminDown as a loss.
#[test]
fn the_stop_is_silent_and_final() {
    let mut bench = Bench::new(instance());
    bench.bring_up();
    bench.event(Event::Stop);
    assert!(bench.sent().is_empty() && bench.opened.is_empty());
    bench.pass(ms(5000));
    assert!(bench.sent().is_empty() && bench.told().is_empty());
}

#[test]
fn sessions_have_numbers_and_ports_of_their_own() {
    let mut bench = Bench::bare();
    let config = (0..200u8).map(|host| BfdInstance {
        name: format!("b{host}"),
        neighbor: Ipv4Addr::new(192, 0, 2, host).into(),
        ..instance()
    });
    let config: Vec<_> = config.collect();
    let mut out = Vec::new();
    bench.domain.apply(bench.now, diff(&[], &config), &mut out);
    let numbers: std::collections::BTreeSet<u32> = config
        .iter()
        .map(|one| bench.domain.session(&one.key()).unwrap().discriminator)
        .collect();
    assert_eq!(numbers.len(), 200);
    let ports: std::collections::BTreeSet<u16> = out
        .iter()
        .filter_map(|action| match action {
            Action::World(Effect::Open(
                _,
                SocketSpec::Datagram {
                    bind,
                    receives: false,
                    ..
                },
            )) => Some(bind.port()),
            _ => None,
        })
        .collect();
    assert_eq!(ports.len(), 200);
}

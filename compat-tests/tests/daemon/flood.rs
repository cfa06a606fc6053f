//! A host on the LAN that sends far more adverts than anybody should.

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use compat_tests::bed::{Host, Port, needs_root};
use compat_tests::sim::wire::{self, Advert};
use keepalived_rs::base::Duration as Interval;
use socket2::{Domain, Protocol, Socket, Type};

use super::setup::{Bed, CONFIG, VIP};

const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The daemon's host.
const DIRECTOR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// The host that sends.
const NOISY: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 9);
/// How long it sends.
const TIME: Duration = Duration::from_secs(6);
/// Adverts in a burst, and from burst to burst.
const BURST: (usize, Duration) = (40, Duration::from_millis(2));

/// Adverts that the daemon has to discard, each for a reason of its own.
fn hostile() -> Vec<Vec<u8>> {
    let advert = Advert {
        ends: (IpAddr::V4(NOISY), IpAddr::V4(GROUP)),
        version: 2,
        vrid: 51,
        priority: 254,
        interval: Interval::from_secs(1),
        auth: (1, *b"1111\0\0\0\0"),
        addresses: vec![Ipv4Addr::new(192, 0, 2, 100).into()],
    };
    let resign = Advert {
        priority: 0,
        auth: (1, *b"wrong\0\0\0"),
        ..advert.clone()
    };
    let stranger = Advert {
        vrid: 52,
        ..advert.clone()
    };
    let never = Advert {
        interval: Interval::ZERO,
        ..advert.clone()
    };
    let mut packets = vec![resign.write(), stranger.write(), never.write()];
    let mut far = advert.write();
    far[8] = 64;
    packets.push(far);
    let mut broken = advert.write();
    broken[26] ^= 0x10;
    packets.push(broken);
    packets.push(advert.write()[..24].to_vec());
    for packet in &mut packets {
        wire::complete_ip_header(packet, None, 1);
    }
    packets
}

/// Sends for [`TIME`]; returns how many packets went out, and when adverts of the director came.
fn send() -> io::Result<(usize, Vec<Instant>)> {
    let mut socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
    socket.set_header_included_v4(true)?;
    socket.set_multicast_if_v4(&NOISY)?;
    socket.set_multicast_loop_v4(false)?;
    socket.join_multicast_v4(&GROUP, &NOISY)?;
    socket.set_nonblocking(true)?;
    let to = SocketAddrV4::new(GROUP, 0).into();
    let (packets, start) = (hostile(), Instant::now());
    let (mut sent, mut heard, mut buffer) = (0, Vec::new(), [0; 256]);
    while start.elapsed() < TIME {
        for packet in packets.iter().cycle().take(BURST.0) {
            // A full queue is as good as a lost packet.
            sent += usize::from(socket.send_to(packet, &to).is_ok());
        }
        while let Ok(length) = socket.read(&mut buffer) {
            let ends = wire::ip_ends(&buffer[..length]);
            if ends.is_some_and(|(from, _)| from == IpAddr::V4(DIRECTOR)) {
                heard.push(Instant::now());
            }
        }
        std::thread::sleep(BURST.1); // The pace of the flood; nothing is waited for.
    }
    Ok((sent, heard))
}

/// Input: thousands of adverts a second, each wrong in one way. Output: the master's own adverts
/// come as before, it stays master, and the log has a line for each kind, not for each packet.
#[test]
fn a_flood_of_bad_adverts_changes_nothing() {
    if !needs_root() {
        return;
    }
    let bed = Bed::new(CONFIG);
    let mut daemon = bed.daemon();
    bed.wait_log("Entering MASTER STATE");
    bed.wait_address(VIP, true);
    let noisy = Host::new("noisy").unwrap();
    let port = Port {
        interface: "eth0",
        mac: "02:00:00:00:00:09",
        addresses: &["192.0.2.9/24"],
    };
    bed.lan.attach(&noisy, &port).unwrap();
    let (sent, heard) = noisy.enter(send).unwrap().unwrap();
    assert!(sent > 1_000, "only {sent} packets in {TIME:?}");
    let mut late: Vec<Duration> = heard
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs_diff(Duration::from_secs(1)))
        .collect();
    late.sort_unstable();
    println!("{sent} packets, adverts off their second by {late:?}");
    assert!((4..=7).contains(&heard.len()), "{} adverts", heard.len());
    assert!(late[late.len() / 2] < Duration::from_millis(50), "{late:?}");
    assert!(bed.has(VIP));
    let lines = bed.logged();
    assert!(lines.len() < 60, "{} lines: {lines:#?}", lines.len());
    assert_eq!(bed.stop(&mut daemon), Some(0));
}

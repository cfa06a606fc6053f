//! The bytes are those of ipvsadm 1.31 on Linux 6.1 (user-mode Linux, little-endian), printed by
//! `strace -e sendmsg,recvmsg -xx`: everything behind the netlink header.
#![cfg(target_endian = "little")]

use std::collections::BTreeMap;

use netlink_packet_core::NlasIterator;
use proptest::prelude::*;

use super::*;

const MYSQL: &str = "182.148.15.239:3306";
const DNS: &str = "192.0.2.9:53";
const SIX: &str = "[2001:db8::1]:80";

fn id(address: &str, protocol: u8) -> ServiceName {
    let address: SocketAddr = address.parse().unwrap();
    ServiceName::Address {
        address: address.ip(),
        port: address.port(),
        protocol,
    }
}

fn service(address: &str, scheduler: &str, flags: u32, timeout: u32, client_prefix: u8) -> Service {
    Service {
        id: id(address, 6),
        scheduler: scheduler.to_owned(),
        engine: None,
        flags,
        timeout,
        client_prefix,
    }
}

fn destination(address: &str, forward: u32, weight: u32) -> Destination {
    Destination {
        address: address.parse().unwrap(),
        forward,
        weight,
        upper_threshold: 0,
        lower_threshold: 0,
        tunnel: Tunnel::default(),
    }
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

/// What ipvsadm sends and what we send in its place.
#[allow(clippy::too_many_lines)] // a table
fn vectors() -> Vec<(Request, &'static str)> {
    vec![
        // ipvsadm -A -t 182.148.15.239:3306 -s wrr -p 50
        (
            Request::NewService(service(MYSQL, "wrr", SERVICE_PERSISTENT, 50, 32)),
            "01010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000008000600777272000c00070001000000ffffffff\
             080008003200000008000900ffffffff",
        ),
        // ipvsadm -a -t 182.148.15.239:3306 -r 182.148.15.233:3306 -g -w 3
        (
            Request::NewDestination(
                id(MYSQL, 6),
                destination("182.148.15.233:3306", FORWARD_DIRECT, 3),
            ),
            "05010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100b6940fe9\
             000000000000000000000000060002000cea000008000300030000000800040003000000\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -a -t 182.148.15.239:3306 -r 182.148.15.238:3306 -m -w 2147483647
        (
            Request::NewDestination(
                id(MYSQL, 6),
                destination("182.148.15.238:3306", FORWARD_MASQUERADE, 2_147_483_647),
            ),
            "05010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100b6940fee\
             000000000000000000000000060002000cea0000080003000000000008000400ffffff7f\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -e -t 182.148.15.239:3306 -r 182.148.15.233:3306 -g -w 7
        (
            Request::SetDestination(
                id(MYSQL, 6),
                destination("182.148.15.233:3306", FORWARD_DIRECT, 7),
            ),
            "06010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100b6940fe9\
             000000000000000000000000060002000cea000008000300030000000800040007000000\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -A -u 192.0.2.9:53 -s rr -p 300 -M 255.255.255.0
        (
            Request::NewService(Service {
                id: id(DNS, 17),
                ..service(DNS, "rr", SERVICE_PERSISTENT, 300, 24)
            }),
            "01010000540001800600010002000000060002001100000014000300c000020900000000\
             0000000000000000060004000035000007000600727200000c00070001000000ffffffff\
             080008002c01000008000900ffffff00",
        ),
        // ipvsadm -a -u 192.0.2.9:53 -r 192.0.2.10:53 -i -w 1
        (
            Request::NewDestination(id(DNS, 17), destination("192.0.2.10:53", FORWARD_TUNNEL, 1)),
            "05010000540001800600010002000000060002001100000014000300c000020900000000\
             0000000000000000060004000035000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100c000020a\
             000000000000000000000000060002000035000008000300020000000800040001000000\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -a -u 192.0.2.9:53 -r 192.0.2.11:53 -i --tun-type gue --tun-port 6080 --tun-csum -w 1
        (
            Request::NewDestination(
                id(DNS, 17),
                Destination {
                    tunnel: Tunnel {
                        kind: 1,
                        port: 6080,
                        flags: 1,
                    },
                    ..destination("192.0.2.11:53", FORWARD_TUNNEL, 1)
                },
            ),
            "05010000540001800600010002000000060002001100000014000300c000020900000000\
             0000000000000000060004000035000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100c000020b\
             000000000000000000000000060002000035000008000300020000000800040001000000\
             05000d000100000006000e0017c0000006000f0001000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -a -u 192.0.2.9:53 -r 192.0.2.12:53 -i --tun-type gre --tun-nocsum -w 1
        (
            Request::NewDestination(
                id(DNS, 17),
                Destination {
                    tunnel: Tunnel {
                        kind: 2,
                        port: 0,
                        flags: 0,
                    },
                    ..destination("192.0.2.12:53", FORWARD_TUNNEL, 1)
                },
            ),
            "05010000540001800600010002000000060002001100000014000300c000020900000000\
             0000000000000000060004000035000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100c000020c\
             000000000000000000000000060002000035000008000300020000000800040001000000\
             05000d000200000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -A --sctp-service [2001:db8::1]:80 -s sh -p 360 -M 64
        (
            Request::NewService(Service {
                id: id(SIX, 132),
                ..service(SIX, "sh", SERVICE_PERSISTENT, 360, 64)
            }),
            "0101000054000180060001000a00000006000200840000001400030020010db800000000\
             0000000000000001060004000050000007000600736800000c00070001000000ffffffff\
             08000800680100000800090040000000",
        ),
        // ipvsadm -a --sctp-service [2001:db8::1]:80 -r [2001:db8::2]:8080 -g -w 1
        (
            Request::NewDestination(
                id(SIX, 132),
                destination("[2001:db8::2]:80", FORWARD_DIRECT, 1),
            ),
            "0501000054000180060001000a00000006000200840000001400030020010db800000000\
             0000000000000001060004000050000005000600000000000c00070000000000ffffffff\
             080008000000000008000900800000006000028006000b000a0000001400010020010db8\
             000000000000000000000002060002000050000008000300030000000800040001000000\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -E -t 182.148.15.239:3306 -s rr
        (
            Request::SetService(service(MYSQL, "rr", 0, 0, 32)),
            "02010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000007000600727200000c00070000000000ffffffff\
             080008000000000008000900ffffffff",
        ),
        // ipvsadm -d -t 182.148.15.239:3306 -r 182.148.15.233:3306
        (
            Request::DelDestination(id(MYSQL, 6), "182.148.15.233:3306".parse().unwrap()),
            "07010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff6000028006000b000200000014000100b6940fe9\
             000000000000000000000000060002000cea000008000300030000000800040001000000\
             05000d000000000006000e000000000006000f0000000000080005000000000008000600\
             00000000",
        ),
        // ipvsadm -D -t 182.148.15.239:3306
        (
            Request::DelService(id(MYSQL, 6)),
            "03010000540001800600010002000000060002000600000014000300b6940fef00000000\
             0000000000000000060004000cea000005000600000000000c00070000000000ffffffff\
             080008000000000008000900ffffffff",
        ),
    ]
}

/// Command and attributes of a message: (nest, attribute) to value.
fn attributes(message: &[u8]) -> (u8, BTreeMap<(u16, u16), Vec<u8>>) {
    let mut found = BTreeMap::new();
    for nest in NlasIterator::new(&message[4..]) {
        let nest = nest.unwrap();
        assert!(nest.nested_flag());
        for nla in NlasIterator::new(nest.value()) {
            let nla = nla.unwrap();
            found.insert((nest.kind(), nla.kind()), nla.value().to_vec());
        }
    }
    (message[0], found)
}

fn sent(request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    request.append(0x1c, 5, 77, &mut out);
    assert_eq!(out.len(), usize::from(out[0]) + 256 * usize::from(out[1]));
    assert_eq!(out[4..6], [0x1c, 0], "the family's number");
    assert_eq!(out[6..8], [5, 0], "flags");
    assert_eq!(out[8..12], [77, 0, 0, 0], "sequence");
    out.split_off(16)
}

// Input: requests of every kind. Output: the attributes of ipvsadm's request with the same values;
// what ipvsadm sends beyond ours is what the command does not read.
#[test]
fn requests_have_the_attributes_of_ipvsadm() {
    for (request, theirs) in vectors() {
        let (command, mut theirs) = attributes(&bytes(theirs));
        let names_service_only =
            !matches!(request, Request::NewService(_) | Request::SetService(_));
        let names_destination_only = matches!(request, Request::DelDestination(..));
        if names_service_only {
            theirs.retain(|&(nest, kind), _| nest == ATTR_DEST || kind <= 4);
        }
        if names_destination_only {
            theirs.retain(|&(nest, kind), _| nest == ATTR_SERVICE || [1, 2, 11].contains(&kind));
        }
        // A tunnel of zeros is none.
        if [13, 14, 15].iter().all(|&kind| {
            theirs
                .get(&(ATTR_DEST, kind))
                .is_some_and(|value| value.iter().all(|&byte| byte == 0))
        }) {
            theirs.retain(|&(nest, kind), _| nest == ATTR_SERVICE || ![13, 14, 15].contains(&kind));
        }
        let message = format!("{request:?}");
        let ours = attributes(&sent(&request));
        assert_eq!(ours, (command, theirs), "{message}");
    }
}

// Input: the two requests that open a service. Output: ipvsadm's bytes, all of them.
#[test]
fn a_new_service_is_byte_for_byte_ipvsadms() {
    for (request, theirs) in vectors() {
        if matches!(request, Request::NewService(_) | Request::SetService(_)) {
            let name = format!("{request:?}");
            assert_eq!(sent(&request), bytes(theirs), "{name}");
        }
    }
}

#[test]
fn several_requests_make_one_send() {
    let mut out = Vec::new();
    Request::DelService(id(MYSQL, 6)).append(28, 5, 1, &mut out);
    let first = out.len();
    Request::GetServices.append(28, 0x301, 2, &mut out);
    assert_eq!(first % 4, 0);
    assert_eq!(out.len() - first, 20);
    assert_eq!(out[first..first + 4], [20, 0, 0, 0]);
    assert_eq!(out[first + 16..], [CMD_GET_SERVICE, 1, 0, 0]);
}

/// The kernel's reply to `ipvsadm -ln` after `-A -t 182.148.15.239:3306 -s rr` (an edited service).
const DUMPED_MYSQL: &str = "01010000540101000600010002000000060002000600000014000300b6940fef00000000\
         0000000000000000060004000cea000007000600727200000c00070002000000ffffffff\
         080008000000000008000900ffffffff60000a0008000100000000000800020000000000\
         08000300000000000c000400000000000000000004000b000c0005000000000000000000\
         080006000000000008000700000000000800080000000000080009000000000008000a00\
         00000000a0000c000c000100000000000000000004000b000c0002000000000000000000\
         04000b000c000300000000000000000004000b000c000400000000000000000004000b00\
         0c000500000000000000000004000b000c000600000000000000000004000b000c000700\
         000000000000000004000b000c000800000000000000000004000b000c00090000000000\
         0000000004000b000c000a000000000000000000";
/// … after `-A -u 192.0.2.9:53 -s rr -p 300 -M 255.255.255.0`.
const DUMPED_DNS: &str = "01010000540101000600010002000000060002001100000014000300c000020900000000\
         0000000000000000060004000035000007000600727200000c00070003000000ffffffff\
         080008002c01000008000900ffffff0060000a0008000100000000000800020000000000\
         08000300000000000c000400000000000000000004000b000c0005000000000000000000\
         080006000000000008000700000000000800080000000000080009000000000008000a00\
         00000000a0000c000c000100000000000000000004000b000c0002000000000000000000\
         04000b000c000300000000000000000004000b000c000400000000000000000004000b00\
         0c000500000000000000000004000b000c000600000000000000000004000b000c000700\
         000000000000000004000b000c000800000000000000000004000b000c00090000000000\
         0000000004000b000c000a000000000000000000";
/// … after `-A --sctp-service [2001:db8::1]:80 -s sh -p 360 -M 64`.
const DUMPED_SIX: &str = "0101000054010100060001000a00000006000200840000001400030020010db800000000\
         0000000000000001060004000050000007000600736800000c00070003000000ffffffff\
         0800080068010000080009004000000060000a0008000100000000000800020000000000\
         08000300000000000c000400000000000000000004000b000c0005000000000000000000\
         080006000000000008000700000000000800080000000000080009000000000008000a00\
         00000000a0000c000c000100000000000000000004000b000c0002000000000000000000\
         04000b000c000300000000000000000004000b000c000400000000000000000004000b00\
         0c000500000000000000000004000b000c000600000000000000000004000b000c000700\
         000000000000000004000b000c000800000000000000000004000b000c00090000000000\
         0000000004000b000c000a000000000000000000";
/// … after `-a … -r 182.148.15.238:3306 -m -w 2147483647`.
const DUMPED_NAT: &str = "050100007c01020014000100b6940fee000000000000000000000000060002000cea0000\
         080003000000000008000400ffffff7f05000d000000000006000e000000000006000f00\
         000000000800050000000000080006000000000008000700000000000800080000000000\
         080009000000000006000b000200000064000a0008000100000000000800020000000000\
         080003000000000004000b000c000400000000000000000004000b000c00050000000000\
         000000000800060000000000080007000000000008000800000000000800090000000000\
         08000a0000000000a0000c000c000100000000000000000004000b000c00020000000000\
         0000000004000b000c000300000000000000000004000b000c0004000000000000000000\
         04000b000c000500000000000000000004000b000c000600000000000000000004000b00\
         0c000700000000000000000004000b000c000800000000000000000004000b000c000900\
         000000000000000004000b000c000a000000000000000000";
/// … after `-a … -r 192.0.2.11:53 -i --tun-type gue --tun-port 6080 --tun-csum -w 1`.
const DUMPED_GUE: &str = "050100007c01020014000100c000020b0000000000000000000000000600020000350000\
         0800030002000000080004000100000005000d000100000006000e0017c0000006000f00\
         010000000800050000000000080006000000000008000700000000000800080000000000\
         080009000000000006000b000200000064000a0008000100000000000800020000000000\
         080003000000000004000b000c000400000000000000000004000b000c00050000000000\
         000000000800060000000000080007000000000008000800000000000800090000000000\
         08000a0000000000a0000c000c000100000000000000000004000b000c00020000000000\
         0000000004000b000c000300000000000000000004000b000c0004000000000000000000\
         04000b000c000500000000000000000004000b000c000600000000000000000004000b00\
         0c000700000000000000000004000b000c000800000000000000000004000b000c000900\
         000000000000000004000b000c000a000000000000000000";
/// … after `-a … -r [2001:db8::2]:80 -g -w 1`.
const DUMPED_DIRECT: &str = "050100007c0102001400010020010db80000000000000000000000020600020000500000\
         0800030003000000080004000100000005000d000000000006000e000000000006000f00\
         000000000800050000000000080006000000000008000700000000000800080000000000\
         080009000000000006000b000a00000064000a0008000100000000000800020000000000\
         080003000000000004000b000c000400000000000000000004000b000c00050000000000\
         000000000800060000000000080007000000000008000800000000000800090000000000\
         08000a0000000000a0000c000c000100000000000000000004000b000c00020000000000\
         0000000004000b000c000300000000000000000004000b000c0004000000000000000000\
         04000b000c000500000000000000000004000b000c000600000000000000000004000b00\
         0c000700000000000000000004000b000c000800000000000000000004000b000c000900\
         000000000000000004000b000c000a000000000000000000";

/// A reply as the driver reads it, from the generic netlink header on.
fn read(message: &[u8]) -> Result<Reply, DecodeError> {
    let header = GenlHeader::parse(message)?;
    Reply::parse_with_param(&message[4..], header)
}

// Input: replies of the kernel, with counters and all. Output: what ipvsadm had asked for, and the
// kernel's own HASHED flag.
#[test]
fn replies_to_dumps_are_read() {
    let found = |hex| read(&bytes(hex)).unwrap();
    let persistent = SERVICE_PERSISTENT | SERVICE_HASHED;
    assert_eq!(
        found(DUMPED_MYSQL),
        Reply::Service(service(MYSQL, "rr", SERVICE_HASHED, 0, 32))
    );
    assert_eq!(
        found(DUMPED_DNS),
        Reply::Service(Service {
            id: id(DNS, 17),
            ..service(DNS, "rr", persistent, 300, 24)
        })
    );
    assert_eq!(
        found(DUMPED_SIX),
        Reply::Service(Service {
            id: id(SIX, 132),
            ..service(SIX, "sh", persistent, 360, 64)
        })
    );
    assert_eq!(
        found(DUMPED_NAT),
        Reply::Destination(destination(
            "182.148.15.238:3306",
            FORWARD_MASQUERADE,
            2_147_483_647
        ))
    );
    assert_eq!(
        found(DUMPED_GUE),
        Reply::Destination(Destination {
            tunnel: Tunnel {
                kind: 1,
                port: 6080,
                flags: 1
            },
            ..destination("192.0.2.11:53", FORWARD_TUNNEL, 1)
        })
    );
    assert_eq!(
        found(DUMPED_DIRECT),
        Reply::Destination(destination("[2001:db8::2]:80", FORWARD_DIRECT, 1))
    );
}

// Input: a reply cut short, byte by byte. Output: an error, never a panic.
#[test]
fn replies_that_are_cut_short_are_errors() {
    for whole in [DUMPED_SIX, DUMPED_GUE] {
        let whole = bytes(whole);
        for end in 0..whole.len() {
            assert!(read(&whole[..end]).is_err(), "{end}");
        }
    }
}

fn any_id() -> impl Strategy<Value = ServiceName> {
    let family = any::<bool>().prop_map(|four| if four { Family::V4 } else { Family::V6 });
    prop_oneof![
        (any::<IpAddr>(), any::<u16>(), any::<u8>()).prop_map(|(address, port, protocol)| {
            ServiceName::Address {
                address,
                port,
                protocol,
            }
        }),
        (any::<u32>(), family).prop_map(|(mark, family)| ServiceName::Mark { mark, family }),
    ]
}

fn any_service() -> impl Strategy<Value = Service> {
    let prefix = 1_u8..=128;
    let names = ("[a-z]{1,15}", proptest::option::of("[a-z]{1,15}"));
    (any_id(), names, any::<u32>(), any::<u32>(), prefix).prop_map(
        |(id, (scheduler, engine), flags, timeout, prefix)| Service {
            id,
            scheduler,
            engine,
            flags,
            timeout,
            client_prefix: prefix.min(id.family().bits()),
        },
    )
}

fn any_destination() -> impl Strategy<Value = Destination> {
    let address = (any::<IpAddr>(), any::<u16>()).prop_map(SocketAddr::from);
    let tunnel = (0_u8..3, any::<u16>(), 0_u16..4);
    let thresholds = (any::<u32>(), any::<u32>());
    (address, 0_u32..5, 0_u32..0x8000_0000, thresholds, tunnel).prop_map(
        |(address, forward, weight, (upper, lower), (kind, port, flags))| Destination {
            address,
            forward,
            weight,
            upper_threshold: upper,
            lower_threshold: lower,
            tunnel: if forward == FORWARD_TUNNEL {
                Tunnel { kind, port, flags }
            } else {
                Tunnel::default()
            },
        },
    )
}

proptest! {
    // The kernel sends a service back as it was set.
    #[test]
    fn services_come_back_as_they_were_sent(service in any_service()) {
        let message = sent(&Request::NewService(service.clone()));
        prop_assert_eq!(read(&message).unwrap(), Reply::Service(service));
    }

    #[test]
    fn destinations_come_back_as_they_were_sent(id in any_id(), server in any_destination()) {
        let mut reply = vec![CMD_NEW_DEST, VERSION, 0, 0];
        attr::nest(ATTR_DEST, &mut reply, |out| put_destination(&server, out));
        prop_assert_eq!(read(&reply).unwrap(), Reply::Destination(server));
        let message = sent(&Request::NewDestination(id, server));
        prop_assert!(message.ends_with(&reply[4..]));
    }

    #[test]
    fn any_bytes_can_be_read(garbage in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _outcome = read(&garbage);
    }

    // Garbage that starts well gets further.
    #[test]
    fn any_damage_can_be_read(at in 4_usize..384, byte in any::<u8>()) {
        for whole in [DUMPED_SIX, DUMPED_GUE] {
            let mut damaged = bytes(whole);
            if let Some(slot) = damaged.get_mut(at) {
                *slot = byte;
            }
            let _outcome = read(&damaged);
        }
    }
}

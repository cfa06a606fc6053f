//! The bytes are those of ipvsadm 1.31 on Linux 6.1 (user-mode Linux, little-endian), printed by
//! `strace -e sendmsg,recvmsg -xx`: everything behind the netlink header.
#![cfg(target_endian = "little")]

use std::collections::BTreeMap;

use super::*;

const MYSQL: &str = "182.148.15.239:3306";
const DNS: &str = "192.0.2.9:53";
const SIX: &str = "[2001:db8::1]:80";

fn id(address: &str, protocol: u8) -> ServiceId {
    let address: SocketAddr = address.parse().unwrap();
    ServiceId {
        address: address.ip(),
        port: address.port(),
        protocol,
    }
}

fn service(address: &str, scheduler: &str, flags: u32, timeout: u32, client_prefix: u8) -> Service {
    Service {
        id: id(address, 6),
        scheduler: scheduler.to_owned(),
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

fn sent(request: Request) -> Vec<u8> {
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
        let ours = attributes(&sent(request));
        assert_eq!(ours, (command, theirs), "{message}");
    }
}

// Input: the two requests that open a service. Output: ipvsadm's bytes, all of them.
#[test]
fn a_new_service_is_byte_for_byte_ipvsadms() {
    for (request, theirs) in vectors() {
        if matches!(request, Request::NewService(_) | Request::SetService(_)) {
            let name = format!("{request:?}");
            assert_eq!(sent(request), bytes(theirs), "{name}");
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

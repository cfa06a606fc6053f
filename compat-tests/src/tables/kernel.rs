//! What the kernel says of IPVS in the network of the calling thread, as lines.
//!
//! Owns: a reader of its own for the replies of the `IPVS` family, so that a mistake in the
//! daemon's cannot hide itself: every attribute of every reply is a word of its line but those
//! that only count. Never changes anything. Driven by `run`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::bed::{Error, Result};

/// `AF_NETLINK`, `NETLINK_GENERIC`, and the number of the family that knows the others.
const AF_NETLINK: i32 = 16;
const GENERIC: i32 = 16;
const CONTROL: u16 = 16;
/// `NLM_F_REQUEST`, with `NLM_F_ACK` and `NLM_F_DUMP`.
const ASK: u16 = 1 | 4;
const DUMP: u16 = 1 | 0x300;
/// Commands of IPVS.
const GET_SERVICE: u8 = 4;
const GET_DEST: u8 = 8;
const GET_DAEMON: u8 = 11;
const GET_CONFIG: u8 = 13;

/// A connection to the kernel, in the network in which it was made.
pub(super) struct Ipvs {
    socket: Socket,
    family: u16,
    sequence: u32,
}

type Attributes<'a> = Vec<(u16, &'a [u8])>;

/// The attributes in a buffer; what is cut off is not there.
fn attributes(mut bytes: &[u8]) -> Attributes<'_> {
    let mut found = Vec::new();
    while let [a, b, c, d, ..] = *bytes {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let kind = u16::from_ne_bytes([c, d]) & 0x3fff;
        let Some(value) = bytes.get(4..length) else {
            break;
        };
        found.push((kind, value));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

fn append(out: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(value.len() + 4).unwrap_or(u16::MAX);
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(value);
    out.resize(out.len().next_multiple_of(4), 0);
}

fn number(value: &[u8]) -> u64 {
    match *value {
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_ne_bytes([a, b, c, d])),
        _ => 0,
    }
}

fn port(value: &[u8]) -> u16 {
    match *value {
        [a, b] => u16::from_be_bytes([a, b]),
        _ => 0,
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value.strip_suffix(&[0]).unwrap_or(value)).into_owned()
}

/// `family` is Linux's: 2 or 10.
fn address(value: &[u8], family: u64) -> String {
    let v4 = value.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes));
    let v6 = value
        .first_chunk::<16>()
        .map(|bytes| Ipv6Addr::from(*bytes));
    let address = if family == 10 {
        v6.map(IpAddr::V6)
    } else {
        v4.map(IpAddr::V4)
    };
    address.map_or_else(|| "?".to_owned(), |address| address.to_string())
}

/// One service. Attributes 10 and 12 count.
fn service(found: &Attributes<'_>) -> String {
    let family = found.iter().find(|(kind, _)| *kind == 1);
    let family = family.map_or(0, |(_, value)| number(value));
    let mut line = "service".to_owned();
    for (kind, value) in found {
        let word = match kind {
            1 => format!("family {family}"),
            2 => format!("protocol {}", number(value)),
            3 => address(value, family),
            4 => format!("port {}", port(value)),
            5 => format!("mark {}", number(value)),
            6 => text(value),
            7 => format!("flags {:#x}", number(value.get(..4).unwrap_or_default())),
            8 => format!("timeout {}", number(value)),
            9 if family == 10 => format!("prefix {}", number(value)),
            9 => format!("mask {}", address(value, 2)),
            10 | 12 => continue,
            11 => format!("engine {}", text(value)),
            other => format!("attribute {other} {value:?}"),
        };
        write!(line, " {word}").ok();
    }
    line
}

/// One destination. Attributes 7 to 10 and 12 count.
fn destination(found: &Attributes<'_>) -> String {
    let family = found.iter().find(|(kind, _)| *kind == 11);
    let family = family.map_or(2, |(_, value)| number(value));
    let mut line = "  destination".to_owned();
    for (kind, value) in found {
        let word = match kind {
            1 => address(value, family),
            2 => format!("port {}", port(value)),
            3 => format!("method {}", number(value)),
            4 => format!("weight {}", number(value)),
            5 => format!("upper {}", number(value)),
            6 => format!("lower {}", number(value)),
            7..=10 | 12 => continue,
            11 => format!("family {}", number(value)),
            13 => format!("tunnel {}", number(value)),
            14 => format!("tunnel-port {}", port(value)),
            15 => format!("tunnel-flags {}", number(value)),
            other => format!("attribute {other} {value:?}"),
        };
        write!(line, " {word}").ok();
    }
    line
}

/// One daemon that copies connections.
fn daemon(found: &Attributes<'_>) -> String {
    let mut line = "daemon".to_owned();
    for (kind, value) in found {
        let word = match kind {
            1 => format!("state {}", number(value)),
            2 => format!("on {}", text(value)),
            3 => format!("id {}", number(value)),
            4 => format!("length {}", number(value)),
            5 => format!("group {}", address(value, 2)),
            6 => format!("group {}", address(value, 10)),
            7 => format!("port {}", number(value)),
            8 => format!("ttl {}", number(value)),
            other => format!("attribute {other} {value:?}"),
        };
        write!(line, " {word}").ok();
    }
    line
}

impl Ipvs {
    /// Connects.
    pub(super) fn open() -> Result<Self> {
        let protocol = Some(Protocol::from(GENERIC));
        let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, protocol)?;
        let mut ipvs = Self {
            socket,
            family: CONTROL,
            sequence: 0,
        };
        let mut name = Vec::new();
        append(&mut name, 2, b"IPVS\0");
        // CTRL_CMD_GETFAMILY; the number is attribute 1.
        let replies = ipvs.ask(3, ASK, &name)?;
        let found = replies.iter().find_map(|reply| {
            let found = attributes(reply);
            found
                .into_iter()
                .find(|(kind, _)| *kind == 1)
                .map(|(_, value)| number(value))
        });
        ipvs.family = found
            .and_then(|number| u16::try_from(number).ok())
            .ok_or_else(|| Error::new("this kernel has no IPVS"))?;
        Ok(ipvs)
    }

    /// The payloads of all replies.
    fn ask(&mut self, command: u8, flags: u16, payload: &[u8]) -> Result<Vec<Vec<u8>>> {
        self.sequence += 1;
        let mut message = Vec::new();
        let length = u32::try_from(20 + payload.len()).unwrap_or(u32::MAX);
        message.extend(length.to_ne_bytes());
        message.extend(self.family.to_ne_bytes());
        message.extend(flags.to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend([command, 1, 0, 0]);
        message.extend(payload);
        self.socket.write_all(&message)?;
        let mut replies = Vec::new();
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = self.socket.read(&mut buffer)?;
            let mut rest = buffer.get(..length).unwrap_or_default();
            while let Some(header) = rest.first_chunk::<16>() {
                let [a, b, c, d, e, f, ..] = *header;
                let length = usize::try_from(u32::from_ne_bytes([a, b, c, d])).unwrap_or(16);
                let body = rest.get(16..length).unwrap_or_default();
                match u16::from_ne_bytes([e, f]) {
                    // NLMSG_ERROR, NLMSG_DONE
                    2 | 3 => {
                        let errno = body
                            .first_chunk::<4>()
                            .map_or(0, |code| i32::from_ne_bytes(*code));
                        return if errno == 0 {
                            Ok(replies)
                        } else {
                            Err(std::io::Error::from_raw_os_error(-errno).into())
                        };
                    }
                    _ => replies.push(body.get(4..).unwrap_or_default().to_vec()),
                }
                rest = rest
                    .get(length.next_multiple_of(4).max(16)..)
                    .unwrap_or_default();
            }
        }
    }

    /// Everything that IPVS is set to, a line for each thing; services in the order of their
    /// names, their destinations in the kernel's.
    pub(super) fn lines(&mut self) -> Result<Vec<String>> {
        let mut services = Vec::new();
        for reply in self.ask(GET_SERVICE, DUMP, &[])? {
            let Some((_, nest)) = attributes(&reply).into_iter().find(|(kind, _)| *kind == 1)
            else {
                continue;
            };
            let found = attributes(nest);
            let mut name = Vec::new();
            for (kind, value) in &found {
                // A mark excludes the three others.
                if (1..=5).contains(kind) {
                    append(&mut name, *kind, value);
                }
            }
            let mut question = Vec::new();
            append(&mut question, 0x8001, &name);
            let mut lines = vec![service(&found)];
            for reply in self.ask(GET_DEST, DUMP, &question)? {
                let nests = attributes(&reply);
                let nest = nests.iter().find(|(kind, _)| *kind == 2);
                lines.extend(nest.map(|(_, nest)| destination(&attributes(nest))));
            }
            services.push(lines);
        }
        services.sort();
        let mut lines: Vec<String> = services.into_iter().flatten().collect();
        for reply in self.ask(GET_DAEMON, DUMP, &[])? {
            let nests = attributes(&reply);
            let nest = nests.iter().find(|(kind, _)| *kind == 3);
            lines.extend(nest.map(|(_, nest)| daemon(&attributes(nest))));
        }
        for reply in self.ask(GET_CONFIG, ASK, &[])? {
            let times: Vec<String> = attributes(&reply)
                .iter()
                .map(|(_, value)| number(value).to_string())
                .collect();
            lines.push(format!("timeouts {}", times.join(" ")));
        }
        Ok(lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a destination as the kernel writes it, with an attribute that nobody knows yet.
    #[test]
    fn no_attribute_is_lost() {
        let mut bytes = Vec::new();
        append(
            &mut bytes,
            1,
            &[10, 9, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        );
        append(&mut bytes, 2, &80_u16.to_be_bytes());
        append(&mut bytes, 5, &100_u32.to_ne_bytes());
        append(&mut bytes, 99, &[7]);
        assert_eq!(
            destination(&attributes(&bytes)),
            "  destination 10.9.0.1 port 80 upper 100 attribute 99 [7]"
        );
    }
}

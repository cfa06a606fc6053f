//! Requests over netlink, answered at once.
//!
//! Owns: a socket for commands, their sequence numbers and their acknowledgements. Never does:
//! know what a message means, or wait: the kernel carries a request out inside the call that sends
//! it, so every answer is there when that call returns. Driven by: `netlink` (addresses) and
//! `genl` (IPVS).

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR};

use netlink_packet_core::{
    ErrorBuffer, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};

use crate::base::ident;
use crate::conf::model::Buffer;

/// Messages in one `send` at most: enough to make the cost of the call vanish, few enough for all
/// acknowledgements to fit into the default receive buffer.
const BATCH: usize = 64;

/// The kernel's own message header, 16 bytes.
const HEADER: usize = 16;

/// A message that is ready to go, with room for the header in front.
#[derive(Debug, Clone, Copy)]
pub(super) struct Raw<'a> {
    /// `nlmsg_type`.
    pub(super) kind: u16,
    /// What follows the header.
    pub(super) payload: &'a [u8],
}

impl NetlinkSerializable for Raw<'_> {
    fn message_type(&self) -> u16 {
        self.kind
    }
    fn buffer_len(&self) -> usize {
        self.payload.len()
    }
    fn serialize(&self, buffer: &mut [u8]) {
        buffer[..self.payload.len()].copy_from_slice(self.payload);
    }
}

/// Sets the size of a socket's receive buffer, if one is wanted: as far as the system allows, or
/// beyond that if it is to be forced.
pub(super) fn set_buffer(socket: &Socket, wanted: Buffer) {
    let Some(bytes) = wanted.bytes.and_then(|bytes| usize::try_from(bytes).ok()) else {
        return;
    };
    let result = if wanted.force {
        setsockopt(socket, RcvBufForce, &bytes)
    } else {
        setsockopt(socket, RcvBuf, &bytes)
    };
    if let Err(error) = result {
        log::warn!(
            target: ident::DAEMON,
            "a netlink socket keeps its receive buffer instead of one of {bytes} bytes: {error}"
        );
    }
}

/// A socket for commands of one netlink family.
pub(super) struct Requester {
    socket: Socket,
    sequence: u32,
}

impl std::fmt::Debug for Requester {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Requester")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

impl AsRawFd for Requester {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Requester {
    /// Opens the socket for the family `protocol` (`NETLINK_*`).
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        // An acknowledgement then repeats only the header of the request; kernels before 4.2 do
        // not know the option and repeat all of it, which costs nothing but bytes.
        drop(socket.set_cap_ack(true));
        Ok(Self {
            socket,
            sequence: 1,
        })
    }

    /// Sets the size of its receive buffer.
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        set_buffer(&self.socket, wanted);
    }

    /// The port by which the kernel names this socket as the cause of something.
    pub(super) fn port(&self) -> Option<u32> {
        let mut address = SocketAddr::new(0, 0);
        self.socket.get_address(&mut address).ok()?;
        Some(address.port_number())
    }

    /// Carries out `items` in order; `append` writes the message of one with the flags
    /// (`NLM_F_*`, to be completed) and the sequence number given. Returns the error number of
    /// each, 0 for success.
    ///
    /// Errors are always answered, success only on demand. So the last of a send alone asks to be
    /// acknowledged, and its answer says that the others have been carried out: 64 IPVS entries
    /// cost two system calls.
    pub(super) fn batch<T>(
        &mut self,
        items: &[T],
        buffer: &mut [u8],
        append: impl Fn(&T, u16, u32, &mut Vec<u8>),
    ) -> Vec<i32> {
        let mut results = Vec::with_capacity(items.len());
        let mut bytes = Vec::new();
        for chunk in items.chunks(BATCH) {
            bytes.clear();
            let first = self.sequence;
            for (index, item) in chunk.iter().enumerate() {
                let last = index + 1 == chunk.len();
                let flags = NLM_F_REQUEST | if last { NLM_F_ACK } else { 0 };
                append(item, flags, self.sequence, &mut bytes);
                self.sequence = self.sequence.wrapping_add(1);
            }
            results.append(&mut self.exchange(&bytes, first, chunk.len(), buffer));
        }
        results
    }

    /// Carries out messages (type, payload, flags) that the kernel takes whole or not at all:
    /// between a begin and an end, which `control` writes (`true`: the begin). Returns the error
    /// number of each, 0 for success; one error means that nothing has happened.
    pub(super) fn transaction(
        &mut self,
        messages: &[(u16, Vec<u8>, u16)],
        buffer: &mut [u8],
        control: impl Fn(bool, u32, &mut Vec<u8>),
    ) -> Vec<i32> {
        let mut bytes = Vec::new();
        control(true, self.sequence, &mut bytes);
        let first = self.sequence.wrapping_add(1);
        for (index, (kind, payload, flags)) in messages.iter().enumerate() {
            let last = index + 1 == messages.len();
            let flags = NLM_F_REQUEST | flags | if last { NLM_F_ACK } else { 0 };
            self.sequence = self.sequence.wrapping_add(1);
            let kind = *kind;
            append(&mut bytes, Raw { kind, payload }, flags, self.sequence);
        }
        self.sequence = self.sequence.wrapping_add(1);
        control(false, self.sequence, &mut bytes);
        self.sequence = self.sequence.wrapping_add(1);
        self.exchange(&bytes, first, messages.len(), buffer)
    }

    fn exchange(&mut self, bytes: &[u8], first: u32, count: usize, buffer: &mut [u8]) -> Vec<i32> {
        if let Err(error) = self.socket.send(bytes, 0) {
            return vec![error.raw_os_error().unwrap_or(libc::EIO); count];
        }
        let mut results = vec![0; count];
        let mut open = true;
        while open {
            let read = match self.receive(buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::warn!(target: ident::DAEMON, "netlink: an acknowledgement is missing: {error}");
                    // Nobody knows how far the kernel got.
                    results
                        .iter_mut()
                        .filter(|errno| **errno == 0)
                        .for_each(|errno| *errno = libc::EIO);
                    return results;
                }
            };
            each_message(&buffer[..read], |message| {
                if message.message_type() != NLMSG_ERROR {
                    return;
                }
                let Ok(index) = usize::try_from(message.sequence_number().wrapping_sub(first))
                else {
                    return;
                };
                if let Some(slot) = results.get_mut(index) {
                    *slot = errno_of(message.payload()).unwrap_or(libc::EIO);
                    open &= index + 1 != count;
                }
            });
        }
        results
    }

    /// Asks for something that is answered by any number of messages, and hands their types and
    /// payloads to `each`. `append` writes the request with the sequence number given; it has to
    /// ask for a dump or for an acknowledgement.
    pub(super) fn query(
        &mut self,
        buffer: &mut [u8],
        append: impl FnOnce(u32, &mut Vec<u8>),
        mut each: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        append(sequence, &mut bytes);
        self.socket.send(&bytes, 0)?;
        let mut end = None;
        while end.is_none() {
            let read = match self.receive(buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            each_message(&buffer[..read], |message| {
                if message.sequence_number() != sequence || end.is_some() {
                    return;
                }
                match message.message_type() {
                    NLMSG_DONE => end = Some(0),
                    NLMSG_ERROR => end = Some(errno_of(message.payload()).unwrap_or(libc::EIO)),
                    kind => each(kind, message.payload()),
                }
            });
        }
        match end {
            None | Some(0) => Ok(()),
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
        }
    }

    fn receive(&self, mut buffer: &mut [u8]) -> io::Result<usize> {
        self.socket.recv(&mut buffer, 0)
    }
}

/// Appends a message with its header.
pub(super) fn append(bytes: &mut Vec<u8>, raw: Raw<'_>, flags: u16, sequence: u32) {
    let mut header = NetlinkHeader::default();
    header.flags = flags;
    header.sequence_number = sequence;
    let mut message = NetlinkMessage::new(
        header,
        netlink_packet_core::NetlinkPayload::InnerMessage(raw),
    );
    message.finalize();
    let start = bytes.len();
    // Messages begin at multiples of 4.
    let end = start + message.buffer_len().next_multiple_of(4);
    bytes.resize(end, 0);
    message.serialize(&mut bytes[start..]);
}

/// Hands every message of a datagram to `each`; a rest that is no message is left out.
pub(super) fn each_message<'a>(
    mut bytes: &'a [u8],
    mut each: impl FnMut(&NetlinkBuffer<&'a [u8]>),
) {
    while bytes.len() >= HEADER {
        let Ok(message) = NetlinkBuffer::new_checked(bytes) else {
            log::debug!(target: ident::DAEMON, "netlink: skipping {} bytes that are no message", bytes.len());
            return;
        };
        each(&message);
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

/// The error number of an `NLMSG_ERROR`; 0 is an acknowledgement.
fn errno_of(payload: &[u8]) -> Option<i32> {
    let buffer = ErrorBuffer::new_checked(payload).ok()?;
    Some(buffer.code().map_or(0, |code| code.get().saturating_neg()))
}

/// The bytes of something that netlink crates can emit.
pub(super) fn bytes_of(value: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; value.buffer_len()];
    value.emit(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: two messages with payloads of 3 and 4 bytes. Output: both again, with their types;
    // then the same cut short: the first only.
    #[test]
    fn messages_are_padded_and_found_again() {
        let mut bytes = Vec::new();
        append(
            &mut bytes,
            Raw {
                kind: 20,
                payload: b"abc",
            },
            NLM_F_REQUEST,
            7,
        );
        append(
            &mut bytes,
            Raw {
                kind: 21,
                payload: b"defg",
            },
            NLM_F_REQUEST,
            8,
        );
        assert_eq!(bytes.len(), 20 + 20);
        let mut seen = Vec::new();
        each_message(&bytes, |message| {
            seen.push((
                message.message_type(),
                message.sequence_number(),
                message.payload().to_vec(),
            ));
        });
        assert_eq!(seen, [(20, 7, b"abc".to_vec()), (21, 8, b"defg".to_vec())]);
        let mut count = 0;
        each_message(&bytes[..39], |_| count += 1);
        assert_eq!(count, 1);
    }

    // Runs against the kernel of this machine without changing it. Input: 100 questions about a
    // link, which is the loopback for every third one and else one that does not exist. Output:
    // an error for exactly those, whether or not they were to be acknowledged.
    #[test]
    fn a_refusal_is_matched_to_its_request() {
        let mut requester = Requester::open(netlink_sys::protocols::NETLINK_ROUTE).unwrap();
        let mut buffer = vec![0; 65536];
        for last in [1, i32::MAX] {
            let links: Vec<i32> = (0..100)
                .map(|number| if number % 3 == 0 { 1 } else { i32::MAX })
                .chain([last])
                .collect();
            let results = requester.batch(&links, &mut buffer, |link, flags, sequence, out| {
                let mut payload = [0u8; 16];
                payload[4..8].copy_from_slice(&link.to_ne_bytes());
                // RTM_GETLINK
                let raw = Raw {
                    kind: 18,
                    payload: &payload,
                };
                append(out, raw, flags, sequence);
            });
            let expected: Vec<i32> = links
                .iter()
                .map(|link| if *link == 1 { 0 } else { libc::ENODEV })
                .collect();
            assert_eq!(results, expected);
        }
    }
}

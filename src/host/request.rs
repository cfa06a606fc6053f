//! Requests over netlink, answered at once.
//!
//! Owns: a socket for commands, their sequence numbers and their acknowledgements. Never does:
//! know what a message means, or wait: the kernel carries a request out inside the call that sends
//! it, so every answer is there when that call returns. Driven by: `netlink` (addresses) and
//! `genl` (IPVS).

use std::io;

use netlink_packet_core::{Emitable, NLMSG_DONE, NLMSG_ERROR};
use netlink_packet_core::{
    ErrorBuffer, NetlinkBuffer, NetlinkHeader, NetlinkMessage, NetlinkSerializable,
};
use netlink_sys::{Socket, SocketAddr};

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

    /// Carries out `items`, each a request that wants an acknowledgement; `append` writes the
    /// message of one with the sequence number given. Returns the error number of each, 0 for
    /// success.
    pub(super) fn batch<T>(
        &mut self,
        items: &[T],
        buffer: &mut [u8],
        append: impl Fn(&T, u32, &mut Vec<u8>),
    ) -> Vec<i32> {
        let mut results = Vec::with_capacity(items.len());
        let mut bytes = Vec::new();
        for chunk in items.chunks(BATCH) {
            bytes.clear();
            let first = self.sequence;
            for item in chunk {
                append(item, self.sequence, &mut bytes);
                self.sequence = self.sequence.wrapping_add(1);
            }
            results.append(&mut self.exchange(&bytes, first, chunk.len(), buffer));
        }
        results
    }

    fn exchange(&mut self, bytes: &[u8], first: u32, count: usize, buffer: &mut [u8]) -> Vec<i32> {
        // What stays at this was never answered.
        let mut results = vec![libc::EIO; count];
        if let Err(error) = self.socket.send(bytes, 0) {
            results.fill(error.raw_os_error().unwrap_or(libc::EIO));
            return results;
        }
        let mut open = count;
        while open > 0 {
            let read = match self.receive(buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    log::warn!(target: crate::base::ident::DAEMON, "netlink: {open} acknowledgements are missing: {error}");
                    return results;
                }
            };
            each_message(&buffer[..read], |message| {
                if message.message_type() != NLMSG_ERROR {
                    return;
                }
                let index = message.sequence_number().wrapping_sub(first);
                let slot = usize::try_from(index)
                    .ok()
                    .and_then(|index| results.get_mut(index));
                if let (Some(slot), Some(errno)) = (slot, errno_of(message.payload())) {
                    *slot = errno;
                    open = open.saturating_sub(1);
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
            log::debug!(target: crate::base::ident::DAEMON, "netlink: skipping {} bytes that are no message", bytes.len());
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
    use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};

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

    // Runs against the kernel of this machine without changing it: an index that no link has.
    #[test]
    fn a_refusal_is_matched_to_its_request() {
        let mut requester = Requester::open(netlink_sys::protocols::NETLINK_ROUTE).unwrap();
        let mut buffer = vec![0; 8192];
        // RTM_GETLINK for link 2^31-1.
        let mut payload = [0u8; 16];
        payload[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        let raw = Raw {
            kind: 18,
            payload: &payload,
        };
        let results = requester.batch(&[raw; 100], &mut buffer, |raw, sequence, out| {
            append(out, *raw, NLM_F_REQUEST | NLM_F_ACK, sequence);
        });
        assert_eq!(results, [libc::ENODEV; 100]);
    }
}

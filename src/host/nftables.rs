//! Transactions with nftables.
//!
//! Owns: the netlink socket, and how messages become a transaction. Never does: know what they
//! mean. Driven by: `firewall` and `marks`, each with a table of its own.

use netlink_packet_core::NLM_F_REQUEST;
use netlink_packet_netfilter::nftables::NfTablesMessage;
use netlink_packet_netfilter::none::ControlMessage;
use netlink_packet_netfilter::{NetfilterHeader, NetfilterMessage, NetfilterProtoFamily};
use netlink_sys::protocols::NETLINK_NETFILTER;

use super::request::{self, Raw, Requester};
use crate::base::Family;

const NFNL_SUBSYS_NFTABLES: u16 = 10;

/// The socket, which is opened by the first transaction: most configurations need none.
#[derive(Debug, Default)]
pub(super) struct Nftables {
    socket: Option<Requester>,
}

impl Nftables {
    /// Sends messages with their flags (`NLM_F_*`) as one transaction about tables of `family`; the
    /// first error number, 0 for success. The kernel takes a transaction whole or not at all.
    pub(super) fn send(
        &mut self,
        family: Family,
        messages: &[(NfTablesMessage, u16)],
        buffer: &mut [u8],
    ) -> i32 {
        if messages.is_empty() {
            return 0;
        }
        let open = || Requester::open(NETLINK_NETFILTER);
        let socket = match self.socket.take().map_or_else(open, Ok) {
            Ok(socket) => self.socket.insert(socket),
            Err(error) => return error.raw_os_error().unwrap_or(libc::EIO),
        };
        let protocol = match family {
            Family::V4 => NetfilterProtoFamily::IPv4,
            Family::V6 => NetfilterProtoFamily::IPv6,
        };
        let encode = |(message, flags): &(NfTablesMessage, u16)| {
            let kind = NFNL_SUBSYS_NFTABLES << 8 | u16::from(u8::from(message.message_type()));
            let header = NetfilterHeader::new(protocol, 0, 0);
            let message = NetfilterMessage::new(header, message.clone());
            (kind, request::bytes_of(&message), *flags)
        };
        let encoded: Vec<(u16, Vec<u8>, u16)> = messages.iter().map(encode).collect();
        let results = socket.transaction(&encoded, buffer, |begin, sequence, out| {
            let control = if begin {
                ControlMessage::BatchBegin
            } else {
                ControlMessage::BatchEnd
            };
            let kind = u16::from(u8::from(control.message_type()));
            let header =
                NetfilterHeader::new(NetfilterProtoFamily::Unspec, 0, NFNL_SUBSYS_NFTABLES);
            let payload = request::bytes_of(&NetfilterMessage::new(header, control));
            let raw = Raw {
                kind,
                payload: &payload,
            };
            request::append(out, raw, NLM_F_REQUEST, sequence);
        });
        results.into_iter().find(|errno| *errno != 0).unwrap_or(0)
    }
}

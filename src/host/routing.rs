//! Changing routes and policy rules.
//!
//! Owns: the socket for it. Never does: know what is installed (the ledger does), or build a
//! message's body (the domain does). Driven by: `exec` and `supervisor`.

use std::io;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_sys::protocols::NETLINK_ROUTE;

use super::request::{self, Raw, Requester};
use crate::conf::model::Buffer;
use crate::ops::{Place, RoutingChange, RoutingOp};
use crate::wire::rtnl::Kind;

// linux/rtnetlink.h
const RTM_NEWROUTE: u16 = 24;
const RTM_DELROUTE: u16 = 25;
const RTM_NEWRULE: u16 = 32;
const RTM_DELRULE: u16 = 33;

/// The driver.
#[derive(Debug)]
pub(super) struct Routing {
    socket: Requester,
    port: Option<u32>,
}

impl Routing {
    /// Sets the size of the socket's receive buffer (`vrrp_netlink_cmd_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        self.socket.set_buffer(wanted);
    }

    /// Opens the socket.
    pub(super) fn open() -> io::Result<Self> {
        let socket = Requester::open(NETLINK_ROUTE)?;
        Ok(Self { socket, port: None })
    }

    /// The port that the kernel names as the cause of what was changed here, once anything was.
    pub(super) const fn port(&self) -> Option<u32> {
        self.port
    }

    /// Carries out `ops` in order; returns the error number of each, 0 for success.
    pub(super) fn carry_out(&mut self, ops: &[&RoutingOp], buffer: &mut [u8]) -> Vec<i32> {
        self.port = self.socket.port();
        self.socket.batch(ops, buffer, |op, flags, sequence, out| {
            let (kind, more) = match (op.what, op.change) {
                (Kind::Route, RoutingChange::Add(place)) => (RTM_NEWROUTE, placed(place)),
                (Kind::Rule, RoutingChange::Add(_)) => (RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL),
                (Kind::Route, RoutingChange::Remove) => (RTM_DELROUTE, 0),
                (Kind::Rule, RoutingChange::Remove) => (RTM_DELRULE, 0),
            };
            let payload = &op.message;
            request::append(out, Raw { kind, payload }, flags | more, sequence);
        })
    }
}

const fn placed(place: Place) -> u16 {
    match place {
        Place::First => NLM_F_CREATE,
        Place::Last => NLM_F_CREATE | NLM_F_APPEND,
        Place::Alone => NLM_F_CREATE | NLM_F_EXCL,
    }
}

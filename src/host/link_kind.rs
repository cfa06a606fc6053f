//! What kind of interface one is, asked of the kernel by name.
//!
//! Owns: one request over netlink and the reading of its answer. Never does: keep anything; the
//! mirror of links is `netlink`'s. Driven by: `files`, while a configuration is read.

use netlink_packet_core::{NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoMacVlan, InfoVrf, IpVlanMode, LinkAttribute, LinkInfo, LinkMessage,
    MacVlanMode,
};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::conf::Link;

/// The kind of the interface `name`; `None` if there is none, or the kernel does not answer.
pub(super) fn of(name: &[u8]) -> Option<Link> {
    let name = std::str::from_utf8(name).ok()?;
    let mut request = LinkMessage::default();
    let wanted = LinkAttribute::IfName(name.to_owned());
    request.attributes.push(wanted);
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST;
    let payload = NetlinkPayload::from(RouteNetlinkMessage::GetLink(request));
    let mut message = NetlinkMessage::new(header, payload);
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let mut socket = Socket::new(NETLINK_ROUTE).ok()?;
    socket.bind_auto().ok()?;
    socket.connect(&SocketAddr::new(0, 0)).ok()?;
    // The kernel answers inside the call that sends, so the answer is there, or none comes.
    socket.set_non_blocking(true).ok()?;
    socket.send(&bytes, 0).ok()?;
    let mut answer = Vec::with_capacity(1 << 16);
    socket.recv(&mut answer, 0).ok()?;
    let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(&answer).ok()?;
    match answer.payload {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => Some(kind(&link)),
        _ => None,
    }
}

fn kind(link: &LinkMessage) -> Link {
    let infos = link
        .attributes
        .iter()
        .filter_map(|attribute| match attribute {
            LinkAttribute::LinkInfo(infos) => Some(infos),
            _ => None,
        });
    for info in infos.flatten() {
        let LinkInfo::Data(data) = info else {
            continue;
        };
        match data {
            InfoData::MacVlan(infos)
                if infos.contains(&InfoMacVlan::Mode(MacVlanMode::Private)) =>
            {
                return Link::PrivateMacvlan;
            }
            InfoData::IpVlan(infos) if infos.contains(&InfoIpVlan::Mode(IpVlanMode::L2)) => {
                return Link::Ipvlan;
            }
            InfoData::Vrf(infos) => {
                let table = infos.iter().find_map(|info| match info {
                    InfoVrf::TableId(table) => Some(*table),
                    _ => None,
                });
                return table.map_or(Link::Other, Link::Vrf);
            }
            _ => {}
        }
    }
    Link::Other
}

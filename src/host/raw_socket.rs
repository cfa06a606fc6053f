//! The sockets of VRRP: raw IPv4 for adverts, packet for gratuitous ARP.
//!
//! Owns: how such a socket is made, and the batched calls on it. Never does: look into a packet
//! beyond the source address. Driven by: `event_loop` (reading) and `exec` (everything else).
//!
//! One socket both sends and receives adverts of an interface, where keepalived has two: bound to
//! the group address it sees adverts alone, and as its packets bring their own IP header, nothing
//! on the wire tells the difference.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::sys::{self, BATCH, Destination};
use crate::base::{Family, IfIndex, ident};
use crate::ops::{Frame, SocketSpec};

/// IP protocol number of VRRP (RFC 3768 §5.2.4).
const PROTOCOL: i32 = 112;

/// Room for one received packet. 255 addresses with header, options and authentication need
/// 1,112 bytes.
pub(super) const SLOT: usize = 2048;

/// Bytes of adverts, with the kernel's overhead, that may wait.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A socket that the node opened.
#[derive(Debug)]
pub(super) struct RawSocket {
    socket: Socket,
    /// The interface whose adverts it receives; `None` where it only sends.
    receives_on: Option<IfIndex>,
    /// `MSG_*` for each packet.
    flags: i32,
}

impl RawSocket {
    /// Opens a socket for `spec`.
    ///
    /// # Errors
    /// What the kernel says; `EAFNOSUPPORT` for adverts over IPv6, which this version does not
    /// speak.
    pub(super) fn open(spec: &SocketSpec) -> io::Result<Self> {
        match *spec {
            SocketSpec::Vrrp {
                interface,
                family: Family::V4,
                group: IpAddr::V4(group),
            } => Self::open_vrrp(interface, group),
            SocketSpec::Vrrp { .. } => Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)),
            SocketSpec::Link => Self::open_link(),
        }
    }

    fn open_vrrp(interface: IfIndex, group: Ipv4Addr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::IPV4,
            Type::RAW.nonblocking(),
            Some(Protocol::from(PROTOCOL)),
        )?;
        // The device first: from then on nothing of other interfaces gets in.
        let name = nix::net::if_::if_indextoname(interface.get())?;
        socket.bind_device(Some(name.as_bytes()))?;
        // Room for what some thousand instances hear while this process does not run. Only root
        // may go past the system's limit; without that the default has to do.
        if nix::sys::socket::setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER).is_err() {
            log::debug!(target: ident::VRRP, "the receive buffer of adverts keeps its default size");
        }
        socket.set_multicast_all_v4(false)?;
        socket.join_multicast_v4_n(&group, &InterfaceIndexOrAddress::Index(interface.get()))?;
        socket.set_multicast_loop_v4(false)?;
        socket.set_header_included_v4(true)?;
        socket.bind(&SocketAddrV4::new(group, 0).into())?;
        Ok(Self {
            socket,
            receives_on: Some(interface),
            // The group is on the link, whatever the routing table says.
            flags: libc::MSG_DONTROUTE,
        })
    }

    fn open_link() -> io::Result<Self> {
        // Protocol 0 receives nothing at all, so there is nothing to filter or to drain.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
        Ok(Self {
            socket,
            receives_on: None,
            flags: 0,
        })
    }

    /// The interface whose adverts arrive here, if any do.
    pub(super) const fn receives_on(&self) -> Option<IfIndex> {
        self.receives_on
    }

    /// Receives what is there, at most [`BATCH`] packets of [`SLOT`] bytes; see
    /// [`sys::receive_batch`].
    pub(super) fn receive(
        &self,
        buffer: &mut [u8],
        lengths: &mut [usize; BATCH],
    ) -> io::Result<usize> {
        sys::receive_batch(self.socket.as_fd(), buffer, SLOT, lengths)
    }

    /// Sends frames in order, as many to a system call as fit. A frame that the kernel refuses is
    /// lost, as on the wire; the rest still goes. Returns the first refusal.
    pub(super) fn send<'a>(&self, frames: impl Iterator<Item = &'a Frame>) -> io::Result<()> {
        let mut result = Ok(());
        let mut packets: [(Destination, &[u8]); BATCH] =
            [(Destination::V4(Ipv4Addr::UNSPECIFIED), &[]); BATCH];
        let mut count = 0;
        for frame in frames {
            packets[count] = match frame {
                Frame::Ip {
                    to: IpAddr::V4(to),
                    bytes,
                } => (Destination::V4(*to), bytes),
                Frame::Ip {
                    to: IpAddr::V6(_), ..
                } => {
                    result = result.and(Err(io::Error::from_raw_os_error(libc::EAFNOSUPPORT)));
                    continue;
                }
                Frame::Link { interface, bytes } => (Destination::Link(*interface), bytes),
            };
            count += 1;
            if count == BATCH {
                result = result.and(self.send_all(&packets));
                count = 0;
            }
        }
        result.and(self.send_all(&packets[..count]))
    }

    fn send_all(&self, mut packets: &[(Destination, &[u8])]) -> io::Result<()> {
        let mut result = Ok(());
        while !packets.is_empty() {
            match sys::send_batch(self.socket.as_fd(), packets, self.flags) {
                Ok(sent) => packets = packets.get(sent.max(1)..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    result = result.and(Err(error));
                    packets = packets.get(1..).unwrap_or_default();
                }
            }
        }
        result
    }
}

impl AsFd for RawSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for RawSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// The source address of an IPv4 packet with its header.
pub(super) fn source_of(packet: &[u8]) -> Option<Ipv4Addr> {
    let octets = packet.get(12..16)?.first_chunk::<4>()?;
    Some(Ipv4Addr::from(*octets))
}

//! The sockets of VRRP: raw IP for adverts, packet for gratuitous ARP and neighbour adverts.
//!
//! Owns: how such a socket is made, and the batched calls on it. Never does: look into a packet
//! beyond the source address. Driven by: `event_loop` (reading) and `exec` (everything else).
//!
//! One socket both sends and receives adverts of an interface, where keepalived has two: bound to
//! the group address, or with unicast to the own one, it sees adverts alone; and as its packets
//! bring their own IP header (for IPv6 with Linux 4.5 and newer), nothing on the wire tells the
//! difference.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::gather::Stream;
use super::sys::{self, BATCH, Destination, Origin};
use crate::base::{IfIndex, ident};
use crate::ops::{Frame, SocketSpec};
use crate::wire::ip::{self, IPV6_HEADER_LEN};

/// Room for one received packet. 255 IPv4 addresses with header, options and authentication need
/// 1,112 bytes, 255 of IPv6 4,128.
pub(super) const SLOT: usize = 4352;

/// Bytes of adverts, with the kernel's overhead, that may wait.
const RECEIVE_BUFFER: usize = 2 << 20;

/// A socket that the node opened.
#[derive(Debug)]
pub(super) struct RawSocket {
    socket: Socket,
    /// The interface whose adverts it receives, and the address that they go to; `None` where it
    /// only sends.
    receives: Option<(IfIndex, IpAddr)>,
    protocol: u8,
    /// `MSG_*` for each packet.
    flags: i32,
    /// How much comes in.
    pub(super) stream: Stream,
}

impl RawSocket {
    /// Opens a socket for `spec`.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn open(spec: &SocketSpec) -> io::Result<Self> {
        match *spec {
            SocketSpec::Vrrp {
                interface,
                address,
                protocol,
            } => Self::open_vrrp(interface, address, protocol),
            SocketSpec::Link => Self::open_link(),
            // `udp_socket` is there for it.
            SocketSpec::Datagram { .. } => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    fn open_vrrp(interface: IfIndex, address: IpAddr, protocol: u8) -> io::Result<Self> {
        let socket = Socket::new(
            match address {
                IpAddr::V4(_) => Domain::IPV4,
                IpAddr::V6(_) => Domain::IPV6,
            },
            Type::RAW.nonblocking(),
            Some(Protocol::from(i32::from(protocol))),
        )?;
        // The device first: from then on nothing of other interfaces gets in.
        let name = nix::net::if_::if_indextoname(interface.get())?;
        socket.bind_device(Some(name.as_bytes()))?;
        set_buffer(&socket, None);
        match address {
            IpAddr::V4(own) => {
                if own.is_multicast() {
                    socket.set_multicast_all_v4(false)?;
                    let on = InterfaceIndexOrAddress::Index(interface.get());
                    socket.join_multicast_v4_n(&own, &on)?;
                    socket.set_multicast_loop_v4(false)?;
                }
                socket.set_header_included_v4(true)?;
                // As keepalived since 2.3: an address that comes later is heard on then.
                socket.set_freebind_v4(true)?;
                socket.bind(&SocketAddrV4::new(own, 0).into())?;
            }
            IpAddr::V6(own) => {
                if own.is_multicast() {
                    socket.join_multicast_v6(&own, interface.get())?;
                    socket.set_multicast_loop_v6(false)?;
                }
                socket.set_header_included_v6(true)?;
                socket.set_recv_hoplimit_v6(true)?;
                // Linux 4.15 and newer; without it such an address has to be there.
                socket.set_freebind_v6(true).ok();
                socket.bind(&SocketAddrV6::new(own, 0, 0, interface.get()).into())?;
            }
        }
        Ok(Self {
            socket,
            receives: Some((interface, address)),
            protocol,
            // The group is on the link, whatever the routing table says.
            flags: if address.is_multicast() {
                libc::MSG_DONTROUTE
            } else {
                0
            },
            stream: Stream::default(),
        })
    }

    fn open_link() -> io::Result<Self> {
        // Protocol 0 receives nothing at all, so there is nothing to filter or to drain.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
        Ok(Self {
            socket,
            receives: None,
            protocol: 0,
            flags: 0,
            stream: Stream::default(),
        })
    }

    /// Sets the size of its receive buffer.
    pub(super) fn set_buffer(&self, bytes: Option<u32>) {
        set_buffer(&self.socket, bytes);
    }

    /// The interface whose adverts arrive here, if any do.
    pub(super) fn receives_on(&self) -> Option<IfIndex> {
        self.receives.map(|(interface, _)| interface)
    }

    /// Receives what is there, at most [`BATCH`] packets of [`SLOT`] bytes; see
    /// [`sys::receive_batch`]. The kernel keeps the header of an IPv6 packet to itself; it is made
    /// anew of what the kernel tells, so that packets of both families begin with one.
    pub(super) fn receive(
        &self,
        buffer: &mut [u8],
        lengths: &mut [usize; BATCH],
    ) -> io::Result<usize> {
        let Some((_, IpAddr::V6(own))) = self.receives else {
            return sys::receive_batch(self.socket.as_fd(), buffer, SLOT, lengths);
        };
        let mut origins = [Origin::UNKNOWN; BATCH];
        let count = sys::receive_batch_v6(
            self.socket.as_fd(),
            buffer,
            (SLOT, IPV6_HEADER_LEN),
            lengths,
            &mut origins,
        )?;
        let mut header = Vec::with_capacity(IPV6_HEADER_LEN);
        let slots = buffer.chunks_exact_mut(SLOT);
        for ((slot, length), origin) in slots.zip(lengths.iter_mut()).zip(origins).take(count) {
            if *length == 0 {
                continue;
            }
            header.clear();
            let ends = (origin.source, own);
            ip::write_ipv6(ends, origin.hop_limit, self.protocol, *length, &mut header);
            slot[..IPV6_HEADER_LEN].copy_from_slice(&header);
            *length += IPV6_HEADER_LEN;
        }
        Ok(count)
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
                    to: IpAddr::V6(to),
                    bytes,
                } => (Destination::V6(*to), bytes),
                Frame::Link {
                    interface, bytes, ..
                } => (Destination::Link(*interface), bytes),
                // Of another kind of socket.
                Frame::Datagram { .. } => continue,
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

/// Room for what some thousand instances hear while this process does not run, unless the
/// configuration says otherwise. Only root may go past the system's limit; without that the default
/// has to do.
fn set_buffer(socket: &Socket, bytes: Option<u32>) {
    let size = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    let size = size.unwrap_or(RECEIVE_BUFFER);
    if nix::sys::socket::setsockopt(socket, RcvBufForce, &size).is_err() {
        log::debug!(target: ident::VRRP, "the receive buffer of adverts keeps its default size");
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

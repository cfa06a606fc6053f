//! The UDP sockets of the node (BFD).
//!
//! Owns: how such a socket is made, and the calls on it. Never does: look into a datagram. Driven
//! by: `event_loop` (reading) and `exec` (everything else).

use std::cell::Cell;
use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::sockopt::{Ipv4RecvTtl, Ipv6RecvHopLimit};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::sys;
use crate::base::ident;

/// Bytes of datagrams that may wait, with the kernel's overhead: what comes while this process does
/// not run proves that the neighbours do.
const RECEIVE_BUFFER: usize = 1 << 20;

/// A received datagram; its payload is in the caller's buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) from: SocketAddr,
    pub(super) ttl: u8,
    pub(super) length: usize,
}

/// A socket that the node opened.
#[derive(Debug)]
pub(super) struct UdpSocket {
    socket: Socket,
    receives: bool,
    /// The last datagram did not go out, which was told.
    fails: Cell<bool>,
}

impl UdpSocket {
    /// Opens a socket.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn open(bind: SocketAddr, ttl: Option<u8>, receives: bool) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(bind),
            Type::DGRAM.nonblocking(),
            Some(Protocol::UDP),
        )?;
        match bind.ip() {
            IpAddr::V4(_) => {
                if let Some(ttl) = ttl {
                    socket.set_ttl_v4(ttl.into())?;
                }
                if receives {
                    setsockopt(&socket, Ipv4RecvTtl, &true)?;
                }
            }
            IpAddr::V6(_) => {
                socket.set_only_v6(true)?;
                if let Some(ttl) = ttl {
                    socket.set_unicast_hops_v6(ttl.into())?;
                }
                if receives {
                    setsockopt(&socket, Ipv6RecvHopLimit, &true)?;
                }
            }
        }
        if receives {
            // More than the system's limit is not needed: the default has to do then.
            drop(socket.set_recv_buffer_size(RECEIVE_BUFFER));
        } else {
            // What comes to it is for nobody.
            drop(socket.set_recv_buffer_size(0));
        }
        socket.bind(&bind.into())?;
        Ok(Self {
            socket,
            receives,
            fails: Cell::new(false),
        })
    }

    /// Whether what arrives is for the node.
    pub(super) const fn receives(&self) -> bool {
        self.receives
    }

    /// Sends a datagram. One that the kernel refuses is lost, as on the wire; said once until one
    /// goes out again.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        match self.socket.send_to(bytes, &to.into()) {
            Ok(_) => self.fails.set(false),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                if !self.fails.replace(true) {
                    let why = error.raw_os_error().map(sys::error_text);
                    let why = why.unwrap_or_else(|| error.to_string());
                    log::info!(target: ident::BFD, "sendto() error ({why})");
                    log::info!(target: ident::BFD, "Error sending packet to [{to}]", to = to.ip());
                }
            }
        }
    }

    /// Receives a datagram into `buffer`; `None` once none is left.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<Received>> {
        let mut control = nix::cmsg_space!(libc::c_int, libc::c_int);
        let mut room = [IoSliceMut::new(buffer)];
        let message = match recvmsg::<SockaddrStorage>(
            self.socket.as_raw_fd(),
            &mut room,
            Some(&mut control),
            MsgFlags::MSG_DONTWAIT,
        ) {
            Ok(message) => message,
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => return Ok(None),
            Err(errno) => return Err(errno.into()),
        };
        let ttl = message.cmsgs()?.find_map(|control| match control {
            ControlMessageOwned::Ipv4Ttl(ttl) | ControlMessageOwned::Ipv6HopLimit(ttl) => {
                u8::try_from(ttl).ok()
            }
            _ => None,
        });
        let address = message.address.as_ref();
        let from = address.and_then(|address| {
            let v4 = address.as_sockaddr_in();
            let v4 = v4.map(|v4| SocketAddr::new(v4.ip().into(), v4.port()));
            let v6 = address.as_sockaddr_in6();
            v4.or_else(|| v6.map(|v6| SocketAddr::new(v6.ip().into(), v6.port())))
        });
        let Some(from) = from else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        Ok(Some(Received {
            from,
            // What the kernel does not tell may have come from anywhere.
            ttl: ttl.unwrap_or(0),
            length: message.bytes,
        }))
    }
}

impl AsRawFd for UdpSocket {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: a datagram over the loopback of either family, with a TTL of its own. Output: its
    // sender, its TTL, its bytes; then none.
    #[test]
    fn a_datagram_comes_with_its_ttl() {
        for own in ["127.0.0.1:0", "[::1]:0"] {
            let own: SocketAddr = own.parse().unwrap();
            let Ok(to) = UdpSocket::open(own, None, true) else {
                assert!(own.is_ipv6(), "there is IPv4 everywhere");
                continue;
            };
            let from = UdpSocket::open(own, Some(77), false).unwrap();
            let address =
                |socket: &UdpSocket| socket.socket.local_addr().unwrap().as_socket().unwrap();
            from.send(address(&to), b"abc");
            let mut buffer = [0; 16];
            let got = to.receive(&mut buffer).unwrap().unwrap();
            assert_eq!((got.from, got.ttl), (address(&from), 77));
            assert_eq!(&buffer[..got.length], b"abc");
            assert!(to.receive(&mut buffer).unwrap().is_none());
        }
    }
}

//! Packet capture on an interface of a host, with the kernel's receive time.
//!
//! Owns a packet socket and the thread that reads it; keeps every frame in memory. Never decodes:
//! see [`super::Packet`]. Driven by tests, which ask for frames while the capture runs.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, ControlMessageOwned, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType,
    recvmsg, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeSpec, TimeVal};

use super::{Context, Host, Packet, Result, wait_for};

/// How often the reading thread looks whether it should end.
const STOP_CHECK: TimeVal = TimeVal::new(0, 50_000);
/// A reading that takes longer has found nothing.
const EMPTY: Duration = Duration::from_millis(40);
/// Larger than any frame a virtual cable carries, segmentation offload included.
const FRAME: usize = 0x1_0000;
/// linux/if_packet.h
const PACKET_OTHERHOST: u8 = 3;
/// linux/if_packet.h
const PACKET_OUTGOING: u8 = 4;

/// How a frame passed the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Received, for this host (its address, broadcast or multicast).
    In,
    /// Sent by this host.
    Out,
    /// Received although addressed to another host: the switch flooded it.
    Other,
}

/// One captured Ethernet frame.
#[derive(Debug, Clone)]
pub struct Frame {
    /// When the kernel saw it.
    pub at: SystemTime,
    /// Which way it passed.
    pub direction: Direction,
    /// From the destination address on, without check sequence.
    pub bytes: Vec<u8>,
}

/// A running capture; ends when dropped.
pub struct Capture {
    frames: Arc<Mutex<Vec<Frame>>>,
    stop: Arc<AtomicBool>,
    reader: Option<JoinHandle<()>>,
}

impl Frame {
    /// Its decoded content.
    #[must_use]
    pub fn packet(&self) -> Packet {
        Packet::decode(&self.bytes)
    }
}

impl Capture {
    /// Starts to capture on an interface of `host`; from when this returns, nothing is missed.
    ///
    /// # Errors
    /// When the interface does not exist.
    pub fn start(host: &Host, interface: &str) -> Result<Self> {
        Self::start_resting(host, interface, Duration::ZERO)
    }

    /// The same, reading only after each `pause`, so that it takes no time from what is watched;
    /// frames wait in the socket meanwhile.
    ///
    /// # Errors
    /// When the socket cannot be opened.
    pub fn start_resting(host: &Host, interface: &str, pause: Duration) -> Result<Self> {
        let what = format!("capture on {} {interface}", host.name());
        let interface = interface.to_owned();
        let (socket, index) = host.enter(move || open(&interface))?.context(|| what)?;
        let frames = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (sink, end) = (Arc::clone(&frames), Arc::clone(&stop));
        let reader = std::thread::spawn(move || {
            let mut buffer = vec![0; FRAME];
            while !end.load(Ordering::Relaxed) {
                if !pause.is_zero() {
                    std::thread::sleep(pause);
                }
                // What comes while it reads has to wait for the next time.
                let now = SystemTime::now();
                loop {
                    let asked = Instant::now();
                    let more = match receive(&socket, index, &mut buffer) {
                        Some(frame) => {
                            let before = frame.at < now;
                            sink.lock()
                                .unwrap_or_else(PoisonError::into_inner)
                                .push(frame);
                            before
                        }
                        // One of another interface is left out at once; the end takes its time.
                        None => asked.elapsed() < EMPTY,
                    };
                    if pause.is_zero() || !more {
                        break;
                    }
                }
            }
        });
        Ok(Self {
            frames,
            stop,
            reader: Some(reader),
        })
    }

    /// Every frame so far, in the order in which the kernel saw them.
    #[must_use]
    pub fn frames(&self) -> Vec<Frame> {
        self.since(SystemTime::UNIX_EPOCH)
    }

    /// Every frame seen at `from` or later.
    #[must_use]
    pub fn since(&self, from: SystemTime) -> Vec<Frame> {
        let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
        frames
            .iter()
            .filter(|frame| frame.at >= from)
            .cloned()
            .collect()
    }

    /// Waits for a frame seen at `from` or later that `matches`.
    ///
    /// # Errors
    /// When there was none within `deadline`; the error names `what`.
    pub fn wait_for(
        &self,
        deadline: Duration,
        what: &str,
        from: SystemTime,
        matches: impl Fn(&Packet) -> bool,
    ) -> Result<Frame> {
        // Each frame is looked at once: a long capture on a slow machine would starve it otherwise.
        let mut looked_at = 0;
        let look = || {
            let frames = self.frames.lock().unwrap_or_else(PoisonError::into_inner);
            let new = frames.get(looked_at..).unwrap_or_default();
            looked_at = frames.len();
            new.iter()
                .find(|frame| frame.at >= from && matches(&frame.packet()))
                .cloned()
        };
        wait_for(deadline, what, look).map(|(frame, _)| frame)
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take()
            && reader.join().is_err()
        {
            eprintln!("testbed: a capture has panicked");
        }
    }
}

fn open(interface: &str) -> nix::Result<(OwnedFd, usize)> {
    let index = if_nametoindex(interface)?;
    let kind = SockFlag::SOCK_CLOEXEC;
    let socket = socket(
        AddressFamily::Packet,
        SockType::Raw,
        kind,
        SockProtocol::EthAll,
    )?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    setsockopt(&socket, sockopt::ReceiveTimeout, &STOP_CHECK)?;
    setsockopt(&socket, sockopt::RcvBufForce, &(8 << 20))?;
    Ok((socket, usize::try_from(index).unwrap_or(usize::MAX)))
}

/// One frame of this interface, or nothing for now. The socket is not bound to the interface (nix
/// has no safe way to), so those of others are dropped here.
fn receive(socket: &OwnedFd, index: usize, buffer: &mut [u8]) -> Option<Frame> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = match recvmsg::<LinkAddr>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    ) {
        Ok(message) => message,
        // ENETDOWN once when the interface goes down; the socket goes on afterwards.
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => return None,
        Err(error) => {
            eprintln!("testbed: capture: {error}");
            std::thread::sleep(Duration::from_millis(100));
            return None;
        }
    };
    let address = message
        .address
        .filter(|address| address.ifindex() == index)?;
    let direction = match address.pkttype() {
        PACKET_OUTGOING => Direction::Out,
        PACKET_OTHERHOST => Direction::Other,
        _ => Direction::In,
    };
    let stamp = message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    })?;
    let length = message.bytes;
    let at = UNIX_EPOCH + Duration::from(stamp);
    Some(Frame {
        at,
        direction,
        bytes: buffer.get(..length)?.to_vec(),
    })
}

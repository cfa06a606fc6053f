//! The system calls that no safe wrapper among our dependencies offers.
//!
//! Owns: the only `unsafe` of the crate; each block says why it is sound. Never does: keep state,
//! decide, log. Driven by: the drivers beside it. What nix, socket2, std or mio offer safely is
//! used from there instead, and does not belong here.

#![allow(unsafe_code)]

pub(super) mod dispositions;
pub(super) mod memory;
pub(super) mod regex;

use std::ffi::CStr;
use std::io;
use std::mem::{MaybeUninit, size_of};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::rlim_t;
use nix::sys::signal::SigSet;
use nix::unistd::Pid;

use super::child::Identity;
use crate::base::IfIndex;
use crate::ops::LinkProbe;

/// Packets handed over by one [`receive_batch`] or [`send_batch`] at most.
pub(super) const BATCH: usize = 16;

/// What `recvmmsg` and `sendmmsg` take as flags: the two C libraries declare them differently.
#[cfg(not(target_env = "musl"))]
const fn batch_flags(flags: i32) -> i32 {
    flags
}
/// See above.
#[cfg(target_env = "musl")]
const fn batch_flags(flags: i32) -> u32 {
    flags.cast_unsigned()
}

/// `recvmmsg`, or one message where there is no such call (before Linux 2.6.33).
///
/// # Safety
/// The first `count` headers point to memory that may be written to.
unsafe fn receive_into(
    socket: BorrowedFd<'_>,
    headers: &mut [libc::mmsghdr; BATCH],
    count: u32,
) -> i32 {
    let (socket, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT);
    let list = headers.as_mut_ptr();
    // SAFETY: the caller's promise, and at most BATCH headers.
    let received = unsafe {
        libc::recvmmsg(
            socket,
            list,
            count,
            batch_flags(flags),
            std::ptr::null_mut(),
        )
    };
    if received >= 0 || Errno::last() != Errno::ENOSYS {
        return received;
    }
    let [header, ..] = headers;
    // SAFETY: the caller's promise.
    let length = unsafe { libc::recvmsg(socket, &raw mut header.msg_hdr, flags) };
    header.msg_len = u32::try_from(length).unwrap_or(0);
    if length < 0 { -1 } else { 1 }
}

/// `sendmmsg`, or one message where there is no such call (before Linux 3.0).
///
/// # Safety
/// The first `count` headers point to memory that may be read.
unsafe fn send_from(
    socket: BorrowedFd<'_>,
    headers: &mut [libc::mmsghdr; BATCH],
    count: u32,
    flags: i32,
) -> i32 {
    let (socket, flags) = (socket.as_raw_fd(), libc::MSG_DONTWAIT | flags);
    let list = headers.as_mut_ptr();
    // SAFETY: the caller's promise, and at most BATCH headers.
    let sent = unsafe { libc::sendmmsg(socket, list, count, batch_flags(flags)) };
    if sent >= 0 || Errno::last() != Errno::ENOSYS {
        return sent;
    }
    let [header, ..] = headers;
    // SAFETY: the caller's promise.
    let length = unsafe { libc::sendmsg(socket, &raw const header.msg_hdr, flags) };
    if length < 0 { -1 } else { 1 }
}

/// Which side of a fork this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fork {
    /// The caller; the other process has this id.
    Parent(Pid),
    /// The new process.
    Child,
}

/// Makes a second process.
pub(super) fn fork() -> io::Result<Fork> {
    // SAFETY: fork is unsound only where another thread may hold a lock that the child then waits
    // for. The launcher and the supervisor fork, which start no thread, so the child may go on as if
    // nothing had happened. The worker has threads (for names and patterns) and starts programs
    // with `Command` alone.
    match unsafe { nix::unistd::fork() }? {
        nix::unistd::ForkResult::Parent { child } => Ok(Fork::Parent(child)),
        nix::unistd::ForkResult::Child => Ok(Fork::Child),
    }
}

/// Takes one of the blocked signals of `set` that is pending or arrives within `timeout` (`None`:
/// however long it takes). `Ok(None)` after the timeout, and after an interruption.
pub(super) fn wait_signal(set: &SigSet, timeout: Option<Duration>) -> io::Result<Option<i32>> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: timeout.as_secs().try_into().unwrap_or(i32::MAX.into()),
        tv_nsec: libc::c_long::from(timeout.subsec_nanos().cast_signed()),
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the set is a valid sigset_t, the information is not wanted, and the timeout is null
    // or points to a timespec that lives until the end of this function.
    let signal = unsafe { libc::sigtimedwait(set.as_ref(), std::ptr::null_mut(), timeout) };
    if signal > 0 {
        return Ok(Some(signal));
    }
    let error = io::Error::last_os_error();
    match error.raw_os_error() {
        Some(libc::EAGAIN | libc::EINTR) => Ok(None),
        _ => Err(error),
    }
}

/// Sends any signal, real-time ones included.
pub(super) fn send_signal(pid: Pid, signal: i32) -> io::Result<()> {
    // SAFETY: kill takes two integers and touches no memory of ours.
    if unsafe { libc::kill(pid.as_raw(), signal) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// The numbers of the first and last real-time signal as the C library sees them.
pub(super) fn realtime_signals() -> (i32, i32) {
    (libc::SIGRTMIN(), libc::SIGRTMAX())
}

/// Adds a signal to a set by its number, real-time ones included.
pub(super) fn add_to_set(set: &SigSet, signals: &[i32]) -> SigSet {
    let mut raw = *set.as_ref();
    for &signal in signals {
        // SAFETY: raw is an initialised sigset_t; a number that is no signal is refused with
        // EINVAL and changes nothing.
        unsafe { libc::sigaddset(&raw mut raw, signal) };
    }
    // SAFETY: raw was initialised by SigSet and changed by sigaddset only.
    unsafe { SigSet::from_sigset_t_unchecked(raw) }
}

/// Sets the nice value of this process, -20 to 19.
pub(super) fn set_nice(nice: i32) -> io::Result<()> {
    // SAFETY: setpriority takes three integers and touches no memory of ours.
    match unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Gives this process, and none that it forks, a real-time priority of `SCHED_RR`, 1 to 99; 0:
/// none.
pub(super) fn set_realtime(priority: i32) -> io::Result<()> {
    let policy = if priority > 0 {
        libc::SCHED_RR | libc::SCHED_RESET_ON_FORK
    } else {
        libc::SCHED_OTHER
    };
    // The system call itself: musl's function only says that there is none. Its parameter is the
    // one number.
    // SAFETY: the parameter is read during the call and lives until its end.
    match unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, policy, &raw const priority) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A descriptor that becomes readable when the process ends. `ENOSYS` before Linux 5.3.
pub(super) fn pidfd_open(pid: Pid) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two integers; the descriptor that it returns is new and nobody
    // else's. It is closed on exec.
    unsafe {
        let descriptor = libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0);
        match i32::try_from(descriptor) {
            Ok(descriptor) if descriptor >= 0 => Ok(OwnedFd::from_raw_fd(descriptor)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// Lets the child of `command` begin as a program expects to: no signal ignored or blocked, no
/// descriptor of ours, no real-time priority, the limit of descriptors as it was, and, with an
/// identity, as somebody else.
pub(super) fn prepare_child(
    command: &mut Command,
    identity: Option<Identity>,
    descriptors: Option<(rlim_t, rlim_t)>,
) {
    let identity = identity.map(|identity| {
        let groups: Vec<libc::gid_t> = identity.groups.iter().map(|gid| gid.as_raw()).collect();
        (identity.uid.as_raw(), identity.gid.as_raw(), groups)
    });
    let last = libc::SIGRTMAX();
    let begin = move || {
        // SAFETY: these run in the child between fork and exec. All of them are async-signal-safe
        // system calls that touch no memory but the locals and the list made above; none
        // allocates.
        unsafe {
            for signal in 1..=last {
                // KILL, STOP and the C library's own refuse, and need it not.
                libc::signal(signal, libc::SIG_DFL);
            }
            let mut none = MaybeUninit::<libc::sigset_t>::uninit();
            libc::sigemptyset(none.as_mut_ptr());
            libc::sigprocmask(libc::SIG_SETMASK, none.as_ptr(), std::ptr::null_mut());
            // Ours are closed on exec already; this is for what a launcher left open. ENOSYS
            // before Linux 5.11.
            libc::syscall(
                libc::SYS_close_range,
                3,
                libc::c_uint::MAX,
                libc::CLOSE_RANGE_CLOEXEC,
            );
            let normal: libc::c_int = 0;
            libc::syscall(
                libc::SYS_sched_setscheduler,
                0,
                libc::SCHED_OTHER,
                &raw const normal,
            );
            if let Some((soft, hard)) = descriptors {
                let limit = libc::rlimit {
                    rlim_cur: soft,
                    rlim_max: hard,
                };
                libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
            }
            if let Some((uid, gid, groups)) = &identity
                && (libc::setgroups(groups.len(), groups.as_ptr()) != 0
                    || libc::setgid(*gid) != 0
                    || libc::setuid(*uid) != 0)
            {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    };
    // SAFETY: see inside: the closure does only what a child may between fork and exec.
    unsafe {
        command.pre_exec(begin);
    }
}

/// Broken-down local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalTime {
    /// Full years.
    pub(super) year: i32,
    /// 0 to 11.
    pub(super) month: usize,
    /// 1 to 31.
    pub(super) day: i32,
    /// 0 to 6, from Sunday.
    pub(super) weekday: usize,
    /// 0 to 23.
    pub(super) hour: i32,
    /// 0 to 59.
    pub(super) minute: i32,
    /// 0 to 60.
    pub(super) second: i32,
    /// How far the zone is east of Greenwich.
    pub(super) east_minutes: i64,
}

/// The local time at `seconds` since 1970.
pub(super) fn local_time(seconds: i64) -> LocalTime {
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are valid for the call; localtime_r fills tm or leaves it, and tm is
    // valid when all its bytes are zero (integers and a nullable pointer), so it may be read.
    let tm = unsafe {
        libc::localtime_r(&raw const seconds, tm.as_mut_ptr());
        tm.assume_init()
    };
    LocalTime {
        year: tm.tm_year + 1900,
        month: usize::try_from(tm.tm_mon).unwrap_or(0),
        day: tm.tm_mday,
        weekday: usize::try_from(tm.tm_wday).unwrap_or(0),
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
        east_minutes: tm.tm_gmtoff / 60,
    }
}

/// Text of a system error number, without the number.
pub(super) fn error_text(errno: i32) -> String {
    let mut text = [0u8; 128];
    // SAFETY: the buffer is valid for its length, and the XSI strerror_r ends what it writes with
    // a zero byte within it.
    let status = unsafe { libc::strerror_r(errno, text.as_mut_ptr().cast(), text.len()) };
    match CStr::from_bytes_until_nul(&text) {
        Ok(text) if status == 0 => text.to_string_lossy().into_owned(),
        _ => format!("error {errno}"),
    }
}

/// Receives up to [`BATCH`] packets that are there already, the n-th into the n-th part of
/// `buffer` of `slot` bytes, and notes their lengths. A packet that does not fit gets length 0.
/// Fewer than [`BATCH`]: the queue was empty then, and a packet that comes later will be
/// announced; so an edge-triggered reader needs no further call.
pub(super) fn receive_batch(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    slot: usize,
    lengths: &mut [usize; BATCH],
) -> io::Result<usize> {
    let mut vectors = [const {
        libc::iovec {
            iov_base: std::ptr::null_mut(),
            iov_len: 0,
        }
    }; BATCH];
    // SAFETY: an mmsghdr is integers and nullable pointers; all zero means "nothing given".
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { MaybeUninit::zeroed().assume_init() };
    let mut count = 0;
    for ((part, vector), header) in buffer
        .chunks_exact_mut(slot)
        .zip(&mut vectors)
        .zip(&mut headers)
    {
        vector.iov_base = part.as_mut_ptr().cast();
        vector.iov_len = slot;
        header.msg_hdr.msg_iov = std::ptr::from_mut(vector);
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the first `count` headers each point to one vector, and that to its own part of the
    // buffer; all of them live until the end of this function. No names or control data are asked
    // for.
    let received = unsafe { receive_into(socket, &mut headers, count) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    for (length, header) in lengths.iter_mut().zip(&headers).take(received) {
        let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        *length = if truncated {
            0
        } else {
            usize::try_from(header.msg_len).unwrap_or(0)
        };
    }
    Ok(received)
}

/// Where an IPv6 packet comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its source.
    pub(super) source: Ipv6Addr,
    /// The hop limit that is left.
    pub(super) hop_limit: u8,
}

impl Origin {
    /// Of no packet; a hop limit of 0 is acceptable to nobody.
    pub(super) const UNKNOWN: Self = Self {
        source: Ipv6Addr::UNSPECIFIED,
        hop_limit: 0,
    };
}

/// Bytes for the control message that tells the hop limit.
const CONTROL: usize = 64;

/// Room for such a message, aligned as its header needs it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// As [`receive_batch`] with slots of `layout.0` bytes, of which the first `layout.1` stay free;
/// tells where each packet comes from as well.
pub(super) fn receive_batch_v6(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    layout: (usize, usize),
    lengths: &mut [usize; BATCH],
    origins: &mut [Origin; BATCH],
) -> io::Result<usize> {
    let (slot, free) = layout;
    // SAFETY: sockaddr_in6, iovec and mmsghdr are plain integers and nullable pointers, for which
    // all bytes zero is a valid value.
    let (mut names, mut vectors, mut headers): (
        [libc::sockaddr_in6; BATCH],
        [libc::iovec; BATCH],
        [libc::mmsghdr; BATCH],
    ) = unsafe {
        (
            MaybeUninit::zeroed().assume_init(),
            MaybeUninit::zeroed().assume_init(),
            MaybeUninit::zeroed().assume_init(),
        )
    };
    let mut controls = [Control([0; CONTROL]); BATCH];
    let mut count = 0;
    for ((((part, vector), header), name), control) in buffer
        .chunks_exact_mut(slot)
        .zip(&mut vectors)
        .zip(&mut headers)
        .zip(&mut names)
        .zip(&mut controls)
    {
        let part = part.get_mut(free..).unwrap_or_default();
        vector.iov_base = part.as_mut_ptr().cast();
        vector.iov_len = part.len();
        header.msg_hdr.msg_iov = std::ptr::from_mut(vector);
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = std::ptr::from_mut(name).cast();
        header.msg_hdr.msg_namelen = LEN_INET6;
        header.msg_hdr.msg_control = std::ptr::from_mut(control).cast();
        header.msg_hdr.msg_controllen = CONTROL as _;
        count += 1;
    }
    // SAFETY: the first `count` headers each point to one vector, one name and one control buffer
    // of the lengths given, and the vector to its own part of the buffer; all of them live until
    // the end of this function.
    let received = unsafe { receive_into(socket, &mut headers, count) };
    let received = usize::try_from(received).map_err(|_| io::Error::last_os_error())?;
    let filled = headers.iter().zip(&names).take(received);
    for ((header, name), (length, origin)) in filled.zip(lengths.iter_mut().zip(origins.iter_mut()))
    {
        let truncated = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        *length = if truncated {
            0
        } else {
            usize::try_from(header.msg_len).unwrap_or(0)
        };
        *origin = Origin {
            source: Ipv6Addr::from(name.sin6_addr.s6_addr),
            hop_limit: hop_limit(&header.msg_hdr),
        };
    }
    Ok(received)
}

/// The hop limit that the kernel tells with a message; 0 if it does not.
fn hop_limit(header: &libc::msghdr) -> u8 {
    // SAFETY: the kernel has filled the control buffer, which lives as long as the header, and set
    // its length; the macros stay within that, and the value is an int that may be unaligned.
    unsafe {
        let mut control = libc::CMSG_FIRSTHDR(header);
        while !control.is_null() {
            let kind = ((*control).cmsg_level, (*control).cmsg_type);
            if kind == (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) {
                let value = libc::CMSG_DATA(control)
                    .cast::<libc::c_int>()
                    .read_unaligned();
                return u8::try_from(value).unwrap_or(0);
            }
            control = libc::CMSG_NXTHDR(header, control);
        }
    }
    0
}

/// Where a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Destination {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address; on which link the socket knows.
    V6(Ipv6Addr),
    /// An Ethernet frame, out of this interface.
    Link(IfIndex),
}

/// A socket address of either kind that [`Destination`] knows.
#[derive(Clone, Copy)]
#[repr(C)]
union Address {
    v4: libc::sockaddr_in,
    v6: libc::sockaddr_in6,
    link: libc::sockaddr_ll,
}

impl Address {
    fn new(to: Destination, bytes: &[u8]) -> (Self, libc::socklen_t) {
        match to {
            Destination::V4(address) => {
                let v4 = libc::sockaddr_in {
                    sin_family: AF_INET,
                    sin_port: 0,
                    sin_addr: libc::in_addr {
                        s_addr: u32::from_ne_bytes(address.octets()),
                    },
                    sin_zero: [0; 8],
                };
                (Self { v4 }, LEN_INET)
            }
            Destination::V6(address) => {
                let v6 = libc::sockaddr_in6 {
                    sin6_family: AF_INET6,
                    sin6_port: 0,
                    sin6_flowinfo: 0,
                    sin6_addr: libc::in6_addr {
                        s6_addr: address.octets(),
                    },
                    sin6_scope_id: 0,
                };
                (Self { v6 }, LEN_INET6)
            }
            Destination::Link(index) => {
                let mut link = libc::sockaddr_ll {
                    sll_family: AF_PACKET,
                    sll_protocol: 0,
                    sll_ifindex: index.get().cast_signed(),
                    sll_hatype: 0,
                    sll_pkttype: 0,
                    sll_halen: 6,
                    sll_addr: [0; 8],
                };
                // The frame says itself who gets it and what it is; the kernel wants both again.
                if let Some((destination, _)) = bytes.split_first_chunk::<6>() {
                    link.sll_addr[..6].copy_from_slice(destination);
                }
                if let Some(&[high, low]) = bytes.get(12..14) {
                    link.sll_protocol = u16::from_ne_bytes([high, low]);
                }
                (Self { link }, LEN_LINK)
            }
        }
    }
}

#[allow(clippy::cast_possible_truncation)] // Constants of the C headers that fit.
const AF_INET: libc::sa_family_t = libc::AF_INET as libc::sa_family_t;
#[allow(clippy::cast_possible_truncation)]
const AF_INET6: libc::sa_family_t = libc::AF_INET6 as libc::sa_family_t;
#[allow(clippy::cast_possible_truncation)]
const LEN_INET6: libc::socklen_t = size_of::<libc::sockaddr_in6>() as libc::socklen_t;
#[allow(clippy::cast_possible_truncation)]
const AF_PACKET: libc::sa_family_t = libc::AF_PACKET as libc::sa_family_t;
#[allow(clippy::cast_possible_truncation)]
const LEN_INET: libc::socklen_t = size_of::<libc::sockaddr_in>() as libc::socklen_t;
#[allow(clippy::cast_possible_truncation)]
const LEN_LINK: libc::socklen_t = size_of::<libc::sockaddr_ll>() as libc::socklen_t;

/// Sends up to [`BATCH`] packets in one call and returns how many the kernel took; the error is
/// that of the first one. `flags` are `MSG_*` beside "do not wait".
pub(super) fn send_batch(
    socket: BorrowedFd<'_>,
    packets: &[(Destination, &[u8])],
    flags: i32,
) -> io::Result<usize> {
    if let &[(to, bytes)] = packets {
        return send_one(socket, to, bytes, flags);
    }
    // SAFETY: sockaddr_in, sockaddr_in6, sockaddr_ll, iovec and mmsghdr are plain integers and nullable
    // pointers, for which all bytes zero is a valid value.
    let (mut addresses, mut vectors, mut headers): (
        [Address; BATCH],
        [libc::iovec; BATCH],
        [libc::mmsghdr; BATCH],
    ) = unsafe {
        (
            MaybeUninit::zeroed().assume_init(),
            MaybeUninit::zeroed().assume_init(),
            MaybeUninit::zeroed().assume_init(),
        )
    };
    let mut count = 0;
    for ((((to, bytes), address), vector), header) in packets
        .iter()
        .zip(&mut addresses)
        .zip(&mut vectors)
        .zip(&mut headers)
    {
        let length;
        (*address, length) = Address::new(*to, bytes);
        vector.iov_base = bytes.as_ptr().cast_mut().cast();
        vector.iov_len = bytes.len();
        header.msg_hdr.msg_name = std::ptr::from_mut(address).cast();
        header.msg_hdr.msg_namelen = length;
        header.msg_hdr.msg_iov = std::ptr::from_mut(vector);
        header.msg_hdr.msg_iovlen = 1;
        count += 1;
    }
    // SAFETY: the first `count` headers point to one address and one vector each, and the vector
    // to the bytes of a packet; all of them outlive the call, which only reads the bytes.
    let sent = unsafe { send_from(socket, &mut headers, count, flags) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// The usual case without the arrays: one advert.
fn send_one(
    socket: BorrowedFd<'_>,
    to: Destination,
    bytes: &[u8],
    flags: i32,
) -> io::Result<usize> {
    let (address, length) = Address::new(to, bytes);
    // SAFETY: the bytes and the address are valid for reading as long as the call takes, the
    // address for the length that belongs to its kind.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | flags,
            (&raw const address).cast(),
            length,
        )
    };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(1)
    }
}

/// `SIOCGIFFLAGS`, `SIOCETHTOOL`, `SIOCGMIIPHY`, `SIOCGMIIREG` (linux/sockios.h); the libc crate has them with types
/// that differ between platforms.
const SIOCGIFFLAGS: libc::Ioctl = 0x8913;
const SIOCETHTOOL: libc::Ioctl = 0x8946;
const SIOCGMIIPHY: libc::Ioctl = 0x8947;
const SIOCGMIIREG: libc::Ioctl = 0x8948;
/// linux/ethtool.h
const ETHTOOL_GLINK: u32 = 0x0a;
/// linux/mii.h: the basic mode status register, and "link" in it.
const MII_BMSR: u16 = 1;
const BMSR_LSTATUS: u16 = 4;

/// `struct mii_ioctl_data` of linux/mii.h.
#[repr(C)]
#[derive(Clone, Copy)]
struct MiiData {
    phy: u16,
    register: u16,
    value_in: u16,
    value_out: u16,
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Asks for the link of an interface by one way, over any socket.
///
/// # Errors
/// What the system says, for instance that the driver does not know this way.
pub(super) fn link_carrier(socket: &impl AsRawFd, name: &str, how: LinkProbe) -> io::Result<bool> {
    // SAFETY: ifreq is plain data for which zero bytes are a value.
    let mut request: libc::ifreq = unsafe { MaybeUninit::zeroed().assume_init() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = from.cast_signed();
    }
    let fd = socket.as_raw_fd();
    let call = |request: &mut libc::ifreq, number: libc::Ioctl| {
        // SAFETY: the request is an ifreq that outlives the call, and what it points to, if the
        // number is one that follows a pointer, was put there by the caller and lives as long.
        match unsafe { libc::ioctl(fd, number, std::ptr::from_mut(request)) } {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    };
    match how {
        LinkProbe::Mii => {
            call(&mut request, SIOCGMIIPHY)?;
            let mut status = 0;
            // The bit stays 0 from a loss until it was read: the second time tells how it is now.
            for _ in 0..2 {
                let data = (&raw mut request.ifr_ifru).cast::<MiiData>();
                // SAFETY: the kernel keeps its mii_ioctl_data in this union, which is larger and
                // aligned for pointers; every bit pattern is a value of it.
                unsafe { (*data).register = MII_BMSR };
                call(&mut request, SIOCGMIIREG)?;
                let data = (&raw const request.ifr_ifru).cast::<MiiData>();
                // SAFETY: as above.
                status = unsafe { (*data).value_out };
            }
            Ok(status & BMSR_LSTATUS != 0)
        }
        LinkProbe::Ethtool => {
            let mut value = EthtoolValue {
                command: ETHTOOL_GLINK,
                data: 0,
            };
            request.ifr_ifru.ifru_data = (&raw mut value).cast();
            call(&mut request, SIOCETHTOOL)?;
            Ok(value.data != 0)
        }
        LinkProbe::Flags => {
            call(&mut request, SIOCGIFFLAGS)?;
            // SAFETY: after this call the union holds the flags.
            let flags = i32::from(unsafe { request.ifr_ifru.ifru_flags });
            let both = libc::IFF_UP | libc::IFF_RUNNING;
            Ok(flags & both == both)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixDatagram;

    // Input: 3 datagrams, the second too long for its slot. Output: their bytes, 0 for the long
    // one, then "would block".
    #[test]
    fn a_batch_keeps_packets_apart_and_marks_what_did_not_fit() {
        let (a, b) = UnixDatagram::pair().unwrap();
        b.set_nonblocking(true).unwrap();
        for bytes in [&b"one"[..], &[7; 9], b"three"] {
            a.send(bytes).unwrap();
        }
        let mut buffer = [0u8; 8 * BATCH];
        let mut lengths = [99; BATCH];
        assert_eq!(
            receive_batch(b.as_fd(), &mut buffer, 8, &mut lengths).unwrap(),
            3
        );
        assert_eq!(lengths[..3], [3, 0, 5]);
        assert_eq!(&buffer[..3], b"one");
        assert_eq!(&buffer[16..21], b"three");
        let error = receive_batch(b.as_fd(), &mut buffer, 8, &mut lengths).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_blocked_signal_is_taken_by_waiting_for_it() {
        let set = add_to_set(&SigSet::empty(), &[realtime_signals().0 + 5]);
        set.thread_block().unwrap();
        assert_eq!(
            wait_signal(&set, Some(Duration::from_millis(1))).unwrap(),
            None
        );
        // SAFETY: signals the calling thread itself, which has the signal blocked.
        unsafe { libc::raise(realtime_signals().0 + 5) };
        assert_eq!(
            wait_signal(&set, Some(Duration::from_secs(5))).unwrap(),
            Some(realtime_signals().0 + 5)
        );
    }

    #[test]
    fn error_texts_are_the_c_librarys() {
        assert_eq!(error_text(libc::ENODEV), "No such device");
    }
}

//! The socket on which the kernel tells of processes that begin, change and end.
//!
//! Owns: the socket, and what of a process is looked up when there is news of it. Never does: say
//! which processes matter. Driven by: `programs`, which opens and closes it, and `event_loop`,
//! which reads it between two looks of [`super::processes`].
//!
//! The kernel tells nobody outside the first network namespace, and says nothing at all to whoever
//! is outside the first process namespace: until it has answered, nothing is relied on.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::constants::NETLINK_CONNECTOR;
use netlink_sys::{Socket, SocketAddr};

use super::processes;
use super::request;
use crate::base::ident::VRRP;
use crate::conf::model::Buffer;
use crate::ops::{Process, ProcessNews};
use crate::wire::proc_event::{self, ProcEvent};

/// Messages that are read in one turn of the loop.
const BUDGET: usize = 64;

/// The number of the only request.
const SEQUENCE: u32 = 1;

/// What reading came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Everything was read.
    All,
    /// There may be more.
    Rest,
    /// The socket is of no use any more.
    Useless,
}

/// The socket.
pub(super) struct ProcessEvents {
    socket: Socket,
    arguments: bool,
}

impl std::fmt::Debug for ProcessEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProcessEvents").finish_non_exhaustive()
    }
}

impl ProcessEvents {
    /// Opens the socket and asks the kernel to tell.
    ///
    /// # Errors
    /// What the kernel says.
    pub(super) fn open(buffer: Buffer) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.set_non_blocking(true)?;
        request::set_buffer(&socket, buffer);
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(proc_event::GROUP)?;
        socket.send(&proc_event::listen(SEQUENCE), 0)?;
        Ok(Self {
            socket,
            arguments: false,
        })
    }

    /// Sets the size of the receive buffer (`process_monitor_rcv_bufs`).
    pub(super) fn set_buffer(&self, wanted: Buffer) {
        request::set_buffer(&self.socket, wanted);
    }

    /// Whether command lines matter from now on.
    pub(super) const fn need_arguments(&mut self, needed: bool) {
        self.arguments = needed;
    }

    /// Reads what there is, a bounded part of it.
    pub(super) fn read(&self, buffer: &mut [u8], out: &mut Vec<ProcessNews>) -> Outcome {
        for _ in 0..BUDGET {
            let mut room = &mut buffer[..];
            let (read, from) = match self.socket.recv_from(&mut room, 0) {
                Ok(read) => read,
                Err(error) => match (error.kind(), error.raw_os_error()) {
                    (io::ErrorKind::WouldBlock, _) => return Outcome::All,
                    (io::ErrorKind::Interrupted, _) => continue,
                    (_, Some(libc::ENOBUFS)) => {
                        out.push(ProcessNews::Lost);
                        continue;
                    }
                    _ => {
                        complain(&error);
                        return Outcome::Useless;
                    }
                },
            };
            // Only the kernel knows.
            if from.port_number() != 0 {
                continue;
            }
            match proc_event::parse(&buffer[..read]) {
                Some(ProcEvent::Answer {
                    sequence: SEQUENCE,
                    errno,
                }) if errno != 0 => {
                    let errno = i32::try_from(errno).unwrap_or(libc::EIO);
                    complain(&io::Error::from_raw_os_error(errno));
                    return Outcome::Useless;
                }
                Some(event) => out.extend(self.news(event)),
                None => {}
            }
        }
        Outcome::Rest
    }

    fn news(&self, event: ProcEvent) -> Option<ProcessNews> {
        Some(match event {
            // That of others says the same.
            ProcEvent::Answer { errno: 0, .. } => ProcessNews::Watched,
            ProcEvent::Answer { .. } => return None,
            ProcEvent::Forked { parent, child } => ProcessNews::Forked { parent, child },
            ProcEvent::Renamed(pid, name) if !self.arguments => ProcessNews::Became(Process {
                pid,
                name,
                arguments: Vec::new(),
            }),
            // One that has ended meanwhile has an event of its own.
            ProcEvent::Executed(pid) | ProcEvent::Renamed(pid, _) => {
                ProcessNews::Became(processes::read(pid, self.arguments)?)
            }
            ProcEvent::Ended(pid) => ProcessNews::Ended(pid),
        })
    }
}

impl AsRawFd for ProcessEvents {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// Says, in keepalived's words, that the kernel does not tell, and what is done instead.
pub(super) fn complain(error: &io::Error) {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let text = nix::errno::Errno::from_raw(errno).desc();
    log::info!(
        target: VRRP,
        "Failed to set/clear process event listen - errno {errno} - {text}"
    );
    log::info!(
        target: VRRP,
        "The kernel does not tell of processes here: they are looked through twice a second"
    );
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::{Duration, Instant};

    use super::*;

    // Input: a program that this test starts and ends. Output: the news of both; where the kernel
    // does not tell (no root, a container) that is said.
    #[test]
    fn the_kernel_tells_of_a_child() {
        let mut events = match ProcessEvents::open(Buffer::default()) {
            Ok(events) => events,
            Err(error) => {
                println!("skipped: the kernel does not tell of processes: {error}");
                return;
            }
        };
        events.need_arguments(true);
        let mut buffer = vec![0; 4096];
        let mut heard = Vec::new();
        let mut wait = |heard: &mut Vec<ProcessNews>, wanted: &dyn Fn(&ProcessNews) -> bool| {
            let end = Instant::now() + Duration::from_secs(5);
            while Instant::now() < end && !heard.iter().any(wanted) {
                if events.read(&mut buffer, heard) == Outcome::Useless {
                    break;
                }
                std::thread::sleep(Duration::from_millis(5));
            }
            heard.iter().any(wanted)
        };
        if !wait(&mut heard, &|news| *news == ProcessNews::Watched) {
            println!("skipped: the kernel does not tell of processes to this user");
            return;
        }
        let mut child = Command::new("sleep")
            .arg("77.5")
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id();
        let became = |news: &ProcessNews| match news {
            ProcessNews::Became(process) => process.pid == pid && process.arguments[1] == "77.5",
            _ => false,
        };
        assert!(wait(&mut heard, &became), "{heard:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        let ended = |news: &ProcessNews| *news == ProcessNews::Ended(pid);
        assert!(wait(&mut heard, &ended), "{heard:?}");
    }
}

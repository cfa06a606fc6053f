//! Children, watched files and FIFOs as drivers of the loop.
//!
//! Owns: the way from an effect to `child`, `watch` and `fifo`, and their tokens. Never does:
//! decide when a program has run for too long or a line is lost. Driven by: `exec` and
//! `event_loop`.

use mio::Interest;
use mio::unix::SourceFd;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use super::child::{Children, errno};
use super::exec::{Answer, Drivers};
use super::fifo::{self, Fifos};
use super::process_events::{self, Outcome, ProcessEvents};
use super::processes::Processes;
use super::sources::Source;
use super::watch::{self, Watches};
use crate::base::ident;
use crate::conf::model::Buffer;
use crate::ops::{
    Asker, ChildEnd, ChildId, ChildSignal, Command, FifoCmd, FifoFailure, FifoId, FifoIo,
    ProcessNews, WatchId,
};

/// The drivers of this kind.
#[derive(Debug)]
pub(super) struct Programs {
    pub(super) children: Children,
    watches: Watches,
    fifos: Fifos,
    pub(super) processes: Processes,
    /// News of them, with the token of its descriptor.
    events: Option<(ProcessEvents, usize)>,
    /// There is news, which waits for the end of a look.
    unread: bool,
    /// How much news the kernel keeps for us.
    buffer: Buffer,
}

impl Programs {
    /// Nothing runs, is watched or open.
    pub(super) fn new() -> Self {
        Self {
            children: Children::new(),
            watches: Watches::default(),
            fifos: Fifos::default(),
            processes: Processes::default(),
            events: None,
            unread: false,
            buffer: Buffer::default(),
        }
    }

    /// Sets the size of the receive buffer of the socket with news of processes.
    pub(super) fn set_buffer(&mut self, wanted: Buffer) {
        if let Some((events, _)) = self.events.as_ref().filter(|_| wanted != self.buffer) {
            events.set_buffer(wanted);
        }
        self.buffer = wanted;
    }

    /// Whether there is news of processes that waited for the end of a look, which has come.
    pub(super) fn take_unread(&mut self) -> bool {
        !self.processes.is_looking() && std::mem::take(&mut self.unread)
    }
}

impl Drivers {
    /// Registers a descriptor; returns its token.
    fn wait_for(
        &mut self,
        descriptor: RawFd,
        source: Source,
        interest: Interest,
    ) -> Result<usize, i32> {
        let token = self.sources.insert(source);
        let registered = self
            .registry
            .register(&mut SourceFd(&descriptor), token, interest);
        match registered {
            Ok(()) => Ok(token.0),
            Err(error) => {
                self.sources.remove(token.0);
                Err(errno(&error))
            }
        }
    }

    pub(super) fn spawn(&mut self, id: ChildId, command: &Command, answers: &mut Vec<Answer>) {
        // A check is made again; what is told of VRRP is not.
        if id.asker == Asker::Check && !self.probes.has_room(self.descriptors_in_use()) {
            answers.push(Answer::Child(id, ChildEnd::NotStarted(libc::EMFILE)));
            return;
        }
        match self.programs.children.spawn(id, command) {
            Ok(Some(descriptor)) => {
                let token = self.wait_for(descriptor, Source::Child(id), Interest::READABLE);
                if let Ok(token) = token {
                    self.programs.children.set_token(id, token);
                }
            }
            Ok(None) => {}
            Err(errno) => answers.push(Answer::Child(id, ChildEnd::NotStarted(errno))),
        }
    }

    pub(super) fn kill(&self, id: ChildId, signal: ChildSignal) {
        self.programs.children.kill(id, signal);
    }

    /// How a child ended, if it has.
    pub(super) fn child_end(&mut self, id: ChildId) -> Option<ChildEnd> {
        let (end, token) = self.programs.children.end(id)?;
        if let Some(token) = token {
            self.sources.remove(token);
        }
        Some(end)
    }

    pub(super) fn watch(&mut self, id: WatchId, path: &str, answers: &mut Vec<Answer>) {
        if !self.programs.watches.is_open() {
            let opened = self
                .programs
                .watches
                .descriptor()
                .map_err(|error| errno(&error));
            let registered = opened.and_then(|descriptor| {
                self.wait_for(descriptor, Source::Files, Interest::READABLE)
            });
            if let Err(errno) = registered {
                log::error!(
                    target: ident::DAEMON,
                    "changes of {path} will not be noticed, as inotify is not to be had: error \
                     {errno} (fs.inotify.max_user_instances may be too low)"
                );
            }
        }
        let content = self.programs.watches.watch(id, path);
        answers.push(Answer::File(id, content));
    }

    pub(super) fn unwatch(&mut self, id: WatchId) {
        self.programs.watches.unwatch(id);
    }

    /// The watched files that may have changed.
    pub(super) fn changed_files(&mut self) -> Vec<(WatchId, Option<Vec<u8>>)> {
        self.programs.watches.changes()
    }

    pub(super) fn fifo(&mut self, id: FifoId, command: &FifoCmd, answers: &mut Vec<Answer>) {
        let what = match command {
            FifoCmd::Open { path, user, group } => {
                let what = match self.open_fifo(id, path, user.as_deref(), group.as_deref()) {
                    Ok(()) => FifoIo::Open,
                    Err(failure) => FifoIo::Failed(failure),
                };
                Some(what)
            }
            FifoCmd::Write(lines) => self.programs.fifos.write(id, lines),
            FifoCmd::Close => {
                self.close_fifo(id);
                None
            }
        };
        if matches!(what, Some(FifoIo::Failed(_))) {
            self.close_fifo(id);
        }
        if let Some(what) = what {
            answers.push(Answer::Fifo(id, what));
        }
    }

    fn open_fifo(
        &mut self,
        id: FifoId,
        path: &str,
        user: Option<&str>,
        group: Option<&str>,
    ) -> Result<(), FifoFailure> {
        let owner = self.programs.children.identity(user, group);
        let owner = owner.map_err(|_| FifoFailure::NoUser)?;
        let opened = fifo::open(path, owner.as_ref())?;
        let waited = self.wait_for(opened.descriptor(), Source::Fifo(id), Interest::WRITABLE);
        let token = waited.map_err(FifoFailure::System)?;
        self.programs.fifos.insert(id, opened, token);
        Ok(())
    }

    fn close_fifo(&mut self, id: FifoId) {
        if let Some(token) = self.programs.fifos.close(id) {
            self.sources.remove(token);
        }
    }

    /// What a FIFO's readiness means.
    pub(super) fn fifo_ready(&self, id: FifoId) -> Option<FifoIo> {
        self.programs.fifos.is_open(id).then_some(FifoIo::Room)
    }

    pub(super) fn list_processes(&mut self, arguments: bool) {
        if let Some((events, _)) = &mut self.programs.events {
            events.need_arguments(arguments);
        }
        self.programs.processes.begin(arguments);
    }

    pub(super) fn watch_processes(&mut self, on: bool) {
        if let Some((_, token)) = self.programs.events.take() {
            self.sources.remove(token);
        }
        if !on {
            return;
        }
        let opened = ProcessEvents::open(self.programs.buffer).and_then(|events| {
            let waited = self.wait_for(events.as_raw_fd(), Source::Processes, Interest::READABLE);
            let token = waited.map_err(io::Error::from_raw_os_error)?;
            Ok((events, token))
        });
        match opened {
            Ok(events) => self.programs.events = Some(events),
            Err(error) => process_events::complain(&error),
        }
    }

    /// News of processes, a bounded part of it; whether there may be more. None during a look, which
    /// may have seen a process before or after what the news says of it.
    pub(super) fn process_news(&mut self, out: &mut Vec<ProcessNews>) -> bool {
        if self.programs.processes.is_looking() {
            self.programs.unread = true;
            return false;
        }
        let Some((events, _)) = &self.programs.events else {
            return false;
        };
        match events.read(&mut self.buffer, out) {
            Outcome::All => false,
            Outcome::Rest => true,
            Outcome::Useless => {
                self.watch_processes(false);
                out.push(ProcessNews::Unwatched);
                false
            }
        }
    }

    pub(super) fn init_file(path: &str, value: i64, overwrite: bool) {
        watch::write_value(path, value, overwrite);
    }
}

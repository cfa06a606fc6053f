//! The sockets that instances share.
//!
//! Owns: which socket serves which channel and whom, and what is due for one that broke. Never
//! does: open or read one; it says what to open. Driven by: `domain`.

use std::collections::{BTreeMap, BTreeSet};

use super::Action;
use super::instance::{Instance, InstanceId};
use super::transport::Channel;
use crate::base::{Duration, IfIndex, Instant, TimerQueue};
use crate::conf::model::{ReceivePolicy, Vrid, VrrpDefaults};
use crate::ops::{Effect, SocketId, SocketSpec};

/// The sockets that are open.
#[derive(Debug)]
pub(super) struct Sockets {
    /// For gratuitous ARP and neighbour advertisements; open while there are instances.
    pub(super) link: SocketId,
    pub(super) link_open: bool,
    channels: BTreeMap<Channel, SocketId>,
    shared: BTreeMap<SocketId, Shared>,
    /// When a broken socket is opened anew, or a new one has proved itself.
    pub(super) timers: TimerQueue<SocketTimer>,
    /// `vrrp_rx_bufs_policy` and `vrrp_rx_bufs_multiplier`
    policy: (ReceivePolicy, u32),
    next: u64,
}

/// The VRRP socket of one channel.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) channel: Channel,
    pub(super) users: BTreeSet<InstanceId>,
    /// Who a received packet is for.
    pub(super) by_vrid: BTreeMap<Vrid, InstanceId>,
    /// The error that it broke with, until a new one has proved itself.
    pub(super) broken: Option<i32>,
    /// The receive buffer that each user wants, in bytes; keepalived gives the sum of them.
    wanted: BTreeMap<InstanceId, u32>,
    /// That sum.
    buffer: u32,
}

impl Shared {
    fn buffer(&self) -> Option<u32> {
        (self.buffer > 0).then_some(self.buffer)
    }
}

/// What is due for a socket that broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SocketTimer {
    /// Open it anew.
    Reopen(Channel),
    /// It has not failed at once: its users may go on.
    Proved(Channel),
    /// Open the one for gratuitous ARP anew.
    ReopenLink,
}

/// From a failure to the next attempt.
pub(super) const REOPEN_DELAY: Duration = Duration::from_secs(1);
/// A socket that cannot be opened fails within the turn that asked for it.
const PROOF: Duration = Duration::from_millis(100);

impl Sockets {
    pub(super) fn new() -> Self {
        Self {
            link: SocketId(0),
            link_open: false,
            channels: BTreeMap::new(),
            shared: BTreeMap::new(),
            timers: TimerQueue::default(),
            policy: (ReceivePolicy::Kernel, 1),
            next: 1,
        }
    }

    pub(super) fn fresh(&mut self) -> SocketId {
        let id = SocketId(self.next);
        self.next += 1;
        id
    }

    /// The socket of that number, while it is open or about to be.
    pub(super) fn get(&self, socket: SocketId) -> Option<&Shared> {
        self.shared.get(&socket)
    }

    /// The socket of that channel.
    pub(super) fn on(&self, channel: Channel) -> Option<(SocketId, &Shared)> {
        let id = *self.channels.get(&channel)?;
        Some((id, self.shared.get(&id)?))
    }

    /// Whether an instance on this interface has that VRID, whatever its channel.
    pub(super) fn serves(&self, on: IfIndex, vrid: u8) -> bool {
        let vrid = Vrid::new(vrid);
        self.shared.values().any(|shared| {
            shared.channel.on == on && vrid.is_some_and(|vrid| shared.by_vrid.contains_key(&vrid))
        })
    }

    fn on_mut(&mut self, channel: Channel) -> Option<&mut Shared> {
        let id = self.channels.get(&channel)?;
        self.shared.get_mut(id)
    }

    /// Joins the socket of the instance's channel, which is opened if this is the first there;
    /// returns whether it was.
    pub(super) fn attach(&mut self, instance: &mut Instance, out: &mut Vec<Action>) -> bool {
        let Some(channel) = instance.channel else {
            return false;
        };
        let new = !self.channels.contains_key(&channel);
        if new {
            let id = self.fresh();
            let open = Effect::Open(id, channel.spec());
            out.push(Action::World(open));
            self.channels.insert(channel, id);
            let shared = Shared {
                channel,
                users: BTreeSet::new(),
                by_vrid: BTreeMap::new(),
                broken: None,
                wanted: BTreeMap::new(),
                buffer: 0,
            };
            self.shared.insert(id, shared);
        }
        let id = self.channels.get(&channel).copied();
        if let Some(id) = id
            && let Some(shared) = self.shared.get_mut(&id)
        {
            shared.users.insert(instance.id);
            shared.by_vrid.insert(instance.config.vrid, instance.id);
            instance.socket_error = shared.broken;
            instance.socket = shared.broken.is_none().then_some(id);
        }
        new
    }

    /// Takes over how receive buffers are sized; returns whether that is new.
    pub(super) fn set_policy(&mut self, defaults: &VrrpDefaults) -> bool {
        let policy = (defaults.receive_policy, defaults.receive_multiplier);
        std::mem::replace(&mut self.policy, policy) != policy
    }

    /// Gives the instance's socket the receive buffer that its users want together. The interface
    /// takes packets of `mtu` bytes.
    pub(super) fn settle_buffer(&mut self, instance: &Instance, mtu: u32, out: &mut Vec<Action>) {
        let (policy, times) = self.policy;
        let wanted = match (instance.config.options.receive_buffer, policy) {
            (Some(bytes), _) | (None, ReceivePolicy::Bytes(bytes)) => bytes,
            (None, ReceivePolicy::Kernel) => 0,
            (None, ReceivePolicy::Mtu) => mtu.saturating_mul(times),
            (None, ReceivePolicy::Advert) => instance.received_bytes().saturating_mul(times),
        };
        let id = instance
            .channel
            .and_then(|channel| self.channels.get(&channel));
        let Some((&id, shared)) = id.and_then(|id| Some((id, self.shared.get_mut(id)?))) else {
            return;
        };
        let before = shared.wanted.get(&instance.id).copied().unwrap_or(0);
        if wanted == before {
            return;
        }
        if wanted == 0 {
            shared.wanted.remove(&instance.id);
        } else {
            shared.wanted.insert(instance.id, wanted);
        }
        shared.buffer = shared.buffer.saturating_sub(before).saturating_add(wanted);
        out.push(Action::World(Effect::Buffer(id, shared.buffer())));
    }

    /// Leaves the socket of `channel`, which is closed after the last.
    pub(super) fn detach(
        &mut self,
        instance: &mut Instance,
        channel: Option<Channel>,
        out: &mut Vec<Action>,
    ) {
        instance.socket = None;
        instance.socket_error = None;
        let Some(channel) = channel else {
            return;
        };
        let Some(shared) = self.on_mut(channel) else {
            return;
        };
        let vrid = instance.config.vrid;
        if shared.by_vrid.get(&vrid) == Some(&instance.id) {
            shared.by_vrid.remove(&vrid);
        }
        shared.users.remove(&instance.id);
        let before = shared.wanted.remove(&instance.id).unwrap_or(0);
        shared.buffer = shared.buffer.saturating_sub(before);
        if !shared.users.is_empty() {
            return;
        }
        let broken = shared.broken.is_some();
        // One that broke is closed already, unless its successor is on trial.
        let on_trial = self.timers.cancel(SocketTimer::Proved(channel)).is_some();
        self.timers.cancel(SocketTimer::Reopen(channel));
        if let Some(id) = self.channels.remove(&channel) {
            self.shared.remove(&id);
            if !broken || on_trial {
                out.push(Action::World(Effect::Close(id)));
            }
        }
    }

    /// The one for gratuitous ARP is open as long as it is `wanted`.
    pub(super) fn settle_link(&mut self, wanted: bool, out: &mut Vec<Action>) {
        if wanted && !self.link_open {
            self.open_link(out);
        } else if !wanted && self.link_open && self.timers.cancel(SocketTimer::ReopenLink).is_none()
        {
            out.push(Action::World(Effect::Close(self.link)));
        }
        self.link_open = wanted;
    }

    fn open_link(&mut self, out: &mut Vec<Action>) {
        self.link = self.fresh();
        let open = Effect::Open(self.link, SocketSpec::Link);
        out.push(Action::World(open));
    }

    /// Notes that a socket failed; returns its channel, whose users have to know.
    pub(super) fn failed(&mut self, now: Instant, socket: SocketId, errno: i32) -> Option<Channel> {
        let shared = self.shared.get_mut(&socket)?;
        shared.broken = Some(errno);
        let channel = shared.channel;
        self.timers.cancel(SocketTimer::Proved(channel));
        self.timers
            .set(SocketTimer::Reopen(channel), now + REOPEN_DELAY);
        Some(channel)
    }

    /// Does what is due; returns the channel whose users may go on.
    pub(super) fn timer(
        &mut self,
        now: Instant,
        timer: SocketTimer,
        out: &mut Vec<Action>,
    ) -> Option<Channel> {
        match timer {
            SocketTimer::Reopen(channel) => {
                let id = self.fresh();
                if let Some(old) = self.channels.insert(channel, id)
                    && let Some(shared) = self.shared.remove(&old)
                {
                    out.push(Action::World(Effect::Open(id, channel.spec())));
                    if let buffer @ Some(_) = shared.buffer() {
                        out.push(Action::World(Effect::Buffer(id, buffer)));
                    }
                    self.shared.insert(id, shared);
                    self.timers.set(SocketTimer::Proved(channel), now + PROOF);
                }
                None
            }
            SocketTimer::Proved(channel) => {
                self.on_mut(channel)?.broken = None;
                Some(channel)
            }
            SocketTimer::ReopenLink => {
                self.open_link(out);
                None
            }
        }
    }
}

//! What concerns IPVS as a whole: the daemons that copy connections, and timeouts.
//!
//! Owns: the attributes of `IPVS_CMD_NEW_DAEMON`, `IPVS_CMD_DEL_DAEMON` and
//! `IPVS_CMD_SET_CONFIG`. A multicast group is in network byte order, all numbers are in the byte
//! order of the host, the port too.

use std::net::IpAddr;

use netlink_packet_core::{DecodeError, Nla, NlasIterator, emit_u16, emit_u32, parse_u32};

const STATE: u16 = 1;
const INTERFACE: u16 = 2;
const SYNC_ID: u16 = 3;
const MAX_LENGTH: u16 = 4;
const GROUP: u16 = 5;
const GROUP6: u16 = 6;
const PORT: u16 = 7;
const TTL: u16 = 8;

/// `IPVS_CMD_ATTR_TIMEOUT_TCP`, `_TCP_FIN` and `_UDP`.
const TIMEOUT_TCP: u16 = 4;
const TIMEOUT_TCP_FIN: u16 = 5;
const TIMEOUT_UDP: u16 = 6;

/// Which of the two daemons: the one that sends, or the one that receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SyncRole {
    /// `IP_VS_STATE_MASTER`
    Master,
    /// `IP_VS_STATE_BACKUP`
    Backup,
}

/// A daemon of the kernel that copies connections from one director to the other.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SyncDaemon {
    /// The interface that it speaks on.
    pub interface: String,
    /// What is received with another id is ignored.
    pub id: u8,
    /// Longest message in bytes, if not the kernel's own choice.
    pub max_length: Option<u16>,
    /// UDP port, if not 8848.
    pub port: Option<u16>,
    /// TTL, if not 1.
    pub ttl: Option<u8>,
    /// Multicast group, if not 224.0.0.81.
    pub group: Option<IpAddr>,
}

/// Seconds until connections that say nothing are forgotten; 0 leaves what is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Timeouts {
    /// TCP.
    pub tcp: u32,
    /// TCP after a FIN.
    pub tcp_fin: u32,
    /// UDP.
    pub udp: u32,
}

/// An attribute of a daemon, or a timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ControlAttr {
    kind: u16,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Byte(u8),
    Half(u16),
    Word(u32),
    Text(String),
    Address(Vec<u8>),
}

impl Nla for ControlAttr {
    fn value_len(&self) -> usize {
        match &self.value {
            Value::Byte(_) => 1,
            Value::Half(_) => 2,
            Value::Word(_) => 4,
            Value::Text(text) => text.len() + 1,
            Value::Address(octets) => octets.len(),
        }
    }

    fn kind(&self) -> u16 {
        self.kind
    }

    fn emit_value(&self, buffer: &mut [u8]) {
        let done = match &self.value {
            Value::Byte(number) => {
                buffer.fill(*number);
                Ok(())
            }
            Value::Half(number) => emit_u16(buffer, *number),
            Value::Word(number) => emit_u32(buffer, *number),
            Value::Text(text) => {
                let (front, nul) = buffer.split_at_mut(text.len());
                front.copy_from_slice(text.as_bytes());
                nul.fill(0);
                Ok(())
            }
            Value::Address(octets) => {
                buffer.copy_from_slice(octets);
                Ok(())
            }
        };
        debug_assert!(done.is_ok(), "{} bytes for {self:?}", buffer.len());
    }
}

const fn attr(kind: u16, value: Value) -> ControlAttr {
    ControlAttr { kind, value }
}

/// What names a daemon.
pub(super) fn role_attrs(role: SyncRole) -> Vec<ControlAttr> {
    let state = match role {
        SyncRole::Master => 1,
        SyncRole::Backup => 2,
    };
    vec![attr(STATE, Value::Word(state))]
}

/// A daemon with its settings.
pub(super) fn daemon_attrs(role: SyncRole, daemon: &SyncDaemon) -> Vec<ControlAttr> {
    let mut attrs = role_attrs(role);
    attrs.push(attr(INTERFACE, Value::Text(daemon.interface.clone())));
    attrs.push(attr(SYNC_ID, Value::Word(u32::from(daemon.id))));
    let group = daemon.group.map(|group| match group {
        IpAddr::V4(group) => attr(GROUP, Value::Address(group.octets().to_vec())),
        IpAddr::V6(group) => attr(GROUP6, Value::Address(group.octets().to_vec())),
    });
    let length = daemon.max_length.map(|n| attr(MAX_LENGTH, Value::Half(n)));
    let port = daemon.port.map(|port| attr(PORT, Value::Half(port)));
    let ttl = daemon.ttl.map(|ttl| attr(TTL, Value::Byte(ttl)));
    attrs.extend([length, group, port, ttl].into_iter().flatten());
    attrs
}

/// The timeouts that are to change.
pub(super) fn timeout_attrs(timeouts: Timeouts) -> Vec<ControlAttr> {
    let values = [timeouts.tcp, timeouts.tcp_fin, timeouts.udp];
    [TIMEOUT_TCP, TIMEOUT_TCP_FIN, TIMEOUT_UDP]
        .into_iter()
        .zip(values)
        .filter(|(_, seconds)| *seconds != 0)
        .map(|(kind, seconds)| attr(kind, Value::Word(seconds)))
        .collect()
}

/// The timeouts in an answer; those that it leaves out are 0.
pub(super) fn timeouts_in(bytes: &[u8]) -> Result<Timeouts, DecodeError> {
    let mut timeouts = Timeouts::default();
    for nla in NlasIterator::new(bytes) {
        let nla = nla?;
        let slot = match nla.kind() {
            TIMEOUT_TCP => &mut timeouts.tcp,
            TIMEOUT_TCP_FIN => &mut timeouts.tcp_fin,
            TIMEOUT_UDP => &mut timeouts.udp,
            _ => continue,
        };
        *slot = parse_u32(nla.value())?;
    }
    Ok(timeouts)
}

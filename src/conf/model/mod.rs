//! What a configuration means: typed, resolved, comparable.
//!
//! Owns: the configuration as the domains see it; every value has its unit in its type and every
//! default is filled in. Never does: remember lines or text (that is the AST's). Driven by:
//! `conf::bind` fills it, `conf::resolve` completes it, `node` hands it to the domains.

use std::path::PathBuf;

use crate::base::Shared;

mod address_text;
mod bfd;
mod check;
mod global;
mod indirect;
pub mod options;
pub mod plan;
mod policy;
mod probe;
pub mod routing;
mod routing_text;
mod script;
pub mod signing;
mod vrrp;

pub use bfd::{BfdAudience, BfdInstance, BfdKey, TlsClient};
pub use check::{
    Forwarding, Nth, Persistence, Protocol, RealServer, RealServerKey, Scheduler, ServiceAddress,
    ServiceKey, TcpCheck, TunnelChecksum, TunnelKind, VirtualServer,
};
pub use global::{
    Buffer, Buffers, Checks, Dbus, Dumps, Dynamic, ExtraGarp, Fifo, Fifos, Firewall, FlushOnStop,
    GarpSettings, Global, Interfaces, LogStyle, Lvs, LvsTimeouts, Mail, OnOff, Process,
    ReceivePolicy, Reloading, Scheduling, Scripts, Snmp, SyncDaemon, VrrpDefaults,
};
pub use indirect::{GroupEntry, IndirectTarget, ServerGroup};
pub use policy::{CheckDefaults, ServerPolicy, ServicePolicy, SorryServer};
pub use probe::{
    BfdProbe, CheckRef, DnsProbe, DnsType, FileProbe, HttpProbe, HttpProtocol, HttpRegex, HttpUrl,
    MiscProbe, Probe, ProbeKind, SmtpProbe, UdpProbe,
};
pub use script::CheckScript;
pub(super) use script::{command_words, quoted_command, quoted_word};
pub use vrrp::{
    AddressOptions, AuthPass, Garp, InitialState, InstanceKey, OwnLink, OwnLinkKind, Priority,
    Scope, Transport, VRRP_GROUP_V4, VRRP_GROUP_V6, VirtualAddress, Vrid, VrrpInstance,
};

/// A whole configuration, ready to run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Config {
    /// `global_defs` and the settings that stand outside of any block.
    pub global: Global,
    /// The VRRP instances in the order of the file.
    pub vrrp_instances: Vec<Shared<VrrpInstance>>,
    /// The virtual servers in the order of the file.
    pub virtual_servers: Vec<Shared<VirtualServer>>,
    /// The `virtual_server_group` blocks; services have their entries in themselves.
    pub server_groups: Vec<ServerGroup>,
    /// The `bfd_instance` blocks.
    pub bfd_instances: Vec<BfdInstance>,
    /// `SSL`: what `SSL_GET` shows of itself.
    pub tls: Option<TlsClient>,
    /// `vrrp_script`, `vrrp_track_process`, `track_file`.
    pub trackers: options::Trackers,
    /// The `vrrp_sync_group` blocks.
    pub sync_groups: Vec<options::SyncGroup>,
    /// What the host holds as long as the daemon runs.
    pub statics: routing::Statics,
    /// What is said of interfaces.
    pub links: options::LinkSettings,
    /// Every file that was read, the main one first.
    pub files: Vec<PathBuf>,
}

impl Config {
    /// Whether the firewall is needed: for VMACs, which do not report memberships, and for addresses
    /// that take no packets.
    #[must_use]
    pub fn wants_firewall(&self) -> bool {
        let is_vmac = |link: &Option<OwnLink>| {
            link.as_ref()
                .is_some_and(|link| matches!(link.kind, OwnLinkKind::Vmac(_)))
        };
        self.vrrp_instances.iter().any(|instance| {
            let refuses = !instance.options.accept.unwrap_or(!instance.strict);
            let mut addresses = instance.addresses.iter();
            refuses
                || is_vmac(&instance.own_link)
                || addresses.any(|address| is_vmac(&address.options.own_link))
        })
    }
}

//! What a service and a server do when servers come and go.
//!
//! Owns: quorum, sorry server, thresholds, scripts and names. Never does: act on them: these are
//! read and validated, no domain carries them out yet. Driven by: `conf::resolve` fills it.

use std::net::IpAddr;

use super::CheckScript;
use super::{Forwarding, RealServerKey};
use crate::base::{Duration, Family};

/// What a service does with its servers beyond balancing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServicePolicy {
    /// `quorum`: the sum of weights that the service needs, 1 or more.
    pub quorum: u32,
    /// `hysteresis`: margin around the quorum, less than the quorum.
    pub hysteresis: u32,
    /// `quorum_up`
    pub quorum_up: Option<CheckScript>,
    /// `quorum_down`
    pub quorum_down: Option<CheckScript>,
    /// `sorry_server`
    pub sorry_server: Option<SorryServer>,
    /// `ops`: each packet is scheduled by itself.
    pub one_packet: bool,
    /// `flag-1` to `flag-3` (bits 0 to 2); `sh-fallback` and `mh-fallback` are bit 0, `sh-port`
    /// and `mh-port` bit 1.
    pub scheduler_flags: u8,
    /// `persistence_engine`, up to 15 bytes.
    pub persistence_engine: Option<String>,
    /// `ip_family`
    pub family: Option<Family>,
    /// `ha_suspend`: checks run only while the address is here.
    pub ha_suspend: bool,
    /// `omega`: scripts run at the stop.
    pub omega: bool,
    /// `smtp_alert`; the global setting if not given.
    pub smtp_alert: Option<bool>,
    /// `virtualhost` of checks that set none.
    pub virtual_host: Option<String>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// What its servers and checks inherit; these have it already.
    pub checks: CheckDefaults,
    /// `inhibit_on_failure` of servers that do not say; they have it already.
    pub inhibit: bool,
}

impl ServicePolicy {
    /// That of a service which says nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            quorum: 1,
            hysteresis: 0,
            quorum_up: None,
            quorum_down: None,
            sorry_server: None,
            one_packet: false,
            scheduler_flags: 0,
            persistence_engine: None,
            family: None,
            ha_suspend: false,
            omega: false,
            smtp_alert: None,
            virtual_host: None,
            snmp_name: None,
            checks: CheckDefaults::NONE,
            inhibit: false,
        }
    }
}

impl Default for ServicePolicy {
    fn default() -> Self {
        Self::new()
    }
}

/// Settings of checks that a service hands down to its servers, and they to their checks; `None`
/// where nothing is said.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct CheckDefaults {
    /// `retry`
    pub retries: Option<u32>,
    /// `delay_before_retry`
    pub delay_before_retry: Option<Duration>,
    /// `delay_loop`
    pub delay_loop: Option<Duration>,
    /// `warmup`
    pub warmup: Option<Duration>,
    /// `connect_timeout`
    pub connect_timeout: Option<Duration>,
    /// `alpha`
    pub alpha: Option<bool>,
}

impl CheckDefaults {
    /// Nothing is said.
    pub const NONE: Self = Self {
        retries: None,
        delay_before_retry: None,
        delay_loop: None,
        warmup: None,
        connect_timeout: None,
        alpha: None,
    };
}

/// `sorry_server` and what modifies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SorryServer {
    /// Its address.
    pub address: IpAddr,
    /// Its port; the service's if not given.
    pub port: Option<u16>,
    /// `sorry_server_lvs_method`; the service's if not given.
    pub forwarding: Option<Forwarding>,
    /// `sorry_server_inhibit`: it stays in the table with weight 0.
    pub inhibit: bool,
}

impl SorryServer {
    /// What identifies it behind a service with this port.
    #[must_use]
    pub fn key(&self, service_port: u16) -> RealServerKey {
        RealServerKey {
            address: self.address,
            port: self.port.unwrap_or(service_port),
        }
    }
}

/// What happens to one server beyond its weight.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ServerPolicy {
    /// `uthreshold`: connections beyond which it gets no more; 0: no limit.
    pub upper_threshold: u32,
    /// `lthreshold`: connections below which it gets new ones again; 0: none.
    pub lower_threshold: u32,
    /// `inhibit_on_failure`: it stays in the table with weight 0 when it fails.
    pub inhibit_on_failure: bool,
    /// `notify_up`
    pub notify_up: Option<CheckScript>,
    /// `notify_down`
    pub notify_down: Option<CheckScript>,
    /// `smtp_alert`; the service's if not given.
    pub smtp_alert: Option<bool>,
    /// `virtualhost` of checks that set none; the service's if not given.
    pub virtual_host: Option<String>,
    /// `snmp_name`
    pub snmp_name: Option<String>,
    /// What its checks inherit from it alone; they have it already.
    pub checks: CheckDefaults,
}

//! Scripts, trackers, sync groups and the further settings of VRRP.
//!
//! Owns: their types; some have their settings here although no domain acts on them yet. Never
//! does: decide anything. Driven by: `conf::bind` fills it, `conf::resolve` checks it.

use super::signing::Signing;
use std::net::IpAddr;

use super::VirtualAddress;
use super::routing::{Route, Rule};
use crate::base::Duration;

/// A program with its arguments, started without a shell.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Script {
    /// The program and its arguments; never empty.
    pub argv: Vec<String>,
    /// Who it runs as; the script user of the daemon if not given.
    pub user: Option<String>,
    /// Its group; that of the user if not given.
    pub group: Option<String>,
}

/// What a tracker adds to the priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weight {
    /// -254 to 254; 0: a failure is a fault.
    pub value: i16,
    /// Its sign is turned around.
    pub reverse: bool,
}

/// A use of a tracker by an instance or a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// Name of the tracker or interface.
    pub name: String,
    /// The weight, if it is not the tracker's own.
    pub weight: Option<Weight>,
}

/// The trackers in use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tracking {
    /// `track_interface`
    pub interfaces: Vec<Tracked>,
    /// `track_script`
    pub scripts: Vec<Tracked>,
    /// `track_process`
    pub processes: Vec<Tracked>,
    /// `track_file`
    pub files: Vec<Tracked>,
    /// `track_bfd`
    pub bfd: Vec<Tracked>,
}

/// The notify scripts of an instance or a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notify {
    /// `notify`: at every change.
    pub any: Option<Script>,
    /// `notify_backup`
    pub backup: Option<Script>,
    /// `notify_master`
    pub master: Option<Script>,
    /// `notify_fault`
    pub fault: Option<Script>,
    /// `notify_stop`
    pub stop: Option<Script>,
    /// `notify_deleted`
    pub deleted: Option<Script>,
    /// It was given, with or without a script: removal is told as DELETED, not as FAULT.
    pub says_deleted: bool,
    /// `notify_master_rx_lower_pri`
    pub lower_priority: Option<Script>,
    /// `smtp_alert`, if said.
    pub mail: Option<bool>,
    /// `notify_priority_changes`, if said.
    pub priority_changes: Option<bool>,
}

/// `vrrp_script`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrackScript {
    /// Its name.
    pub name: String,
    /// What is run.
    pub script: Script,
    /// From run to run.
    pub interval: Duration,
    /// When it is killed; the interval if not given.
    pub timeout: Option<Duration>,
    /// `weight`
    pub weight: Weight,
    /// Successes until it counts as up, at least 1.
    pub rise: u32,
    /// Failures until it counts as down, at least 1.
    pub fall: u32,
    /// `init_fail`: counts as failed before its first run.
    pub init_fail: bool,
}

/// How the arguments of a tracked process are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArgumentMatch {
    /// All of them.
    Exact,
    /// `partial`: the first ones, whole.
    Partial,
    /// `initial`: the last one may be the beginning of one.
    Initial,
}

/// `vrrp_track_process`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackProcess {
    /// Its name.
    pub name: String,
    /// The program.
    pub process: Option<String>,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// `param_match`
    pub arguments_match: Option<ArgumentMatch>,
    /// `weight`
    pub weight: Weight,
    /// `quorum`, at least 1 if given.
    pub quorum: Option<u16>,
    /// `quorum_max`
    pub quorum_max: Option<u16>,
    /// `terminate_delay`
    pub terminate_delay: Duration,
    /// `fork_delay`
    pub fork_delay: Duration,
    /// `full_command`
    pub full_command: bool,
}

/// `track_file`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrackFile {
    /// Its name.
    pub name: String,
    /// The file.
    pub file: Option<String>,
    /// What its value is multiplied with; 1 if not given.
    pub weight: Option<Weight>,
    /// `init_file`: what is written at the start.
    pub initial: Option<i64>,
    /// An existing file is written too.
    pub overwrite: bool,
}

/// `vrrp_sync_group`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncGroup {
    /// Its name.
    pub name: String,
    /// Names of its instances.
    pub members: Vec<String>,
    /// Trackers of the whole group.
    pub tracking: Tracking,
    /// Its scripts.
    pub notify: Notify,
    /// `sync_group_tracking_weight`
    pub weights_apply: bool,
}

/// A peer of `unicast_peer`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address.
    pub address: IpAddr,
    /// The lowest TTL or hop limit accepted.
    pub min_ttl: u8,
    /// The highest.
    pub max_ttl: u8,
}

/// The version of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// RFC 3768.
    #[default]
    V2,
    /// RFC 5798, RFC 9568.
    V3,
}

/// Further settings of one `vrrp_instance`; `None` where nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstanceOptions {
    /// `auth_hmac`
    pub signing: Option<Box<Signing>>,
    /// `version`
    pub version: Option<Version>,
    /// `native_ipv6`
    pub native_ipv6: bool,
    /// A keyword of unicast was used.
    pub unicast: bool,
    /// `unicast_peer`
    pub peers: Vec<Peer>,
    /// `unicast_src_ip`, `mcast_src_ip`
    pub source: Option<IpAddr>,
    /// `mcast_dst_ip`
    pub destination: Option<IpAddr>,
    /// `unicast_ttl`
    pub ttl: Option<u8>,
    /// `use_vmac`: it runs on an interface of its own.
    pub vmac: Option<Vmac>,
    /// `use_ipvlan`: it runs on an interface of its own that shares the MAC address.
    pub ipvlan: Option<Ipvlan>,
    /// `down_timer_adverts`
    pub down_timer_adverts: Option<u8>,
    /// `kernel_rx_buf_size` in bytes.
    pub receive_buffer: Option<u32>,
    /// `garp_extra_if`: period, and whether on all interfaces.
    pub garp_extra: Option<(Duration, bool)>,
    /// `timer_expired_backup`: the priority up to which it holds.
    pub expired_backup: Option<u8>,
    /// `debug`
    pub debug: Option<u8>,
    /// `vrf`
    pub vrf: Option<String>,
    /// `accept`, `no_accept`
    pub accept: Option<bool>,
    /// `strict_mode`
    pub strict: Option<bool>,
    /// `linkbeat_use_polling`, of older releases: the link of its interface is asked for.
    pub poll_link: bool,
    /// `skip_check_adv_addr`
    pub skip_address_check: bool,
    /// `lower_prio_no_advert`
    pub lower_no_advert: Option<bool>,
    /// `higher_prio_send_advert`
    pub higher_send_advert: Option<bool>,
    /// `owner_ignore_adverts`
    pub owner_ignores: Option<bool>,
    /// `v3_checksum_as_v2`
    pub old_checksum_v3: Option<bool>,
    /// `old_unicast_checksum`; `Some(false)` is `never`.
    pub old_checksum_unicast: Option<bool>,
    /// `check_unicast_src`
    pub check_source: bool,
    /// `dont_track_primary`
    pub ignore_own_interface: bool,
    /// `track_src_ip`
    pub track_source: bool,
    /// `unicast_fault_no_peer`
    pub fault_without_peer: bool,
    /// `use_vmac_addr`
    pub vmac_for_addresses: bool,
    /// `vmac_xmit_base`
    pub transmit_on_base: bool,
    /// `no_virtual_ipaddress`
    pub no_addresses: bool,
    /// `promote_secondaries`
    pub promote_secondaries: bool,
    /// `virtual_ipaddress_excluded`
    pub excluded: Vec<VirtualAddress>,
    /// `virtual_routes`
    pub routes: Vec<Route>,
    /// `virtual_rules`
    pub rules: Vec<Rule>,
    /// Its scripts.
    pub notify: Notify,
    /// Its trackers.
    pub tracking: Tracking,
}

/// `garp_group`: interfaces that share the pace of their announcements.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GarpGroup {
    /// `garp_interval`: from one gratuitous ARP to the next.
    pub garp_interval: Option<Duration>,
    /// `gna_interval`: from one unsolicited neighbour advertisement to the next.
    pub gna_interval: Option<Duration>,
    /// `interface`, `interfaces`
    pub interfaces: Vec<String>,
}

/// How the link of an interface is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkPoll {
    /// However it answers.
    #[default]
    Any,
    /// The registers of its transceiver.
    Mii,
    /// Its driver.
    Ethtool,
    /// Its flags.
    Ioctl,
}

/// A line of `interface_up_down_delays`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkDelay {
    /// Its name.
    pub interface: String,
    /// How long it has to be down until it counts.
    pub down: Duration,
    /// How long it has to be up until it counts.
    pub up: Duration,
}

/// What is said of interfaces outside of any instance.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LinkSettings {
    /// `garp_group`
    pub garp_groups: Vec<GarpGroup>,
    /// `linkbeat_interfaces`
    pub polled: Vec<(String, LinkPoll)>,
    /// `interface_up_down_delays`
    pub delays: Vec<LinkDelay>,
}

/// `use_vmac`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vmac {
    /// Name of the interface, if given.
    pub name: Option<String>,
    /// Its address, if given: five bytes (the sixth is the virtual router id) or six.
    pub mac: Option<Vec<u8>>,
    /// `group`: its group; that of the interface below if not given.
    pub group: Option<String>,
    /// `netlink_notify_msg`: its making is told again.
    pub notify_again: bool,
}

/// How ipvlan interfaces of one base see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IpvlanMode {
    /// Directly.
    Bridge,
    /// Not at all.
    Private,
    /// By the switch.
    Vepa,
}

/// `use_ipvlan`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ipvlan {
    /// Name of the interface, if given.
    pub name: Option<String>,
    /// Its own address, with the length of the prefix.
    pub address: Option<(IpAddr, u8)>,
    /// How it sees its siblings; `bridge` if not given.
    pub mode: Option<IpvlanMode>,
    /// `group`: its group; that of the interface below if not given.
    pub group: Option<String>,
}

/// What instances and groups can track, in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trackers {
    /// `vrrp_script`
    pub scripts: Vec<TrackScript>,
    /// `vrrp_track_process`
    pub processes: Vec<TrackProcess>,
    /// `track_file`
    pub files: Vec<TrackFile>,
}

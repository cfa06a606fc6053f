//! `global_defs`, and the settings that stand outside of any block.
//!
//! Owns: the settings of the daemon as a whole, in groups by who uses them, with their units and
//! defaults. Never does: hand them on; what an instance or a check takes over from here stands in
//! the instance or check. Driven by: `conf::bind` fills it, `conf::resolve` completes it.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use super::options::{Script, Version};
use crate::base::Duration;

/// Settings that concern the daemon as a whole.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Global {
    /// `router_id`: how this router names itself in mails; the host's name if not given.
    pub router_id: Option<String>,
    /// Names, places and scheduling of the processes.
    pub process: Process,
    /// Who gets mails, and how.
    pub mail: Mail,
    /// Scripts: whom they run as, and those of the daemon itself.
    pub scripts: Scripts,
    /// FIFOs that programs read events from.
    pub fifos: Fifos,
    /// Files that reports and configurations are written to.
    pub dumps: Dumps,
    /// How a reload is asked for and checked.
    pub reload: Reloading,
    /// What VRRP instances begin with, and rules for all of them.
    pub vrrp: VrrpDefaults,
    /// Interfaces that are not there, or change.
    pub interfaces: Interfaces,
    /// How packets to addresses that are not accepted are kept away.
    pub firewall: Firewall,
    /// What holds for all checks.
    pub checks: Checks,
    /// IPVS as a whole.
    pub lvs: Lvs,
    /// The SNMP agent.
    pub snmp: Snmp,
    /// The D-Bus service.
    pub dbus: Dbus,
    /// Receive buffers of sockets.
    pub buffers: Buffers,
}

/// Only what is not the default: there are too many settings to look through.
impl fmt::Debug for Global {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn group<T: fmt::Debug + PartialEq>(
            f: &mut fmt::DebugStruct<'_, '_>,
            name: &str,
            value: &T,
            default: &T,
        ) {
            if value != default {
                f.field(name, value);
            }
        }
        let Self {
            router_id,
            process,
            mail,
            scripts,
            fifos,
            dumps,
            reload,
            vrrp,
            interfaces,
            firewall,
            checks,
            lvs,
            snmp,
            dbus,
            buffers,
        } = self;
        let default = Self::default();
        let mut f = f.debug_struct("Global");
        f.field("router_id", router_id);
        group(&mut f, "process", process, &default.process);
        group(&mut f, "mail", mail, &default.mail);
        group(&mut f, "scripts", scripts, &default.scripts);
        group(&mut f, "fifos", fifos, &default.fifos);
        group(&mut f, "dumps", dumps, &default.dumps);
        group(&mut f, "reload", reload, &default.reload);
        group(&mut f, "vrrp", vrrp, &default.vrrp);
        group(&mut f, "interfaces", interfaces, &default.interfaces);
        group(&mut f, "firewall", firewall, &default.firewall);
        group(&mut f, "checks", checks, &default.checks);
        group(&mut f, "lvs", lvs, &default.lvs);
        group(&mut f, "snmp", snmp, &default.snmp);
        group(&mut f, "dbus", dbus, &default.dbus);
        group(&mut f, "buffers", buffers, &default.buffers);
        f.finish()
    }
}

/// Names, places and scheduling of the processes. What the whole process depends on holds from
/// the next start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// `instance`: distinguishes daemons on one host.
    pub instance: Option<String>,
    /// `net_namespace`
    pub net_namespace: Option<String>,
    /// `net_namespace_ipvs`: that of IPVS.
    pub net_namespace_ipvs: OnOff,
    /// `namespace_with_ipsets`
    pub namespace_with_ipsets: bool,
    /// `use_pid_dir`
    pub pid_directory: bool,
    /// `child_wait_time`: how long the parent waits for its children at the end.
    pub child_wait: Duration,
    /// `process_names`
    pub own_names: bool,
    /// `process_name`, at most 15 bytes.
    pub name: Option<String>,
    /// `vrrp_process_name`, `vrrp_priority`…
    pub vrrp: Scheduling,
    /// `checker_process_name`, `checker_priority`…
    pub checker: Scheduling,
    /// `bfd_process_name`, `bfd_priority`…
    pub bfd: Scheduling,
    /// `max_auto_priority`: the highest real-time priority that is taken by itself; 0: none,
    /// -1: none, and nothing is said of it.
    pub max_auto_priority: i32,
    /// `min_auto_priority_delay`: a timer later than this makes for a higher priority.
    pub min_auto_priority_delay: Duration,
    /// `umask`: the bits that files are made without.
    pub umask: Option<u32>,
    /// `random_seed`: of `${_RANDOM}`; without effect.
    pub random_seed: Option<u32>,
    /// `tmp_config_directory`
    pub config_directory: Option<PathBuf>,
}

impl Default for Process {
    fn default() -> Self {
        Self {
            instance: None,
            net_namespace: None,
            net_namespace_ipvs: OnOff::Off,
            namespace_with_ipsets: false,
            pid_directory: false,
            child_wait: Duration::from_secs(5),
            own_names: false,
            name: None,
            vrrp: Scheduling::default(),
            checker: Scheduling::default(),
            bfd: Scheduling::default(),
            max_auto_priority: 0,
            min_auto_priority_delay: Duration::from_secs(1),
            umask: None,
            random_seed: None,
            config_directory: None,
        }
    }
}

/// How the kernel treats one of the processes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scheduling {
    /// Its name, at most 15 bytes.
    pub name: Option<String>,
    /// `*_priority`: nice value, -20 to 19.
    pub nice: Option<i32>,
    /// `*_no_swap`
    pub no_swap: bool,
    /// `*_rt_priority`: of `SCHED_RR`, 1 to 99.
    pub realtime: Option<u32>,
    /// `*_cpu_affinity`; all if empty.
    pub cpus: Vec<u32>,
    /// `*_rlimit_rttime`: time that a real-time process may use up, in microseconds.
    pub realtime_limit_micros: Option<u32>,
}

/// A function that may be on, with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OnOff {
    /// The keyword does not stand there.
    #[default]
    Off,
    /// On, with the usual name.
    On,
    /// On, with this name.
    Named(String),
}

/// Mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// `notification_email`
    pub to: Vec<String>,
    /// `notification_email_from`
    pub from: Option<String>,
    /// `smtp_server`: address or name; none: no mails.
    pub server: Option<String>,
    /// Its port.
    pub port: u16,
    /// `smtp_helo_name`; the host's name if not given.
    pub helo_name: Option<String>,
    /// `smtp_connect_timeout`
    pub connect_timeout: Duration,
    /// `smtp_alert`, if said.
    pub alert: Option<bool>,
    /// `smtp_alert_vrrp`, if said; else as `alert`.
    pub alert_vrrp: Option<bool>,
    /// `smtp_alert_checker`, if said; else as `alert`.
    pub alert_checker: Option<bool>,
    /// `no_email_faults`: none about `FAULT`.
    pub no_faults: bool,
    /// `no_checker_emails`: none about single checks.
    pub no_checkers: bool,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            to: Vec::new(),
            from: None,
            server: None,
            port: 25,
            helo_name: None,
            connect_timeout: Duration::from_secs(30),
            alert: None,
            alert_vrrp: None,
            alert_checker: None,
            no_faults: false,
            no_checkers: false,
        }
    }
}

/// Scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scripts {
    /// `enable_script_security`: what others than root can change does not run.
    pub security: bool,
    /// `script_user`: whom scripts run as that name nobody.
    pub user: Option<String>,
    /// Its group; that of the user if not given.
    pub group: Option<String>,
    /// `set_supplementary_groups`: with all groups of the user.
    pub supplementary_groups: bool,
    /// `use_symlink_paths`: paths stay as they are written.
    pub keep_symlinks: bool,
    /// `startup_script`: before anything else.
    pub startup: Option<Script>,
    /// When it is killed.
    pub startup_timeout: Duration,
    /// `shutdown_script`: after everything else.
    pub shutdown: Option<Script>,
    /// When it is killed.
    pub shutdown_timeout: Duration,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            security: false,
            user: None,
            group: None,
            supplementary_groups: false,
            keep_symlinks: false,
            startup: None,
            startup_timeout: Duration::from_secs(10),
            shutdown: None,
            shutdown_timeout: Duration::from_secs(10),
        }
    }
}

/// A FIFO that events are written to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fifo {
    /// Its path; none: there is no FIFO.
    pub path: Option<PathBuf>,
    /// Its owner; the script user if not given.
    pub user: Option<String>,
    /// Its group; that of the owner if not given.
    pub group: Option<String>,
    /// The program that reads it.
    pub script: Option<Script>,
}

/// The FIFOs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fifos {
    /// `notify_fifo`: all events.
    pub all: Fifo,
    /// `vrrp_notify_fifo`
    pub vrrp: Fifo,
    /// `lvs_notify_fifo`
    pub lvs: Fifo,
    /// `vrrp_notify_priority_changes`
    pub priority_changes: bool,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: bool,
}

/// Files that reports and configurations are written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dumps {
    /// `state_dump_file`: what USR1 writes.
    pub state: Option<PathBuf>,
    /// `stats_dump_file`: what USR2 writes.
    pub stats: Option<PathBuf>,
    /// `json_dump_file`
    pub json: Option<PathBuf>,
    /// `json_version`: 1 or 2.
    pub json_version: u8,
    /// `data_use_instance`: the names of these files tell the instance.
    pub with_instance: bool,
    /// `config_save_dir`: where each configuration that was read is kept.
    pub configurations: Option<PathBuf>,
}

impl Default for Dumps {
    fn default() -> Self {
        Self {
            state: None,
            stats: None,
            json: None,
            json_version: 1,
            with_instance: false,
            configurations: None,
        }
    }
}

/// How a reload is asked for and checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloading {
    /// `reload_check_config`: a new configuration is tested first; the name is that of the log.
    pub check: OnOff,
    /// `reload_time_file`: holds the time of the next reload.
    pub time_file: Option<PathBuf>,
    /// `reload_repeat`: it stays after a reload.
    pub repeat: bool,
    /// `reload_file`: exists while a reload runs.
    pub file: OnOff,
}

/// Gratuitous ARP and neighbour advertisements; `None` where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GarpSettings {
    /// `garp_master_repeat`: packets for each address in a burst.
    pub repeat: Option<u32>,
    /// `garp_master_delay`: to the second burst.
    pub delay: Option<Duration>,
    /// `garp_master_refresh`: from burst to burst after that; zero: none.
    pub refresh: Option<Duration>,
    /// `garp_master_refresh_repeat`: packets in those.
    pub refresh_repeat: Option<u32>,
    /// `garp_lower_prio_repeat`: packets after an advert of lower priority.
    pub lower_priority_repeat: Option<u32>,
    /// `garp_lower_prio_delay`: to the second burst after one.
    pub lower_priority_delay: Option<Duration>,
}

/// Bursts on other interfaces than an instance's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtraGarp {
    /// On all of them, not only those of its addresses.
    pub all: bool,
    /// From burst to burst.
    pub period: Duration,
}

/// How large the kernel's receive buffers of VRRP are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ReceivePolicy {
    /// As the kernel has it.
    #[default]
    Kernel,
    /// By the MTU of the interface.
    Mtu,
    /// By the length of an advert.
    Advert,
    /// So many bytes.
    Bytes(u32),
}

/// What VRRP instances begin with, and rules for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VrrpDefaults {
    /// `vrrp_version`
    pub version: Version,
    /// `vrrp_strict`
    pub strict: bool,
    /// `vrrp_mcast_group4`
    pub group4: Ipv4Addr,
    /// `vrrp_mcast_group6`
    pub group6: Ipv6Addr,
    /// `vrrp_garp_*`
    pub garp: GarpSettings,
    /// `vrrp_garp_interval`: between packets on one interface.
    pub garp_interval: Duration,
    /// `vrrp_gna_interval`: the same of neighbour advertisements.
    pub gna_interval: Duration,
    /// `vrrp_min_garp`: one packet, and no more.
    pub min_garp: bool,
    /// `vrrp_garp_extra_if`
    pub extra_garp: Option<ExtraGarp>,
    /// `vrrp_down_timer_adverts`
    pub down_timer_adverts: u8,
    /// `vrrp_lower_prio_no_advert`
    pub lower_no_advert: bool,
    /// `vrrp_higher_prio_send_advert`
    pub higher_send_advert: bool,
    /// `vrrp_owner_ignore_adverts`
    pub owner_ignores: bool,
    /// `vrrp_check_unicast_src`
    pub check_unicast_source: bool,
    /// `vrrp_skip_check_adv_addr`
    pub skip_address_check: bool,
    /// `v3_checksum_as_v2`
    pub old_checksum_v3: bool,
    /// `vrrp_startup_delay`
    pub startup_delay: Duration,
    /// `vrrp_delay_after_boot`: counted from the start of the system.
    pub delay_after_boot: Duration,
    /// `log_unknown_vrids`
    pub log_unknown_vrids: bool,
    /// `vmac_prefix`
    pub vmac_prefix: Option<String>,
    /// `vmac_addr_prefix`
    pub vmac_address_prefix: Option<String>,
    /// `vrrp_rx_bufs_policy`
    pub receive_policy: ReceivePolicy,
    /// `vrrp_rx_bufs_multiplier`
    pub receive_multiplier: u32,
}

impl VrrpDefaults {
    /// What holds where an instance says nothing: `vrrp_min_garp` lowers what is not given.
    #[must_use]
    pub fn announcements(&self) -> GarpSettings {
        let given = self.garp;
        if !self.min_garp {
            return given;
        }
        GarpSettings {
            repeat: given.repeat.or(Some(1)),
            delay: given.delay.or(Some(Duration::ZERO)),
            refresh: given.refresh.or(Some(Duration::ZERO)),
            refresh_repeat: given.refresh_repeat.or(Some(0)),
            lower_priority_repeat: given.lower_priority_repeat.or(given.repeat).or(Some(1)),
            lower_priority_delay: given
                .lower_priority_delay
                .or(given.delay)
                .or(Some(Duration::ZERO)),
        }
    }
}

impl Default for VrrpDefaults {
    fn default() -> Self {
        Self {
            version: Version::V2,
            strict: false,
            group4: Ipv4Addr::new(224, 0, 0, 18),
            group6: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            garp: GarpSettings::default(),
            garp_interval: Duration::ZERO,
            gna_interval: Duration::ZERO,
            min_garp: false,
            extra_garp: None,
            down_timer_adverts: 3,
            lower_no_advert: false,
            higher_send_advert: false,
            owner_ignores: false,
            check_unicast_source: false,
            skip_address_check: false,
            old_checksum_v3: false,
            startup_delay: Duration::ZERO,
            delay_after_boot: Duration::ZERO,
            log_unknown_vrids: false,
            vmac_prefix: None,
            vmac_address_prefix: None,
            receive_policy: ReceivePolicy::Kernel,
            receive_multiplier: 3,
        }
    }
}

/// Whether interfaces may be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Dynamic {
    /// An interface that does not exist is an error.
    #[default]
    No,
    /// They may come and go.
    Yes,
    /// They may come back as others: with another type or link.
    AllowChanges,
}

/// Interfaces as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Interfaces {
    /// `dynamic_interfaces`
    pub dynamic: Dynamic,
    /// `default_interface`: of addresses that name none.
    pub default: Option<String>,
    /// `linkbeat_use_polling`
    pub poll_links: bool,
    /// `disable_local_igmp`
    pub no_local_igmp: bool,
    /// `iproute_usr_dir`: where names of routing tables and the like stand.
    pub iproute_usr: Option<PathBuf>,
    /// `iproute_etc_dir`: where the administrator's stand.
    pub iproute_etc: Option<PathBuf>,
}

/// How packets to addresses that are not accepted are kept away, and how services by group get
/// marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firewall {
    /// `nftables`; the name is that of the table.
    pub nftables: OnOff,
    /// `nftables_priority`: of the chain.
    pub priority: i32,
    /// `nftables_ifindex`: rules name interfaces by number.
    pub by_index: bool,
    /// `nftables_counters`
    pub counters: bool,
    /// `nftables_ipvs`; the name is that of the table.
    pub ipvs: OnOff,
    /// `nftables_ipvs_priority`
    pub ipvs_priority: i32,
    /// `nftables_ipvs_start_fwmark`: the first mark that is given out.
    pub ipvs_first_mark: u32,
}

impl Default for Firewall {
    fn default() -> Self {
        Self {
            nftables: OnOff::Off,
            priority: -1,
            by_index: false,
            counters: false,
            ipvs: OnOff::Off,
            ipvs_priority: -1,
            ipvs_first_mark: 1000,
        }
    }
}

/// What holds for all checks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checks {
    /// `checker_log_all_failures`
    pub log_all_failures: bool,
    /// `rs_init_notifies`: servers tell their state at the start.
    pub notify_initial: bool,
}

/// What is taken away when the daemon stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FlushOnStop {
    /// Each server and service of its own.
    #[default]
    Own,
    /// Services of its own, with all their servers.
    Services,
    /// The whole table.
    All,
}

/// `lvs_timeouts`; `None` leaves the kernel's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LvsTimeouts {
    /// Idle TCP connections.
    pub tcp: Option<Duration>,
    /// TCP connections after a FIN.
    pub tcp_fin: Option<Duration>,
    /// UDP.
    pub udp: Option<Duration>,
}

/// `lvs_sync_daemon`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SyncDaemon {
    /// The interface that it speaks on.
    pub interface: String,
    /// The VRRP instance that says whether it sends or receives.
    pub instance: Option<String>,
    /// Its id; the virtual router id of the instance if not given.
    pub id: Option<u8>,
    /// Longest message in bytes, 1 to 65507; the kernel's if not given.
    pub max_length: Option<u16>,
    /// UDP port; the kernel's (8848) if not given.
    pub port: Option<u16>,
    /// TTL; the kernel's (1) if not given.
    pub ttl: Option<u8>,
    /// Multicast group; the kernel's (224.0.0.81) if not given.
    pub group: Option<std::net::IpAddr>,
}

/// IPVS as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lvs {
    /// `lvs_flush`: the whole table is emptied at the start.
    pub flush: bool,
    /// `lvs_no_repair`: what other programs change of our services stays changed.
    pub no_repair: bool,
    /// `lvs_flush_on_stop`
    pub flush_on_stop: FlushOnStop,
    /// `lvs_timeouts`
    pub timeouts: LvsTimeouts,
    /// `lvs_sync_daemon`
    pub sync_daemon: Option<SyncDaemon>,
}

/// The SNMP agent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Snmp {
    /// `snmp_socket`: of the master agent; `unix:/var/agentx/master` if not given.
    pub socket: Option<String>,
    /// `enable_traps`
    pub traps: bool,
    /// `enable_snmp_vrrp`
    pub vrrp: bool,
    /// `enable_snmp_checker`
    pub checker: bool,
    /// `enable_snmp_rfcv2`, `enable_snmp_rfc`: RFC 2787.
    pub rfc2787: bool,
    /// `enable_snmp_rfcv3`, `enable_snmp_rfc`: RFC 6527.
    pub rfc6527: bool,
    /// `snmp_vs_stats_update_interval`: how old figures of services may be; 5 s if not given.
    pub service_figures: Option<Duration>,
    /// `snmp_rs_stats_update_interval`: those of servers; as those of services if not given.
    pub server_figures: Option<Duration>,
}

/// The D-Bus service.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dbus {
    /// `enable_dbus`
    pub enabled: bool,
    /// `dbus_service_name`; `org.keepalived.Vrrp1` if not given.
    pub service: Option<String>,
    /// `dbus_no_interface_name`: stands in paths for an instance without interface.
    pub no_interface: Option<String>,
}

/// The receive buffer of a socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffer {
    /// In bytes; the kernel's if not given.
    pub bytes: Option<u32>,
    /// Beyond the limit of the system.
    pub force: bool,
}

/// Receive buffers of sockets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Buffers {
    /// `vrrp_netlink_cmd_rcv_bufs`
    pub vrrp_command: Buffer,
    /// `vrrp_netlink_monitor_rcv_bufs`
    pub vrrp_monitor: Buffer,
    /// `lvs_netlink_cmd_rcv_bufs`
    pub lvs_command: Buffer,
    /// `lvs_netlink_monitor_rcv_bufs`
    pub lvs_monitor: Buffer,
    /// `process_monitor_rcv_bufs`
    pub processes: Buffer,
}

/// Which generation of keepalived's log texts is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogStyle {
    /// The texts of keepalived 2.x.
    #[default]
    Current,
    /// The texts of keepalived 1.3.5, as CentOS 6 and 7 had it.
    V1_3,
}

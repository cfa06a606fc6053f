//! Configurations as the daemon gets them: through text.
//!
//! Owns: `keepalived.conf` for a model, and the way back through the whole pipeline, which has to
//! end at the same model without a word of complaint. Never does: touch a file system; the one
//! file is in memory. Driven by: `world`, for every start and reload of a host.

use std::fmt::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::text_tracking as tracking;
use keepalived_rs::conf::model::options::Version;
use keepalived_rs::conf::model::signing::{AntiReplay, Signing, SigningMode};
use keepalived_rs::conf::model::{
    BfdInstance, Config, Forwarding, GroupEntry, InitialState, RealServer, ServerGroup, ServiceKey,
    TcpCheck, VirtualServer, VrrpInstance,
};
use keepalived_rs::conf::{FileError, Files, HostFacts, LoadOptions, load};

/// Where the one file is.
const PATH: &str = "/etc/keepalived/keepalived.conf";

struct Disk(String);

impl Files for Disk {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        if path == Path::new(PATH) {
            Ok(self.0.clone().into_bytes())
        } else {
            Err(FileError::Missing)
        }
    }

    fn exists(&self, path: &Path) -> bool {
        path == Path::new(PATH)
    }

    fn glob(&self, _: &Path) -> Vec<PathBuf> {
        Vec::new()
    }
}

struct Facts;

impl HostFacts for Facts {
    fn interface_exists(&self, _: &str) -> bool {
        true
    }

    fn node_name(&self) -> String {
        "router".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

/// Writes `config` down and reads it as the daemon would.
///
/// # Panics
/// When what was read is not what was written, or when the reader complains.
#[must_use]
pub fn through(config: &Config) -> Config {
    let text = write(config);
    let loaded = load(
        Path::new(PATH),
        LoadOptions::default(),
        &Disk(text.clone()),
        &Facts,
    );
    let mut wanted = config.clone();
    let mut weightless = 0;
    for service in &mut wanted.virtual_servers {
        let total = service
            .real_servers
            .iter()
            .map(|server| server.weight)
            .sum();
        // What an earlier reading made of the quorum is not in the text.
        let written = service.policy.quorum.max(1);
        weightless += usize::from(written > total);
        service.policy.quorum = written.min(total);
        service.forwarding = forwarding(service);
    }
    // The one thing to complain of: servers that together cannot weigh what a service needs.
    let (quorums, findings): (Vec<_>, Vec<_>) = loaded
        .diagnostics
        .iter()
        .map(|finding| &finding.message)
        // That of signatures is advice.
        .filter(|message| !message.contains("auth_hmac interoperates"))
        // A port beside a mark means nothing.
        .filter(|message| !message.contains("has port specified - port will be ignored"))
        // Servers without weight have a quorum of nothing.
        .filter(|message| !message.contains("hysteresis 0 >= quorum 0"))
        .partition(|message| message.contains("exceeds total weight of real servers"));
    assert!(findings.is_empty(), "{findings:?} in\n{text}");
    assert_eq!(quorums.len(), weightless, "{quorums:?} in\n{text}");
    wanted.files.clone_from(&loaded.config.files);
    assert_eq!(loaded.config, wanted, "read from\n{text}");
    loaded.config
}

/// The file; values that are the default are left out where that is the custom.
fn write(config: &Config) -> String {
    let mut text = String::new();
    global(&mut text, config);
    tracking::definitions(&mut text, &config.trackers);
    for group in &config.sync_groups {
        tracking::group(&mut text, group);
    }
    for session in &config.bfd_instances {
        bfd_instance(&mut text, session);
    }
    for instance in &config.vrrp_instances {
        vrrp_instance(&mut text, instance);
    }
    for group in &config.server_groups {
        server_group(&mut text, group);
    }
    for service in &config.virtual_servers {
        virtual_server(&mut text, service);
    }
    text
}

fn global(text: &mut String, config: &Config) {
    line(text, 0, format_args!("global_defs {{"));
    if let Some(id) = &config.global.router_id {
        line(text, 1, format_args!("router_id {id}"));
    }
    if config.global.scripts.security {
        line(text, 1, format_args!("enable_script_security"));
    }
    if let Some(path) = &config.global.fifos.vrrp.path {
        line(text, 1, format_args!("vrrp_notify_fifo {}", path.display()));
    }
    line(text, 0, format_args!("}}"));
}

pub(super) fn line(text: &mut String, depth: usize, content: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    writeln!(text, "{:1$}{content}", "", 4 * depth).unwrap_or(());
}

fn bfd_instance(text: &mut String, session: &BfdInstance) {
    line(text, 0, format_args!("bfd_instance {} {{", session.name));
    let mut key = |name: &str, value: &dyn std::fmt::Display| {
        line(text, 1, format_args!("{name} {value}"));
    };
    key("neighbor_ip", &session.neighbor);
    if let Some(source) = session.source {
        key("source_ip", &source);
    }
    key("min_rx", &session.min_rx.as_millis());
    key("min_tx", &session.min_tx.as_millis());
    key("idle_tx", &session.idle_tx.as_millis());
    key("multiplier", &session.multiplier);
    key("ttl", &session.ttl);
    line(text, 0, format_args!("}}"));
}

fn vrrp_instance(text: &mut String, instance: &VrrpInstance) {
    line(text, 0, format_args!("vrrp_instance {} {{", instance.name));
    let mut key = |name: &str, value: &dyn std::fmt::Display| {
        line(text, 1, format_args!("{name} {value}"));
    };
    if instance.initial_state == InitialState::Master {
        key("state", &"MASTER");
    }
    key("interface", &instance.interface);
    key("virtual_router_id", &instance.vrid.get());
    key("priority", &instance.priority);
    let interval = instance.advert_interval;
    key(
        "advert_int",
        &format_args!(
            "{}.{:02}",
            interval.as_secs(),
            interval.subsec_millis() / 10
        ),
    );
    if let Some(version) = instance.options.version {
        key("version", &if version == Version::V3 { 3 } else { 2 });
    }
    if instance.no_preempt {
        key("nopreempt", &"");
    }
    if !instance.preempt_delay.is_zero() {
        key("preempt_delay", &instance.preempt_delay.as_secs());
    }
    let garp = &instance.garp;
    key("garp_master_repeat", &garp.repeat);
    key("garp_master_delay", &garp.delay.as_secs());
    key("garp_master_refresh", &garp.refresh.as_secs());
    key("garp_master_refresh_repeat", &garp.refresh_repeat);
    if let Some(pass) = instance.auth {
        let pass = String::from_utf8_lossy(&pass.0);
        let pass = pass.trim_end_matches('\0');
        line(text, 1, format_args!("authentication {{"));
        line(text, 2, format_args!("auth_type PASS"));
        line(text, 2, format_args!("auth_pass {pass}"));
        line(text, 1, format_args!("}}"));
    }
    if let Some(signing) = &instance.options.signing {
        signature(text, signing);
    }
    unicast(text, instance);
    tracking::notify(text, &instance.options.notify);
    tracking::tracked(text, &instance.options.tracking);
    line(text, 1, format_args!("virtual_ipaddress {{"));
    for address in &instance.addresses {
        let dev = address.interface.as_ref();
        let dev = dev.map_or_else(String::new, |name| format!(" dev {name}"));
        let label = address.label.as_ref();
        let label = label.map_or_else(String::new, |name| format!(" label {name}"));
        let prefix = match (address.address, address.prefix_len) {
            (IpAddr::V4(_), 32) | (IpAddr::V6(_), 128) => String::new(),
            (_, prefix_len) => format!("/{prefix_len}"),
        };
        line(
            text,
            2,
            format_args!("{}{prefix}{dev}{label}", address.address),
        );
    }
    line(text, 1, format_args!("}}\n}}"));
}

fn signature(text: &mut String, signing: &Signing) {
    line(text, 1, format_args!("auth_hmac {{"));
    for key in &signing.keys {
        let secret = String::from_utf8_lossy(&key.secret);
        line(text, 2, format_args!("key {} {secret}", key.id));
    }
    line(text, 2, format_args!("active_key {}", signing.active));
    if let Some(window) = signing.window {
        line(text, 2, format_args!("time_window {}", window.as_secs()));
    }
    let replay = match signing.replay {
        AntiReplay::Time => "time",
        AntiReplay::Monotonic => "monotonic",
    };
    line(text, 2, format_args!("anti_replay {replay}"));
    let mode = match signing.mode {
        SigningMode::Enforce => "enforce",
        SigningMode::Permissive => "permissive",
        SigningMode::ReceiveOnly => "receive-only",
    };
    line(text, 2, format_args!("mode {mode}"));
    line(text, 1, format_args!("}}"));
}

fn unicast(text: &mut String, instance: &VrrpInstance) {
    let options = &instance.options;
    if let Some(source) = options.source {
        line(text, 1, format_args!("unicast_src_ip {source}"));
    }
    if options.peers.is_empty() {
        return;
    }
    line(text, 1, format_args!("unicast_peer {{"));
    for peer in &options.peers {
        line(text, 2, format_args!("{}", peer.address));
    }
    line(text, 1, format_args!("}}"));
}

const fn kind(forwarding: Forwarding) -> &'static str {
    match forwarding {
        Forwarding::Nat => "NAT",
        Forwarding::Dr => "DR",
        Forwarding::Tun(_) => "TUN",
    }
}

/// `lb_kind`: that of the first server.
fn forwarding(service: &VirtualServer) -> Forwarding {
    let first = service.real_servers.first();
    first.map_or(Forwarding::Nat, |server| server.forwarding)
}

fn server_group(text: &mut String, group: &ServerGroup) {
    line(
        text,
        0,
        format_args!("virtual_server_group {} {{", group.name),
    );
    for entry in &group.entries {
        match entry {
            GroupEntry::Addresses { first, last, port } if first == last => {
                line(text, 1, format_args!("{first} {port}"));
            }
            GroupEntry::Addresses { first, last, port } => {
                line(text, 1, format_args!("{first}-{last} {port}"));
            }
            GroupEntry::Fwmark { mark, .. } => line(text, 1, format_args!("fwmark {mark}")),
        }
    }
    line(text, 0, format_args!("}}"));
}

fn virtual_server(text: &mut String, service: &VirtualServer) {
    let target = match &service.key {
        ServiceKey::Address(key) => format!("{} {}", key.address, key.port),
        ServiceKey::Fwmark { mark, .. } => format!("fwmark {mark}"),
        ServiceKey::Group { name, .. } => format!("group {name}"),
    };
    line(text, 0, format_args!("virtual_server {target} {{"));
    line(
        text,
        1,
        format_args!("lb_algo {}", service.scheduler.name()),
    );
    line(
        text,
        1,
        format_args!("lb_kind {}", kind(forwarding(service))),
    );
    if let Some(protocol) = service.key.protocol() {
        let protocol = protocol.name().to_uppercase();
        line(text, 1, format_args!("protocol {protocol}"));
    }
    let policy = &service.policy;
    line(text, 1, format_args!("quorum {}", policy.quorum.max(1)));
    line(text, 1, format_args!("hysteresis {}", policy.hysteresis));
    if let Some(sorry) = &policy.sorry_server {
        let port = sorry.port.unwrap_or(0);
        line(
            text,
            1,
            format_args!("sorry_server {} {port}", sorry.address),
        );
        if sorry.inhibit {
            line(text, 1, format_args!("sorry_server_inhibit"));
        }
    }
    if let Some(persistence) = service.persistence {
        let timeout = persistence.timeout.as_secs();
        line(text, 1, format_args!("persistence_timeout {timeout}"));
    }
    for server in &service.real_servers {
        real_server(text, server);
    }
    line(text, 0, format_args!("}}"));
}

fn real_server(text: &mut String, server: &RealServer) {
    let key = server.key;
    line(
        text,
        1,
        format_args!("real_server {} {} {{", key.address, key.port),
    );
    line(text, 2, format_args!("weight {}", server.weight));
    if let Some(policy) = &server.policy {
        if policy.inhibit_on_failure {
            line(text, 2, format_args!("inhibit_on_failure"));
        }
        for (name, limit) in [
            ("uthreshold", policy.upper_threshold),
            ("lthreshold", policy.lower_threshold),
        ] {
            line(text, 2, format_args!("{name} {limit}"));
        }
    }
    for check in &server.tcp_checks {
        tcp_check(text, check);
    }
    line(text, 1, format_args!("}}"));
}

fn tcp_check(text: &mut String, check: &TcpCheck) {
    line(text, 2, format_args!("TCP_CHECK {{"));
    let mut key = |name: &str, value: &dyn std::fmt::Display| {
        line(text, 3, format_args!("{name} {value}"));
    };
    key("connect_ip", &check.target.ip());
    key("connect_port", &check.target.port());
    key("connect_timeout", &check.connect_timeout.as_secs());
    key("retry", &check.retries);
    key("delay_before_retry", &check.delay_before_retry.as_secs());
    key("delay_loop", &check.delay_loop.as_secs());
    key("warmup", &check.warmup.as_secs());
    if check.alpha {
        key("alpha", &"");
    }
    line(text, 2, format_args!("}}"));
}

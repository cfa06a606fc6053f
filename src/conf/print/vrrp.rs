//! Virtual routers, groups and trackers as text.
//!
//! Owns: one block for each. Driven by: `print`.

use super::super::model::options::{
    ArgumentMatch, InstanceOptions, Ipvlan, IpvlanMode, Notify, Peer, Script, SyncGroup, TrackFile,
    TrackProcess, TrackScript, Tracked, Trackers, Tracking, Version, Weight,
};
use super::super::model::signing::{AntiReplay, Signing, SigningMode};
use super::super::model::{
    AuthPass, Garp, InitialState, VirtualAddress, VrrpInstance, quoted_command, quoted_word,
};
use super::super::source::to_text;
use super::{Printer, quoted, seconds};
use crate::base::Family;

pub(super) fn trackers(out: &mut Printer, trackers: &Trackers) {
    for script in &trackers.scripts {
        track_script(out, script);
    }
    for process in &trackers.processes {
        track_process(out, process);
    }
    for file in &trackers.files {
        track_file(out, file);
    }
}

fn track_script(out: &mut Printer, tracker: &TrackScript) {
    out.block(format!("vrrp_script {}", quoted(&tracker.name)), |out| {
        out.line(format!("script {}", command(&tracker.script)));
        if let Some(user) = &tracker.script.user {
            out.line(format!(
                "user {}",
                owner(user, tracker.script.group.as_ref())
            ));
        }
        out.line(format!("interval {}", seconds(tracker.interval)));
        out.value("timeout", tracker.timeout.map(seconds));
        out.line(format!("weight {}", weight(tracker.weight)));
        out.line(format!("rise {}", tracker.rise));
        out.line(format!("fall {}", tracker.fall));
        out.flag("init_fail", tracker.init_fail);
    });
}

fn track_process(out: &mut Printer, tracker: &TrackProcess) {
    out.block(
        format!("vrrp_track_process {}", quoted(&tracker.name)),
        |out| {
            if let Some(process) = &tracker.process {
                let words = std::iter::once(process).chain(&tracker.arguments);
                let words: Vec<String> = words.map(|word| quoted(word)).collect();
                out.line(format!("process {}", words.join(" ")));
            }
            match tracker.arguments_match {
                None => {}
                Some(ArgumentMatch::Exact) => out.line("param_match"),
                Some(ArgumentMatch::Partial) => out.line("param_match partial"),
                Some(ArgumentMatch::Initial) => out.line("param_match initial"),
            }
            out.line(format!("weight {}", weight(tracker.weight)));
            out.value("quorum", tracker.quorum);
            out.value("quorum_max", tracker.quorum_max);
            let delays = [
                ("terminate_delay", tracker.terminate_delay),
                ("fork_delay", tracker.fork_delay),
            ];
            for (keyword, delay) in delays {
                out.value(keyword, (!delay.is_zero()).then(|| seconds(delay)));
            }
            out.flag("full_command", tracker.full_command);
        },
    );
}

fn track_file(out: &mut Printer, tracker: &TrackFile) {
    out.block(format!("track_file {}", quoted(&tracker.name)), |out| {
        out.word("file", tracker.file.as_ref());
        out.value("weight", tracker.weight.map(weight));
        if let Some(initial) = tracker.initial {
            let overwrite = if tracker.overwrite { " overwrite" } else { "" };
            out.line(format!("init_file {initial}{overwrite}"));
        }
    });
}

pub(super) fn group(out: &mut Printer, group: &SyncGroup) {
    out.block(format!("vrrp_sync_group {}", quoted(&group.name)), |out| {
        out.list("group", group.members.iter().map(|name| quoted(name)));
        out.flag("sync_group_tracking_weight", group.weights_apply);
        tracking(out, &group.tracking);
        notify(out, &group.notify);
    });
}

pub(super) fn instance(out: &mut Printer, instance: &VrrpInstance) {
    out.block(format!("vrrp_instance {}", quoted(&instance.name)), |out| {
        let options = &*instance.options;
        // The first thing that says so decides about the family.
        out.flag("native_ipv6", options.native_ipv6);
        out.line(match instance.initial_state {
            InitialState::Master => "state MASTER",
            InitialState::Backup => "state BACKUP",
        });
        // A VRF stands in its place.
        if options.vrf.is_none() {
            out.line(format!("interface {}", quoted(&instance.interface)));
        }
        out.line(format!("virtual_router_id {}", instance.vrid.get()));
        out.line(format!("priority {}", instance.priority));
        out.line(format!("advert_int {}", seconds(instance.advert_interval)));
        if let Some(AuthPass(secret)) = instance.auth {
            let end = secret
                .iter()
                .position(|byte| *byte == 0)
                .unwrap_or(secret.len());
            let secret = to_text(secret.iter().take(end).copied().collect());
            out.block("authentication", |out| {
                out.line(if instance.ah {
                    "auth_type AH"
                } else {
                    "auth_type PASS"
                });
                out.line(format!("auth_pass {}", quoted(&secret)));
            });
        }
        if let Some(signing) = &options.signing {
            out.block("auth_hmac", |out| signature(out, signing));
        }
        out.flag("nopreempt", instance.no_preempt);
        let delay = instance.preempt_delay;
        out.value("preempt_delay", (!delay.is_zero()).then(|| seconds(delay)));
        garp(out, &instance.garp);
        further(out, options, instance.family);
        out.list("virtual_ipaddress", instance.addresses.iter().map(address));
        let excluded = options.excluded.iter().map(address);
        out.list("virtual_ipaddress_excluded", excluded);
        out.list(
            "virtual_routes",
            options.routes.iter().map(super::routing::route),
        );
        out.list(
            "virtual_rules",
            options.rules.iter().map(super::routing::rule),
        );
        tracking(out, &options.tracking);
        notify(out, &options.notify);
    });
}

fn garp(out: &mut Printer, garp: &Garp) {
    out.line(format!("garp_master_repeat {}", garp.repeat));
    out.line(format!("garp_master_delay {}", seconds(garp.delay)));
    out.line(format!("garp_master_refresh {}", seconds(garp.refresh)));
    // With `vrrp_min_garp` it is 0, which no line can say.
    if garp.refresh_repeat > 0 {
        out.line(format!(
            "garp_master_refresh_repeat {}",
            garp.refresh_repeat
        ));
    }
    out.line(format!(
        "garp_lower_prio_repeat {}",
        garp.lower_priority_repeat
    ));
    out.line(format!(
        "garp_lower_prio_delay {}",
        seconds(garp.lower_priority_delay)
    ));
}

fn signature(out: &mut Printer, signing: &Signing) {
    for key in &signing.keys {
        let secret = match &key.file {
            Some(path) => quoted(&format!("file:{path}")),
            None => {
                let digits: String = key
                    .secret
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect();
                format!("hex:{digits}")
            }
        };
        out.line(format!("key {} {secret}", key.id));
    }
    out.line(format!("active_key {}", signing.active));
    out.value("time_window", signing.window.map(|window| window.as_secs()));
    out.line(match signing.replay {
        AntiReplay::Time => "anti_replay time",
        AntiReplay::Monotonic => "anti_replay monotonic",
    });
    out.line(match signing.mode {
        SigningMode::Enforce => "mode enforce",
        SigningMode::Permissive => "mode permissive",
        SigningMode::ReceiveOnly => "mode receive-only",
    });
}

fn further(out: &mut Printer, options: &InstanceOptions, family: Family) {
    let version = options.version.filter(|_| family == Family::V4);
    out.value(
        "version",
        version.map(|version| match version {
            Version::V2 => 2,
            Version::V3 => 3,
        }),
    );
    let source = if options.unicast {
        "unicast_src_ip"
    } else {
        "mcast_src_ip"
    };
    out.value(source, options.source);
    out.value("mcast_dst_ip", options.destination);
    out.value("unicast_ttl", options.ttl);
    out.list("unicast_peer", options.peers.iter().map(peer));
    if let Some(vmac) = &options.vmac {
        let mut words = vec!["use_vmac".to_owned()];
        words.extend(vmac.name.as_ref().map(|name| quoted(name)));
        words.extend(vmac.mac.as_ref().map(|mac| {
            let bytes: Vec<String> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            bytes.join(":")
        }));
        words.extend(
            vmac.group
                .as_ref()
                .map(|group| format!("group {}", quoted(group))),
        );
        words.extend(vmac.notify_again.then(|| "netlink_notify_msg".to_owned()));
        out.line(words.join(" "));
    }
    if let Some(ipvlan) = &options.ipvlan {
        out.line(ipvlan_words(ipvlan));
    }
    out.value("down_timer_adverts", options.down_timer_adverts);
    out.value("kernel_rx_buf_size", options.receive_buffer);
    if let Some((period, all)) = options.garp_extra {
        let all = if all { "all " } else { "" };
        out.line(format!("garp_extra_if {all}{}", seconds(period)));
    }
    out.value("timer_expired_backup", options.expired_backup);
    out.value("debug", options.debug);
    out.word("vrf", options.vrf.as_ref());
    out.flag("accept", options.accept == Some(true));
    out.flag("no_accept", options.accept == Some(false));
    out.switch("strict_mode", options.strict);
    out.flag("linkbeat_use_polling", options.poll_link);
    out.flag("skip_check_adv_addr", options.skip_address_check);
    out.switch("lower_prio_no_advert", options.lower_no_advert);
    out.switch("higher_prio_send_advert", options.higher_send_advert);
    out.switch("owner_ignore_adverts", options.owner_ignores);
    out.switch("v3_checksum_as_v2", options.old_checksum_v3);
    match options.old_checksum_unicast {
        None => {}
        Some(true) => out.line("old_unicast_checksum"),
        Some(false) => out.line("old_unicast_checksum never"),
    }
    // Without a peer this word alone would ask for unicast; `global_defs` may have said it for all.
    let unicast = options.unicast || !options.peers.is_empty();
    out.flag("check_unicast_src", options.check_source && unicast);
    let ignores = options.ignore_own_interface && options.vrf.is_none();
    out.flag("dont_track_primary", ignores);
    out.flag("track_src_ip", options.track_source);
    out.flag("unicast_fault_no_peer", options.fault_without_peer);
    out.flag("use_vmac_addr", options.vmac_for_addresses);
    out.flag("vmac_xmit_base", options.transmit_on_base);
    out.flag("no_virtual_ipaddress", options.no_addresses);
    out.flag("promote_secondaries", options.promote_secondaries);
}

fn peer(peer: &Peer) -> String {
    format!(
        "{} min_ttl {} max_ttl {}",
        peer.address, peer.min_ttl, peer.max_ttl
    )
}

pub(super) fn address(address: &VirtualAddress) -> String {
    let mut line = format!("{}/{}", address.address, address.prefix_len);
    if let Some(broadcast) = address.broadcast {
        line.push_str(&format!(" brd {broadcast}"));
    }
    if let Some(interface) = &address.interface {
        line.push_str(&format!(" dev {}", quoted(interface)));
    }
    if address.scope.0 != 0 {
        line.push_str(&format!(" scope {}", address.scope.0));
    }
    if let Some(label) = &address.label {
        line.push_str(&format!(" label {}", quoted(label)));
    }
    let options = &address.options;
    if let Some(peer) = options.peer {
        line.push_str(&format!(" peer {}/{}", peer.address, peer.len));
    }
    for (word, said) in [
        ("home", options.home),
        ("-nodad", options.detect_duplicates),
        ("mngtmpaddr", options.manage_temporary),
        ("noprefixroute", options.no_prefix_route),
        ("autojoin", options.auto_join),
        ("no_track", options.untracked),
        ("use_vmac", options.vmac),
    ] {
        if said {
            line.push_str(&format!(" {word}"));
        }
    }
    if let Some(seconds) = options.preferred_lifetime {
        line.push_str(&format!(" preferred_lft {seconds}"));
    }
    line
}

fn ipvlan_words(ipvlan: &Ipvlan) -> String {
    let mut words = vec!["use_ipvlan".to_owned()];
    words.extend(ipvlan.name.as_ref().map(|name| quoted(name)));
    words.extend(
        ipvlan
            .address
            .map(|(address, len)| format!("{address}/{len}")),
    );
    words.extend(ipvlan.mode.map(|mode| {
        let word = match mode {
            IpvlanMode::Bridge => "bridge",
            IpvlanMode::Private => "private",
            IpvlanMode::Vepa => "vepa",
        };
        word.to_owned()
    }));
    words.extend(
        ipvlan
            .group
            .as_ref()
            .map(|group| format!("group {}", quoted(group))),
    );
    words.join(" ")
}

fn tracking(out: &mut Printer, tracking: &Tracking) {
    let lines = |list: &[Tracked], back: &str| -> Vec<String> {
        let line = |tracked: &Tracked| {
            let name = quoted(&tracked.name);
            match tracked.weight {
                None => name,
                Some(Weight { value, reverse }) => {
                    let word = if reverse { " reverse" } else { back };
                    format!("{name} weight {value}{word}")
                }
            }
        };
        list.iter().map(line).collect()
    };
    // Without a word a weight runs the way of the tracker's own; interfaces have none.
    out.list("track_interface", lines(&tracking.interfaces, ""));
    out.list("track_script", lines(&tracking.scripts, " noreverse"));
    out.list("track_process", lines(&tracking.processes, " noreverse"));
    out.list("track_file", lines(&tracking.files, " noreverse"));
    out.list("track_bfd", lines(&tracking.bfd, " noreverse"));
}

fn notify(out: &mut Printer, notify: &Notify) {
    for (keyword, slot) in [
        ("notify", &notify.any),
        ("notify_backup", &notify.backup),
        ("notify_master", &notify.master),
        ("notify_fault", &notify.fault),
        ("notify_stop", &notify.stop),
        ("notify_deleted", &notify.deleted),
        ("notify_master_rx_lower_pri", &notify.lower_priority),
    ] {
        if let Some(script) = slot {
            out.line(format!("{keyword} {}", command_and_owner(script)));
        }
    }
    out.flag(
        "notify_deleted",
        notify.says_deleted && notify.deleted.is_none(),
    );
    out.switch("smtp_alert", notify.mail);
    out.switch("notify_priority_changes", notify.priority_changes);
}

pub(super) fn owner(user: &str, group: Option<&String>) -> String {
    match group {
        Some(group) => format!("{} {}", quoted(user), quoted(group)),
        None => quoted(user),
    }
}

/// The command, and who runs it.
pub(super) fn command_and_owner(script: &Script) -> String {
    let user = script.user.as_ref().map_or(String::new(), |user| {
        format!(" {}", owner(user, script.group.as_ref()))
    });
    format!("{}{user}", command(script))
}

/// The command as one word; its own words in single quotes where they have blanks.
fn command(script: &Script) -> String {
    let words: Vec<String> = script.argv.iter().map(|word| quoted_word(word)).collect();
    quoted_command(&words.join(" "))
}

fn weight(weight: Weight) -> String {
    let reverse = if weight.reverse { " reverse" } else { "" };
    format!("{}{reverse}", weight.value)
}

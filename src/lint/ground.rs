//! Rules about a configuration on this host.
//!
//! Owns: what the file takes for granted and the host does not have: room in a packet, IPVS,
//! kernel settings, scripts that only root can change. Where nothing is known of the host nothing
//! is said, but for the size of packets: 1500 bytes are what nearly every network has. Driven by:
//! `lint::check`.

use super::subject::{Instance, Router};
use super::{Ground, Sink};
use crate::base::Family;
use crate::conf::StatementId;

/// MTU of Ethernet.
const USUAL_MTU: u32 = 1500;

/// Keywords whose words are a program with its arguments.
const PROGRAMS: [&str; 18] = [
    "lvs_notify_fifo_script",
    "misc_path",
    "notify",
    "notify_backup",
    "notify_deleted",
    "notify_down",
    "notify_fault",
    "notify_fifo_script",
    "notify_master",
    "notify_master_rx_lower_pri",
    "notify_stop",
    "notify_up",
    "quorum_down",
    "quorum_up",
    "script",
    "shutdown_script",
    "startup_script",
    "vrrp_notify_fifo_script",
];

/// Applies the rules.
pub(super) fn check(router: &Router<'_>, ground: &dyn Ground, sink: &mut Sink<'_>) {
    for instance in &router.instances {
        room_in_adverts(router, instance, ground, sink);
        ipv6_of_interface(router, instance, ground, sink);
    }
    for statement in router.outline.all() {
        let keyword = router.outline.word(statement, 0).unwrap_or_default();
        if PROGRAMS.contains(&keyword) {
            script_of_others(router, statement, ground, sink);
        } else if keyword == "regex" {
            pattern(router, statement, ground, sink);
        }
    }
    let service = router.outline.child(None, "virtual_server");
    capabilities(router, service, ground, sink);
    if let Some(service) = service {
        ipvs(service, ground, sink);
        forwarding(router, ground, sink);
    }
}

/// All addresses have to fit into one packet.
fn room_in_adverts(
    router: &Router<'_>,
    instance: &Instance,
    ground: &dyn Ground,
    sink: &mut Sink<'_>,
) {
    let Some(family) = instance.family() else {
        return;
    };
    let known = instance
        .interface
        .as_deref()
        .and_then(|name| ground.mtu(name));
    let mtu = known.unwrap_or(USUAL_MTU);
    // The headers of IP and VRRP, the password of version 2, and the size of an address.
    let (head, each) = match (family, instance.version) {
        (Family::V4, 3) => (20 + 8, 4),
        (Family::V4, _) => (20 + 8 + 8, 4),
        (Family::V6, _) => (40 + 8, 16),
    };
    // More than 255 the language itself complains of.
    let room = usize::try_from(mtu.saturating_sub(head) / each).unwrap_or(usize::MAX);
    let count = instance.addresses.len();
    if count <= room || room >= 255 {
        return;
    }
    let Some((_, first_too_many)) = instance.addresses.get(room) else {
        return;
    };
    let message = format!(
        "({}) {count} addresses do not fit into an advert of {mtu} bytes, which has room for {room}",
        instance.name
    );
    sink.advise(
        "addresses-beyond-mtu",
        (*first_too_many, 0),
        message,
        |finding| {
            let finding = match (&instance.interface, known) {
                (Some(interface), Some(_)) => {
                    let line = router.outline.last(Some(instance.id), "interface");
                    let span = line.and_then(|line| router.outline.span(line, 1));
                    finding.note(format!("the MTU of {interface} is {mtu}"), span)
                }
                _ => finding.note(format!("an MTU of {mtu} is assumed"), None),
            };
            finding.help(
            "put what is too much into `virtual_ipaddress_excluded`; the other routers need the \
             same lists",
        )
        },
    );
}

/// An interface without IPv6 takes no address of it.
fn ipv6_of_interface(
    router: &Router<'_>,
    instance: &Instance,
    ground: &dyn Ground,
    sink: &mut Sink<'_>,
) {
    let Some(interface) = instance.interface.as_deref() else {
        return;
    };
    let Some((address, line)) = instance.addresses.iter().find(|(a, _)| a.is_ipv6()) else {
        return;
    };
    // An address may go to another interface.
    if router.outline.words(*line).iter().any(|word| word == "dev") || interface.contains('.') {
        return;
    }
    let setting = format!("net.ipv6.conf.{interface}.disable_ipv6");
    if ground.sysctl(&setting).as_deref() != Some("1") {
        return;
    }
    let message = format!(
        "({}) {address} cannot be added: IPv6 is switched off on {interface}",
        instance.name
    );
    sink.advise("ipv6-switched-off", (*line, 0), message, |finding| {
        finding.help(format!("sysctl -w {setting}=0"))
    });
}

/// A script that somebody else can change runs what somebody else wants, as the daemon's user.
fn script_of_others(
    router: &Router<'_>,
    statement: StatementId,
    ground: &dyn Ground,
    sink: &mut Sink<'_>,
) {
    let outline = router.outline;
    let Some(program) = outline
        .word(statement, 1)
        .and_then(|word| word.split_whitespace().next())
    else {
        return;
    };
    let Some(weak) = ground.weak_component(program) else {
        return;
    };
    let part = weak.path.display().to_string();
    let about = |finding: crate::conf::Diagnostic| {
        let what = format!("somebody other than root can change `{part}`: {}", weak.why);
        let fix = if part == program {
            "chown root:root"
        } else {
            "the scripts below it are in the same hands; chown root:root"
        };
        finding
            .note(what, None)
            .help(format!("{fix} {part} && chmod go-w {part}"))
    };
    let block = outline.parent(statement);
    let tracker = block.filter(|block| outline.word(*block, 0) == Some("vrrp_script"));
    let name = tracker.and_then(|block| outline.word(block, 1));
    let at = (statement, 1);
    let secure = router.secure_scripts;
    match name {
        Some(name) if secure => {
            let complaint = format!("Disabling track script {name} due to insecure");
            sink.explain("script-of-others", &complaint, at, about);
        }
        Some(_) | None => {
            let message = if secure {
                format!("script {program} is not run: enable_script_security is set")
            } else {
                format!("script {program} can be changed by somebody other than root")
            };
            sink.advise("script-of-others", at, message, about);
        }
    }
}

/// A check whose pattern is none never succeeds, and neither config test says so.
fn pattern(router: &Router<'_>, statement: StatementId, ground: &dyn Ground, sink: &mut Sink<'_>) {
    let outline = router.outline;
    let Some(pattern) = outline.word(statement, 1) else {
        return;
    };
    let beside = outline.children(outline.parent(statement), "regex_options");
    let options: Vec<&str> = beside
        .flat_map(|line| outline.words(line).iter().skip(1).map(String::as_str))
        .collect();
    let Some(wrong) = ground.wrong_pattern(pattern, &options) else {
        return;
    };
    let message = "this is no regular expression: the check never succeeds";
    sink.advise("wrong-regex", (statement, 1), message, |finding| {
        finding
            .note(format!("at offset {}: {}", wrong.offset, wrong.why), None)
            .help("the syntax is that of pcre2pattern(3)")
    });
}

/// What root may do in a container is what the container was given.
fn capabilities(
    router: &Router<'_>,
    service: Option<StatementId>,
    ground: &dyn Ground,
    sink: &mut Sink<'_>,
) {
    let instance = router.outline.child(None, "vrrp_instance");
    let needs = [
        // Addresses, routes and IPVS; sockets for adverts and gratuitous ARP.
        ("NET_ADMIN", 12, instance.or(service)),
        ("NET_RAW", 13, instance),
    ];
    for (name, number, block) in needs {
        let Some(block) = block.filter(|_| ground.allows(number) == Some(false)) else {
            continue;
        };
        let what = router.outline.word(block, 0).unwrap_or_default();
        let message = format!("{what} needs CAP_{name}, which nobody can have here");
        sink.advise("missing-capability", (block, 0), message, |finding| {
            finding.help(format!(
                "give it to the container or service: `--cap-add {name}`, or CAP_{name} in \
                 CapabilityBoundingSet= of the unit"
            ))
        });
    }
}

/// Services need the kernel's IPVS.
fn ipvs(service: StatementId, ground: &dyn Ground, sink: &mut Sink<'_>) {
    if ground.has_ipvs() != Some(false) {
        return;
    }
    let message = "this kernel has no IPVS: no service can be set up on this host";
    sink.advise("no-ipvs", (service, 0), message, |finding| {
        finding
            .help("modprobe ip_vs; a container gets it from its host, and cannot load it by itself")
    });
}

/// With NAT the director forwards packets both ways.
fn forwarding(router: &Router<'_>, ground: &dyn Ground, sink: &mut Sink<'_>) {
    let outline = router.outline;
    for service in outline.children(None, "virtual_server") {
        let nat = ["lb_kind", "lvs_method"]
            .iter()
            .filter_map(|keyword| outline.last(Some(service), keyword))
            .find(|line| outline.word(*line, 1) == Some("NAT"));
        let Some(line) = nat else {
            continue;
        };
        let ipv6 = outline
            .word(service, 1)
            .is_some_and(|word| word.contains(':'));
        let setting = if ipv6 {
            "net.ipv6.conf.all.forwarding"
        } else {
            "net.ipv4.ip_forward"
        };
        if ground.sysctl(setting).as_deref() != Some("0") {
            continue;
        }
        let message = format!("NAT needs forwarding, and {setting} is 0: no reply comes back");
        sink.advise("nat-without-forwarding", (line, 1), message, |finding| {
            finding.help(format!(
                "sysctl -w {setting}=1, and in /etc/sysctl.d for the next start"
            ))
        });
        return;
    }
}

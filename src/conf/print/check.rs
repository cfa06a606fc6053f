//! Services, servers and their checks as text.
//!
//! Owns: one block for each; every setting stands where it counts, none is inherited. Driven by:
//! `print`.

use std::net::IpAddr;

use super::super::model::{
    CheckScript, Forwarding, GroupEntry, HttpProbe, HttpProtocol, HttpRegex, HttpUrl, Persistence,
    Probe, ProbeKind, Protocol, RealServer, Scheduler, ServerGroup, ServerPolicy, ServiceKey,
    ServicePolicy, TcpCheck, TunnelChecksum, TunnelKind, UdpProbe, VirtualServer, quoted_command,
};
use super::{Printer, on_or_off, quoted, seconds};
use crate::base::Family;

pub(super) fn server_group(out: &mut Printer, group: &ServerGroup) {
    out.block(
        format!("virtual_server_group {}", quoted(&group.name)),
        |out| {
            for entry in &group.entries {
                out.line(match entry {
                    GroupEntry::Addresses { first, last, port } if first == last => {
                        format!("{first} {port}")
                    }
                    GroupEntry::Addresses { first, last, port } => format!("{first}-{last} {port}"),
                    GroupEntry::Fwmark { mark, family } => match family {
                        None => format!("fwmark {mark}"),
                        Some(Family::V4) => format!("fwmark {mark} inet"),
                        Some(Family::V6) => format!("fwmark {mark} inet6"),
                    },
                });
            }
        },
    );
}

pub(super) fn service(out: &mut Printer, service: &VirtualServer) {
    let (head, family) = match &service.key {
        ServiceKey::Address(key) => (
            format!("virtual_server {} {}", key.address, key.port),
            Some(Family::of(key.address)),
        ),
        ServiceKey::Fwmark { mark, .. } => (
            format!("virtual_server fwmark {mark}"),
            service.policy.family.or_else(|| first_family(service)),
        ),
        ServiceKey::Group { name, .. } => (
            format!("virtual_server group {}", quoted(name)),
            service.policy.family.or_else(|| first_family(service)),
        ),
    };
    out.block(head, |out| {
        let of = Common {
            protocol: service.key.protocol(),
            scheduler: service.scheduler,
            forwarding: service.forwarding,
            persistence: service.persistence,
            family,
        };
        common(out, &of, &service.policy);
        for server in &service.real_servers {
            real_server(out, server);
        }
    });
}

/// The family of the first server, which is that of a mark or a group.
fn first_family(service: &VirtualServer) -> Option<Family> {
    let first = service.real_servers.first()?;
    Some(Family::of(first.key.address))
}

/// What services of all kinds have.
struct Common {
    protocol: Option<Protocol>,
    scheduler: Scheduler,
    forwarding: Forwarding,
    persistence: Option<Persistence>,
    family: Option<Family>,
}

fn common(out: &mut Printer, of: &Common, policy: &ServicePolicy) {
    out.line(format!("lb_algo {}", of.scheduler.name()));
    out.line(format!("lb_kind {}", forwarding(of.forwarding)));
    out.value("protocol", of.protocol.map(Protocol::name));
    out.value(
        "ip_family",
        policy.family.map(|family| match family {
            Family::V4 => "inet",
            Family::V6 => "inet6",
        }),
    );
    if let Some(Persistence {
        timeout,
        granularity,
    }) = of.persistence
    {
        out.line(format!("persistence_timeout {}", timeout.as_secs()));
        match of.family {
            Some(Family::V4) if granularity < 32 => {
                let mask = u32::MAX
                    .checked_shl(32 - u32::from(granularity))
                    .unwrap_or(0);
                out.line(format!(
                    "persistence_granularity {}",
                    std::net::Ipv4Addr::from(mask)
                ));
            }
            Some(Family::V6) if granularity < 128 => {
                out.line(format!("persistence_granularity {granularity}"));
            }
            Some(Family::V4 | Family::V6) | None => {}
        }
    }
    for bit in 0..3_u8 {
        let said = policy.scheduler_flags & (1 << bit) != 0;
        out.flag(&format!("flag-{}", bit + 1), said);
    }
    out.flag("ops", policy.one_packet);
    out.word("persistence_engine", policy.persistence_engine.as_ref());
    out.flag("ha_suspend", policy.ha_suspend);
    out.flag("omega", policy.omega);
    out.switch("smtp_alert", policy.smtp_alert);
    out.word("virtualhost", policy.virtual_host.as_ref());
    out.word("snmp_name", policy.snmp_name.as_ref());
    // One that was reduced to nothing follows from the weights.
    out.value("quorum", (policy.quorum > 0).then_some(policy.quorum));
    out.line(format!("hysteresis {}", policy.hysteresis));
    out.value("quorum_up", policy.quorum_up.as_ref().map(script));
    out.value("quorum_down", policy.quorum_down.as_ref().map(script));
    if let Some(sorry) = &policy.sorry_server {
        let port = sorry.port.map_or(String::new(), |port| format!(" {port}"));
        out.line(format!("sorry_server {}{port}", sorry.address));
        out.flag("sorry_server_inhibit", sorry.inhibit);
        out.value("sorry_server_lvs_method", sorry.forwarding.map(forwarding));
    }
}

/// A script with whoever runs it.
fn script(script: &CheckScript) -> String {
    let command = quoted_command(&script.command);
    let owner = [&script.user, &script.group];
    owner
        .into_iter()
        .flatten()
        .fold(command, |line, name| format!("{line} {}", quoted(name)))
}

fn forwarding(forwarding: Forwarding) -> String {
    let checksum = |checksum: TunnelChecksum| match checksum {
        TunnelChecksum::None => "nocsum",
        TunnelChecksum::Full => "csum",
        TunnelChecksum::Remote => "remcsum",
    };
    match forwarding {
        Forwarding::Nat => "NAT".to_owned(),
        Forwarding::Dr => "DR".to_owned(),
        Forwarding::Tun(TunnelKind::Ipip) => "TUN".to_owned(),
        Forwarding::Tun(TunnelKind::Gue {
            port,
            checksum: mode,
        }) => format!("TUN type gue port {port} {}", checksum(mode)),
        Forwarding::Tun(TunnelKind::Gre { checksum: mode }) => {
            format!("TUN type gre {}", checksum(mode))
        }
    }
}

fn real_server(out: &mut Printer, server: &RealServer) {
    // Behind a mark or a group the port is the service's.
    let port = match server.key.port {
        0 => String::new(),
        port => format!(" {port}"),
    };
    out.block(format!("real_server {}{port}", server.key.address), |out| {
        out.line(format!("weight {}", server.weight));
        out.line(format!("lvs_method {}", forwarding(server.forwarding)));
        if let Some(policy) = &server.policy {
            server_policy(out, policy);
        }
        // These have no times of their own: they take those of the server.
        // The alpha of a BFD_CHECK is its own.
        let mut probes = server.probes.iter();
        let file = probes.find(|probe| matches!(probe.kind, ProbeKind::File(_)));
        let mut probes = server.probes.iter();
        let session = || probes.find(|probe| matches!(probe.kind, ProbeKind::Bfd(_)));
        if let Some(Probe { connect, .. }) = file.or_else(session) {
            out.line(format!(
                "connect_timeout {}",
                seconds(connect.connect_timeout)
            ));
            out.line(format!("retry {}", connect.retries));
            out.line(format!(
                "delay_before_retry {}",
                seconds(connect.delay_before_retry)
            ));
            out.line(format!("delay_loop {}", seconds(connect.delay_loop)));
            out.line(format!("warmup {}", seconds(connect.warmup)));
            out.line(format!("alpha {}", on_or_off(connect.alpha)));
        }
        let mut probes = server.probes.iter();
        for place in server.places_in_file() {
            match server.tcp_checks.get(place) {
                Some(check) => out.block("TCP_CHECK", |out| connection(out, check)),
                None => probes.by_ref().take(1).for_each(|check| probe(out, check)),
            }
        }
    });
}

fn server_policy(out: &mut Printer, policy: &ServerPolicy) {
    let threshold = |count: u32| (count > 0).then_some(count);
    out.value("uthreshold", threshold(policy.upper_threshold));
    out.value("lthreshold", threshold(policy.lower_threshold));
    out.flag("inhibit_on_failure", policy.inhibit_on_failure);
    out.value("notify_up", policy.notify_up.as_ref().map(script));
    out.value("notify_down", policy.notify_down.as_ref().map(script));
    out.switch("smtp_alert", policy.smtp_alert);
    out.word("virtualhost", policy.virtual_host.as_ref());
    out.word("snmp_name", policy.snmp_name.as_ref());
}

/// The settings of a check that connects.
fn connection(out: &mut Printer, check: &TcpCheck) {
    out.line(format!("connect_ip {}", check.target.ip()));
    let port = |port: u16| (port != 0).then_some(port);
    out.value("connect_port", port(check.target.port()));
    if let Some(bind) = check.bind {
        let given = |address: IpAddr| !address.is_unspecified();
        out.value("bindto", Some(bind.ip()).filter(|address| given(*address)));
        out.value("bind_port", port(bind.port()));
    }
    out.word("bind_if", check.bind_interface.as_ref());
    out.value("fwmark", (check.fwmark != 0).then_some(check.fwmark));
    out.line(format!(
        "connect_timeout {}",
        seconds(check.connect_timeout)
    ));
    times(out, check);
}

/// Those that every check has.
fn times(out: &mut Printer, check: &TcpCheck) {
    out.line(format!("retry {}", check.retries));
    out.line(format!(
        "delay_before_retry {}",
        seconds(check.delay_before_retry)
    ));
    out.line(format!("delay_loop {}", seconds(check.delay_loop)));
    out.line(format!("warmup {}", seconds(check.warmup)));
    out.line(format!("alpha {}", on_or_off(check.alpha)));
    out.line(format!(
        "log_all_failures {}",
        on_or_off(check.log_all_failures)
    ));
}

fn probe(out: &mut Printer, probe: &Probe) {
    let connect = &probe.connect;
    match &probe.kind {
        ProbeKind::Http(http) => {
            let name = if http.secure { "SSL_GET" } else { "HTTP_GET" };
            out.block(name, |out| {
                connection(out, connect);
                http_probe(out, http);
            });
        }
        ProbeKind::Smtp(smtp) => out.block("SMTP_CHECK", |out| {
            connection(out, connect);
            out.word("helo_name", smtp.helo_name.as_ref());
        }),
        ProbeKind::Dns(dns) => out.block("DNS_CHECK", |out| {
            connection(out, connect);
            out.line(format!(
                "type {}",
                format!("{:?}", dns.record).to_uppercase()
            ));
            out.word("name", dns.name.as_ref());
        }),
        ProbeKind::Misc(misc) => out.block("MISC_CHECK", |out| {
            times(out, connect);
            let command = script(&CheckScript {
                user: None,
                group: None,
                ..misc.script.clone()
            });
            out.line(format!("misc_path {command}"));
            if let Some(user) = &misc.script.user {
                let group = misc.script.group.as_ref();
                let group = group.map_or(String::new(), |group| format!(" {}", quoted(group)));
                out.line(format!("user {}{group}", quoted(user)));
            }
            out.value("misc_timeout", misc.timeout.map(|time| time.as_secs()));
            out.flag("misc_dynamic", misc.dynamic);
        }),
        ProbeKind::Udp(udp) => out.block("UDP_CHECK", |out| {
            connection(out, connect);
            udp_probe(out, udp);
        }),
        ProbeKind::Ping => out.block("PING_CHECK", |out| connection(out, connect)),
        ProbeKind::File(file) => out.block("FILE_CHECK", |out| {
            out.word("track_file", file.track_file.as_ref());
            if let Some(weight) = file.weight {
                let reverse = if file.reverse { "reverse" } else { "noreverse" };
                out.line(format!("weight {weight} {reverse}"));
            }
        }),
        ProbeKind::Bfd(bfd) => out.block("BFD_CHECK", |out| {
            out.word("name", bfd.name.as_ref());
            out.line(format!("alpha {}", on_or_off(connect.alpha)));
        }),
    }
}

fn http_probe(out: &mut Printer, http: &HttpProbe) {
    out.line(match http.protocol {
        HttpProtocol::Http10 => "http_protocol 1.0",
        HttpProtocol::Http10Close => "http_protocol 1.0C",
        HttpProtocol::Http11 => "http_protocol 1.1",
    });
    out.word("virtualhost", http.virtual_host.as_ref());
    out.flag("enable_sni", http.sni);
    out.word("sni_name", http.sni_name.as_ref());
    out.flag("fast_recovery", http.fast_recovery);
    out.flag("tls_compliant", http.tls_compliant && http.secure);
    for url in &http.urls {
        out.block("url", |out| http_url(out, url));
    }
}

fn http_url(out: &mut Printer, url: &HttpUrl) {
    out.word("path", url.path.as_ref());
    if let Some(digest) = &url.digest {
        out.line(format!("digest {}", hex(digest)));
    }
    if !url.status_codes.is_empty() {
        let codes = url
            .status_codes
            .iter()
            .map(|(first, last)| match first == last {
                true => first.to_string(),
                false => format!("{first}-{last}"),
            });
        let codes: Vec<String> = codes.collect();
        out.line(format!("status_code {}", codes.join(" ")));
    }
    out.word("virtualhost", url.virtual_host.as_ref());
    out.switch("tls_compliant", url.tls_compliant);
    if let Some(regex) = &url.regex {
        http_regex(out, regex);
    }
}

fn http_regex(out: &mut Printer, regex: &HttpRegex) {
    if let Some(pattern) = &regex.pattern {
        out.line(format!("regex \"{pattern}\""));
    }
    out.flag("regex_no_match", regex.no_match);
    if !regex.options.is_empty() {
        out.line(format!("regex_options {}", regex.options.join(" ")));
    }
    let offset = regex.min_offset;
    out.value("regex_min_offset", (offset != 0).then_some(offset));
    out.value("regex_max_offset", regex.max_offset);
    if let Some((first, most)) = regex.stack {
        out.line(format!("regex_stack {first} {most}"));
    }
}

fn udp_probe(out: &mut Printer, udp: &UdpProbe) {
    if !udp.payload.is_empty() {
        out.line(format!("payload {}", hex(&udp.payload)));
    }
    if let Some(reply) = &udp.reply {
        let digit = |value: u8, mask: u8| match mask & 0xf {
            0 => 'x',
            _ => char::from_digit(u32::from(value & 0xf), 16).unwrap_or('x'),
        };
        let digits: String = reply
            .iter()
            .flat_map(|(value, mask)| [digit(value >> 4, mask >> 4), digit(*value, *mask)])
            .collect();
        out.line(format!("require_reply {digits}").trim_end());
    }
    out.line(format!("min_reply_length {}", udp.min_reply));
    out.line(format!("max_reply_length {}", udp.max_reply));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

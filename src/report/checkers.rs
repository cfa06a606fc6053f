//! `Health checkers`, `Checker track files` and `Checker track BFDs`.

use std::fmt::{self, Write};
use std::net::SocketAddr;

use super::page::{command, heading, seconds, yes};
use super::{Cursor, Moment, Page};
use crate::base::{Duration, Shared};
use crate::conf::model::{
    BfdAudience, CheckRef, Config, DnsProbe, DnsType, FileProbe, HttpProbe, HttpProtocol,
    HttpRegex, HttpUrl, MiscProbe, Probe, ProbeKind, Protocol, RealServer, ServiceKey, SmtpProbe,
    TcpCheck, UdpProbe,
};
use crate::node::snapshot::CheckView;

/// The system's error where there is no way to an address.
const ENETUNREACH: i32 = 101;

/// A service with its checks.
struct Checked<'a> {
    key: &'a ServiceKey,
    name: String,
    protocol: &'static str,
    servers: &'a [Shared<RealServer>],
}

fn service(config: &Config, place: usize) -> Option<Checked<'_>> {
    let server = config.virtual_servers.get(place)?;
    Some(Checked {
        key: &server.key,
        name: server.key.to_string(),
        protocol: server.key.protocol().map_or("none", Protocol::name),
        servers: &server.real_servers,
    })
}

/// `Health checkers`, the checks of a real server at a time.
pub(super) fn section(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(service) = service(page.snapshot.config(), cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 && cursor.part == 0 {
        heading(out, "Health checkers")?;
    }
    let Some(server) = service.servers.get(cursor.part) else {
        cursor.next_item();
        return Ok(true);
    };
    let place = cursor.part;
    cursor.part += 1;
    for (check, number) in in_order(server) {
        if !matches!(check.kind, Some(ProbeKind::File(_))) {
            let view = page.snapshot.check(service.key, place, number);
            write_head(&service, server, view, out)?;
            write_check(page, check, view, out)?;
        }
    }
    Ok(true)
}

/// The checks of a server in the order of the file, each with its place in `RealServer::checks`.
fn in_order(server: &RealServer) -> impl Iterator<Item = (CheckRef<'_>, usize)> {
    let places = server.places_in_file().into_iter();
    places.filter_map(|number| Some((server.check(number)?, number)))
}

/// The checks of files, which stand at the end.
pub(super) fn file_checks(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(service) = service(page.snapshot.config(), cursor.item) else {
        return Ok(false);
    };
    let Some(server) = service.servers.get(cursor.part) else {
        cursor.next_item();
        return Ok(true);
    };
    let place = cursor.part;
    cursor.part += 1;
    for (check, number) in in_order(server) {
        if matches!(check.kind, Some(ProbeKind::File(_))) {
            let view = page.snapshot.check(service.key, place, number);
            write_head(&service, server, view, out)?;
            write_check(page, check, view, out)?;
        }
    }
    Ok(true)
}

/// The real servers whose checks name a tracker, with what is said there.
fn write_users(
    config: &Config,
    out: &mut String,
    text: impl Fn(&Probe, &str, &str) -> Option<String>,
) -> fmt::Result {
    let count = config.virtual_servers.len();
    for service in (0..count).filter_map(|place| service(config, place)) {
        for server in service.servers {
            let (ip, port) = (server.key.address, server.key.port);
            let name = format!("[{ip}]:{}:{port}", service.protocol);
            for probe in &server.probes {
                if let Some(line) = text(probe, &service.name, &name) {
                    writeln!(out, "{line}")?;
                }
            }
        }
    }
    Ok(())
}

fn write_head(
    service: &Checked<'_>,
    server: &RealServer,
    view: Option<CheckView>,
    out: &mut String,
) -> fmt::Result {
    writeln!(
        out,
        " {} -> [{}]:{}:{}",
        service.name, server.key.address, service.protocol, server.key.port
    )?;
    writeln!(out, "   Enabled = {}", yes(view.is_some()))?;
    let up = view.is_some_and(|view| view.up);
    writeln!(out, "   Up = {}", yes(up))?;
    let has_run = view.is_some_and(|view| view.has_run);
    writeln!(out, "   Has run = {}", yes(has_run))?;
    let weight = view.map_or(0, |view| view.weight);
    writeln!(out, "   Current weight = {weight}")
}

/// What holds for a kind of check where neither it nor its server names a `delay_before_retry`, as
/// keepalived 2.2.7 tells it; `None` is `TCP_CHECK`.
const fn default_delay(kind: Option<&ProbeKind>) -> Duration {
    match kind {
        Some(ProbeKind::Http(_)) => Duration::from_secs(3),
        Some(ProbeKind::Dns(_)) => Duration::ZERO,
        None
        | Some(
            ProbeKind::Smtp(_)
            | ProbeKind::Misc(_)
            | ProbeKind::Udp(_)
            | ProbeKind::Ping
            | ProbeKind::File(_)
            | ProbeKind::Bfd(_),
        ) => Duration::from_secs(1),
    }
}

fn write_timing(check: CheckRef<'_>, view: Option<CheckView>, out: &mut String) -> fmt::Result {
    let default = default_delay(check.kind);
    let web = matches!(check.kind, Some(ProbeKind::Http(_)));
    let check = check.connect;
    writeln!(out, "   Alpha = {}", yes(check.alpha))?;
    let delay = check.delay_loop.as_micros();
    writeln!(out, "   Delay loop = {delay} us")?;
    writeln!(out, "   Warmup = {} us", check.warmup.as_micros())?;
    writeln!(out, "   Retries = {}", check.retries)?;
    if check.retries > 0 {
        let before = check.delay_before_retry.as_micros();
        writeln!(out, "   Delay before retry = {before} us")?;
    }
    let running = view.filter(|view| view.has_run);
    // The first failure counts at once, as if all retries had been made.
    let retried = match running {
        None => check.retries,
        // The attempt that gave it up stays counted until one succeeds.
        Some(view) if web && !view.up => check.retries + 1,
        Some(view) => view.retried,
    };
    if check.retries > 0 {
        writeln!(out, "   Retries iterations = {retried}")?;
    }
    writeln!(
        out,
        "   Default delay before retry = {} us",
        default.as_micros()
    )?;
    let all = yes(check.log_all_failures);
    writeln!(out, "   Log all failures = {all}")
}

fn endpoint(address: SocketAddr) -> String {
    format!("[{}]:{}", address.ip(), address.port())
}

fn write_connection(check: &TcpCheck, out: &mut String) -> fmt::Result {
    writeln!(out, "   Connection")?;
    writeln!(out, "     Dest = {}", endpoint(check.target))?;
    if let Some(bind) = check.bind {
        writeln!(out, "     Bind to = {}", endpoint(bind))?;
    }
    if let Some(interface) = &check.bind_interface {
        writeln!(out, "     Bind i/f = {interface}")?;
    }
    if check.fwmark != 0 {
        writeln!(out, "     Mark = {}", check.fwmark)?;
    }
    writeln!(out, "     Timeout = {}", seconds(check.connect_timeout))
}

fn write_check(
    page: &Page<'_>,
    check: CheckRef<'_>,
    view: Option<CheckView>,
    out: &mut String,
) -> fmt::Result {
    match check.kind {
        Some(ProbeKind::File(file)) => {
            let all = yes(check.connect.log_all_failures);
            writeln!(out, "   Log all failures = {all}")?;
            return write_file(file, out);
        }
        Some(ProbeKind::Bfd(session)) => {
            writeln!(out, "   Keepalive method = BFD_CHECK")?;
            let name = session.name.as_deref().unwrap_or_default();
            writeln!(out, "   Name = {name}")?;
            let alpha = super::page::upper_on(check.connect.alpha);
            return writeln!(out, "   Alpha is {alpha}");
        }
        None
        | Some(
            ProbeKind::Http(_)
            | ProbeKind::Smtp(_)
            | ProbeKind::Dns(_)
            | ProbeKind::Misc(_)
            | ProbeKind::Udp(_)
            | ProbeKind::Ping,
        ) => write_timing(check, view, out)?,
    }
    if !matches!(check.kind, Some(ProbeKind::Misc(_))) {
        write_connection(check.connect, out)?;
    }
    // Told of this kind alone.
    if matches!(check.kind, Some(ProbeKind::Udp(_))) && view.is_some_and(|view| view.unreachable) {
        writeln!(out, "     Last errno = {ENETUNREACH}")?;
    }
    match check.kind {
        None => writeln!(out, "   Keepalive method = TCP_CHECK"),
        Some(ProbeKind::Http(http)) => write_http(http, view, out),
        Some(ProbeKind::Smtp(smtp)) => write_smtp(smtp, out),
        Some(ProbeKind::Dns(dns)) => write_dns(dns, out),
        Some(ProbeKind::Misc(misc)) => write_misc(page, misc, view, out),
        Some(ProbeKind::Udp(udp)) => write_udp(udp, out),
        Some(ProbeKind::Ping) => writeln!(out, "   Keepalive method = PING_CHECK"),
        Some(ProbeKind::File(_) | ProbeKind::Bfd(_)) => Ok(()),
    }
}

fn set(value: bool) -> &'static str {
    if value { "set" } else { "unset" }
}

fn write_http(http: &HttpProbe, view: Option<CheckView>, out: &mut String) -> fmt::Result {
    let kind = if http.secure { "SSL_GET" } else { "HTTP_GET" };
    let protocol = match http.protocol {
        HttpProtocol::Http10 => "1.0",
        HttpProtocol::Http10Close => "1.0C",
        HttpProtocol::Http11 => "1.1",
    };
    writeln!(
        out,
        "   Keepalive method = {kind}, http protocol {protocol}"
    )?;
    if let Some(host) = &http.virtual_host {
        writeln!(out, "   Virtualhost = {host}")?;
    }
    writeln!(out, "   Enable SNI {}", set(http.sni))?;
    if let Some(name) = &http.sni_name {
        writeln!(out, "   SNI name = {name}")?;
    }
    writeln!(out, "   Fast recovery {}", set(http.fast_recovery))?;
    if http.tls_compliant {
        writeln!(out, "   tls_compliant set")?;
    }
    for url in &http.urls {
        write_url(url, out)?;
    }
    let failed = view.and_then(|view| view.failed_url);
    if let Some(url) = failed.and_then(|place| http.urls.get(place)) {
        let path = url.path.as_deref().unwrap_or_default();
        writeln!(out, "   Failed URL = {path}")?;
    }
    Ok(())
}

fn write_url(url: &HttpUrl, out: &mut String) -> fmt::Result {
    writeln!(
        out,
        "   Checked url = {}",
        url.path.as_deref().unwrap_or_default()
    )?;
    if let Some(digest) = url.digest {
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        writeln!(out, "     digest = {digest}")?;
    }
    // Its own word alone, whatever holds for all of them.
    let compliant = set(url.tls_compliant == Some(true));
    writeln!(out, "     tls_compliant {compliant}")?;
    writeln!(out, "     HTTP Status Code(s)")?;
    if url.status_codes.is_empty() {
        writeln!(out, "       200-299")?;
    }
    for (first, last) in &url.status_codes {
        if first == last {
            writeln!(out, "       {first}")?;
        } else {
            writeln!(out, "       {first}-{last}")?;
        }
    }
    if let Some(host) = &url.virtual_host {
        writeln!(out, "     Virtual host = {host}")?;
    }
    match &url.regex {
        Some(regex) => write_regex(regex, out),
        None => Ok(()),
    }
}

fn write_regex(regex: &HttpRegex, out: &mut String) -> fmt::Result {
    let Some(pattern) = &regex.pattern else {
        return Ok(());
    };
    writeln!(out, "     Regex = \"{pattern}\"")?;
    if regex.no_match {
        writeln!(out, "     Regex no match")?;
    }
    if regex.min_offset > 0 || regex.max_offset.is_some() {
        write!(out, "     Regex min offset = {}", regex.min_offset)?;
        match regex.max_offset {
            Some(most) => writeln!(out, ", max_offset = {most}")?,
            None => writeln!(out)?,
        }
    }
    write!(out, "     Regex options:")?;
    for option in &regex.options {
        write!(out, " {option}")?;
    }
    writeln!(out)?;
    if let Some((first, most)) = regex.stack {
        writeln!(out, "     Regex stack start {first}, max {most}")?;
    }
    Ok(())
}

fn write_smtp(smtp: &SmtpProbe, out: &mut String) -> fmt::Result {
    writeln!(out, "   Keepalive method = SMTP_CHECK")?;
    let helo = smtp.helo_name.as_deref();
    writeln!(
        out,
        "   helo = {}",
        helo.unwrap_or("smtpchecker.keepalived.org")
    )
}

const fn dns_type(record: DnsType) -> &'static str {
    match record {
        DnsType::A => "A",
        DnsType::Ns => "NS",
        DnsType::Cname => "CNAME",
        DnsType::Soa => "SOA",
        DnsType::Mx => "MX",
        DnsType::Txt => "TXT",
        DnsType::Aaaa => "AAAA",
        DnsType::Rrsig => "RRSIG",
        DnsType::Dnskey => "DNSKEY",
    }
}

fn write_dns(dns: &DnsProbe, out: &mut String) -> fmt::Result {
    writeln!(out, "   Keepalive method = DNS_CHECK")?;
    writeln!(out, "   Type = {}", dns_type(dns.record))?;
    let name = dns.name.as_deref().unwrap_or_default();
    writeln!(out, "   Name = {name}")
}

fn write_misc(
    page: &Page<'_>,
    misc: &MiscProbe,
    view: Option<CheckView>,
    out: &mut String,
) -> fmt::Result {
    let words = misc.script.argv().unwrap_or_default();
    writeln!(out, "   Keepalive method = MISC_CHECK")?;
    writeln!(out, "   script = {}", command(&words))?;
    writeln!(
        out,
        "   timeout = {}",
        misc.timeout.map_or(0, |time| time.as_secs())
    )?;
    let dynamic = if misc.dynamic { "YES" } else { "NO" };
    writeln!(out, "   dynamic = {dynamic}")?;
    let (user, group) = page
        .facts
        .ids(misc.script.user.as_deref(), misc.script.group.as_deref());
    writeln!(out, "   uid:gid = {user}:{group}")?;
    let run = view.and_then(|view| view.run);
    let began = run.map_or_else(Moment::epoch, |run| page.facts.moment(run.began));
    writeln!(out, "   Last ran = {}", began.year_inside())?;
    let status = run.map_or(0, |run| run.status);
    writeln!(out, "   Last status = {status}")
}

fn write_udp(udp: &UdpProbe, out: &mut String) -> fmt::Result {
    writeln!(out, "   Keepalive method = UDP_CHECK")?;
    if udp.payload.is_empty() {
        writeln!(out, "   Payload specified = no")?;
    } else {
        writeln!(out, "   Payload len = {}", udp.payload.len())?;
    }
    writeln!(out, "   Require reply = {}", yes(udp.reply.is_some()))?;
    let Some(reply) = &udp.reply else {
        return Ok(());
    };
    writeln!(out, "     Min reply length = {}", udp.min_reply)?;
    writeln!(out, "     Max reply length = {}", udp.max_reply)?;
    writeln!(out, "     Reply data len = {}", reply.len())?;
    let masked = reply.iter().any(|(_, mask)| *mask != 0xff);
    writeln!(out, "     Reply data mask = {}", yes(masked))
}

fn write_file(file: &FileProbe, out: &mut String) -> fmt::Result {
    writeln!(out, "   Keepalive method = FILE_CHECK")?;
    let name = file.track_file.as_deref().unwrap_or_default();
    writeln!(out, "     Tracked file = {name}")?;
    writeln!(out, "     Reloaded = No")
}

/// `Checker track files`, a file at a time.
pub(super) fn files(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let Some(file) = page.snapshot.config().trackers.files.get(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "Checker track files")?;
    }
    cursor.next_item();
    writeln!(out, " Track file = {}", file.name)?;
    writeln!(
        out,
        "   File = {}",
        file.file.as_deref().unwrap_or_default()
    )?;
    let value = page.snapshot.file_value(&file.name);
    let value = value.or(file.initial).unwrap_or(0);
    writeln!(out, "   Status = {value}")?;
    let own = file.weight.map_or(1, |weight| weight.value);
    writeln!(out, "   Weight = {own}")?;
    writeln!(out, "   Tracking instances :")?;
    write_users(page.snapshot.config(), out, |probe, service, server| {
        let ProbeKind::File(check) = &probe.kind else {
            return None;
        };
        let weight = check.weight.unwrap_or(i32::from(own));
        let reverse = if check.reverse { " reverse" } else { "" };
        (check.track_file.as_ref() == Some(&file.name))
            .then(|| format!("     {service} -> {server}, weight {weight}{reverse}"))
    })?;
    Ok(true)
}

/// `Checker track BFDs`, a session at a time.
pub(super) fn sessions(
    page: &Page<'_>,
    cursor: &mut Cursor,
    out: &mut String,
) -> Result<bool, fmt::Error> {
    let sessions = &page.snapshot.config().bfd_instances;
    let mut told = sessions
        .iter()
        .filter(|session| session.audience != BfdAudience::Vrrp);
    let Some(session) = told.nth(cursor.item) else {
        return Ok(false);
    };
    if cursor.item == 0 {
        heading(out, "Checker track BFDs")?;
    }
    cursor.next_item();
    writeln!(out, " Checker Track BFD = {}", session.name)?;
    writeln!(out, "   Tracking RS :")?;
    write_users(page.snapshot.config(), out, |probe, _, server| {
        let ProbeKind::Bfd(check) = &probe.kind else {
            return None;
        };
        (check.name.as_ref() == Some(&session.name)).then(|| format!("   {server}"))
    })?;
    Ok(true)
}

//! What the log says of single attempts, by the kind of the check.
//!
//! Owns: keepalived's texts for them and when they are said: a failure that does not count yet only
//! with `log_all_failures`, a success only when it is news. Driven by: `domain`.

use super::super::checker::News;
use super::super::probe::{Detail, DnsFault, HttpFault, MiscEnd, Outcome, SmtpFault, Verdict};
use super::{Subject, check_failed, tcp_failure, tcp_success};
use crate::base::ident::CHECK;
use crate::conf::model::{CheckRef, CheckScript, HttpProbe, LogStyle, ProbeKind, RealServerKey};
use crate::ops::ChildEnd;

/// The circumstances of an attempt.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Asked {
    /// Which resource of a check with several was asked for.
    pub(in super::super) place: usize,
    /// The check was up before.
    pub(in super::super) was_up: bool,
    /// The check has come to a verdict before.
    pub(in super::super) has_run: bool,
    /// `log_all_failures` of the check, or `checker_log_all_failures`.
    pub(in super::super) log_all: bool,
}

/// An attempt has ended, and this is what it changes.
pub(in super::super) fn attempt(
    subject: Subject<'_>,
    check: CheckRef<'_>,
    verdict: &Verdict,
    asked: Asked,
    news: News,
) {
    match check.kind {
        Some(ProbeKind::Http(probe)) => http(subject, probe, verdict, asked, news),
        Some(ProbeKind::Smtp(_)) => smtp(subject, check, verdict, asked, news),
        Some(ProbeKind::Dns(_)) => dns(subject, check, verdict, asked, news),
        Some(ProbeKind::Udp(_)) => udp(subject, verdict, asked, news),
        Some(ProbeKind::Ping) => ping(subject, verdict, asked, news),
        Some(ProbeKind::Misc(probe)) => misc(subject, (check, &probe.script), verdict, asked, news),
        Some(ProbeKind::File(_) | ProbeKind::Bfd(_)) | None => {
            tcp(subject, verdict, asked, news);
        }
    }
}

fn tcp(subject: Subject<'_>, verdict: &Verdict, asked: Asked, news: News) {
    let log_all = asked.log_all && verdict.detail != Detail::Unreachable;
    match news {
        News::Nothing => {}
        News::Confirmed | News::Up => tcp_success(subject),
        News::StaysDown { retries } => check_failed(subject, "TCP_CHECK", retries),
        News::Wavers => tcp_failure(subject, verdict.outcome, log_all),
        News::Down { retries } => {
            tcp_failure(subject, verdict.outcome, log_all);
            check_failed(subject, "TCP_CHECK", retries);
        }
    }
}

fn http(subject: Subject<'_>, probe: &HttpProbe, verdict: &Verdict, asked: Asked, news: News) {
    let name = subject.real();
    let url = probe.urls.get(asked.place);
    let path = url.and_then(|url| url.path.as_deref()).unwrap_or_default();
    match verdict.detail {
        Detail::Http(fault) => {
            let heard = asked.was_up || !asked.has_run;
            if heard && (asked.log_all || subject.style == LogStyle::V1_3) {
                let text = http_fault(fault, probe.secure);
                log::info!(target: CHECK, "{text} server {name}.");
            }
        }
        Detail::HttpLength {
            announced,
            received,
        } if !asked.has_run || !asked.was_up => log::info!(
            target: CHECK,
            "http_check for RS {name} VS {} url {path}: content_length ({announced}) does not \
             match received bytes ({received})",
            subject.vs()
        ),
        Detail::Unreachable => {
            if (asked.was_up || !asked.has_run) && asked.log_all {
                log::info!(target: CHECK, "HTTP_CHECK - network unreachable server {name}.");
            }
        }
        Detail::HttpLength { .. }
        | Detail::None
        | Detail::Smtp(_)
        | Detail::Dns(_)
        | Detail::UdpMismatch
        | Detail::PingSend
        | Detail::Misc(_) => {}
    }
    let succeeded = verdict.outcome == Outcome::Success;
    if succeeded && !asked.was_up {
        let what = match url {
            Some(url) if url.regex.is_some() => "Regex match",
            Some(url) if url.digest.is_some() => "MD5 digest",
            Some(_) | None => "HTTP status code",
        };
        log::info!(target: CHECK, "{what} success to {name} url({path})");
    }
    match news {
        News::Nothing | News::Wavers | News::StaysDown { .. } => {}
        News::Confirmed | News::Up => {
            log::info!(target: CHECK, "Remote Web server {name} succeed on service.");
        }
        News::Down { retries } => {
            let kind = if probe.secure {
                "SSL_CHECK"
            } else {
                "HTTP_CHECK"
            };
            check_failed(subject, kind, retries);
        }
    }
}

/// The text up to "server …".
const fn http_fault(fault: HttpFault, secure: bool) -> &'static str {
    match (fault, secure) {
        (HttpFault::Connect, _) => "Connection failed",
        (HttpFault::ConnectTimeout, _) => "Timeout connecting",
        (HttpFault::ResponseTimeout, false) => "Timeout WEB read",
        (HttpFault::ReadTimeout, false) => "Timeout HTTP read",
        (HttpFault::ResponseTimeout | HttpFault::ReadTimeout, true) => "Timeout SSL read",
        (HttpFault::Read, false) => "Read error with",
        (HttpFault::Read, true) => "SSL read error from",
        // Two blanks, as keepalived has it.
        (HttpFault::NoData, _) => "Read, no data received from ",
        (HttpFault::Status, _) => "HTTP status code error to",
        (HttpFault::Digest, _) => "MD5 digest error to",
        (HttpFault::Regex, _) => "Regex match failed",
    }
}

fn smtp(subject: Subject<'_>, check: CheckRef<'_>, verdict: &Verdict, asked: Asked, news: News) {
    let counts = matches!(news, News::Down { .. } | News::StaysDown { .. });
    let heard = asked.log_all && (asked.was_up || !asked.has_run);
    if let Some(text) = smtp_failure(subject.server, verdict.detail, check)
        && (counts || heard)
    {
        log::info!(target: CHECK, "SMTP_CHECK {text}");
    }
    if matches!(news, News::Confirmed | News::Up) {
        log::info!(
            target: CHECK,
            "Remote SMTP server {} succeed on service.",
            subject.real()
        );
    }
}

/// What went wrong in `SMTP_CHECK`.
fn smtp_failure(server: RealServerKey, detail: Detail, check: CheckRef<'_>) -> Option<String> {
    let target = check.connect.target;
    match detail {
        Detail::Smtp(fault) => Some(smtp_fault(fault, check)),
        Detail::Unreachable => Some(format!(
            "Network unreachable for server {} - real server [{}]:{}",
            target.ip(),
            server.address,
            server.port
        )),
        Detail::None
        | Detail::Http(_)
        | Detail::HttpLength { .. }
        | Detail::Dns(_)
        | Detail::UdpMismatch
        | Detail::PingSend
        | Detail::Misc(_) => None,
    }
}

fn smtp_fault(fault: SmtpFault, check: CheckRef<'_>) -> String {
    let text = match fault {
        SmtpFault::Connect => "Could not connect to",
        SmtpFault::ConnectTimeout => "Connection timeout to",
        SmtpFault::Read => "Read failure from",
        SmtpFault::ReadTimeout => "Read timeout from",
        SmtpFault::Banner => "Bad greeting banner from",
        SmtpFault::Helo => "Bad HELO response from",
    };
    let target = check.connect.target;
    format!("{text} server [{}]:{}", target.ip(), target.port())
}

/// What is mailed of an attempt, and whether as good news: if the check has come up or gone down.
pub(in super::super) fn mailed(
    server: RealServerKey,
    check: CheckRef<'_>,
    verdict: &Verdict,
    news: News,
) -> Option<(bool, String)> {
    let up = match (news, check.kind) {
        (News::Up, _) => true,
        // keepalived tells of the first success of this kind as well.
        (News::Confirmed, Some(ProbeKind::Misc(_))) => true,
        (News::Down { .. }, _) => false,
        (News::Confirmed | News::Nothing | News::Wavers | News::StaysDown { .. }, _) => {
            return None;
        }
    };
    let name = match check.kind {
        None => "TCP CHECK",
        Some(ProbeKind::Http(_) | ProbeKind::Smtp(_)) => "CHECK",
        Some(ProbeKind::Dns(_)) => "DNS_CHECK:",
        Some(ProbeKind::Misc(_)) => "MISC CHECK",
        Some(ProbeKind::Udp(_)) => "UDP CHECK",
        Some(ProbeKind::Ping) => "ICMP CHECK",
        // Of these nothing is mailed, as with keepalived.
        Some(ProbeKind::File(_) | ProbeKind::Bfd(_)) => return None,
    };
    let what = match (up, check.kind, verdict.detail) {
        (true, Some(ProbeKind::Misc(_)), _) => "succeeded",
        (true, ..) => "succeed",
        (false, _, Detail::Misc(MiscEnd::TimedOut)) => "timed out",
        (false, ..) => "failed",
    };
    let why = match (up, check.kind, verdict.detail) {
        (false, Some(ProbeKind::Http(_)), _) => " : HTTP request failed".to_owned(),
        (false, Some(ProbeKind::Smtp(_)), detail) => smtp_failure(server, detail, check)
            .map(|text| format!(" : {text}"))
            .unwrap_or_default(),
        _ => String::new(),
    };
    Some((up, format!("=> {name} {what} on service{why} <=")))
}

/// A success of this one is not told, as with keepalived.
fn dns(subject: Subject<'_>, check: CheckRef<'_>, verdict: &Verdict, asked: Asked, news: News) {
    let retries = match news {
        News::Nothing | News::Confirmed | News::Up => return,
        News::Wavers if !asked.log_all => return,
        News::Wavers => 0,
        News::Down { retries } | News::StaysDown { retries } => retries,
    };
    let after = match retries {
        0 => String::new(),
        _ => format!(" after {retries} retries"),
    };
    let what = match verdict.detail {
        Detail::Dns(DnsFault::Rcode(rcode)) => format!("read error occurred. (rcode = {rcode})"),
        Detail::Dns(DnsFault::Socket(errno)) => {
            format!("failed to read socket; errno {errno}{}", errno_name(errno))
        }
        Detail::Unreachable => {
            let target = check.connect.target;
            format!(
                "network unreachable for [{}]:{}",
                target.ip(),
                target.port()
            )
        }
        _ => "read timeout from socket".to_owned(),
    };
    log::info!(target: CHECK, "DNS_CHECK ({}) {what}{after}", subject.real());
}

fn udp(subject: Subject<'_>, verdict: &Verdict, asked: Asked, news: News) {
    let name = subject.real();
    let counts = match news {
        News::Nothing => return,
        News::Confirmed | News::Up => {
            log::info!(target: CHECK, "UDP connection to {name} success.");
            return;
        }
        News::StaysDown { retries } => {
            check_failed(subject, "UDP_CHECK", retries);
            return;
        }
        News::Wavers => None,
        News::Down { retries } => Some(retries),
    };
    if verdict.detail == Detail::Unreachable {
        // keepalived names nobody here.
        log::info!(target: CHECK, "UDP connect error 101 - Network is unreachable");
    } else if asked.log_all {
        if verdict.detail == Detail::UdpMismatch {
            log::info!(target: CHECK, "UDP check to {name} reply data mismatch.");
        } else {
            log::info!(target: CHECK, "UDP connection to {name} failed.");
        }
    }
    if let Some(retries) = counts {
        check_failed(subject, "UDP_CHECK", retries);
    }
}

fn ping(subject: Subject<'_>, verdict: &Verdict, asked: Asked, news: News) {
    let name = subject.real();
    if verdict.detail == Detail::PingSend {
        // keepalived names nobody here, and says so at every attempt.
        log::info!(target: CHECK, "send ICMP packet fail");
    }
    let counts = match news {
        News::Nothing => return,
        News::Confirmed | News::Up => {
            log::info!(target: CHECK, "ICMP connection to {name} success.");
            return;
        }
        News::StaysDown { retries } => {
            icmp_failed(subject, retries);
            return;
        }
        News::Wavers => None,
        News::Down { retries } => Some(retries),
    };
    if asked.log_all && verdict.outcome == Outcome::Timeout {
        log::info!(target: CHECK, "ICMP connection to address {name} timeout.");
    }
    if let Some(retries) = counts {
        icmp_failed(subject, retries);
    }
}

/// The service is named as well where there are retries to tell of.
fn icmp_failed(subject: Subject<'_>, retries: u32) {
    if retries == 0 || subject.style == LogStyle::V1_3 {
        return check_failed(subject, "ICMP CHECK", retries);
    }
    log::info!(
        target: CHECK,
        "ICMP CHECK on service {} of {} failed after {retries} retries.",
        subject.real(),
        subject.vs()
    );
}

/// The system's words for what a datagram can come back with.
const fn errno_name(errno: i32) -> &'static str {
    match errno {
        111 => " (Connection refused)",
        113 => " (No route to host)",
        101 => " (Network is unreachable)",
        _ => "",
    }
}

fn misc(
    subject: Subject,
    (check, script): (CheckRef<'_>, &CheckScript),
    verdict: &Verdict,
    asked: Asked,
    news: News,
) {
    let argv = script.argv().unwrap_or_default();
    let program = argv.first().map_or("", String::as_str);
    let (name, vs) = (subject.real(), subject.vs());
    let (what, how) = match verdict.detail {
        Detail::Misc(MiscEnd::TimedOut) => ("timed out", String::new()),
        Detail::Misc(MiscEnd::Ended(ChildEnd::Exited(status))) => {
            ("failed", format!(" (exited with status {status})"))
        }
        Detail::Misc(MiscEnd::Ended(ChildEnd::Killed(signal))) => {
            ("failed", format!(" (due to signal {signal})"))
        }
        Detail::Misc(MiscEnd::Ended(ChildEnd::NotStarted(errno))) => {
            ("failed", format!(" (could not be started, error {errno})"))
        }
        _ => ("succeeded", String::new()),
    };
    let count = |retries: u32| match retries {
        1 => "1 retry".to_owned(),
        _ => format!("{retries} retries"),
    };
    let tail = match news {
        News::Nothing => return,
        News::Wavers if !asked.log_all => return,
        News::Wavers => format!(", will do {}", count(check.connect.retries)),
        News::Confirmed | News::Up => String::new(),
        News::Down { retries: 0 } | News::StaysDown { retries: 0 } => {
            " with retry disabled".to_owned()
        }
        News::Down { retries } | News::StaysDown { retries } => {
            format!(" after {}", count(retries))
        }
    };
    log::info!(
        target: CHECK,
        "Misc check for [{name} VS {vs}] by [{program}] {what}{tail}{how}."
    );
}

//! Handlers of `SMTP_CHECK`, `DNS_CHECK`, `MISC_CHECK`, `UDP_CHECK`, `PING_CHECK`, `FILE_CHECK`
//! and `BFD_CHECK`.
//!
//! Owns: what each of their own keywords sets in the draft; what they share with a `TCP_CHECK` is
//! in `probes`. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::{
    BfdCheckDraft, Draft, KindDraft, MiscDraft, ProbeDraft, SmtpDraft, TcpCheckDraft,
};
use super::super::model::{DnsProbe, DnsType, FileProbe, Protocol, UdpProbe};
use super::super::source::to_display;
use super::real_server;
use super::script::{
    Side, check_user, default_user_of, is_closed, look_up, program_of, quoted, shell_words,
};
use super::service_policy::name;
use super::{Outcome, Statement};
use crate::base::Duration;

/// Opens a check.
pub(super) fn begin(draft: &mut Draft, kind: KindDraft) -> Outcome {
    real_server::current(draft, |server| {
        server.probes.reserve_exact(1);
        server.probes.push(ProbeDraft {
            connect: TcpCheckDraft::default(),
            kind: Some(Box::new(kind)),
        });
        Ok(())
    })
}

/// Runs `f` on what is particular of the check that is being read.
pub(super) fn kind(draft: &mut Draft, f: impl FnOnce(&mut KindDraft) -> Outcome) -> Outcome {
    real_server::current(draft, |server| {
        let probe = server.probes.last_mut();
        let kind = probe.and_then(|probe| probe.kind.as_deref_mut());
        kind.map_or(Ok(()), f)
    })
}

/// Takes the check that is being read away again if it lacks what it needs.
fn drop_if(draft: &mut Draft, lacks: fn(&KindDraft) -> bool) -> bool {
    let Some(server) = draft
        .services
        .last_mut()
        .and_then(|service| service.real_servers.last_mut())
    else {
        return false;
    };
    let probe = server.probes.last();
    let drop = probe
        .and_then(|probe| probe.kind.as_deref())
        .is_some_and(lacks);
    if drop {
        server.probes.pop();
    }
    drop
}

/// `SMTP_CHECK {`
pub(in super::super) fn smtp_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Smtp(SmtpDraft::default()))
}

fn smtp(draft: &mut Draft, f: impl FnOnce(&mut SmtpDraft) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Smtp(smtp) => f(smtp),
        _ => Ok(()),
    })
}

/// `helo_name NAME`
pub(in super::super) fn helo_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    smtp(draft, |smtp| {
        let slot = &mut smtp.probe.helo_name;
        if slot.is_some() && st.word(1).is_some() {
            let message = "SMTP_CHECK helo name already specified";
            st.error(Class::General, message, Some(1));
            return Ok(());
        }
        name(st, "SMTP_CHECK helo name missing", slot)
    })
}

/// `host {`: another target in the same check.
pub(in super::super) fn host(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    smtp(draft, |smtp| {
        if smtp.hosts.is_empty() {
            // Once for each check, and without its place. keepalived says it when it starts, not in
            // a config test.
            let message =
                "The SMTP_CHECK host block is deprecated. Please define additional checkers.";
            let mut finding = st.finding(Class::Advice, message, Some(0));
            finding
                .notes
                .push(("written here".to_owned(), finding.at.take()));
            st.diagnostics.push(finding);
        }
        smtp.hosts.push(TcpCheckDraft::default());
        smtp.in_host = true;
        Ok(())
    })
}

/// `}` of a host
pub(in super::super) fn close_host(draft: &mut Draft, _: &mut Statement<'_>) {
    let _ = smtp(draft, |smtp| {
        smtp.in_host = false;
        Ok(())
    });
}

/// `DNS_CHECK {`
pub(in super::super) fn dns_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Dns(DnsProbe::default()))
}

fn dns(draft: &mut Draft, f: impl FnOnce(&mut DnsProbe) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Dns(probe) => f(probe),
        _ => Ok(()),
    })
}

/// `type RECORD`
pub(in super::super) fn dns_type(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    dns(draft, |probe| {
        match DnsType::from_name(word) {
            Some(record) => probe.record = record,
            None => {
                let message = format!("Unknown DNS check type {} - ignoring", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `name DOMAIN`
pub(in super::super) fn dns_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    dns(draft, |probe| {
        if probe.name.is_some() {
            let message = "DNS_CHECK name already specified - ignoring";
            st.error(Class::General, message, Some(st.count() - 1));
            return Ok(());
        }
        let word = st.need(1)?;
        // One letter before a dot is an empty label to keepalived.
        let empty = |label: &str| label.len() < 2;
        let mut before_dots = word.rsplit('.').skip(1);
        if word != "." && before_dots.any(empty) {
            let message = format!(
                "DNS_CHECK name '{}' has empty label - ignoring",
                to_display(word)
            );
            st.error(Class::General, message, Some(1));
        } else {
            probe.name = Some(word.to_owned());
        }
        Ok(())
    })
}

/// `MISC_CHECK {`
pub(in super::super) fn misc_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Misc(MiscDraft::default()))
}

fn misc(draft: &mut Draft, f: impl FnOnce(&mut MiscDraft) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Misc(probe) => f(probe),
        _ => Ok(()),
    })
}

/// `}`: a check runs something, as somebody.
pub(in super::super) fn close_misc(draft: &mut Draft, st: &mut Statement<'_>) {
    let mut end = None;
    let _ = misc(draft, |misc| {
        end = Some((misc.refused, misc.command.clone(), misc.user.is_some()));
        Ok(())
    });
    let message = match end {
        Some((true, ..)) => None,
        Some((false, None, _)) => {
            Some("No script path has been specified for MISC_CHECKER - skipping".to_owned())
        }
        Some((false, Some(command), false))
            if default_user_of(Side::Check, &mut draft.scripts, st, 0).is_err() =>
        {
            let command = quoted(&command);
            Some(format!(
                "Unable to set default user for misc script {command} - removing"
            ))
        }
        Some((false, Some(_), _)) | None => return,
    };
    drop_if(draft, |kind| matches!(kind, KindDraft::Misc(_)));
    if let Some(message) = message {
        st.error(Class::General, message, None);
    }
}

/// `misc_path COMMAND`: the last one counts.
pub(in super::super) fn misc_path(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let command = shell_words(st).and_then(|words| words.into_iter().nth(1));
    let command = command.filter(|command| is_closed(command, st));
    if let Some(program) = command.as_deref().and_then(program_of) {
        look_up(&mut draft.scripts, &program, st);
    }
    misc(draft, |misc| {
        let command = command.filter(|command| !command.is_empty());
        misc.command = command.or(misc.command.take());
        Ok(())
    })
}

/// `misc_timeout SECONDS`
pub(in super::super) fn misc_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, 4294)?;
    let word = st.need(1)?;
    misc(draft, |misc| {
        match number {
            Some(seconds) => misc.timeout = Some(Duration::from_secs(u64::from(seconds))),
            None => {
                let message = format!("Invalid misc_timeout value '{}'", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `misc_dynamic`
pub(in super::super) fn misc_dynamic(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    misc(draft, |misc| {
        misc.dynamic = true;
        Ok(())
    })
}

/// `user USER [GROUP]`
pub(in super::super) fn misc_user(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let (user, group) = (st.word(1), st.word(2));
    let known = check_user(&mut draft.scripts, user, group, st).is_ok();
    misc(draft, |misc| {
        if misc.refused {
            return Ok(());
        }
        match st.word(1) {
            Some(_) if !known => {
                misc.refused = true;
                let command = quoted(misc.command.as_deref().unwrap_or_default());
                let message =
                    format!("Failed to set uid/gid for misc checker script {command} - removing");
                st.error(Class::General, message, Some(1));
            }
            Some(user) => {
                let group = st.word(2).map(ToOwned::to_owned);
                misc.user = Some((user.to_owned(), group));
            }
            None => {
                let command = quoted(misc.command.as_deref().unwrap_or_default());
                let message = format!("No user specified for misc checker script {command}");
                st.error(Class::General, message, Some(0));
            }
        }
        Ok(())
    })
}

/// `UDP_CHECK {`
pub(in super::super) fn udp_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Udp(UdpProbe::default()))
}

fn udp(draft: &mut Draft, f: impl FnOnce(&mut UdpProbe) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Udp(probe) => f(probe),
        _ => Ok(()),
    })
}

/// `}`: some length of a reply is right.
pub(in super::super) fn close_udp(draft: &mut Draft, st: &mut Statement<'_>) {
    let _ = udp(draft, |probe| {
        if probe.min_reply > probe.max_reply {
            let message = format!(
                "UDP_CHECK min_reply length {} > max_reply_length {} - will always fail",
                probe.min_reply, probe.max_reply
            );
            st.error(Class::General, message, None);
        }
        Ok(())
    });
}

/// `payload HEX`
pub(in super::super) fn payload(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    udp(draft, |probe| {
        let Some(word) = st.word(1) else {
            let message = "UDP_CHECK payload requires a payload";
            st.error(Class::General, message, Some(0));
            return Ok(());
        };
        match hex_bytes(word, false) {
            Some(bytes) => probe.payload = bytes.into_iter().map(|(byte, _)| byte).collect(),
            None => st.error(
                Class::General,
                "Invalid hex string for UDP_CHECK payload",
                Some(1),
            ),
        }
        Ok(())
    })
}

/// `require_reply [HEX]`
pub(in super::super) fn require_reply(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    udp(draft, |probe| {
        match hex_bytes(st.word(1).unwrap_or_default(), true) {
            Some(bytes) => probe.reply = Some(bytes),
            None => st.error(
                Class::General,
                "Invalid hex string for UDP_CHECK reply",
                Some(1),
            ),
        }
        Ok(())
    })
}

/// The value of a hexadecimal digit.
pub(super) fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// Bytes with the bits that count; an `x` is a half byte that does not. Of an odd number of digits
/// the last one is a byte by itself.
fn hex_bytes(text: &str, wild: bool) -> Option<Vec<(u8, u8)>> {
    let nibble = |digit: u8| match digit {
        b'x' | b'X' if wild => Some((0, 0)),
        _ => hex_digit(digit).map(|value| (value, 15)),
    };
    text.as_bytes()
        .chunks(2)
        .map(|pair| {
            let mut byte = (0, 0);
            for &digit in pair {
                let (value, mask) = nibble(digit)?;
                byte = (byte.0 << 4 | value, byte.1 << 4 | mask);
            }
            Some(byte)
        })
        .collect()
}

/// `min_reply_length BYTES`
pub(in super::super) fn min_reply_length(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    udp(draft, |probe| length(st, "min", &mut probe.min_reply))
}

/// `max_reply_length BYTES`
pub(in super::super) fn max_reply_length(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    udp(draft, |probe| length(st, "max", &mut probe.max_reply))
}

fn length(st: &mut Statement<'_>, which: &str, slot: &mut u16) -> Outcome {
    match st
        .number(1, 0, 65_535)?
        .and_then(|number| u16::try_from(number).ok())
    {
        Some(number) => *slot = number,
        None => {
            let message = format!(
                "UDP_CHECK {which} length {} not valid - must be between 0 & 65535",
                to_display(st.need(1)?)
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `PING_CHECK {`
pub(in super::super) fn ping_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Ping)
}

/// `FILE_CHECK {`
pub(in super::super) fn file_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::File(FileProbe::default()))
}

fn file(draft: &mut Draft, f: impl FnOnce(&mut FileProbe) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::File(probe) => f(probe),
        _ => Ok(()),
    })
}

/// `}`: a check looks at a file.
pub(in super::super) fn close_file(draft: &mut Draft, st: &mut Statement<'_>) {
    if drop_if(
        draft,
        |kind| matches!(kind, KindDraft::File(file) if file.track_file.is_none()),
    ) {
        let message = "FILE_CHECK has no track_file specified - ignoring";
        st.error(Class::General, message, None);
    }
}

/// `track_file NAME`, which stands above.
pub(in super::super) fn track_file(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let mut files = draft.trackers.files.iter();
    let Some(tracked) = files.find(|file| file.name == word) else {
        let message = format!("track_file {} not found", to_display(word));
        st.error(Class::General, message, Some(1));
        return Ok(());
    };
    let factor = tracked.weight.map_or(1, |weight| {
        let value = i64::from(weight.value);
        if weight.reverse { -value } else { value }
    });
    file(draft, |file| {
        file.track_file = Some(word.to_owned());
        file.usual_factor = factor;
        Ok(())
    })
}

/// `weight FACTOR [reverse|noreverse]`
pub(in super::super) fn file_weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    file(draft, |file| {
        if st.count() < 2 {
            st.error(Class::General, "track file weight missing", Some(0));
            return Ok(());
        }
        let Some(weight) = st.signed(1, -i32::MAX, i32::MAX)? else {
            let message = "weight for track file must be in [-2147483647..2147483647] inclusive. \
                           Ignoring...";
            st.error(Class::General, message, Some(1));
            return Ok(());
        };
        match st.word(2) {
            None => {}
            Some("reverse") => file.reverse = true,
            Some("noreverse") => file.reverse = false,
            Some(word) => {
                let message = format!(
                    "unknown track file weight option {} - ignoring",
                    to_display(word)
                );
                st.error(Class::General, message, Some(2));
                return Ok(());
            }
        }
        file.weight = Some(weight);
        Ok(())
    })
}

/// `BFD_CHECK {`
pub(in super::super) fn bfd_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    begin(draft, KindDraft::Bfd(BfdCheckDraft::default()))
}

/// The server that is being read, as keepalived writes it in front of a message: a port that it does
/// not have of its own is 0 as long as the service is read.
fn owner(draft: &Draft) -> String {
    let Some((service, server)) = draft
        .services
        .last()
        .and_then(|service| Some((service, service.real_servers.last()?)))
    else {
        return String::new();
    };
    format!(
        "[{}]:{}:{}",
        server.address,
        service.protocol.map_or("none", Protocol::name),
        server.port.unwrap_or(0)
    )
}

/// `}`: a check belongs to a session.
pub(in super::super) fn close_bfd(draft: &mut Draft, st: &mut Statement<'_>) {
    let owner = owner(draft);
    let mut refused = false;
    // It only looks, so it cannot fail.
    let _ = bfd(draft, |check| {
        refused = check.refused;
        Ok(())
    });
    let lacks = |kind: &KindDraft| matches!(kind, KindDraft::Bfd(bfd) if bfd.probe.name.is_none());
    if drop_if(draft, lacks) && !refused {
        let message = format!("({owner}) No name has been specified for BFD_CHECKER - skipping");
        st.error(Class::General, message, None);
    }
}

fn bfd(draft: &mut Draft, f: impl FnOnce(&mut BfdCheckDraft) -> Outcome) -> Outcome {
    kind(draft, |kind| match kind {
        KindDraft::Bfd(bfd) => f(bfd),
        _ => Ok(()),
    })
}

/// `name SESSION`, which stands above.
pub(in super::super) fn bfd_name(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let owner = owner(draft);
    let word = st.word(1).filter(|_| st.count() == 2);
    let known = word.is_some_and(|word| draft.bfd_instances.iter().any(|bfd| bfd.name == word));
    let disabled = word.is_some_and(|word| draft.disabled_bfd.iter().any(|bfd| bfd == word));
    bfd(draft, |bfd| {
        if bfd.refused {
            return Ok(());
        }
        // Nothing more is said behind the first mistake.
        bfd.refused = true;
        let what = match (word, &bfd.probe.name) {
            (Some(word), Some(first)) if known => {
                format!("BFD {} already specified as {first}", to_display(word))
            }
            (Some(word), None) if known => {
                bfd.refused = false;
                bfd.probe.name = Some(word.to_owned());
                return Ok(());
            }
            (Some(word), Some(_)) => format!("BFD {} not configured", to_display(word)),
            (Some(word), None) if disabled => {
                let message = format!("BFD {} is disabled; so is the check", to_display(word));
                st.error(Class::Advice, message, Some(1));
                return Ok(());
            }
            (Some(word), None) => format!("BFD {} not configured", to_display(word)),
            (None, _) => "No or too many names specified - skipping checker".to_owned(),
        };
        let message = format!("({owner}) BFD_CHECK - {what}");
        st.error(Class::General, message, Some(0));
        Ok(())
    })
}

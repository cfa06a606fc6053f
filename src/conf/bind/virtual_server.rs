//! Handlers of `virtual_server`, and the values that servers and checks share with it.
//!
//! Owns: what each of its keywords sets in the draft. Never does: look at more than one keyword
//! (`resolve::check` does). Driven by: `bind` through the schema.

use std::net::Ipv4Addr;

use super::super::diag::Class;
use super::super::draft::{Draft, ServiceDraft, Target};
use super::super::model::{
    CheckDefaults, Forwarding, IndirectTarget, Protocol, Scheduler, ServicePolicy, TunnelChecksum,
    TunnelKind,
};
use super::super::source::to_display;
use super::{Mark, Outcome, Statement, Stop, one_address, service_policy};
use crate::base::{Duration, Family};

/// Largest number of seconds of a timer that keepalived keeps in 32 bits of microseconds.
pub(super) const MAX_SHORT: Duration = Duration::from_micros(u32::MAX as u64);
/// Largest number of seconds of a timer that keepalived keeps in 64 bits of microseconds.
pub(super) const MAX_LONG: Duration = Duration::from_micros(18_446_744_073_709_551_614);
/// The smallest timer.
pub(super) const MICROSECOND: Duration = Duration::from_micros(1);
/// What a bare `persistence_timeout` means.
const DEFAULT_PERSISTENCE: Duration = Duration::from_secs(360);

/// `virtual_server IP [PORT] {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    if matches!(word, "group" | "fwmark") {
        let target = indirect(st, word)?;
        begin(draft, st, Target::Indirect(target));
        return Ok(());
    }
    let port = match st.word(2) {
        None | Some("0") => Some(0),
        Some(_) => st
            .number(2, 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok()),
    };
    let (Some(address), Some(port)) = (one_address(word), port) else {
        let message = format!(
            "Invalid virtual server IP address{} {}{}{} - skipping",
            if st.count() > 2 { "/port" } else { "" },
            to_display(word),
            if st.count() > 2 { "/" } else { "" },
            to_display(st.word(2).unwrap_or_default())
        );
        st.error(Class::General, message, Some(1));
        return Err(Stop::SkipBlock);
    };
    begin(draft, st, Target::Address(address, port));
    Ok(())
}

/// `fwmark NUMBER` or `group NAME`
fn indirect(st: &mut Statement<'_>, kind: &str) -> Result<IndirectTarget, Stop> {
    if kind == "group" {
        return Ok(IndirectTarget::Group(st.need(2)?.to_owned()));
    }
    st.number(2, 0, u32::MAX)?
        .map(IndirectTarget::Fwmark)
        .ok_or_else(|| {
            let word = to_display(st.word(2).unwrap_or_default());
            let message = format!(
                "virtual server fwmark '{word}' must be in [0, {}] - ignoring",
                u32::MAX
            );
            st.error(Class::General, message, Some(2));
            Stop::SkipBlock
        })
}

fn begin(draft: &mut Draft, st: &Statement<'_>, target: Target) {
    let nth = match &target {
        Target::Indirect(IndirectTarget::Group(name)) => {
            let uses = draft.group_uses.entry(name.clone()).or_default();
            *uses += 1;
            *uses - 1
        }
        Target::Address(..) | Target::Indirect(IndirectTarget::Fwmark(_)) => 0,
    };
    draft.services.push(ServiceDraft {
        place: st.place(),
        target,
        nth,
        protocol: None,
        scheduler: None,
        forwarding: None,
        persistence_timeout: None,
        granularity: None,
        weight: 1,
        checks: CheckDefaults::default(),
        real_servers: Vec::new(),
        inhibit: false,
        policy: ServicePolicy::new(),
    });
}

/// The end of the block: a service without servers is none.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let empty = |service: &mut ServiceDraft| service.real_servers.is_empty();
    if let Some(service) = draft.services.pop_if(empty) {
        let begin = Mark {
            place: service.place,
            columns: None,
        };
        let finding = st
            .finding(Class::General, service.without_servers(), Some(0))
            .note("defined here", Some(st.span_at(begin)));
        st.diagnostics.push(finding);
    } else {
        service_policy::close(draft, st);
        draft.closed.extend(draft.services.pop());
    }
}

/// Runs `f` on the service that is being read. The schema calls these handlers only inside of a
/// service, so there is one.
pub(super) fn current(draft: &mut Draft, f: impl FnOnce(&mut ServiceDraft) -> Outcome) -> Outcome {
    draft.services.last_mut().map_or(Ok(()), f)
}

/// `lb_algo NAME`
pub(in super::super) fn lb_algo(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    current(draft, |service| {
        match Scheduler::from_name(word) {
            Some(scheduler) => service.scheduler = Some(scheduler),
            None => {
                let message = format!("Invalid lvs_scheduler '{}' - ignoring", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `lb_kind NAT|DR|TUN`
pub(in super::super) fn lb_kind(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let method = method(st, "virtual server")?;
    current(draft, |service| {
        service.forwarding = method.or(service.forwarding);
        Ok(())
    })
}

/// `NAT`, `DR`, `TUN [type ipip|gre|gue [port N] [csum|nocsum|remcsum]]`; `None`, reported, if it
/// is none of these.
pub(super) fn method(st: &mut Statement<'_>, owner: &str) -> Result<Option<Forwarding>, Stop> {
    let word = st.need(1)?;
    match word {
        "NAT" | "DR" => {
            // Options mean something to a tunnel only, but have to be options.
            tunnel(st, owner);
            Ok(Some(if word == "DR" {
                Forwarding::Dr
            } else {
                Forwarding::Nat
            }))
        }
        // After a bad option it is a tunnel nevertheless.
        "TUN" => {
            let kind = tunnel(st, owner).unwrap_or(TunnelKind::Ipip);
            Ok(Some(Forwarding::Tun(kind)))
        }
        _ => {
            let message = format!(
                "PARSER : unknown [{}] routing method for {owner}.",
                to_display(word)
            );
            st.error(Class::General, message, Some(1));
            Ok(None)
        }
    }
}

fn tunnel(st: &mut Statement<'_>, owner: &str) -> Option<TunnelKind> {
    let mut kind = "ipip";
    let (mut port, mut checksum) = (None, None);
    let mut index = 2;
    while let Some(option) = st.word(index) {
        let value = st.word(index + 1);
        let problem = match (option, value) {
            ("type", Some(name @ ("ipip" | "gre" | "gue"))) => {
                kind = name;
                index += 2;
                continue;
            }
            ("type", Some(name)) => {
                format!("Unknown tunnel type {} for {owner}.", to_display(name))
            }
            ("type", None) => format!("Missing tunnel type for {owner}."),
            ("port", Some(number)) => {
                let parsed = st.number(index + 1, 1, 65_535).ok().flatten();
                port = parsed.and_then(|number| u16::try_from(number).ok());
                index += 2;
                if port.is_some() {
                    continue;
                }
                format!(
                    "Invalid gue tunnel port {} for {owner}.",
                    to_display(number)
                )
            }
            ("port", None) => format!("Missing port for {owner} gue tunnel."),
            ("nocsum" | "csum" | "remcsum", _) => {
                checksum = Some(match option {
                    "csum" => TunnelChecksum::Full,
                    "remcsum" => TunnelChecksum::Remote,
                    _ => TunnelChecksum::None,
                });
                index += 1;
                continue;
            }
            _ => format!("Invalid tunnel option {} for {owner}.", to_display(option)),
        };
        st.error(Class::General, problem, Some(index.min(st.count() - 1)));
        return None;
    }
    let problem = match (kind, port, checksum) {
        ("gue", Some(port), checksum) => {
            return Some(TunnelKind::Gue {
                port,
                checksum: checksum.unwrap_or_default(),
            });
        }
        ("gue", None, _) | (_, Some(_), _) => {
            "gue tunnels require port, otherwise cannot have port.".to_owned()
        }
        ("gre", None, Some(TunnelChecksum::Remote)) => {
            "gre tunnels do not support remote checksum option.".to_owned()
        }
        ("gre", None, checksum) => {
            return Some(TunnelKind::Gre {
                checksum: checksum.unwrap_or_default(),
            });
        }
        (_, None, Some(_)) => "ipip tunnels do not support checksum option.".to_owned(),
        (_, None, None) => return Some(TunnelKind::Ipip),
    };
    st.error(Class::General, problem, Some(1));
    None
}

/// `persistence_timeout [SECONDS]`
pub(in super::super) fn persistence_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let timeout = match st.word(1) {
        None => Some(DEFAULT_PERSISTENCE),
        Some(_) => {
            let number = st.number(1, 1, 31 * 24 * 3600)?;
            number.map(|seconds| Duration::from_secs(u64::from(seconds)))
        }
    };
    current(draft, |service| {
        match timeout {
            Some(timeout) => service.persistence_timeout = Some(timeout),
            None => st.error(Class::General, "persistence_timeout invalid", Some(1)),
        }
        Ok(())
    })
}

/// `persistence_granularity MASK|PREFIX`
pub(in super::super) fn persistence_granularity(
    draft: &mut Draft,
    st: &mut Statement<'_>,
) -> Outcome {
    let word = st.need(1)?;
    current(draft, |service| {
        // A service by mark or group takes its family from here.
        let family = service.family().unwrap_or(if word.contains('.') {
            Family::V4
        } else {
            Family::V6
        });
        let length = match family {
            Family::V4 => ipv4_number(word).map(|mask| {
                let mask = Ipv4Addr::from(mask);
                mask_length(mask).ok_or(mask)
            }),
            Family::V6 => {
                let length = st.number(1, 1, 128)?;
                length.and_then(|length| u8::try_from(length).ok()).map(Ok)
            }
        };
        match length {
            Some(Ok(length)) => service.granularity = Some(length),
            Some(Err(mask)) => {
                let message = format!(
                    "persistence_granularity {} is the mask {mask}, which has holes; it is left \
                     out",
                    to_display(word)
                );
                let finding = st
                    .finding(Class::Advice, message, Some(1))
                    .help("a mask of 24 bits is written 255.255.255.0");
                st.diagnostics.push(finding);
                return Ok(());
            }
            None => {
                let family = match family {
                    Family::V4 => "IPv4",
                    Family::V6 => "IPv6",
                };
                let message = format!(
                    "Invalid {family} persistence_granularity specified - {}",
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
                return Ok(());
            }
        }
        if service.family().is_none() {
            service.policy.family = Some(family);
        }
        Ok(())
    })
}

/// An address as inet_aton(3) reads it: one to four numbers as in C, the last one fills what is
/// left.
fn ipv4_number(word: &str) -> Option<u32> {
    let number = |text: &str| {
        let value = if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
            u32::from_str_radix(digits, 16)
        } else if text.len() > 1 && text.starts_with('0') {
            u32::from_str_radix(text, 8)
        } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse()
        } else {
            return None;
        };
        value.ok()
    };
    let (before, last) = match word.rsplit_once('.') {
        Some((before, last)) => (Some(before), last),
        None => (None, word),
    };
    let mut high = 0;
    let mut bits = 32;
    for part in before.into_iter().flat_map(|before| before.split('.')) {
        if bits == 8 {
            return None;
        }
        bits -= 8;
        high |= number(part).filter(|part| *part <= 255)? << bits;
    }
    let last = number(last).filter(|last| bits == 32 || *last < 1 << bits)?;
    Some(high | last)
}

/// The prefix length of a mask without holes.
fn mask_length(mask: Ipv4Addr) -> Option<u8> {
    let bits = u32::from(mask);
    let ones = bits.leading_ones();
    (bits.count_ones() == ones)
        .then(|| u8::try_from(ones).ok())
        .flatten()
}

/// `protocol TCP|UDP|SCTP`, in any case.
pub(in super::super) fn protocol(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let word = st.need(1)?;
    let protocol = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| protocol.name().eq_ignore_ascii_case(word));
    current(draft, |service| {
        match protocol {
            Some(protocol) => service.protocol = Some(protocol),
            None => {
                let message = format!("Unknown protocol {} - ignoring", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `weight NUMBER`
pub(in super::super) fn weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 1, i32::MAX.unsigned_abs())?;
    let word = st.need(1)?;
    current(draft, |service| {
        match number {
            Some(weight) => service.weight = weight,
            None => {
                let message = format!(
                    "Virtual server weight {} is outside range 1-2147483647",
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `alpha`
pub(in super::super) fn alpha(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        service.checks.alpha = Some(true);
        Ok(())
    })
}

/// `retry COUNT`
pub(in super::super) fn retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| retries(st, &mut service.checks))
}

/// `delay_loop SECONDS`
pub(in super::super) fn delay_loop(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let slot = &mut service.checks.delay_loop;
        timer(
            st,
            MICROSECOND,
            MAX_LONG,
            "virtual server delay loop '{}' invalid - ignoring",
            slot,
        )
    })
}

/// `delay_before_retry SECONDS`
pub(in super::super) fn delay_before_retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let slot = &mut service.checks.delay_before_retry;
        let text = "virtual server delay before retry '{}' invalid - ignoring";
        timer(st, Duration::ZERO, MAX_LONG, text, slot)
    })
}

/// `warmup SECONDS`
pub(in super::super) fn warmup(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let slot = &mut service.checks.warmup;
        let text = "virtual server warmup '{}' invalid - ignoring";
        timer(st, Duration::ZERO, MAX_LONG, text, slot)
    })
}

/// `connect_timeout SECONDS`
pub(in super::super) fn connect_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |service| {
        let slot = &mut service.checks.connect_timeout;
        let text = "virtual server connect_timeout {} invalid - ignoring";
        timer(st, MICROSECOND, MAX_SHORT, text, slot)
    })
}

/// The `retry` of a service or server.
pub(super) fn retries(st: &mut Statement<'_>, checks: &mut CheckDefaults) -> Outcome {
    match st.number(1, 1, u32::MAX)? {
        Some(count) => checks.retries = Some(count),
        None => {
            let message = format!("retry value invalid - {}", to_display(st.need(1)?));
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// A timer in `min..=max`; `text` is the message for anything else, its `{}` the word.
pub(super) fn timer(
    st: &mut Statement<'_>,
    min: Duration,
    max: Duration,
    text: &str,
    slot: &mut Option<Duration>,
) -> Outcome {
    match st.seconds(1, min, max)? {
        Some(value) => *slot = Some(value),
        None => {
            let message = text.replace("{}", &to_display(st.need(1)?));
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: the forms of inet_aton(3), and what is none. Output: their 32 bits.
    #[test]
    fn masks_are_read_as_by_inet_aton() {
        assert_eq!(ipv4_number("255.255.255.0"), Some(0xffff_ff00));
        assert_eq!(ipv4_number("255.255.255"), Some(0xffff_00ff));
        assert_eq!(ipv4_number("24"), Some(24));
        assert_eq!(ipv4_number("0xffffff00"), Some(0xffff_ff00));
        assert_eq!(ipv4_number("1.5"), Some(0x0100_0005));
        for bad in [
            "x",
            "5x",
            "-1",
            "1.2.3.4.5",
            "256.0.0.1",
            "1.2.3.256",
            "",
            "99999999999",
        ] {
            assert_eq!(ipv4_number(bad), None, "{bad}");
        }
    }
}

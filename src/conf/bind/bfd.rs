//! Handlers of `bfd_instance` and `SSL`.
//!
//! Owns: what each of their keywords sets in the draft, and what a session needs at its end.
//! Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::{BfdDraft, Draft};
use super::super::model::{BfdAudience, BfdInstance, TlsClient};
use super::super::source::to_display;
use super::{Outcome, Statement, Stop};
use crate::base::{Duration, Family};

/// The longest name, in bytes.
const MAX_NAME: usize = 31;
/// The largest interval, in milliseconds.
const MAX_INTERVAL: u32 = 4_294_967;

/// `bfd_instance NAME {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?;
    let shown = to_display(name);
    let texts = if name.len() > MAX_NAME {
        Some([
            format!("BFD name {shown} too long"),
            format!(
                "Configuration error: BFD instance {shown} name too long (maximum length is \
                 {MAX_NAME} characters) - ignoring"
            ),
        ])
    } else if draft.bfd_instances.iter().any(|other| other.name == name) {
        Some([
            format!("BFD {shown} already specified"),
            format!("Configuration error: BFD instance {shown} already configured - ignoring"),
        ])
    } else {
        None
    };
    if let Some(texts) = texts {
        for text in texts {
            st.error(Class::General, text, Some(1));
        }
        return Err(Stop::SkipBlock);
    }
    draft.bfd = Some(BfdDraft {
        name: name.to_owned(),
        ..BfdDraft::default()
    });
    Ok(())
}

/// `}`: a session has a neighbor, of the family of its source, that no other one has.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(bfd) = draft.bfd.take().filter(|bfd| !bfd.refused) else {
        return;
    };
    let name = to_display(&bfd.name).into_owned();
    let Some(neighbor) = bfd.neighbor else {
        let message = format!(
            "Configuration error: BFD instance {name} has no neighbor address set, disabling \
             instance"
        );
        st.error(Class::General, message, None);
        draft.disabled_bfd.push(bfd.name);
        return;
    };
    let family = Family::of(neighbor);
    if let Some(source) = bfd.source.filter(|source| Family::of(*source) != family) {
        let message = format!(
            "Configuration error: BFD instance {name} source address {source} and neighbor \
             address {neighbor} are not of the same family, disabling instance"
        );
        st.error(Class::General, message, None);
        draft.disabled_bfd.push(bfd.name);
        return;
    }
    // Two sessions with one neighbor have sources of their own.
    let taken = |other: &BfdInstance| {
        let apart = other.source.zip(bfd.source);
        other.neighbor == neighbor && apart.is_none_or(|(one, own)| one == own)
    };
    if draft.bfd_instances.iter().any(taken) {
        let what = match bfd.source {
            Some(source) => format!("source/neighbor address {source}/{neighbor}"),
            None => format!("neighbor address {neighbor}"),
        };
        let message = format!(
            "Configuration error: BFD instance {name} has duplicate {what}, ignoring instance"
        );
        st.error(Class::General, message, None);
        return;
    }
    let ttl = bfd.ttl.unwrap_or(match family {
        Family::V4 => 255,
        Family::V6 => 64,
    });
    let mut max_hops = bfd.max_hops.unwrap_or(Some(0));
    if max_hops.is_some_and(|hops| hops > ttl) {
        let message =
            format!("BFD instance {name}: max_hops exceeds ttl/hoplimit - setting to ttl/hoplimit");
        st.error(Class::General, message, None);
        max_hops = Some(ttl);
    }
    draft.bfd_instances.push(BfdInstance {
        name: bfd.name,
        source: bfd.source,
        neighbor,
        min_rx: bfd.min_rx.unwrap_or(Duration::from_millis(10)),
        min_tx: bfd.min_tx.unwrap_or(Duration::from_millis(10)),
        idle_tx: bfd.idle_tx.unwrap_or(Duration::from_secs(1)),
        multiplier: bfd.multiplier.unwrap_or(5),
        passive: bfd.passive,
        ttl,
        max_hops,
        multihop: bfd.multihop.unwrap_or(false),
        weight: bfd.weight,
        reverse: bfd.reverse,
        audience: bfd.audience,
    });
}

/// Runs `f` on the session that is being read. The schema calls these handlers only inside of a
/// session, so there is one.
fn current(draft: &mut Draft, f: impl FnOnce(&mut BfdDraft) -> Outcome) -> Outcome {
    draft.bfd.as_mut().map_or(Ok(()), f)
}

/// Reports about a session.
fn wrong(st: &mut Statement<'_>, bfd: &BfdDraft, what: &str) {
    let message = format!(
        "Configuration error: BFD instance {} {what}",
        to_display(&bfd.name)
    );
    st.error(Class::General, message, Some(1));
}

/// `source_ip ADDRESS`
pub(in super::super) fn source_ip(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let address = st.address(1)?;
    let word = to_display(st.need(1)?);
    current(draft, |bfd| {
        if address.is_none() {
            let what = format!("has malformed source address {word}, ignoring");
            wrong(st, bfd, &what);
        }
        bfd.source = address.or(bfd.source);
        Ok(())
    })
}

/// `neighbor_ip ADDRESS`, also in British
pub(in super::super) fn neighbor_ip(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let address: Option<IpAddr> = st.address(1)?;
    let word = to_display(st.need(1)?);
    current(draft, |bfd| {
        match address {
            Some(address) => bfd.neighbor = Some(address),
            None if bfd.refused => {}
            None => {
                let what = format!("has malformed neighbor address {word}, ignoring instance");
                wrong(st, bfd, &what);
                bfd.refused = true;
            }
        }
        Ok(())
    })
}

/// An interval of at least `min` milliseconds.
fn interval(
    draft: &mut Draft,
    st: &mut Statement<'_>,
    min: u32,
    slot: fn(&mut BfdDraft) -> &mut Option<Duration>,
) -> Outcome {
    let name = st.need(0)?;
    let value = st.milliseconds(1, min, MAX_INTERVAL)?;
    let word = to_display(st.need(1)?);
    current(draft, |bfd| {
        match value {
            Some(value) => *slot(bfd) = Some(value),
            None => {
                let what = format!(
                    "{name} value {word} is not valid (must be in range [{min}-{MAX_INTERVAL}]), \
                     ignoring"
                );
                wrong(st, bfd, &what);
            }
        }
        Ok(())
    })
}

/// `min_rx MILLISECONDS`
pub(in super::super) fn min_rx(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    interval(draft, st, 1, |bfd| &mut bfd.min_rx)
}

/// `min_tx MILLISECONDS`
pub(in super::super) fn min_tx(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    interval(draft, st, 1, |bfd| &mut bfd.min_tx)
}

/// `idle_tx MILLISECONDS`
pub(in super::super) fn idle_tx(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    interval(draft, st, 1000, |bfd| &mut bfd.idle_tx)
}

/// Says that a number is none of those that are allowed.
fn not_in_range(st: &mut Statement<'_>, bfd: &BfdDraft, name: &str, min: i32, max: i32) {
    let word = to_display(st.word(1).unwrap_or_default()).into_owned();
    let what = format!("{name} value {word} not valid (must be in range [{min}-{max}]), ignoring");
    wrong(st, bfd, &what);
}

/// A number from 1 to 255.
fn small(st: &mut Statement<'_>) -> Result<Option<u8>, Stop> {
    Ok(st
        .number(1, 1, 255)?
        .and_then(|number| u8::try_from(number).ok()))
}

/// `multiplier COUNT`
pub(in super::super) fn multiplier(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = small(st)?;
    current(draft, |bfd| {
        if number.is_none() {
            not_in_range(st, bfd, "multiplier", 1, 255);
        }
        bfd.multiplier = number.or(bfd.multiplier);
        Ok(())
    })
}

/// `ttl COUNT`, `hoplimit COUNT`
pub(in super::super) fn ttl(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = small(st)?;
    current(draft, |bfd| {
        if number.is_none() {
            not_in_range(st, bfd, "ttl/hoplimit", 1, 255);
        }
        bfd.ttl = number.or(bfd.ttl);
        Ok(())
    })
}

/// `max_hops COUNT`, -1 for any number
pub(in super::super) fn max_hops(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.signed(1, -1, 255)?;
    current(draft, |bfd| {
        match number {
            Some(number) => bfd.max_hops = Some(u8::try_from(number).ok()),
            None => not_in_range(st, bfd, "max_hops", -1, 255),
        }
        Ok(())
    })
}

/// `weight NUMBER [reverse]`
pub(in super::super) fn weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.signed(1, -253, 253)?;
    current(draft, |bfd| {
        match number.and_then(|number| i16::try_from(number).ok()) {
            Some(number) => bfd.weight = number,
            None => not_in_range(st, bfd, "weight", -253, 253),
        }
        match st.word(2) {
            None => {}
            Some("reverse") => bfd.reverse = true,
            Some(word) => {
                let what = format!("unknown weight option {}", to_display(word));
                wrong(st, bfd, &what);
            }
        }
        Ok(())
    })
}

/// `passive`
pub(in super::super) fn passive(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    current(draft, |bfd| {
        bfd.passive = true;
        Ok(())
    })
}

/// `multihop [BOOL]`
pub(in super::super) fn multihop(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |bfd| {
        let value = st.boolean(1);
        if value.is_none() {
            let word = to_display(st.word(1).unwrap_or_default());
            wrong(st, bfd, &format!("multihop setting not valid - {word}"));
        }
        bfd.multihop = value.or(bfd.multihop);
        Ok(())
    })
}

/// `vrrp`: nobody else is told. With `checker` too both are.
pub(in super::super) fn vrrp(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    audience(draft, BfdAudience::Vrrp, BfdAudience::Checker)
}

/// `checker`: nobody else is told. With `vrrp` too both are.
pub(in super::super) fn checker(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    audience(draft, BfdAudience::Checker, BfdAudience::Vrrp)
}

fn audience(draft: &mut Draft, this: BfdAudience, other: BfdAudience) -> Outcome {
    current(draft, |bfd| {
        bfd.audience = if bfd.audience == other {
            BfdAudience::Both
        } else {
            this
        };
        Ok(())
    })
}

/// `SSL {`
pub(in super::super) fn ssl(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    if draft.tls.is_some() {
        let message = "SSL context already specified - replacing";
        st.error(Class::General, message, Some(0));
    }
    draft.tls = Some(TlsClient::default());
    Ok(())
}

/// A word of `SSL`; `what` it is called in messages.
fn tls(
    draft: &mut Draft,
    st: &mut Statement<'_>,
    what: &str,
    slot: fn(&mut TlsClient) -> &mut Option<String>,
) -> Outcome {
    let Some(client) = draft.tls.as_mut() else {
        return Ok(());
    };
    let slot = slot(client);
    match st.word(1) {
        None => st.error(Class::General, format!("SSL {what} missing"), Some(0)),
        Some(word) => {
            if slot.is_some() {
                let message = format!("SSL {what} already specified - replacing");
                st.error(Class::General, message, Some(1));
            }
            *slot = Some(word.to_owned());
        }
    }
    Ok(())
}

/// `password WORD`
pub(in super::super) fn password(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    tls(draft, st, "password", |client| &mut client.password)
}

/// `ca FILE`
pub(in super::super) fn ca(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    tls(draft, st, "cafile", |client| &mut client.ca)
}

/// `certificate FILE`
pub(in super::super) fn certificate(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    tls(draft, st, "certfile", |client| &mut client.certificate)
}

/// `key FILE`
pub(in super::super) fn key(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    tls(draft, st, "keyfile", |client| &mut client.key)
}

//! Handlers of `real_server`.
//!
//! Owns: what each of its keywords sets in the draft. Driven by: `bind` through the schema.

use super::super::diag::Class;
use super::super::draft::{Draft, RealServerDraft};
use super::super::model::{CheckDefaults, Forwarding};
use super::super::source::to_display;
use super::virtual_server::{MAX_LONG, MAX_SHORT, MICROSECOND};
use super::virtual_server::{method, retries, timer};
use super::{Outcome, Statement, Stop, one_address};
use crate::base::{Duration, Family};

/// `real_server IP [PORT] {`
pub(in super::super) fn open(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let Some(service) = draft.services.last_mut() else {
        return Ok(());
    };
    let word = st.need(1)?;
    let port = match st.word(2) {
        None | Some("0") => Some(None),
        Some(_) => st
            .number(2, 1, 65_535)?
            .and_then(|port| u16::try_from(port).ok())
            .map(Some),
    };
    let (Some(address), Some(port)) = (one_address(word), port) else {
        let message = format!(
            "Invalid real server ip address/port {}/{} - skipping",
            to_display(word),
            to_display(st.word(2).unwrap_or("(null)"))
        );
        st.error(Class::General, message, Some(1));
        return Err(Stop::SkipBlock);
    };
    service.real_servers.push(RealServerDraft {
        place: st.place(),
        address,
        port,
        weight: None,
        forwarding: service.forwarding,
        checks: CheckDefaults::default(),
        probes: Vec::new(),
        inhibit: None,
        policy: None,
    });
    Ok(())
}

/// `}`: only a tunnel leads from one address family to the other.
pub(in super::super) fn close(draft: &mut Draft, st: &mut Statement<'_>) {
    let Some(service) = draft.services.last_mut() else {
        return;
    };
    let Some(family) = service.family() else {
        return;
    };
    if let Some(server) = service.real_servers.last() {
        let tunnel = matches!(server.forwarding, Some(Forwarding::Tun(_)));
        if Family::of(server.address) != family && !tunnel {
            let message = format!(
                "Address family of virtual server and real server {} don't match - skipping real \
                 server.",
                server.address
            );
            st.error(Class::General, message, None);
            service.real_servers.pop();
        }
    }
}

/// Runs `f` on the server that is being read. The schema calls these handlers only inside of a
/// server, so there is one.
pub(super) fn current(
    draft: &mut Draft,
    f: impl FnOnce(&mut RealServerDraft) -> Outcome,
) -> Outcome {
    draft
        .services
        .last_mut()
        .and_then(|service| service.real_servers.last_mut())
        .map_or(Ok(()), f)
}

/// `weight NUMBER`
pub(in super::super) fn weight(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, i32::MAX.unsigned_abs())?;
    let word = st.need(1)?;
    current(draft, |server| {
        match number {
            Some(weight) => server.weight = Some(weight),
            None => {
                let message = format!(
                    "Real server weight {} is outside range 0-2147483647",
                    to_display(word)
                );
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `lvs_method NAT|DR|TUN`
pub(in super::super) fn lvs_method(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let method = method(st, "real server")?;
    current(draft, |server| {
        server.forwarding = method.or(server.forwarding);
        Ok(())
    })
}

/// `alpha [BOOL]`
pub(in super::super) fn alpha(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| {
        switch(st, "alpha", &mut server.checks.alpha)
    })
}

/// A switch; `name` is for the message if the word is none.
pub(super) fn switch(st: &mut Statement<'_>, name: &str, slot: &mut Option<bool>) -> Outcome {
    switch_or(st, &format!("Invalid {name} parameter"), slot)
}

/// A switch; `text` is the beginning of the message if the word is none.
pub(super) fn switch_or(st: &mut Statement<'_>, text: &str, slot: &mut Option<bool>) -> Outcome {
    match st.boolean(1) {
        Some(value) => *slot = Some(value),
        None => {
            let message = format!("{text} {}", to_display(st.need(1)?));
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `retry COUNT`
pub(in super::super) fn retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| retries(st, &mut server.checks))
}

/// `delay_loop SECONDS`
pub(in super::super) fn delay_loop(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| {
        let slot = &mut server.checks.delay_loop;
        timer(
            st,
            MICROSECOND,
            MAX_LONG,
            "real server delay_loop '{}' invalid - ignoring",
            slot,
        )
    })
}

/// `delay_before_retry SECONDS`
pub(in super::super) fn delay_before_retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| {
        let slot = &mut server.checks.delay_before_retry;
        let text = "real server delay_before_retry '{}' invalid - ignoring";
        timer(st, Duration::ZERO, MAX_LONG, text, slot)
    })
}

/// `warmup SECONDS`
pub(in super::super) fn warmup(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| {
        let slot = &mut server.checks.warmup;
        timer(
            st,
            Duration::ZERO,
            MAX_LONG,
            "real server warmup '{}' invalid - ignoring",
            slot,
        )
    })
}

/// `connect_timeout SECONDS`
pub(in super::super) fn connect_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |server| {
        let slot = &mut server.checks.connect_timeout;
        let text = "real server connect_timeout {} invalid - ignoring";
        timer(st, MICROSECOND, MAX_SHORT, text, slot)
    })
}

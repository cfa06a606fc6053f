//! Handlers of the health checks: `TCP_CHECK`.
//!
//! Owns: what each of their keywords sets in the draft. Driven by: `bind` through the schema.

use std::net::IpAddr;

use super::super::diag::Class;
use super::super::draft::{Draft, KindDraft, ProbeDraft, TcpCheckDraft};
use super::super::source::to_display;
use super::real_server::{self, switch};
use super::virtual_server::timer;
use super::virtual_server::{MAX_LONG, MAX_SHORT, MICROSECOND};
use super::{Outcome, Statement};
use crate::base::{Duration, Family};

/// The longest name of an interface, in bytes.
const MAX_INTERFACE: usize = 15;

/// `TCP_CHECK {`
pub(in super::super) fn tcp_check(draft: &mut Draft, _: &mut Statement<'_>) -> Outcome {
    real_server::current(draft, |server| {
        // Nearly every server has one check; a vector's first growth is for four.
        server.probes.reserve_exact(1);
        server.probes.push(ProbeDraft::default());
        Ok(())
    })
}

/// Runs `f` on the settings of the check, or of the host in a check, that is being read. The
/// schema calls these handlers only inside of a check, so there is one.
pub(super) fn current(draft: &mut Draft, f: impl FnOnce(&mut TcpCheckDraft) -> Outcome) -> Outcome {
    real_server::current(draft, |server| {
        server.probes.last_mut().map(connect_of).map_or(Ok(()), f)
    })
}

/// The settings that lines about connecting belong to.
fn connect_of(probe: &mut ProbeDraft) -> &mut TcpCheckDraft {
    match probe.kind.as_deref_mut() {
        Some(KindDraft::Smtp(smtp)) if smtp.in_host => {
            smtp.hosts.last_mut().unwrap_or(&mut probe.connect)
        }
        _ => &mut probe.connect,
    }
}

/// `connect_ip ADDRESS`
pub(in super::super) fn connect_ip(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let other = ("bindto", check.bind_ip);
        address(st, &mut check.connect_ip, other)
    })
}

/// `bindto ADDRESS`
pub(in super::super) fn bindto(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    real_server::current(draft, |server| {
        let target = server.address;
        let Some(probe) = server.probes.last_mut() else {
            return Ok(());
        };
        // keepalived compares that of an SMTP check, but for its hosts, only with an address that
        // is given.
        let smtp = matches!(probe.kind.as_deref(), Some(KindDraft::Smtp(smtp)) if !smtp.in_host);
        let check = connect_of(probe);
        let other = ("connect_ip", check.connect_ip.or((!smtp).then_some(target)));
        address(st, &mut check.bind_ip, other)
    })
}

/// An address that has to be of the same family as the `other` one.
fn address(
    st: &mut Statement<'_>,
    slot: &mut Option<IpAddr>,
    (other, against): (&str, Option<IpAddr>),
) -> Outcome {
    match st.address(1)? {
        Some(address) if against.is_some_and(|is| Family::of(is) != Family::of(address)) => {
            let message = format!(
                "{} address {address} does not match address family of {other} - skipping",
                st.need(0)?
            );
            st.error(Class::General, message, Some(1));
        }
        Some(address) => *slot = Some(address),
        None => {
            let message = format!(
                "Invalid {} address {} - ignoring",
                st.need(0)?,
                to_display(st.need(1)?)
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `connect_port PORT`
pub(in super::super) fn connect_port(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| port(st, &mut check.connect_port))
}

/// `bind_port PORT`
pub(in super::super) fn bind_port(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| port(st, &mut check.bind_port))
}

fn port(st: &mut Statement<'_>, slot: &mut Option<u16>) -> Outcome {
    match st
        .number(1, 1, 65_535)?
        .and_then(|port| u16::try_from(port).ok())
    {
        Some(port) => *slot = Some(port),
        None => {
            let message = format!(
                "Invalid checker {} '{}'",
                st.need(0)?,
                to_display(st.need(1)?)
            );
            st.error(Class::General, message, Some(1));
        }
    }
    Ok(())
}

/// `bind_if NAME`
pub(in super::super) fn bind_if(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let name = st.need(1)?;
    current(draft, |check| {
        if name.len() > MAX_INTERFACE {
            let message = format!("Interface name {} is too long - ignoring", to_display(name));
            st.error(Class::General, message, Some(1));
        } else {
            check.bind_interface = Some(name.to_owned());
        }
        Ok(())
    })
}

/// `fwmark NUMBER`
pub(in super::super) fn fwmark(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, u32::MAX)?;
    let word = st.need(1)?;
    current(draft, |check| {
        match number {
            Some(mark) => check.fwmark = mark,
            None => {
                let message = format!("Invalid fwmark connection value '{}'", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `retry COUNT`
pub(in super::super) fn retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let number = st.number(1, 0, u32::MAX)?;
    let word = st.need(1)?;
    current(draft, |check| {
        match number {
            Some(count) => check.checks.retries = Some(count),
            None => {
                let message = format!("Invalid retry connection value '{}'", to_display(word));
                st.error(Class::General, message, Some(1));
            }
        }
        Ok(())
    })
}

/// `nb_get_retry COUNT`: the spelling of 1.x; current releases drop the line in a `TCP_CHECK`.
pub(in super::super) fn nb_get_retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    let finding = st
        .finding(
            Class::Deprecated,
            "nb_get_retry is deprecated - please use 'retry'",
            Some(0),
        )
        .note(
            "it acts as 'retry' here; keepalived 2.x ignores it in a TCP_CHECK",
            None,
        );
    st.diagnostics.push(finding);
    retry(draft, st)
}

/// `delay_before_retry SECONDS`
pub(in super::super) fn delay_before_retry(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let slot = &mut check.checks.delay_before_retry;
        let text = "Invalid delay_before_retry connection value '{}'";
        timer(st, Duration::ZERO, MAX_LONG, text, slot)
    })
}

/// `delay_loop SECONDS`
pub(in super::super) fn delay_loop(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let slot = &mut check.checks.delay_loop;
        timer(
            st,
            MICROSECOND,
            MAX_LONG,
            "delay_loop '{}' is invalid - ignoring",
            slot,
        )
    })
}

/// `warmup SECONDS`
pub(in super::super) fn warmup(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let slot = &mut check.checks.warmup;
        timer(
            st,
            Duration::ZERO,
            MAX_LONG,
            "Invalid warmup connection value '{}'",
            slot,
        )
    })
}

/// `connect_timeout SECONDS`
pub(in super::super) fn connect_timeout(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let slot = &mut check.checks.connect_timeout;
        timer(
            st,
            MICROSECOND,
            MAX_SHORT,
            "connect_timeout {} invalid - ignoring",
            slot,
        )
    })
}

/// `alpha [BOOL]`
pub(in super::super) fn alpha(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| switch(st, "alpha", &mut check.checks.alpha))
}

/// `log_all_failures [BOOL]`
pub(in super::super) fn log_all_failures(draft: &mut Draft, st: &mut Statement<'_>) -> Outcome {
    current(draft, |check| {
        let mut value = None;
        switch(st, "log_all_failures", &mut value)?;
        check.log_all_failures = value.unwrap_or(check.log_all_failures);
        Ok(())
    })
}

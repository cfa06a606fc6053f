//! Owns what is said of a group whose entries have other ports than its servers.
//!
//! Only NAT rewrites a port; with the other methods a packet arrives with the port of the entry that
//! took it, and a port written with the server means nothing. Each entry has its own, so nothing is
//! changed here, only told. Driven by the resolution of services, once the servers of one are known.

use super::super::diag::Class;
use super::super::model::{Forwarding, GroupEntry, RealServer, VirtualServer};
use super::super::reader::Place;
use super::Context;

/// So many lines are said of one service at most: there is one for each pair of an entry and a server.
const MOST: usize = 1_000;

/// What to say of a service by group; `label` is its name, `protocol` that of its servers in log lines.
pub(super) fn tell(
    service: &VirtualServer,
    label: &str,
    protocol: &str,
    place: Place,
    cx: &mut Context<'_>,
) {
    let ported: Vec<&RealServer> = service
        .real_servers
        .iter()
        .map(|server| &**server)
        .filter(|server| server.forwarding != Forwarding::Nat && server.key.port != 0)
        .collect();
    let sorry = service.policy.sorry_server.as_ref().and_then(|sorry| {
        let forwarding = sorry.forwarding.unwrap_or(service.forwarding);
        (forwarding != Forwarding::Nat).then_some(sorry.port?)
    });
    let server = |server: &RealServer| {
        let key = server.key;
        format!("real server [{}]:{protocol}:{}", key.address, key.port)
    };
    let mut lines = Vec::new();
    let marked = |entry: &GroupEntry| matches!(entry, GroupEntry::Fwmark { .. });
    if service.entries.iter().any(marked) {
        let begin = format!("WARNING - fwmark virtual server {label}, ");
        let end = "has port specified - port will be ignored";
        lines.extend(
            ported
                .iter()
                .map(|one| format!("{begin}{} {end}", server(one))),
        );
        lines.extend(sorry.map(|_| format!("{begin}sorry server {end}")));
    }
    for entry in &service.entries {
        let GroupEntry::Addresses { first, last, port } = entry else {
            continue;
        };
        if lines.len() >= MOST {
            break;
        }
        let others = ported.iter().filter(|one| one.key.port != *port);
        let range = if first == last {
            first.to_string()
        } else {
            format!("{first}-{last}")
        };
        lines.extend(others.map(|one| {
            format!(
                "virtual server {label}:[{range},{port}] and {} ports don't match",
                server(one)
            )
        }));
        if sorry.is_some_and(|own| own != *port) {
            lines.push(format!(
                "WARNING - virtual server {label}, sorry server has port specified - port will be ignored"
            ));
        }
    }
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    for line in lines {
        cx.report(Class::General, line, place);
    }
    if more > 0 {
        let message = format!(
            "virtual server {label}: more ports of entries and servers differ; they are not listed"
        );
        cx.report(Class::Advice, message, place);
    }
}

//! `-a`: a line for each address that comes or goes.
//!
//! Owns: the names of links, as the monitor tells them. Never does: judge a change. Driven by:
//! `event_loop`, before the node hears of the change.

use std::collections::BTreeMap;

use super::netlink::Change;
use crate::base::{IfIndex, ident};

/// Whether and how changes of addresses are told.
#[derive(Debug)]
pub(super) struct AddressLog {
    names: Option<BTreeMap<IfIndex, String>>,
}

impl AddressLog {
    /// Tells of changes only if that is wanted.
    pub(super) fn new(wanted: bool) -> Self {
        Self {
            names: wanted.then(BTreeMap::new),
        }
    }

    /// Takes note of a change.
    pub(super) fn note(&mut self, change: &Change) {
        if let Some(line) = self.line(change) {
            log::info!(target: ident::VRRP, "{line}");
        }
    }

    fn line(&mut self, change: &Change) -> Option<String> {
        let names = self.names.as_mut()?;
        match change {
            Change::Link(link) => {
                match &link.state {
                    Some(_) => names.insert(link.index, link.name.clone()),
                    None => names.remove(&link.index),
                };
                None
            }
            Change::Address(address) => {
                let name = names
                    .get(&address.index)
                    .map_or("an interface", String::as_str);
                let what = if address.present {
                    "added to"
                } else {
                    "removed from"
                };
                Some(format!(
                    "Netlink reflector reports IP {} {what} {name}",
                    address.address
                ))
            }
            Change::RoutingGone(..) | Change::RoutingUncertain => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::AddressChange;

    fn address(present: bool) -> Change {
        Change::Address(AddressChange {
            index: IfIndex::new(7).unwrap(),
            address: "192.0.2.9".parse().unwrap(),
            prefix_len: 24,
            secondary: false,
            protocol: 0,
            present,
        })
    }

    // Input: an address that comes and goes, with and without -a. Output: keepalived's lines, none.
    #[test]
    fn addresses_are_told_only_if_that_is_wanted() {
        assert_eq!(AddressLog::new(false).line(&address(true)), None);
        let mut log = AddressLog::new(true);
        log.names = Some([(IfIndex::new(7).unwrap(), "eth0".to_owned())].into());
        assert_eq!(
            log.line(&address(true)).as_deref(),
            Some("Netlink reflector reports IP 192.0.2.9 added to eth0")
        );
        assert_eq!(
            log.line(&address(false)).as_deref(),
            Some("Netlink reflector reports IP 192.0.2.9 removed from eth0")
        );
    }
}

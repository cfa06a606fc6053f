//! What a daemon has been told of its kernel by netlink.
//!
//! Owns: the mirror that the host keeps of links and addresses, so that only changes are passed
//! on, and so that a new list makes up for messages that the kernel dropped. Never does: decide
//! when messages are dropped. Driven by: `world`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keepalived_rs::base::IfIndex;
use keepalived_rs::ops::{AddressChange, LinkChange};

use super::kernel::News;

/// The mirror.
#[derive(Debug, Clone, Default)]
pub struct Monitor {
    links: BTreeMap<IfIndex, LinkChange>,
    addresses: BTreeMap<(IfIndex, IpAddr, u8), AddressChange>,
}

impl Monitor {
    /// Notes a piece of news; returns whether it is any.
    pub fn take(&mut self, news: &News) -> bool {
        match news {
            News::Link(link) if link.state.is_none() => self.links.remove(&link.index).is_some(),
            News::Link(link) => self.links.insert(link.index, link.clone()).as_ref() != Some(link),
            News::RoutingGone(..) => true,
            News::Address(address) => {
                let key = (address.index, address.address, address.prefix_len);
                if address.present {
                    self.addresses.insert(key, address.clone()).as_ref() != Some(address)
                } else {
                    self.addresses.remove(&key).is_some()
                }
            }
        }
    }

    /// What a list of everything changes: what is gone first, addresses before links.
    pub fn relist(&mut self, list: &[News]) -> Vec<News> {
        let mut listed = Self::default();
        for news in list {
            listed.take(news);
        }
        let addresses = self.addresses.iter();
        let addresses = addresses.filter(|(key, _)| !listed.addresses.contains_key(key));
        let addresses = addresses.map(|(_, address)| {
            News::Address(AddressChange {
                present: false,
                ..address.clone()
            })
        });
        let links = self.links.iter();
        let links = links.filter(|(index, _)| !listed.links.contains_key(index));
        let links = links.map(|(_, link)| {
            News::Link(LinkChange {
                state: None,
                ..link.clone()
            })
        });
        let gone: Vec<News> = addresses.chain(links).collect();
        gone.into_iter()
            .chain(list.iter().cloned())
            .filter(|news| self.take(news))
            .collect()
    }
}

//! Checks that rest while the address of their service is elsewhere (`ha_suspend`).
//!
//! Owns: which addresses this host has, and what their coming and going means for checks. A
//! server keeps the state that it had when its checks went to rest, as with keepalived. Driven by:
//! `domain` and `reload`.

use std::net::IpAddr;
use std::num::NonZeroU32;

use super::Action;
use super::domain::Domain;
use super::messages::{self, Subject};
use super::service::{Service, ServiceIndex};
use crate::base::{IfIndex, Instant};

impl Domain {
    /// An address of an interface came, or went.
    pub(super) fn address(
        &mut self,
        now: Instant,
        (address, interface): (IpAddr, IfIndex),
        here: bool,
        out: &mut Vec<Action>,
    ) {
        if here {
            self.local.insert((address, interface));
        } else {
            self.local.remove(&(address, interface));
        }
        let here = self.is_here(address);
        let concerned: Vec<ServiceIndex> = self
            .services
            .iter()
            .filter(|(_, service)| service.waits_for() == Some(Some(address)))
            .filter(|(_, service)| service.suspended == here)
            .map(|(index, _)| index)
            .collect();
        for index in concerned {
            self.suspend(now, index, !here, out);
        }
    }

    fn is_here(&self, address: IpAddr) -> bool {
        let mut from = self.local.range((address, IfIndex(NonZeroU32::MIN))..);
        from.next().is_some_and(|(found, _)| *found == address)
    }

    /// Whether the checks of a service have to rest.
    pub(super) fn has_to_rest(&self, service: &Service) -> bool {
        service
            .waits_for()
            .is_some_and(|address| !address.is_some_and(|address| self.is_here(address)))
    }

    /// Lets the checks of a service rest, or go on.
    pub(super) fn suspend(
        &mut self,
        now: Instant,
        index: ServiceIndex,
        rest: bool,
        out: &mut Vec<Action>,
    ) {
        let Some(service) = self.services.get_mut(index) else {
            return;
        };
        service.suspended = rest;
        let servers = std::mem::take(&mut service.servers);
        let key = service.config.key.clone();
        for server in &servers {
            let subject = Subject {
                style: self.style,
                service: &key,
                server: server.key(),
            };
            for (&checker, check) in server.checkers.iter().zip(server.config.checks()) {
                if rest {
                    messages::suspending(subject);
                    self.put_to_rest(checker, out);
                } else {
                    messages::activating(subject);
                    self.schedule_first(now, checker, check);
                }
            }
        }
        if let Some(service) = self.services.get_mut(index) {
            service.servers = servers;
        }
    }
}

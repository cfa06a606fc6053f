//! What a server that comes or goes means for its service.
//!
//! Owns: the order of what is said and asked for: the server, the quorum, the sorry server, the
//! servers that are alive. Never does: decide whether a server is alive (its checks do). Driven by:
//! `domain` and `reload`.

use super::Action;
use super::messages::{self, Subject};
use super::notice;
use super::service::{Quorum, Service};
use crate::conf::model::LogStyle;

impl Service {
    /// The server at `place` has become alive, or has ceased to be.
    pub(super) fn turned(&mut self, style: LogStyle, place: usize, out: &mut Vec<Action>) {
        let Some(server) = self.servers.get(place) else {
            return;
        };
        let (alive, weight) = (server.is_alive(), server.weight);
        let subject = Subject {
            style,
            service: &self.config.key,
            server: server.key(),
        };
        match (alive, server.is_inhibited()) {
            (true, false) => messages::adding(subject),
            (true, true) => messages::enabling(subject),
            (false, false) => messages::removing(subject),
            (false, true) => messages::disabling(subject),
        }
        if self.is_open() {
            self.want_server(place, out);
        }
        out.push(notice::server(self, &server.config, alive));
        let quorum = self.weigh(weight, alive);
        self.quorum_turned(style, quorum, out);
    }

    /// Gives the server at `place` another weight.
    pub(super) fn reweigh(
        &mut self,
        style: LogStyle,
        (place, weight): (usize, u32),
        out: &mut Vec<Action>,
    ) {
        let Some(server) = self.servers.get(place) else {
            return;
        };
        if server.weight == weight {
            return;
        }
        let (alive, before, server) = (server.is_alive(), server.weight, server.key());
        let subject = Subject {
            style,
            service: &self.config.key,
            server,
        };
        messages::changing_weight(subject, before, weight, alive);
        self.set_weight(style, (place, weight), out);
    }

    /// The same without a word of it.
    pub(super) fn set_weight(
        &mut self,
        style: LogStyle,
        (place, weight): (usize, u32),
        out: &mut Vec<Action>,
    ) {
        let Some(server) = self.servers.get_mut(place) else {
            return;
        };
        if std::mem::replace(&mut server.weight, weight) == weight {
            return;
        }
        if server.is_alive() && self.is_open() {
            self.want_server(place, out);
        }
        let quorum = self.recount();
        self.quorum_turned(style, quorum, out);
    }

    /// The quorum was gained or lost: says so, and exchanges the sorry server for the servers.
    pub(super) fn quorum_turned(&mut self, style: LogStyle, quorum: Quorum, out: &mut Vec<Action>) {
        if quorum == Quorum::Same {
            return;
        }
        messages::quorum(style, self, quorum);
        out.push(notice::quorum(self, self.quorum_up, notice::Came::Since));
        if self.sorry().is_none() {
            return;
        }
        self.say_sorry(style);
        // New destinations come before old ones go.
        if quorum == Quorum::Lost {
            self.want_sorry(out);
        }
        for place in 0..self.servers.len() {
            let alive = |server: &super::service::Server| server.is_alive();
            if self.servers.get(place).is_some_and(alive) {
                self.want_server(place, out);
            }
        }
        if quorum == Quorum::Gained {
            self.want_sorry(out);
        }
    }

    /// Says that the sorry server takes the place of the servers, or they its.
    pub(super) fn say_sorry(&self, style: LogStyle) {
        let (Some(sorry), Some(server)) = (self.sorry(), self.sorry_key()) else {
            return;
        };
        let subject = Subject {
            style,
            service: &self.config.key,
            server,
        };
        messages::sorry(subject, self.quorum_up, sorry.inhibit);
        messages::alive_servers(subject, self.quorum_up);
    }

    fn want_server(&self, place: usize, out: &mut Vec<Action>) {
        let Some(server) = self.servers.get(place) else {
            return;
        };
        let wanted = (server.address(), self.destination(place));
        self.under_each_name(wanted, server.config.forwarding, |name, address, wanted| {
            out.push(Action::WantDestination(name, address, wanted));
        });
    }

    fn want_sorry(&self, out: &mut Vec<Action>) {
        let Some(key) = self.sorry_key() else {
            return;
        };
        let address = std::net::SocketAddr::new(key.address, key.port);
        let wanted = (address, self.sorry_destination());
        self.under_each_name(wanted, self.sorry_forwarding(), |name, address, wanted| {
            out.push(Action::WantDestination(name, address, wanted));
        });
    }
}

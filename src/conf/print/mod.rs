//! A model as the text of a configuration.
//!
//! Owns: the text that means what a model says, with every default written out; reading it gives
//! the model again, which a property test holds it to. Never does: keep the form of the file that
//! the model came from, nor what was set aside when it was read. Driven by: `check --print`.

mod check;
mod global;
mod routing;
mod vrrp;

use super::model::options::{LinkPoll, LinkSettings};
use super::model::{BfdAudience, BfdInstance, Config, TlsClient};
use crate::base::Duration;

/// The text of a configuration. Bytes that are no text are mapped as in the reader;
/// [`super::source::to_bytes`] gives them back.
#[must_use]
pub fn print(config: &Config) -> String {
    let mut out = Printer::default();
    global::settings(&mut out, &config.global);
    if let Some(tls) = &config.tls {
        out.tls(tls);
    }
    for session in &config.bfd_instances {
        out.bfd(session);
    }
    vrrp::trackers(&mut out, &config.trackers);
    for group in &config.sync_groups {
        vrrp::group(&mut out, group);
    }
    links(&mut out, &config.links);
    routing::statics(&mut out, &config.statics);
    for instance in &config.vrrp_instances {
        vrrp::instance(&mut out, instance);
    }
    for group in &config.server_groups {
        check::server_group(&mut out, group);
    }
    for service in &config.virtual_servers {
        check::service(&mut out, service);
    }
    out.text
}

/// What is said of interfaces outside of any instance.
fn links(out: &mut Printer, links: &LinkSettings) {
    for group in &links.garp_groups {
        out.block("garp_group", |out| {
            out.value("garp_interval", group.garp_interval.map(seconds));
            out.value("gna_interval", group.gna_interval.map(seconds));
            out.list(
                "interfaces",
                group.interfaces.iter().map(|name| quoted(name)),
            );
        });
    }
    let polled = links.polled.iter().map(|(name, poll)| {
        let how = match poll {
            LinkPoll::Any => "",
            LinkPoll::Mii => " MII",
            LinkPoll::Ethtool => " ETHTOOL",
            LinkPoll::Ioctl => " IOCTL",
        };
        format!("{}{how}", quoted(name))
    });
    out.list("linkbeat_interfaces", polled);
    let delays = links.delays.iter().map(|delay| {
        let (down, up) = (seconds(delay.down), seconds(delay.up));
        format!("{} {down} {up}", quoted(&delay.interface))
    });
    out.list("interface_up_down_delays", delays);
}

/// The text so far, and how deep it is in blocks.
#[derive(Default)]
struct Printer {
    text: String,
    depth: usize,
}

impl Printer {
    /// A line.
    fn line(&mut self, line: impl AsRef<str>) {
        for _ in 0..self.depth {
            self.text.push_str("    ");
        }
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// A line, if there is a value for it.
    fn value<T: ToString>(&mut self, keyword: &str, value: Option<T>) {
        if let Some(value) = value {
            self.line(format!("{keyword} {}", value.to_string()));
        }
    }

    /// A line with a word that may need quotes.
    fn word(&mut self, keyword: &str, value: Option<&String>) {
        self.value(keyword, value.map(|word| quoted(word)));
    }

    /// A keyword, if it is said.
    fn flag(&mut self, keyword: &str, said: bool) {
        if said {
            self.line(keyword);
        }
    }

    /// A switch, if it is said.
    fn switch(&mut self, keyword: &str, value: Option<bool>) {
        self.value(keyword, value.map(on_or_off));
    }

    /// A block.
    fn block(&mut self, head: impl AsRef<str>, inner: impl FnOnce(&mut Self)) {
        self.line(format!("{} {{", head.as_ref()));
        self.depth += 1;
        inner(self);
        self.depth -= 1;
        self.line("}");
    }

    /// A block of lines, if there are any.
    fn list(&mut self, head: &str, lines: impl IntoIterator<Item = String>) {
        let mut lines = lines.into_iter().peekable();
        if lines.peek().is_some() {
            self.block(head, |out| lines.for_each(|line| out.line(line)));
        }
    }

    fn tls(&mut self, tls: &TlsClient) {
        self.block("SSL", |out| {
            out.word("password", tls.password.as_ref());
            out.word("ca", tls.ca.as_ref());
            out.word("certificate", tls.certificate.as_ref());
            out.word("key", tls.key.as_ref());
        });
    }

    fn bfd(&mut self, session: &BfdInstance) {
        self.block(format!("bfd_instance {}", quoted(&session.name)), |out| {
            out.line(format!("neighbor_ip {}", session.neighbor));
            out.value("source_ip", session.source);
            out.line(format!("min_rx {}", milliseconds(session.min_rx)));
            out.line(format!("min_tx {}", milliseconds(session.min_tx)));
            out.line(format!("idle_tx {}", milliseconds(session.idle_tx)));
            out.line(format!("multiplier {}", session.multiplier));
            let ttl = if session.neighbor.is_ipv6() {
                "hoplimit"
            } else {
                "ttl"
            };
            out.line(format!("{ttl} {}", session.ttl));
            let hops = session.max_hops.map_or(-1, i16::from);
            out.line(format!("max_hops {hops}"));
            out.flag("passive", session.passive);
            out.flag("multihop", session.multihop);
            let reverse = if session.reverse { " reverse" } else { "" };
            out.line(format!("weight {}{reverse}", session.weight));
            match session.audience {
                BfdAudience::Both => {}
                BfdAudience::Vrrp => out.line("vrrp"),
                BfdAudience::Checker => out.line("checker"),
            }
        });
    }
}

const fn on_or_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

/// A word, in quotes if it would be something else without.
fn quoted(word: &str) -> String {
    let plain = |c: char| !c.is_whitespace() && !matches!(c, '{' | '}' | '#' | '!' | '"');
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("\"{word}\"")
    }
}

/// Seconds with as many decimals as are needed, which is how most times are written.
fn seconds(time: Duration) -> String {
    decimal(time.as_secs(), time.subsec_micros())
}

/// The same in milliseconds.
fn milliseconds(time: Duration) -> String {
    let micros = u64::from(time.subsec_micros());
    let fraction = u32::try_from(micros % 1000).unwrap_or_default();
    decimal(time.as_secs() * 1000 + micros / 1000, fraction * 1000)
}

fn decimal(whole: u64, micros: u32) -> String {
    if micros == 0 {
        return whole.to_string();
    }
    let text = format!("{whole}.{micros:06}");
    text.trim_end_matches('0').to_owned()
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod words {
    use super::*;

    #[test]
    fn times_have_the_decimals_they_need() {
        assert_eq!(seconds(Duration::from_secs(5)), "5");
        assert_eq!(seconds(Duration::from_millis(1500)), "1.5");
        assert_eq!(seconds(Duration::from_micros(1)), "0.000001");
        assert_eq!(milliseconds(Duration::from_micros(10_500)), "10.5");
    }

    #[test]
    fn words_are_quoted_where_they_have_to_be() {
        assert_eq!(quoted("eth0"), "eth0");
        assert_eq!(quoted("a b"), "\"a b\"");
        assert_eq!(quoted(""), "\"\"");
        assert_eq!(quoted("a#b"), "\"a#b\"");
    }
}

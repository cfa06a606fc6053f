//! The ground that a configuration needs: a host with the interfaces that it names.
//!
//! Owns the guess which words of a file are interfaces and which addresses must be on them, as the
//! recorded verdicts had it: a veth for each interface, with one IPv4 address, and the source
//! addresses of adverts. It reads the file on its own account, roughly, so that the ground does not
//! depend on the reader that is tested. Files with equal ground share a host. Driven by
//! [`super::survey`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Entry;
use crate::bed::{Host, Result};

/// Words that an interface follows.
const BEFORE: [&str; 7] = [
    "interface",
    "dev",
    "oif",
    "iif",
    "default_interface",
    "lvs_sync_daemon_interface",
    "lvs_sync_daemon",
];
/// Blocks whose lines begin with an interface.
const LISTS: [&str; 4] = [
    "track_interface",
    "interfaces",
    "linkbeat_interfaces",
    "interface_up_down_delays",
];

/// Interfaces by name with the source addresses on them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ground {
    interfaces: BTreeMap<String, BTreeSet<IpAddr>>,
}

impl Ground {
    /// The ground of a file; what the recorded messages call missing is left out.
    #[must_use]
    pub fn of(entry: &Entry, text: &str) -> Self {
        let mut scan = Scan {
            absent: absent(entry),
            ..Scan::default()
        };
        let mut definitions = BTreeMap::new();
        for line in text.lines() {
            let line = line.split(['#', '!']).next().unwrap_or_default();
            let line = expand(&used(line), &definitions);
            if let Some((name, value)) = definition(&line) {
                definitions.insert(name, value);
                continue;
            }
            for piece in pieces(&line) {
                scan.piece(&piece);
            }
        }
        scan.end_instance();
        scan.ground
    }

    /// Makes the host.
    ///
    /// # Errors
    /// When the kernel refuses a namespace.
    pub fn build(&self) -> Result<Host> {
        let host = Host::new("node1")?;
        let mut lines = String::new();
        for (index, (name, sources)) in self.interfaces.iter().enumerate() {
            let address = format!("198.{}.{}.1/24", 18 + index / 256, index % 256);
            lines.push_str(&format!(
                "link add {name} type veth peer name far{index}\naddr add {address} dev {name}\n"
            ));
            for source in sources {
                let length = if source.is_ipv4() {
                    "/32"
                } else {
                    "/128 nodad"
                };
                lines.push_str(&format!("addr add {source}{length} dev {name}\n"));
            }
            lines.push_str(&format!("link set {name} up\nlink set far{index} up\n"));
        }
        // A name that the kernel does not take is one that no host has.
        host.run_with_input(&["ip", "-force", "-batch", "-"], &lines)?;
        Ok(host)
    }
}

/// A file as it is gone through.
#[derive(Default)]
struct Scan {
    ground: Ground,
    absent: BTreeSet<String>,
    /// First words of the blocks that are open.
    blocks: Vec<String>,
    /// First word of the last piece: the block's name if a brace follows.
    last: String,
    /// Interface of the instance, and the sources that it names.
    own: Option<String>,
    sources: Vec<IpAddr>,
}

impl Scan {
    fn piece(&mut self, piece: &str) {
        let words: Vec<&str> = piece.split_whitespace().collect();
        let Some(&first) = words.first() else { return };
        match first {
            "{" => return self.blocks.push(std::mem::take(&mut self.last)),
            "}" => return drop(self.blocks.pop()),
            "vrrp_instance" => self.end_instance(),
            _ => {}
        }
        if self
            .blocks
            .last()
            .is_some_and(|block| LISTS.contains(&block.as_str()))
        {
            self.add(first);
        }
        for pair in words.windows(2) {
            let [key, value] = pair else { continue };
            if BEFORE.contains(key) {
                self.add(value);
            }
            match *key {
                "interface" => self.own = Some((*value).to_owned()),
                "unicast_src_ip" | "mcast_src_ip" => self.sources.extend(value.parse::<IpAddr>()),
                _ => {}
            }
        }
        first.clone_into(&mut self.last);
    }

    fn add(&mut self, name: &str) {
        let name = name.trim_matches('"');
        let possible = (1..16).contains(&name.len())
            && !name.contains(['/', ':', '$', '"', '%'])
            && ![".", "..", "lo"].contains(&name);
        if possible && !self.absent.contains(name) {
            self.ground.interfaces.entry(name.to_owned()).or_default();
        }
    }

    /// Puts the source addresses of an instance on its interface, or on any if it has none.
    fn end_instance(&mut self) {
        let interfaces = &mut self.ground.interfaces;
        let name = self.own.take().filter(|name| interfaces.contains_key(name));
        let name = name.or_else(|| interfaces.keys().next().cloned());
        let sources = std::mem::take(&mut self.sources);
        if let Some(addresses) = name.and_then(|name| interfaces.get_mut(&name)) {
            addresses.extend(sources);
        }
    }
}

/// Interfaces that the recorded run did not have.
fn absent(entry: &Entry) -> BTreeSet<String> {
    let messages = entry.messages.0.iter();
    messages
        .filter_map(|message| {
            let text = &message.text;
            let (_, rest) = text.split_once("interface ")?;
            text.contains("doesn't exist")
                .then(|| rest.split_whitespace().next())?
                .map(str::to_owned)
        })
        .collect()
}

/// The line without its condition; nothing if the condition does not hold on a host whose name no
/// file knows.
fn used(line: &str) -> String {
    let line = line.trim_start();
    match line.strip_prefix('@') {
        None => line.to_owned(),
        Some(rest) if rest.starts_with('^') => rest
            .split_once(char::is_whitespace)
            .map_or_else(String::new, |(_, rest)| rest.to_owned()),
        Some(_) => String::new(),
    }
}

/// `$NAME=value`.
fn definition(line: &str) -> Option<(String, String)> {
    let (name, value) = line.trim_start().strip_prefix('$')?.split_once('=')?;
    let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    plain.then(|| (name.to_owned(), value.trim().to_owned()))
}

fn expand(line: &str, definitions: &BTreeMap<String, String>) -> String {
    let mut line = line.to_owned();
    for (name, value) in definitions.iter().rev() {
        line = line.replace(&format!("${{{name}}}"), value);
        // At the beginning it is defined anew.
        let from = usize::from(line.starts_with('$'));
        let (head, tail) = line.split_at(from);
        line = format!("{head}{}", tail.replace(&format!("${name}"), value));
    }
    line
}

/// The line cut at its braces, which are pieces of their own.
fn pieces(line: &str) -> Vec<String> {
    let spaced = line.replace('{', "\n{\n").replace('}', "\n}\n");
    let pieces = spaced
        .lines()
        .map(str::trim)
        .filter(|piece| !piece.is_empty());
    pieces.map(str::to_owned).collect()
}

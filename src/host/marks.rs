//! The nftables table that gives packets for the addresses of groups their marks (`nftables_ipvs`).
//!
//! Owns: which addresses have which mark. Never does: give marks out
//! (`check` does). Driven by: `exec`.
//!
//! The table is keepalived's, rule by rule: for each protocol a map from address and port to a
//! mark, and a chain at the input, which IPVS comes behind, that looks packets up in it. A map is
//! made with its first address, all changes of a turn of the loop in one transaction; the table
//! goes with the last address.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, Emitable as _, NLM_F_APPEND, NLM_F_CREATE};
use netlink_packet_netfilter::nftables::{
    ChainAttribute, ChainMessage, Cmp, DataAttribute, ExpressionAttribute, Expressions, Hook,
    HookNumber, Immediate, InetHookNumber, ListAttribute, Lookup, Meta, MetaKey, NfTablesMessage,
    Operator, Payload, Register, RuleAttribute, RuleMessage, SetAttribute, SetDescription,
    SetElementAttribute, SetElementList, SetElementMessage, SetFlags, SetMessage, TableAttribute,
    TableMessage, Verdict, VerdictAttribute,
};

use super::nftables::Nftables;
use super::sys;
use crate::base::{Family, ident};
use crate::conf::model::{Firewall, OnOff};
use crate::ops::Marked;

/// What keepalived calls the table unless told otherwise.
const TABLE: &str = "keepalived_ipvs";
const CHAIN: &str = "in";
/// `NF_ACCEPT`; and what a rule ends with (`NFT_RETURN`, -5).
const ACCEPT: Verdict = Verdict::Other(1);

/// Types of set keys and data, as `nft` numbers them; a concatenation has six bits for each part.
const IPV4_ADDR: u32 = 7;
const IPV6_ADDR: u32 = 8;
const INET_SERVICE: u32 = 13;
const MARK: u32 = 19;

/// Tells `nft` that marks are numbers of this host: type, length, value in its own notation.
const HOST_BYTE_ORDER: [u8; 6] = if cfg!(target_endian = "little") {
    [1, 4, 1, 0, 0, 0]
} else {
    [1, 4, 0, 0, 0, 1]
};
/// What each element of a set has beside itself.
const NFTA_SET_EXPR: u16 = 17;

/// What of a family's table is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    marks: BTreeMap<Marked, u32>,
    /// Protocols that have their map and rule.
    maps: BTreeSet<u8>,
}

/// The driver.
#[derive(Debug)]
pub(super) struct Marks {
    nftables: Nftables,
    name: String,
    priority: i32,
    counters: bool,
    v4: Table,
    v6: Table,
}

/// The messages of one transaction, with their flags.
struct Batch<'a> {
    name: &'a str,
    priority: i32,
    counters: bool,
    family: Family,
    messages: Vec<(NfTablesMessage, u16)>,
}

type Expression = (&'static str, Expressions);

/// What the table is called.
pub(super) fn table_of(firewall: &Firewall) -> String {
    match &firewall.ipvs {
        OnOff::Named(name) => name.clone(),
        OnOff::Off | OnOff::On => TABLE.to_owned(),
    }
}

impl Marks {
    /// Without a socket, and with no table.
    pub(super) fn new() -> Self {
        Self {
            nftables: Nftables::default(),
            name: TABLE.to_owned(),
            priority: -1,
            counters: false,
            v4: Table::default(),
            v6: Table::default(),
        }
    }

    /// Takes over what the configuration says of the table. One that is there stays as it is.
    pub(super) fn take_on(&mut self, firewall: &Firewall) {
        if !self.v4.marks.is_empty() || !self.v6.marks.is_empty() {
            return;
        }
        self.name = table_of(firewall);
        self.priority = firewall.ipvs_priority;
        self.counters = firewall.counters;
    }

    /// Whether there is a table of this family.
    pub(super) fn has_table(&self, family: Family) -> bool {
        let table = match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        };
        !table.marks.is_empty()
    }

    /// Gives these addresses their marks, or takes them away. What the kernel refuses is said and
    /// changes nothing: it takes a transaction whole or not at all.
    pub(super) fn set(&mut self, changes: &[(Marked, Option<u32>)], buffer: &mut [u8]) {
        for family in [Family::V4, Family::V6] {
            let of_family = changes
                .iter()
                .filter(|(marked, _)| Family::of(marked.first) == family);
            let of_family: Vec<_> = of_family.copied().collect();
            if of_family.is_empty() {
                continue;
            }
            let before = match family {
                Family::V4 => &self.v4,
                Family::V6 => &self.v6,
            };
            let mut after = before.clone();
            for (marked, mark) in &of_family {
                match mark {
                    Some(mark) => drop(after.marks.insert(*marked, *mark)),
                    None => drop(after.marks.remove(marked)),
                }
            }
            let mut batch = Batch {
                name: &self.name,
                priority: self.priority,
                counters: self.counters,
                family,
                messages: Vec::new(),
            };
            batch.between(before, &mut after);
            let errno = self.nftables.send(family, &batch.messages, buffer);
            if errno == 0 {
                *(match family {
                    Family::V4 => &mut self.v4,
                    Family::V6 => &mut self.v6,
                }) = after;
            } else {
                log::error!(
                    target: ident::CHECK,
                    "nftables: the kernel refuses the marks of virtual_server_groups: {}. Their \
                     packets do not reach IPVS; load nf_tables, or leave nftables_ipvs out and restart",
                    sys::error_text(errno)
                );
            }
        }
    }
}

impl Batch<'_> {
    /// What leads from one state to the other; what has to be made is noted in `after`.
    fn between(&mut self, before: &Table, after: &mut Table) {
        if before.marks == after.marks {
            return;
        }
        if after.marks.is_empty() {
            after.maps.clear();
            self.push(NfTablesMessage::DeleteTable(self.table()), 0);
            return;
        }
        if before.marks.is_empty() {
            // One of that name is a crashed run's, or that of the daemon before this one.
            self.push(NfTablesMessage::NewTable(self.table()), NLM_F_CREATE);
            self.push(NfTablesMessage::DeleteTable(self.table()), 0);
            self.push(NfTablesMessage::NewTable(self.table()), NLM_F_CREATE);
            self.chain();
        }
        for (marked, mark) in &before.marks {
            if after.marks.get(marked) != Some(mark) {
                self.element(marked, None);
            }
        }
        for (marked, mark) in &after.marks {
            if before.marks.get(marked) == Some(mark) {
                continue;
            }
            if after.maps.insert(marked.protocol) {
                self.map(marked.protocol);
                self.rule(marked.protocol);
            }
            self.element(marked, Some(*mark));
        }
    }

    fn push(&mut self, message: NfTablesMessage, flags: u16) {
        self.messages.push((message, flags));
    }

    fn table(&self) -> TableMessage {
        TableMessage {
            attributes: vec![TableAttribute::Name(self.name.to_owned())],
        }
    }

    fn chain(&mut self) {
        let hook = vec![
            Hook::Number(HookNumber::Inet(InetHookNumber::LocalIn)),
            Hook::Priority(self.priority.cast_unsigned()),
        ];
        let attributes = vec![
            ChainAttribute::Table(self.name.to_owned()),
            ChainAttribute::Name(CHAIN.to_owned()),
            ChainAttribute::Hook(hook),
            ChainAttribute::Policy(ACCEPT.into()),
            ChainAttribute::Type("filter".to_owned()),
        ];
        self.push(
            NfTablesMessage::NewChain(ChainMessage { attributes }),
            NLM_F_CREATE,
        );
    }

    fn map(&mut self, protocol: u8) {
        let (kind, len) = match self.family {
            Family::V4 => (IPV4_ADDR, 4),
            Family::V6 => (IPV6_ADDR, 16),
        };
        let field = |len: u32| nest(1, &nla(1, &len.to_be_bytes()));
        // The kernel wants an id; a number of the batch will do.
        let id = u32::try_from(self.messages.len()).unwrap_or(0) + 1;
        let mut attributes = vec![
            SetAttribute::Table(self.name.to_owned()),
            SetAttribute::Name(map_of(protocol)),
            SetAttribute::Flags(SetFlags::Interval | SetFlags::Map | SetFlags::Concat),
            SetAttribute::KeyType((kind << 6) | INET_SERVICE),
            SetAttribute::KeyLen(len + 4),
            SetAttribute::DataType(MARK),
            SetAttribute::DataLen(4),
            SetAttribute::Description(vec![SetDescription::Concat(vec![field(len), field(2)])]),
            SetAttribute::Id(id),
            SetAttribute::UserData(HOST_BYTE_ORDER.to_vec()),
        ];
        if self.counters {
            attributes.push(SetAttribute::Other(nest(
                NFTA_SET_EXPR,
                &nla(1, b"counter\0"),
            )));
        }
        self.push(
            NfTablesMessage::NewSet(SetMessage { attributes }),
            NLM_F_CREATE,
        );
    }

    /// `meta mark set ip daddr . tcp dport map @tcp_map return`
    fn rule(&mut self, protocol: u8) {
        const NETWORK: u32 = 1;
        const TRANSPORT: u32 = 2;
        let (offset, len, behind) = match self.family {
            Family::V4 => (16, 4, Register::Reg32_01),
            Family::V6 => (24, 16, Register::Reg2),
        };
        let mut expressions = vec![
            meta(vec![
                Meta::Key(MetaKey::L4Proto),
                Meta::DestinationRegister(Register::Reg1),
            ]),
            equals(protocol),
            payload(Register::Reg1, NETWORK, (offset, len)),
            payload(behind, TRANSPORT, (2, 2)),
            (
                "lookup",
                Expressions::Lookup(vec![
                    Lookup::Set(map_of(protocol)),
                    Lookup::SourceRegister(Register::Reg1),
                    Lookup::DestinationRegister(Register::Reg1),
                ]),
            ),
            meta(vec![
                Meta::Key(MetaKey::Mark),
                Meta::SourceRegister(Register::Reg1),
            ]),
        ];
        expressions.push((
            "immediate",
            Expressions::Immediate(vec![
                Immediate::DestinationRegister(Register::Verdict),
                Immediate::Data(DataAttribute::Verdict(vec![VerdictAttribute::Code(
                    Verdict::Return,
                )])),
            ]),
        ));
        let expressions = expressions.into_iter().map(|(name, data)| {
            ListAttribute::Element(vec![
                ExpressionAttribute::Name(name.to_owned()),
                ExpressionAttribute::Data(data),
            ])
        });
        let message = RuleMessage {
            attributes: vec![
                RuleAttribute::Table(self.name.to_owned()),
                RuleAttribute::Chain(CHAIN.to_owned()),
                RuleAttribute::Expressions(expressions.collect()),
            ],
        };
        self.push(
            NfTablesMessage::NewRule(message),
            NLM_F_CREATE | NLM_F_APPEND,
        );
    }

    fn element(&mut self, marked: &Marked, mark: Option<u32>) {
        let mut element = vec![
            SetElementAttribute::Key(DataAttribute::Value(key(marked.first, marked.port))),
            SetElementAttribute::KeyEnd(vec![nla(1, &key(marked.last, marked.port))]),
        ];
        element.extend(mark.map(|mark| {
            SetElementAttribute::Data(DataAttribute::Value(mark.to_ne_bytes().to_vec()))
        }));
        let message = SetElementMessage {
            attributes: vec![
                SetElementList::Table(self.name.to_owned()),
                SetElementList::Set(map_of(marked.protocol)),
                SetElementList::Elements(vec![ListAttribute::Element(element)]),
            ],
        };
        if mark.is_some() {
            self.push(NfTablesMessage::NewSetElement(message), NLM_F_CREATE);
        } else {
            self.push(NfTablesMessage::DeleteSetElement(message), 0);
        }
    }
}

fn map_of(protocol: u8) -> String {
    let name = match protocol {
        6 => "tcp",
        17 => "udp",
        _ => "sctp",
    };
    format!("{name}_map")
}

/// Address and port, each filled up to whole words.
fn key(address: IpAddr, port: u16) -> Vec<u8> {
    let mut key = match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    key.extend(port.to_be_bytes());
    key.extend([0, 0]);
    key
}

fn nla(kind: u16, value: &[u8]) -> DefaultNla {
    DefaultNla::new(kind, value.to_vec())
}

/// An attribute that holds another.
fn nest(kind: u16, inner: &DefaultNla) -> DefaultNla {
    const NLA_F_NESTED: u16 = 0x8000;
    let mut bytes = vec![0; inner.buffer_len()];
    inner.emit(&mut bytes);
    DefaultNla::new(kind | NLA_F_NESTED, bytes)
}

fn meta(attributes: Vec<Meta>) -> Expression {
    ("meta", Expressions::Meta(attributes))
}

fn equals(protocol: u8) -> Expression {
    let attributes = vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(Operator::Equal),
        Cmp::Data(DataAttribute::Value(vec![protocol])),
    ];
    ("cmp", Expressions::Cmp(attributes))
}

fn payload(register: Register, base: u32, (offset, len): (u32, u32)) -> Expression {
    let attributes = vec![
        Payload::DestinationRegister(register),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(len),
    ];
    ("payload", Expressions::Payload(attributes))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn marked(first: &str, last: &str, port: u16, protocol: u8) -> Marked {
        Marked {
            first: first.parse().unwrap(),
            last: last.parse().unwrap(),
            port,
            protocol,
        }
    }

    // Runs against the nftables of a network namespace of its own. Input: addresses and ranges of
    // both families. Output: the ruleset that keepalived 2.2.7 makes of the same, as `nft` prints
    // it; what goes is not there any more, and the table goes with the last address.
    #[test]
    fn the_table_is_that_of_keepalived() {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            println!("skipped: no network namespace of its own: {error}");
            return;
        }
        let list = || {
            let output = Command::new("nft").args(["list", "ruleset"]).output();
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        };
        if list().is_err() {
            println!("skipped: no nft here");
            return;
        }
        let mut buffer = vec![0; 32 * 1024];
        let mut marks = Marks::new();
        let first = marked("10.9.1.1", "10.9.1.1", 80, 6);
        let range = marked("10.9.1.7", "10.9.1.9", 0, 17);
        let v6 = marked("2001:db8::7", "2001:db8::9", 80, 6);
        let all = [(first, Some(1000)), (range, Some(1001)), (v6, Some(1002))];
        marks.set(&all, &mut buffer);
        let expected = "table ip keepalived_ipvs {
	map tcp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 10.9.1.1 . 80 : 0x000003e8 }
	}

	map udp_map {
		type ipv4_addr . inet_service : mark
		flags interval
		elements = { 10.9.1.7-10.9.1.9 . 0 : 0x000003e9 }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip daddr . tcp dport map @tcp_map return
		meta mark set ip daddr . udp dport map @udp_map return
	}
}
table ip6 keepalived_ipvs {
	map tcp_map {
		type ipv6_addr . inet_service : mark
		flags interval
		elements = { 2001:db8::7-2001:db8::9 . 80 : 0x000003ea }
	}

	chain in {
		type filter hook input priority filter - 1; policy accept;
		meta mark set ip6 daddr . tcp dport map @tcp_map return
	}
}
";
        assert_eq!(list().unwrap(), expected);
        marks.set(&[(range, None), (v6, None)], &mut buffer);
        let listed = list().unwrap();
        assert!(
            !listed.contains("10.9.1.7") && !listed.contains("ip6"),
            "{listed}"
        );
        marks.set(&[(first, None)], &mut buffer);
        assert_eq!(list().unwrap(), "");
    }
}

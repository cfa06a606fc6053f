//! The nftables table that keeps traffic from virtual addresses, and multicast reports off VMACs.
//!
//! Owns: what of the table is there already. Never does: decide
//! what is dropped. Driven by: `exec`.
//!
//! The table is keepalived's, part by part and rule by rule, so that an operator finds what he
//! knows: sets of addresses that are looked up in chains at priority -1, and a map from a VMAC to
//! the interface below it, by which membership reports leave (RFC 9568 §8.3.2: a VMAC is for
//! routers only). A part is made when its first element comes, in one transaction with it; the
//! table goes with the last element.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use netlink_packet_core::{DefaultNla, NLM_F_APPEND, NLM_F_CREATE};
use netlink_packet_netfilter::nftables::{
    Bitwise, ChainAttribute, ChainMessage, Cmp, DataAttribute, ExpressionAttribute, Expressions,
    Hook, HookNumber, Immediate, InetHookNumber, ListAttribute, Lookup, Meta, MetaKey,
    NfTablesMessage, Operator, Payload, Register, RuleAttribute, RuleMessage, SetAttribute,
    SetElementAttribute, SetElementList, SetElementMessage, SetFlags, SetMessage, TableAttribute,
    TableMessage, Verdict, VerdictAttribute,
};

use super::nftables::Nftables;
use crate::base::{Family, IfIndex, ident};
use crate::conf::model::{self, OnOff};
use crate::ops::{Blocked, FirewallOp};

/// What keepalived calls its table unless told otherwise.
pub(super) const TABLE: &str = "keepalived";

/// How the table looks: `nftables`, `nftables_priority`, `nftables_counters`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Style {
    /// The name of the table.
    pub(super) table: String,
    /// Of the chains; -1 is just before the filters of the administrator.
    priority: i32,
    /// Rules count what they decide.
    counters: bool,
    /// Memberships are not reported over IPv4 (`disable_local_igmp`): there is nothing to send on.
    no_reports: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self::of(&model::Global::default())
    }
}

impl Style {
    /// As configured.
    pub(super) fn of(global: &model::Global) -> Self {
        let settings = &global.firewall;
        Self {
            table: match &settings.nftables {
                OnOff::Named(table) => table.clone(),
                OnOff::On | OnOff::Off => TABLE.to_owned(),
            },
            priority: settings.priority,
            counters: settings.counters,
            no_reports: global.interfaces.no_local_igmp,
        }
    }
}

/// `NF_DROP`, `NF_ACCEPT`.
const DROP: Verdict = Verdict::Other(0);
const ACCEPT: Verdict = Verdict::Other(1);

const VIPS: &str = "vips";
const VIPS_LINK_LOCAL: &str = "vips_link_local";
const NEIGHBOR_DISCOVERY: &str = "neighbor-discovery";
const VMAC_MAP: &str = "vmac_map";
const VMAC_SET: &str = "vmac_set";

const IPPROTO_IGMP: u8 = 2;
const IPPROTO_ICMPV6: u8 = 58;
const MLD2_LISTENER_REPORT: u8 = 143;
const ND_ROUTER_SOLICIT: u8 = 133;
const ND_NEIGHBOR_SOLICIT: u8 = 135;
const ND_NEIGHBOR_ADVERT: u8 = 136;

/// Types of set keys, as `nft` numbers them; they only help it to print a set.
mod key_type {
    pub(super) const IPV4_ADDR: u32 = 7;
    pub(super) const IPV6_ADDR: u32 = 8;
    pub(super) const IFACE_INDEX: u32 = 20;
    pub(super) const ICMPV6: u32 = 29;
    /// A concatenation has six bits for each part.
    pub(super) const IPV6_ADDR_AND_IFACE: u32 = (IPV6_ADDR << 6) | IFACE_INDEX;
}

/// What of a family's table is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Table {
    /// The table with its two base chains.
    made: bool,
    /// The set of addresses with its rules.
    addresses: bool,
    /// The map of VMACs with its rules.
    vmacs: bool,
    blocked: BTreeSet<Blocked>,
    below: BTreeMap<IfIndex, IfIndex>,
}

impl Table {
    /// What leads to it from nothing.
    fn operations(&self, family: Family) -> impl Iterator<Item = FirewallOp> {
        let blocked = self.blocked.iter().copied().map(FirewallOp::Block);
        let below = self.below.iter();
        let below =
            below.map(move |(&vmac, &base)| FirewallOp::ReportsBelow { vmac, base, family });
        blocked.chain(below)
    }

    fn is_empty(&self) -> bool {
        self.blocked.is_empty() && self.below.is_empty()
    }
}

/// The driver.
#[derive(Debug)]
pub(super) struct Firewall {
    nftables: Nftables,
    style: Style,
    v4: Table,
    v6: Table,
}

/// The messages of one transaction, with their flags.
struct Batch<'a> {
    family: Family,
    style: &'a Style,
    messages: Vec<(NfTablesMessage, u16)>,
}

impl Firewall {
    /// Without a socket, and with no table.
    pub(super) fn new() -> Self {
        Self {
            nftables: Nftables::default(),
            style: Style::default(),
            v4: Table::default(),
            v6: Table::default(),
        }
    }

    /// Carries out one operation; the error number, 0 for success. What the kernel refuses changes
    /// nothing: it takes a transaction whole or not at all.
    pub(super) fn carry_out(&mut self, op: &FirewallOp, buffer: &mut [u8]) -> i32 {
        let mut after = self.table(op.family()).clone();
        self.change(op.family(), buffer, |batch| {
            batch.step(&mut after, op);
            after
        })
    }

    /// Takes over how the table is to look. Tables that are there already are made anew, each in
    /// one transaction, so that nothing gets through meanwhile. Their name stays what it was: it
    /// holds from the start on.
    pub(super) fn take_on(&mut self, global: &model::Global, buffer: &mut [u8]) {
        let mut style = Style::of(global);
        if self.v4.made || self.v6.made {
            style.table.clone_from(&self.style.table);
            style.no_reports = self.style.no_reports;
        }
        if style == self.style {
            return;
        }
        self.style = style;
        for family in [Family::V4, Family::V6] {
            let before = self.table(family).clone();
            if !before.made {
                continue;
            }
            let errno = self.change(family, buffer, |batch| {
                let mut after = Table::default();
                for op in before.operations(family) {
                    batch.step(&mut after, &op);
                }
                after
            });
            if errno != 0 {
                let (name, why) = (&self.style.table, super::sys::error_text(errno));
                log::error!(
                    target: ident::VRRP,
                    "the nftables table {name} cannot be made anew with other settings: {why} - \
                     it stays as it is"
                );
            }
        }
    }

    const fn table(&self, family: Family) -> &Table {
        match family {
            Family::V4 => &self.v4,
            Family::V6 => &self.v6,
        }
    }

    /// Sends what `fill` puts into a transaction; the table is then what it returns.
    fn change(
        &mut self,
        family: Family,
        buffer: &mut [u8],
        fill: impl FnOnce(&mut Batch<'_>) -> Table,
    ) -> i32 {
        let style = self.style.clone();
        let mut batch = Batch {
            family,
            style: &style,
            messages: Vec::new(),
        };
        let after = fill(&mut batch);
        if batch.messages.is_empty() {
            return 0;
        }
        let errno = self.nftables.send(family, &batch.messages, buffer);
        if errno == 0 {
            *(match family {
                Family::V4 => &mut self.v4,
                Family::V6 => &mut self.v6,
            }) = after;
        }
        errno
    }

    /// Whether the table of a family is there.
    pub(super) const fn has_table(&self, family: Family) -> bool {
        match family {
            Family::V4 => self.v4.made,
            Family::V6 => self.v6.made,
        }
    }

    /// Removes the table of a family, whoever made it; for those who clean up.
    pub(super) fn remove_table(name: &str, family: Family, buffer: &mut [u8]) -> i32 {
        let mut firewall = Self::new();
        name.clone_into(&mut firewall.style.table);
        firewall.change(family, buffer, |batch| {
            batch.push(NfTablesMessage::DeleteTable(batch.named()), 0);
            Table::default()
        })
    }
}

impl Batch<'_> {
    /// What leads to the state after `op`, and that state.
    fn step(&mut self, table: &mut Table, op: &FirewallOp) {
        match op {
            FirewallOp::Block(blocked) => {
                if table.blocked.insert(*blocked) {
                    self.make_table(table);
                    self.make_addresses(table);
                    self.element(true, set_of(*blocked), key_of(*blocked), None);
                }
            }
            FirewallOp::Unblock(blocked) => {
                if table.blocked.remove(blocked) && !self.end_if_empty(table) {
                    self.element(false, set_of(*blocked), key_of(*blocked), None);
                }
            }
            FirewallOp::ReportsBelow {
                family: Family::V4, ..
            } if self.style.no_reports => {}
            FirewallOp::ReportsBelow { vmac, base, .. } => {
                if table.below.insert(*vmac, *base).is_none() {
                    self.make_table(table);
                    self.make_vmacs(table);
                    self.vmac(true, *vmac, Some(*base));
                }
            }
            FirewallOp::ForgetVmac { vmac, .. } => {
                if table.below.remove(vmac).is_some() && !self.end_if_empty(table) {
                    self.vmac(false, *vmac, None);
                }
            }
        }
    }

    fn named(&self) -> TableMessage {
        TableMessage {
            attributes: vec![TableAttribute::Name(self.style.table.clone())],
        }
    }

    fn push(&mut self, message: NfTablesMessage, flags: u16) {
        self.messages.push((message, flags));
    }

    /// A table of that name that is there already is a crashed run's: it is replaced.
    fn make_table(&mut self, table: &mut Table) {
        if std::mem::replace(&mut table.made, true) {
            return;
        }
        self.push(NfTablesMessage::NewTable(self.named()), NLM_F_CREATE);
        self.push(NfTablesMessage::DeleteTable(self.named()), 0);
        self.push(NfTablesMessage::NewTable(self.named()), NLM_F_CREATE);
        self.chain("out", Some(InetHookNumber::LocalOut));
    }

    fn end_if_empty(&mut self, table: &mut Table) -> bool {
        if table.is_empty() {
            self.push(NfTablesMessage::DeleteTable(self.named()), 0);
            *table = Table::default();
            true
        } else {
            false
        }
    }

    /// The rules that drop what comes from or goes to a virtual address. Neighbour discovery is
    /// let through: without it nobody would find the address at all.
    fn make_addresses(&mut self, table: &mut Table) {
        if std::mem::replace(&mut table.addresses, true) {
            return;
        }
        self.chain("in", Some(InetHookNumber::LocalIn));
        match self.family {
            Family::V4 => {
                self.set(VIPS, key_type::IPV4_ADDR, 4, SetFlags::empty(), None);
                for (chain, offset) in [("out", 12), ("in", 16)] {
                    let mut rule = vec![network(Register::Reg1, offset, 4)];
                    rule.extend([lookup(VIPS, Register::Reg1, None), verdict(DROP)]);
                    self.rule(chain, rule, NLM_F_APPEND);
                }
            }
            Family::V6 => self.make_v6_addresses(),
        }
    }

    fn make_v6_addresses(&mut self) {
        self.set(VIPS, key_type::IPV6_ADDR, 16, SetFlags::empty(), None);
        self.set(
            NEIGHBOR_DISCOVERY,
            key_type::ICMPV6,
            1,
            SetFlags::Constant,
            None,
        );
        for kind in [ND_NEIGHBOR_SOLICIT, ND_NEIGHBOR_ADVERT] {
            self.element(true, NEIGHBOR_DISCOVERY, vec![kind], None);
        }
        let concatenation = key_type::IPV6_ADDR_AND_IFACE;
        self.set(VIPS_LINK_LOCAL, concatenation, 20, SetFlags::empty(), None);
        self.chain("in_link_local", None);
        self.chain("out_link_local", None);
        let sides = [
            ("out", "out_link_local", 8, MetaKey::Oif),
            ("in", "in_link_local", 24, MetaKey::Iif),
        ];
        for (chain, link_local, offset, interface) in sides {
            let mut discovery = icmpv6();
            discovery.push(lookup(NEIGHBOR_DISCOVERY, Register::Reg1, None));
            discovery.push(verdict(ACCEPT));
            self.rule(chain, discovery, NLM_F_APPEND);
            let mut local = vec![network(Register::Reg1, offset, 16)];
            local.extend(under_fe80());
            local.push(go_to(link_local));
            self.rule(chain, local, NLM_F_APPEND);
            let mut rest = vec![network(Register::Reg1, offset, 16)];
            rest.extend([lookup(VIPS, Register::Reg1, None), verdict(DROP)]);
            self.rule(chain, rest, NLM_F_APPEND);
            let mut here = vec![network(Register::Reg1, offset, 16)];
            here.push(meta(interface, Register::Reg2));
            here.push(lookup(VIPS_LINK_LOCAL, Register::Reg1, None));
            here.push(verdict(DROP));
            self.rule(link_local, here, NLM_F_APPEND);
        }
    }

    /// The rules that let membership reports leave by the interface below a VMAC instead: a switch
    /// would learn the virtual MAC address from them. They stand first, whenever they come.
    fn make_vmacs(&mut self, table: &mut Table) {
        if std::mem::replace(&mut table.vmacs, true) {
            return;
        }
        let map = Some((key_type::IFACE_INDEX, 4));
        self.set(VMAC_MAP, key_type::IFACE_INDEX, 4, SetFlags::Map, map);
        let (mut report, destination) = match self.family {
            Family::V4 => {
                let igmp = vec![
                    network(Register::Reg1, 9, 1),
                    equals(Register::Reg1, &[IPPROTO_IGMP]),
                ];
                (igmp, network(Register::Reg1, 16, 4))
            }
            Family::V6 => {
                self.set(VMAC_SET, key_type::IFACE_INDEX, 4, SetFlags::empty(), None);
                let mut solicit = icmpv6();
                solicit.push(equals(Register::Reg1, &[ND_ROUTER_SOLICIT]));
                solicit.extend(leaves_by_macvlan());
                solicit.push(meta(MetaKey::Oif, Register::Reg1));
                solicit.push(lookup(VMAC_SET, Register::Reg1, None));
                solicit.push(verdict(DROP));
                self.rule("out", solicit, 0);
                let mut report = icmpv6();
                report.push(equals(Register::Reg1, &[MLD2_LISTENER_REPORT]));
                (report, network(Register::Reg1, 24, 16))
            }
        };
        report.extend(leaves_by_macvlan());
        report.push(destination);
        report.push(meta(MetaKey::Oif, Register::Reg2));
        report.push(lookup(VMAC_MAP, Register::Reg2, Some(Register::Reg2)));
        report.push(duplicate(Register::Reg1, Register::Reg2));
        report.push(verdict(DROP));
        self.rule("out", report, 0);
    }

    fn vmac(&mut self, add: bool, vmac: IfIndex, base: Option<IfIndex>) {
        let key = vmac.get().to_ne_bytes().to_vec();
        let data = base.map(|base| base.get().to_ne_bytes().to_vec());
        self.element(add, VMAC_MAP, key.clone(), data);
        if self.family == Family::V6 {
            self.element(add, VMAC_SET, key, None);
        }
    }

    fn chain(&mut self, name: &str, hook: Option<InetHookNumber>) {
        let mut attributes = vec![
            ChainAttribute::Table(self.style.table.clone()),
            ChainAttribute::Name(name.to_owned()),
        ];
        if let Some(hook) = hook {
            attributes.push(ChainAttribute::Hook(vec![
                Hook::Number(HookNumber::Inet(hook)),
                Hook::Priority(self.style.priority.cast_unsigned()),
            ]));
            attributes.push(ChainAttribute::Policy(ACCEPT.into()));
            attributes.push(ChainAttribute::Type("filter".to_owned()));
        }
        let message = NfTablesMessage::NewChain(ChainMessage { attributes });
        self.push(message, NLM_F_CREATE);
    }

    fn set(&mut self, name: &str, kind: u32, len: u32, flags: SetFlags, data: Option<(u32, u32)>) {
        let mut attributes = vec![
            SetAttribute::Table(self.style.table.clone()),
            SetAttribute::Name(name.to_owned()),
            SetAttribute::Flags(flags),
            SetAttribute::KeyType(kind),
            SetAttribute::KeyLen(len),
        ];
        if let Some((kind, len)) = data {
            attributes.extend([SetAttribute::DataType(kind), SetAttribute::DataLen(len)]);
        }
        if kind == key_type::IFACE_INDEX {
            attributes.push(SetAttribute::UserData(host_byte_order(data.is_some())));
        }
        // The kernel wants an id; a number of the batch will do.
        let id = u32::try_from(self.messages.len()).unwrap_or(0) + 1;
        attributes.push(SetAttribute::Id(id));
        let message = NfTablesMessage::NewSet(SetMessage { attributes });
        self.push(message, NLM_F_CREATE);
    }

    fn element(&mut self, add: bool, set: &str, key: Vec<u8>, data: Option<Vec<u8>>) {
        let mut element = vec![SetElementAttribute::Key(DataAttribute::Value(key))];
        element.extend(data.map(|data| SetElementAttribute::Data(DataAttribute::Value(data))));
        let message = SetElementMessage {
            attributes: vec![
                SetElementList::Table(self.style.table.clone()),
                SetElementList::Set(set.to_owned()),
                SetElementList::Elements(vec![ListAttribute::Element(element)]),
            ],
        };
        if add {
            self.push(NfTablesMessage::NewSetElement(message), NLM_F_CREATE);
        } else {
            self.push(NfTablesMessage::DeleteSetElement(message), 0);
        }
    }

    /// A rule at the end of a chain (`NLM_F_APPEND`) or at its beginning (0).
    fn rule(&mut self, chain: &str, expressions: Vec<(&str, Expressions)>, place: u16) {
        let mut expressions = expressions;
        if self.style.counters {
            // Before the verdict, which is last.
            let last = expressions.len().saturating_sub(1);
            expressions.insert(last, counter());
        }
        let expressions = expressions
            .into_iter()
            .map(|(name, data)| {
                ListAttribute::Element(vec![
                    ExpressionAttribute::Name(name.to_owned()),
                    ExpressionAttribute::Data(data),
                ])
            })
            .collect();
        let message = NfTablesMessage::NewRule(RuleMessage {
            attributes: vec![
                RuleAttribute::Table(self.style.table.clone()),
                RuleAttribute::Chain(chain.to_owned()),
                RuleAttribute::Expressions(expressions),
            ],
        });
        self.push(message, NLM_F_CREATE | place);
    }
}

/// Tells `nft` that keys, and data if there are any, are numbers of this host, so that it prints
/// interfaces by their names. Its own notation: type, length, value for each.
fn host_byte_order(data: bool) -> Vec<u8> {
    const KEY: u8 = 0;
    const DATA: u8 = 1;
    const HOST_ENDIAN: u32 = 1;
    let mut notes = Vec::new();
    for kind in std::iter::once(KEY).chain(data.then_some(DATA)) {
        notes.extend([kind, 4]);
        notes.extend(HOST_ENDIAN.to_ne_bytes());
    }
    notes
}

/// Link-local addresses mean something on one link only.
const fn set_of(blocked: Blocked) -> &'static str {
    match blocked.on {
        Some(_) => VIPS_LINK_LOCAL,
        None => VIPS,
    }
}

fn key_of(blocked: Blocked) -> Vec<u8> {
    let mut key = match blocked.address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    key.extend(blocked.on.into_iter().flat_map(|on| on.get().to_ne_bytes()));
    key
}

/// `NFT_PAYLOAD_NETWORK_HEADER`, `NFT_PAYLOAD_TRANSPORT_HEADER`.
const NETWORK: u32 = 1;
const TRANSPORT: u32 = 2;

fn payload(register: Register, base: u32, offset: u32, len: u32) -> (&'static str, Expressions) {
    let attributes = vec![
        Payload::DestinationRegister(register),
        Payload::Base(base),
        Payload::Offset(offset),
        Payload::Len(len),
    ];
    ("payload", Expressions::Payload(attributes))
}

fn network(register: Register, offset: u32, len: u32) -> (&'static str, Expressions) {
    payload(register, NETWORK, offset, len)
}

fn meta(key: MetaKey, register: Register) -> (&'static str, Expressions) {
    let attributes = vec![Meta::Key(key), Meta::DestinationRegister(register)];
    ("meta", Expressions::Meta(attributes))
}

fn equals(register: Register, value: &[u8]) -> (&'static str, Expressions) {
    let attributes = vec![
        Cmp::SourceRegister(register),
        Cmp::Op(Operator::Equal),
        Cmp::Data(DataAttribute::Value(value.to_vec())),
    ];
    ("cmp", Expressions::Cmp(attributes))
}

fn lookup(set: &str, source: Register, target: Option<Register>) -> (&'static str, Expressions) {
    let mut attributes = vec![Lookup::Set(set.to_owned()), Lookup::SourceRegister(source)];
    attributes.extend(target.map(Lookup::DestinationRegister));
    ("lookup", Expressions::Lookup(attributes))
}

fn decide(attributes: Vec<VerdictAttribute>) -> (&'static str, Expressions) {
    let attributes = vec![
        Immediate::DestinationRegister(Register::Verdict),
        Immediate::Data(DataAttribute::Verdict(attributes)),
    ];
    ("immediate", Expressions::Immediate(attributes))
}

fn verdict(code: Verdict) -> (&'static str, Expressions) {
    decide(vec![VerdictAttribute::Code(code)])
}

fn go_to(chain: &str) -> (&'static str, Expressions) {
    let chain = VerdictAttribute::Chain(chain.to_owned());
    decide(vec![VerdictAttribute::Code(Verdict::Goto), chain])
}

/// Counts packets and bytes.
fn counter() -> (&'static str, Expressions) {
    let other = Expressions::Other {
        expression_type: "counter".to_owned(),
        attributes: Vec::new(),
    };
    ("counter", other)
}

/// Leaves the ICMPv6 type in register 1; the kernel looks behind extension headers.
fn icmpv6() -> Vec<(&'static str, Expressions)> {
    vec![
        meta(MetaKey::L4Proto, Register::Reg1),
        equals(Register::Reg1, &[IPPROTO_ICMPV6]),
        payload(Register::Reg1, TRANSPORT, 0, 1),
    ]
}

/// Whether the address in register 1 is in fe80::/10.
fn under_fe80() -> Vec<(&'static str, Expressions)> {
    let wide = |first: [u8; 2]| {
        let mut bytes = vec![0; 16];
        bytes[..2].copy_from_slice(&first);
        DataAttribute::Value(bytes)
    };
    let mask = vec![
        Bitwise::SourceRegister(Register::Reg1),
        Bitwise::DestinationRegister(Register::Reg1),
        Bitwise::Length(16),
        Bitwise::Mask(wide([0xff, 0xc0])),
        Bitwise::Xor(wide([0, 0])),
    ];
    let prefix = vec![
        Cmp::SourceRegister(Register::Reg1),
        Cmp::Op(Operator::Equal),
        Cmp::Data(wide([0xfe, 0x80])),
    ];
    vec![
        ("bitwise", Expressions::Bitwise(mask)),
        ("cmp", Expressions::Cmp(prefix)),
    ]
}

fn leaves_by_macvlan() -> [(&'static str, Expressions); 2] {
    let mut kind = [0; 16];
    kind[..7].copy_from_slice(b"macvlan");
    [
        meta(MetaKey::Oifkind, Register::Reg1),
        equals(Register::Reg1, &kind),
    ]
}

/// `dup to ADDRESS device INTERFACE`; the crate has no form for it.
fn duplicate(address: Register, interface: Register) -> (&'static str, Expressions) {
    const NFTA_DUP_SREG_ADDR: u16 = 1;
    const NFTA_DUP_SREG_DEV: u16 = 2;
    let register = |kind, register: Register| {
        let number = u32::from(register);
        DefaultNla::new(kind, number.to_be_bytes().to_vec())
    };
    let attributes = vec![
        register(NFTA_DUP_SREG_ADDR, address),
        register(NFTA_DUP_SREG_DEV, interface),
    ];
    let other = Expressions::Other {
        expression_type: "dup".to_owned(),
        attributes,
    };
    ("dup", other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked(address: &str) -> FirewallOp {
        let address: IpAddr = address.parse().unwrap();
        let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
        FirewallOp::Block(Blocked {
            address,
            on: link_local.then(|| IfIndex::new(1).unwrap()),
        })
    }

    // Runs against the nftables of a network namespace of its own. Input: addresses of both
    // families and a VMAC, each told twice, then all taken back. Output: every transaction is
    // taken by the kernel; the table comes with the first element and goes with the last, so that
    // removing it once more finds nothing.
    #[test]
    fn the_kernel_takes_every_part_of_the_table() {
        if let Err(error) = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET) {
            println!("skipped: no network namespace of its own: {error}");
            return;
        }
        let mut firewall = Firewall::new();
        let mut buffer = vec![0; 32 * 1024];
        let mut carry_out = |op: FirewallOp| firewall.carry_out(&op, &mut buffer);
        let loopback = IfIndex::new(1).unwrap();
        let blocks = ["192.0.2.1", "192.0.2.2", "2001:db8::1", "fe80::1"].map(blocked);
        for op in blocks.iter().chain(&blocks) {
            assert_eq!(carry_out(*op), 0, "{op:?}");
        }
        for family in [Family::V4, Family::V6] {
            let vmac = FirewallOp::ReportsBelow {
                vmac: loopback,
                base: loopback,
                family,
            };
            assert_eq!(carry_out(vmac), 0, "{vmac:?}");
        }
        for op in blocks {
            let FirewallOp::Block(blocked) = op else {
                continue;
            };
            assert_eq!(carry_out(FirewallOp::Unblock(blocked)), 0, "{blocked:?}");
        }
        for family in [Family::V4, Family::V6] {
            let forget = FirewallOp::ForgetVmac {
                vmac: loopback,
                family,
            };
            assert_eq!(carry_out(forget), 0, "{forget:?}");
            assert_eq!(
                Firewall::remove_table(TABLE, family, &mut vec![0; 4096]),
                libc::ENOENT
            );
        }
    }
}

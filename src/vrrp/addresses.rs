//! Virtual addresses: wanted by the state, against installed as far as this domain knows.
//!
//! Owns: what stands where, and the kernel operations that lead from one to the other. Never
//! does: touch an address that was there before and is not ours to move. Driven by: `instance`
//! at its transitions, `domain` when the kernel refuses an operation.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::ops::Deref;

use super::departed::Former;
use super::fixtures::{Refusal, Wanted};
use super::instance::{Cx, FaultReason, Instance, InstanceId, State, Timer};
use super::links::AddressKey;
use super::messages::{Line, Note, note, say};
use super::own_link::home;
use crate::base::{Blank, Duration, IfIndex, Instant, Shared};
use crate::conf::model::{VirtualAddress, VrrpInstance};
use crate::ops::{AddressSpec, AddressTraits, Effect, KernelOp, OpOwner, OpTag};
use crate::wire::rtnl;

/// The most addresses that are added in one go before they are announced. Groups start with one
/// address and double, so that the first announcement does not wait for the addresses that follow,
/// and a thousand addresses still do not cost a thousand round trips to the kernel.
const GROUP: usize = 64;

/// Where a virtual address stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not in the kernel by our doing.
    Absent,
    /// In the kernel; we take it away again.
    Ours,
    /// In the kernel before us, on an interface whose owner we are: never touched.
    Owned,
    /// The kernel refused it; it is asked again.
    Refused,
    /// Not wanted any more, but the kernel refused to remove it; it is asked again, because an
    /// address on two hosts serves nobody.
    Stuck,
    /// Ours, but somebody else has removed it; it is about to be put back.
    Lost,
}

impl Standing {
    /// Whether the address answers on this host.
    pub(super) const fn is_there(self) -> bool {
        match self {
            Self::Ours | Self::Owned => true,
            Self::Absent | Self::Refused | Self::Stuck | Self::Lost => false,
        }
    }
}

/// The description of an address, which stays where it is in the configuration.
#[derive(Debug)]
pub(super) struct Listed {
    instance: Shared<VrrpInstance>,
    index: usize,
    /// It is not in adverts (`virtual_ipaddress_excluded`).
    pub(super) excluded: bool,
}

impl Deref for Listed {
    type Target = VirtualAddress;

    fn deref(&self) -> &VirtualAddress {
        let list = if self.excluded {
            &self.instance.options.excluded
        } else {
            &self.instance.addresses
        };
        &list[self.index]
    }
}

/// A virtual address of an instance.
#[derive(Debug)]
pub(super) struct Vip {
    pub(super) config: Listed,
    /// Names it in operation tags; never used twice within the instance.
    pub(super) slot: u32,
    /// The interface that carries it, while that exists.
    pub(super) on: Option<IfIndex>,
    pub(super) standing: Standing,
    /// The kernel refused to remove it; it may be there even if its addition is refused as well.
    pub(super) kept: bool,
    /// The refusal that goes on was said.
    pub(super) complained: bool,
}

impl Vip {
    /// The kernel's name for it.
    pub(super) fn key(&self) -> Option<AddressKey> {
        Some(AddressKey {
            on: self.on?,
            address: self.config.address,
            prefix_len: prefix_len(&self.config),
        })
    }

    /// It stands in another way; what it is to the other instances on this host follows.
    fn stand(&mut self, cx: &mut Cx<'_>, id: InstanceId, standing: Standing) {
        self.standing = standing;
        if let Some(key) = self.key() {
            cx.links.hold(key, id, standing.is_there());
        }
    }

    /// The address as it is asked of the kernel.
    pub(super) fn spec(&self) -> Option<AddressSpec> {
        Some(spec(&self.config, self.on?))
    }
}

/// The length of the prefix as the kernel counts it: that of the other end, where there is one.
pub(super) fn prefix_len(config: &VirtualAddress) -> u8 {
    config
        .options
        .peer
        .map_or(config.prefix_len, |peer| peer.len)
}

/// An address of the configuration as it is asked of the kernel, on this interface.
pub(super) fn spec(config: &VirtualAddress, interface: IfIndex) -> AddressSpec {
    let v6 = config.address.is_ipv6();
    let options = &config.options;
    let prefix_len = prefix_len(config);
    // An address of one host (RFC 5798 §8.2.4) is never chosen as a source unless asked for.
    let preferred = options
        .preferred_lifetime
        .or((prefix_len == 128).then_some(0));
    AddressSpec {
        interface,
        address: config.address,
        prefix_len,
        scope: config.scope.0,
        broadcast: config.broadcast,
        label: config.label.clone(),
        more: AddressTraits {
            peer: options.peer.map(|peer| peer.address),
            // The address moved here a moment ago: waiting for duplicate address detection would
            // make it useless for seconds, and the old master may still answer.
            no_detection: v6 && !options.detect_duplicates,
            home: v6 && options.home,
            manage_temporary: v6 && options.manage_temporary,
            no_prefix_route: options.no_prefix_route,
            auto_join: options.auto_join,
            preferred: preferred.filter(|_| v6),
        },
    }
}

/// A fight over addresses with something else on this host.
#[derive(Debug, Default)]
pub(super) struct Fight {
    /// When addresses were put back, the latest last; at most [`ROUNDS`].
    repairs: VecDeque<Instant>,
    /// The other side has won for the time being.
    pub(super) given_up: bool,
}

impl Blank for Fight {
    const BLANK: &'static Self = &Self {
        repairs: VecDeque::new(),
        given_up: false,
    };
}

/// How often addresses are put back within [`FIGHT_SPAN`] before the instance gives up.
const ROUNDS: usize = 5;
const FIGHT_SPAN: Duration = Duration::from_secs(60);
/// From a removal to the repair. A tool that removes one address often removes more, or the link
/// itself, in the next breath; the promise is 50 ms.
const REPAIR_DELAY: Duration = Duration::from_millis(10);
/// From a refusal by the kernel to the next attempt.
pub(super) const RETRY_DELAY: Duration = Duration::from_secs(1);

/// In operation tags: the setting of the interface.
pub(super) const PROMOTION_SLOT: u32 = (u32::MAX >> 1) - 1;

/// What an operation was, from its tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Add,
    Del,
}

/// The tag of an operation on one address.
pub(super) fn tag(id: InstanceId, slot: u32, kind: Kind) -> OpTag {
    let kind = match kind {
        Kind::Add => 0,
        Kind::Del => 1 << 31,
    };
    OpTag {
        owner: OpOwner::Vrrp,
        serial: u64::from(id.0) << 32 | u64::from(slot | kind),
    }
}

/// What a tag says.
pub(super) fn untag(tag: OpTag) -> (InstanceId, u32, Kind) {
    let [a, b, c, d, e, f, g, h] = tag.serial.to_be_bytes();
    let id = InstanceId(u32::from_be_bytes([a, b, c, d]));
    let low = u32::from_be_bytes([e, f, g, h]);
    let kind = if low >> 31 == 0 { Kind::Add } else { Kind::Del };
    (id, low & (u32::MAX >> 1), kind)
}

impl Instance {
    /// Makes the list of addresses that of the configuration, keeping those that are in both;
    /// those that are in the old one only are taken away.
    pub(super) fn adopt_addresses(&mut self, cx: &mut Cx<'_>) {
        let mut old = VecDeque::from(std::mem::take(&mut self.vips));
        // Reloads mostly keep the order, so that the search ends at the first.
        let addresses = (0..self.config.addresses.len()).map(|index| (index, false));
        let excluded = (0..self.config.options.excluded.len()).map(|index| (index, true));
        let mut kept = Vec::with_capacity(addresses.len() + excluded.len());
        for (index, excluded) in addresses.chain(excluded) {
            let config = Listed {
                instance: self.config.clone(),
                index,
                excluded,
            };
            let same = |vip: &Vip| *vip.config == *config && vip.config.excluded == excluded;
            let at = old.iter().position(same);
            let vip = match at.and_then(|at| old.remove(at)) {
                Some(vip) => Vip { config, ..vip },
                None => {
                    self.next_slot += 1;
                    Vip {
                        config,
                        slot: self.next_slot,
                        on: None,
                        standing: Standing::Absent,
                        kept: false,
                        complained: false,
                    }
                }
            };
            kept.push(vip);
        }
        self.vips = old.into();
        for index in 0..self.vips.len() {
            self.remove_address(cx, index);
        }
        self.depart(cx);
        self.vips = kept;
    }

    /// Lets go of the configuration before this one, which has the same addresses.
    pub(super) fn list_addresses_anew(&mut self) {
        for vip in &mut self.vips {
            vip.config.instance = self.config.clone();
        }
    }

    /// Gives up the claims to every address in the list, which is about to be dropped, and leaves
    /// to others what the kernel may refuse of the removals.
    pub(super) fn depart(&mut self, cx: &mut Cx<'_>) {
        self.unclaim_addresses(cx);
        for vip in &self.vips {
            let (Some(key), Some(spec)) = (vip.key(), vip.spec()) else {
                continue;
            };
            let former = Former {
                instance: self.config.name.clone(),
                interface: carrier(&self.config, &vip.config).to_owned(),
                key,
                spec,
                complained: vip.complained,
            };
            cx.departed.note(self.id, vip.slot, former);
        }
    }

    /// Looks up the interfaces that carry the addresses, and claims them there.
    pub(super) fn place_addresses(&mut self, cx: &mut Cx<'_>) {
        let owner = self.owns_addresses();
        self.fixtures.place(cx.links, self.id, cx.out);
        for index in 0..self.vips.len() {
            let name = carrier(&self.config, &self.vips[index].config);
            let on = cx.links.by_name(name).map(|facts| facts.index);
            let was = self.vips[index].on;
            if on != was && was.is_some_and(|was| cx.links.by_index(was).is_some()) {
                // It was renamed and is there still, with all that is on it.
                self.remove_address(cx, index);
            }
            let vip = &mut self.vips[index];
            if on != vip.on {
                if let Some(key) = vip.key() {
                    cx.links.unclaim(key, self.id);
                }
                // Addresses go with their interface.
                vip.standing = Standing::Absent;
                vip.on = on;
            }
            if let Some(key) = vip.key() {
                cx.links.claim(key, self.id, owner);
            }
        }
    }

    /// Gives every claim up.
    fn unclaim_addresses(&self, cx: &mut Cx<'_>) {
        for key in self.vips.iter().filter_map(Vip::key) {
            cx.links.unclaim(key, self.id);
        }
    }

    /// Adds every address that stands in one of these ways, group by group, and announces each group
    /// as soon as it is there, then all of them for the rest of the burst. Returns whether there
    /// were any.
    pub(super) fn add_addresses(&mut self, cx: &mut Cx<'_>, standings: &[Standing]) -> bool {
        let wanting = |vip: &Vip| vip.on.is_some() && standings.contains(&vip.standing);
        let added: Vec<usize> = (0..self.vips.len())
            .filter(|&index| wanting(&self.vips[index]))
            .collect();
        let (mut rest, mut size) = (added.as_slice(), 1);
        while !rest.is_empty() {
            let (group, later) = rest.split_at(size.min(rest.len()));
            for &index in group {
                self.add_address(cx, index);
            }
            for &index in group {
                self.announce_one(cx, index, true);
            }
            rest = later;
            size = (size * 2).min(GROUP);
        }
        if self.state == State::Master {
            self.fixtures.install(self.id, standings, cx.out);
        }
        self.announce_further(cx, &added);
        !added.is_empty()
    }

    /// Somebody else removed an address that this master holds: it is put back in a moment.
    /// keepalived resigns and takes over again, which costs the clients up to 3 s.
    pub(super) fn address_lost(&mut self, cx: &mut Cx<'_>, index: usize) {
        let vip = &mut self.vips[index];
        if vip.config.options.untracked {
            return;
        }
        match vip.standing {
            Standing::Ours | Standing::Owned => {}
            Standing::Absent | Standing::Refused | Standing::Stuck | Standing::Lost => return,
        }
        vip.stand(cx, self.id, Standing::Lost);
        let trouble = Note::AddressLost {
            address: vip.config.address,
            interface: carrier(&self.config, &vip.config),
        };
        note(cx.style, &self.config.name, trouble);
        if cx.timers.get((self.id, Timer::Repair)).is_none() {
            cx.arm(self.id, Timer::Repair, cx.now + REPAIR_DELAY);
        }
    }

    /// Puts lost addresses back, unless that has been done too often of late: then the instance
    /// leaves the field to its peers, because a master without its addresses serves nobody.
    pub(super) fn repair(&mut self, cx: &mut Cx<'_>) {
        let repairs = &mut self.fight.repairs;
        let recent = cx.now - FIGHT_SPAN;
        while repairs.front().is_some_and(|&at| at < recent) {
            repairs.pop_front();
        }
        if repairs.len() >= ROUNDS {
            repairs.clear();
            self.fight.given_up = true;
            self.fault(cx, FaultReason::Contested);
            return;
        }
        repairs.push_back(cx.now);
        self.add_addresses(cx, &[Standing::Lost]);
    }

    /// The time of staying away is over; the caller looks whether anything else is wrong.
    pub(super) fn truce(&mut self, cx: &mut Cx<'_>) {
        self.fight.given_up = false;
        let fault = self.look_up(cx);
        self.fitness.fault = fault.map(|reason| Box::new((reason, self.config.interface.clone())));
        if let Some(reason) = fault {
            self.say_fault(cx, reason);
        }
    }

    fn add_address(&mut self, cx: &mut Cx<'_>, index: usize) {
        let owner = self.owns_addresses();
        let vip = &mut self.vips[index];
        let (Some(on), Some(spec)) = (vip.on, vip.spec()) else {
            return; // Its interface does not exist; added when that appears.
        };
        // RFC 3768 §1.4: the owner has the address as its own; whatever its prefix length there,
        // it is neither added nor, later, removed.
        if owner && cx.links.is_hosts_own(on, vip.config.address) {
            vip.stand(cx, self.id, Standing::Owned);
            return;
        }
        vip.stand(cx, self.id, Standing::Ours);
        let tag = tag(self.id, vip.slot, Kind::Add);
        cx.effect(Effect::Kernel(KernelOp::AddressAdd(spec), tag));
    }

    /// Removes its rules and routes.
    pub(super) fn remove_fixtures(&mut self, cx: &mut Cx<'_>) {
        for line in self.fixtures.lines(false) {
            say(cx.style, &self.config.name, line);
        }
        self.fixtures.remove(self.id, cx.out);
    }

    /// Makes the list of routes and rules that of the configuration.
    pub(super) fn adopt_fixtures(&mut self, cx: &mut Cx<'_>) {
        let options = &self.config.options;
        let lists = (options.routes.as_slice(), options.rules.as_slice());
        self.fixtures
            .adopt(lists, &mut self.next_slot, self.id, cx.out);
        self.fixtures.place(cx.links, self.id, cx.out);
    }

    /// Somebody else removed a route or a rule of a master: it is put back in a moment, as an
    /// address is. keepalived resigns and takes over again.
    pub(super) fn routing_lost(&mut self, cx: &mut Cx<'_>, what: rtnl::Kind, told: &[u8]) {
        if self.state != State::Master {
            return;
        }
        let Some(text) = self.fixtures.lost(what, told).map(Wanted::to_string) else {
            return;
        };
        note(cx.style, &self.config.name, Note::RoutingLost(what, &text));
        if cx.timers.get((self.id, Timer::Repair)).is_none() {
            cx.arm(self.id, Timer::Repair, cx.now + REPAIR_DELAY);
        }
    }

    /// The kernel refused an operation on a route or a rule.
    pub(super) fn routing_refused(&mut self, cx: &mut Cx<'_>, slot: u32, kind: Kind, errno: i32) {
        let (style, name) = (cx.style, self.config.name.as_str());
        let add = kind == Kind::Add;
        let say = |wanted: &Wanted| {
            let text = wanted.to_string();
            let refused = Note::RoutingRefused {
                add,
                text: &text,
                errno,
            };
            note(style, name, refused);
        };
        match self.fixtures.refused(slot, kind, errno, say) {
            Refusal::Again if self.state == State::Master => {
                cx.arm(self.id, Timer::Retry, cx.now + RETRY_DELAY);
            }
            Refusal::Again | Refusal::None => {}
        }
    }

    /// Removes every address that is ours.
    pub(super) fn remove_addresses(&mut self, cx: &mut Cx<'_>) {
        for excluded in [false, true] {
            if self.vips.iter().any(|vip| vip.config.excluded == excluded) {
                say(cx.style, &self.config.name, Line::RemovingVips { excluded });
            }
            for index in 0..self.vips.len() {
                if self.vips[index].config.excluded == excluded {
                    self.vips[index].complained = false;
                    self.remove_address(cx, index);
                }
            }
        }
    }

    pub(super) fn remove_address(&mut self, cx: &mut Cx<'_>, index: usize) {
        let vip = &mut self.vips[index];
        let remove = match vip.standing {
            Standing::Ours | Standing::Stuck => true,
            Standing::Refused => vip.kept,
            Standing::Absent | Standing::Owned | Standing::Lost => false,
        };
        vip.stand(cx, self.id, Standing::Absent);
        vip.kept = false;
        if let (true, Some(spec), Some(key)) = (remove, vip.spec(), vip.key())
            && !cx.links.is_held(key)
        {
            cx.links.removing(key, cx.now);
            let tag = tag(self.id, vip.slot, Kind::Del);
            cx.effect(Effect::Kernel(KernelOp::AddressDel(spec), tag));
        }
    }

    /// At its start an instance takes away what an earlier run left: exactly its own addresses,
    /// as keepalived does, unless another instance holds or owns them.
    ///
    /// An owner (priority 255) takes only those away that carry keepalived's mark: one without it
    /// may be the host's own, and kernels before 5.18 keep no mark, so that there a crashed owner's
    /// address stays. One that becomes master at once, as owner or heir, takes it over instead.
    pub(super) fn take_leftovers_away(&mut self, cx: &mut Cx<'_>, to: State) {
        let owner = self.owns_addresses();
        if to == State::Master {
            return;
        }
        self.fixtures.suspect();
        self.remove_fixtures(cx);
        for index in 0..self.vips.len() {
            let Some(key) = self.vips[index].key() else {
                continue;
            };
            let left = if owner {
                cx.links.is_marked(key)
            } else {
                cx.links.has(key)
            };
            if left && !cx.links.is_of_another(key, self.id) {
                self.vips[index].stand(cx, self.id, Standing::Ours);
            }
        }
        if self.vips.iter().any(|vip| vip.standing == Standing::Ours) {
            self.remove_addresses(cx);
        }
    }

    /// Lets secondary addresses of its interface outlive their primary one
    /// (`promote_secondaries`), or leaves that as it was.
    pub(super) fn settle_promotion(&mut self, cx: &mut Cx<'_>, wanted: bool) {
        let wanted = wanted && self.config.options.promote_secondaries;
        let facts = cx.links.by_name(home(&self.config)).filter(|_| wanted);
        let on = facts.map(|facts| facts.index);
        let before = std::mem::replace(&mut self.promoting, on);
        if before == on {
            return;
        }
        let tag = tag(self.id, PROMOTION_SLOT, Kind::Add);
        for (interface, wanted) in [(before, false), (on, true)] {
            if let Some(interface) = interface {
                let op = KernelOp::PromoteSecondaries(interface, wanted);
                cx.effect(Effect::Kernel(op, tag));
            }
        }
    }

    /// Whether the list has an address with this slot.
    pub(super) fn has_slot(&self, slot: u32) -> bool {
        self.vips.iter().any(|vip| vip.slot == slot)
    }

    /// The kernel refused an operation on the address with this slot.
    pub(super) fn refused(&mut self, cx: &mut Cx<'_>, slot: u32, kind: Kind, errno: i32) {
        let Some(vip) = self.vips.iter_mut().find(|vip| vip.slot == slot) else {
            return;
        };
        let address: IpAddr = vip.config.address;
        let interface = carrier(&self.config, &vip.config);
        if kind == Kind::Del
            && let Some(key) = vip.key()
        {
            cx.links.removal_was_ours(key, cx.now);
        }
        match kind {
            // It was there already, exactly so: it is what we wanted, and we take it away.
            Kind::Add if errno == EEXIST => {}
            Kind::Add => {
                let trouble = Note::AddressRefused {
                    address,
                    interface,
                    errno,
                };
                if !std::mem::replace(&mut vip.complained, true) {
                    note(cx.style, &self.config.name, trouble);
                }
                vip.stand(cx, self.id, Standing::Refused);
                cx.arm(self.id, Timer::Retry, cx.now + RETRY_DELAY);
            }
            // It was gone already, maybe with its interface.
            Kind::Del if is_gone(errno) => {}
            // Wanted again by now.
            Kind::Del if self.state == State::Master => vip.kept = true,
            Kind::Del => {
                vip.kept = true;
                let trouble = Note::AddressNotRemoved {
                    address,
                    interface,
                    errno,
                };
                if !std::mem::replace(&mut vip.complained, true) {
                    note(cx.style, &self.config.name, trouble);
                }
                vip.stand(cx, self.id, Standing::Stuck);
                cx.arm(self.id, Timer::Retry, cx.now + RETRY_DELAY);
            }
        }
    }

    /// Removes what should be gone already.
    pub(super) fn remove_stuck(&mut self, cx: &mut Cx<'_>) {
        for index in 0..self.vips.len() {
            if self.vips[index].standing == Standing::Stuck {
                self.remove_address(cx, index);
            }
        }
    }

    /// Asks the kernel again for what it refused.
    pub(super) fn retry(&mut self, cx: &mut Cx<'_>) {
        self.settle_own_links(cx);
        self.remove_stuck(cx);
        if self.state == State::Master {
            self.add_addresses(cx, &[Standing::Refused]);
        }
    }

    /// The addresses that should be on this host now.
    pub(super) fn wanted(&self) -> impl Iterator<Item = AddressSpec> + '_ {
        let master = self.state == State::Master;
        self.vips
            .iter()
            .filter(move |_| master)
            .filter_map(Vip::spec)
    }
}

/// Whether the refusal of a removal says that there is nothing to remove.
pub(super) const fn is_gone(errno: i32) -> bool {
    matches!(errno, EADDRNOTAVAIL | ENODEV)
}

/// Name of the interface that carries a virtual address.
fn carrier<'a>(config: &'a VrrpInstance, vip: &'a VirtualAddress) -> &'a str {
    if let Some(link) = &vip.options.own_link {
        return &link.name;
    }
    match vip.interface.as_deref() {
        Some(name) if name != config.interface => name,
        Some(_) | None => home(config),
    }
}

/// Linux error numbers, the same on every architecture that Rust's standard library runs on but
/// MIPS and SPARC for the second.
const EEXIST: i32 = 17;
const EADDRNOTAVAIL: i32 = 99;
const ENODEV: i32 = 19;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_what_it_was_made_of() {
        for id in [InstanceId::MIN, InstanceId(7), InstanceId::MAX] {
            for slot in [0, 1, u32::MAX >> 1] {
                for kind in [Kind::Add, Kind::Del] {
                    assert_eq!(untag(tag(id, slot, kind)), (id, slot, kind));
                }
            }
        }
    }
}

//! The order in which effects are carried out when there are very many.
//!
//! Owns: what waits. A takeover of a thousand instances is thousands of them, and the loop has to
//! have its turn in between: adverts that are due meanwhile go first, and what says an address's
//! new place again comes after what says each for the first time. Never does: carry anything out, or
//! turn round what one instance wants. Driven by: `event_loop`.

use std::collections::VecDeque;

use crate::ops::{Effect, Frame, KernelOp};

/// As many are carried out between two turns, some two milliseconds' worth; fewer never wait.
pub(super) const CHUNK: usize = 32;

/// Effects that wait for their turn.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// Adverts, and packets of BFD: others wait for them.
    urgent: Vec<Effect>,
    waiting: VecDeque<Effect>,
    /// Announcements that have been made before.
    later: VecDeque<Effect>,
}

impl Lanes {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.waiting.is_empty() && self.later.is_empty()
    }

    /// Takes what the node asks for.
    pub(super) fn take(&mut self, effects: &mut Vec<Effect>) {
        if effects.iter().any(in_order) {
            // An address that goes must not be announced after that.
            self.waiting.extend(self.later.drain(..));
            self.waiting.extend(effects.drain(..));
            return;
        }
        for effect in effects.drain(..) {
            match &effect {
                Effect::Send(_, Frame::Ip { .. } | Frame::Datagram { .. }) => {
                    self.urgent.push(effect);
                }
                Effect::Send(_, Frame::Link { again: true, .. }) => self.later.push_back(effect),
                _ => self.waiting.push_back(effect),
            }
        }
    }

    /// What is to be carried out next; empty if nothing waits.
    pub(super) fn next(&mut self) -> Vec<Effect> {
        let mut next = std::mem::take(&mut self.urgent);
        let lane = if self.waiting.is_empty() {
            &mut self.later
        } else {
            &mut self.waiting
        };
        next.extend(lane.drain(..lane.len().min(CHUNK)));
        join_pairs(&mut next);
        if self.is_empty() {
            *self = Self::default();
        }
        next
    }
}

/// Of neighbours that are each an address and its announcement, all addresses come first, so that
/// the kernel takes them in one go, and then the announcements. Who has many addresses does not wait
/// for that with its first: behind that come two addresses, not one.
fn join_pairs(effects: &mut [Effect]) {
    let mut begin = 0;
    while begin < effects.len() {
        let rest = effects.get_mut(begin..).unwrap_or_default();
        let pairs = rest
            .chunks_exact(2)
            .take_while(|pair| is_pair(pair))
            .count();
        rest[..2 * pairs].sort_by_key(|effect| matches!(effect, Effect::Send(..)));
        begin += (2 * pairs).max(1);
    }
}

const fn is_pair(pair: &[Effect]) -> bool {
    matches!(
        pair,
        [
            Effect::Kernel(KernelOp::AddressAdd(_), _),
            Effect::Send(_, Frame::Link { again: false, .. })
        ]
    )
}

/// What others depend on that come with it or before it: a socket that is opened, an address that
/// goes after its last advert, the end.
const fn in_order(effect: &Effect) -> bool {
    matches!(
        effect,
        Effect::Open(..)
            | Effect::Close(_)
            | Effect::Exit(_)
            | Effect::Kernel(KernelOp::AddressDel(_), _)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::IfIndex;
    use crate::ops::SocketId;

    fn advert(number: u8) -> Effect {
        let to = [224, 0, 0, 18].into();
        let bytes = vec![number];
        Effect::Send(SocketId(1), Frame::Ip { to, bytes })
    }

    fn announcement(number: u8, again: bool) -> Effect {
        let frame = Frame::Link {
            interface: IfIndex::new(1).unwrap(),
            bytes: vec![number],
            again,
        };
        Effect::Send(SocketId(2), frame)
    }

    fn all(lanes: &mut Lanes) -> Vec<Effect> {
        let mut all = Vec::new();
        while !lanes.is_empty() {
            all.extend(lanes.next());
        }
        all
    }

    // Input: two instances that become masters, each with an advert and two rounds of
    // announcements, then the advert of another. Output: adverts, each instance once, the rest.
    #[test]
    fn adverts_come_first_and_repeats_last() {
        let mut lanes = Lanes::default();
        for number in [1, 2] {
            let first = announcement(number, false);
            lanes.take(&mut vec![advert(number), first, announcement(number, true)]);
        }
        lanes.take(&mut vec![advert(3)]);
        let expected = [
            advert(1),
            advert(2),
            advert(3),
            announcement(1, false),
            announcement(2, false),
            announcement(1, true),
            announcement(2, true),
        ];
        assert_eq!(all(&mut lanes), expected);
    }

    // Input: a burst that is not over when its instance resigns. Output: nothing is announced after
    // the end.
    #[test]
    fn what_ends_something_comes_after_all_that_was_before() {
        let mut lanes = Lanes::default();
        lanes.take(&mut vec![announcement(1, false), announcement(1, true)]);
        lanes.take(&mut vec![advert(0), Effect::Exit(0)]);
        let expected = [
            announcement(1, false),
            announcement(1, true),
            advert(0),
            Effect::Exit(0),
        ];
        assert_eq!(all(&mut lanes), expected);
    }

    fn address(number: u8) -> Effect {
        let spec = crate::ops::AddressSpec {
            interface: IfIndex::new(1).unwrap(),
            address: [10, 0, 0, number].into(),
            prefix_len: 32,
            scope: 0,
            broadcast: None,
            label: None,
            more: crate::ops::AddressTraits::default(),
        };
        let tag = crate::ops::OpTag {
            owner: crate::ops::OpOwner::Vrrp,
            serial: u64::from(number),
        };
        Effect::Kernel(KernelOp::AddressAdd(spec), tag)
    }

    // Input: three instances that become masters with an address each, then one with three
    // addresses. Output: the addresses of the three, their announcements; the fourth announces its
    // first address before it adds the others.
    #[test]
    fn addresses_of_many_go_together_and_of_one_the_first_goes_first() {
        let mut lanes = Lanes::default();
        for number in [1, 2, 3] {
            lanes.take(&mut vec![address(number), announcement(number, false)]);
        }
        let said = |number| announcement(number, false);
        let many = vec![
            said(9),
            address(4),
            said(4),
            address(5),
            address(6),
            said(5),
            said(6),
        ];
        lanes.take(&mut many.clone());
        let mut expected: Vec<Effect> = [1, 2, 3].map(address).into();
        expected.extend([1, 2, 3].map(said));
        expected.extend(many);
        assert_eq!(all(&mut lanes), expected);
    }

    // Input: 1,000 announcements, then an advert and a packet of BFD. Output: both are in the next
    // part.
    #[test]
    fn who_is_waited_for_waits_for_one_part_at_most() {
        let mut lanes = Lanes::default();
        lanes.take(&mut (0..1_000).map(|_| announcement(1, false)).collect());
        assert_eq!(lanes.next().len(), CHUNK);
        let to = "192.0.2.1:3784".parse().unwrap();
        let bytes = vec![1];
        let packet = Effect::Send(SocketId(3), Frame::Datagram { to, bytes });
        lanes.take(&mut vec![advert(1), packet.clone()]);
        assert_eq!(lanes.next().get(..2), Some(&[advert(1), packet][..]));
    }
}

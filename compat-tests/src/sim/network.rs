//! A LAN segment: who hears a frame, when, and whether at all.
//!
//! Owns: the members' mutual reachability, the faults of the wire, and what a client on the
//! segment believes about addresses. Never does: look into frames, except the client into announcements.
//! Driven by: `world`, which asks for the fates of a frame and delivers accordingly.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use keepalived_rs::base::{Duration, Instant, Mac, Rng};

/// A place that hears frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// A host, by its number.
    Host(usize),
    /// The client, which only listens.
    Client,
}

/// What the wire does to frames, in thousandths of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Weather {
    /// Lost.
    pub loss: u32,
    /// Delivered twice.
    pub duplication: u32,
    /// Damaged in one bit.
    pub damage: u32,
    /// Late by up to this, and so out of order.
    pub jitter: Duration,
}

/// One broadcast domain.
#[derive(Debug, Default)]
pub struct Segment {
    /// What happens to frames now.
    pub weather: Weather,
    /// Who is not heard by whom.
    cut: BTreeSet<(Place, Place)>,
    /// When the last frame arrived on each way: without jitter a wire keeps the order.
    last: BTreeMap<(Place, Place), Instant>,
    /// What the client believes: the last announcement that it heard, and when.
    pub arp: BTreeMap<IpAddr, (Mac, Instant)>,
    /// The last announcement, if the client was cut off from it.
    pub unheard: BTreeMap<IpAddr, Mac>,
}

/// What becomes of a frame on one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// When it arrives.
    pub at: Instant,
    /// Which bit flips on the way, as a random number; the receiver takes it modulo the length.
    pub damage: Option<u64>,
}

/// From sending to arriving, at least.
const PROPAGATION: Duration = Duration::from_micros(60);

impl Segment {
    /// Stops frames from one place to another, in this direction.
    pub fn cut(&mut self, from: Place, to: Place) {
        self.cut.insert((from, to));
    }

    /// Cuts both directions between every place of one group and every one of the other.
    pub fn divide(&mut self, one: &[Place], other: &[Place]) {
        for &a in one {
            for &b in other {
                self.cut(a, b);
                self.cut(b, a);
            }
        }
    }

    /// Joins everything again.
    pub fn mend(&mut self) {
        self.cut.clear();
    }

    /// Whether nothing is cut.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.cut.is_empty()
    }

    /// Whether frames from one place reach the other.
    #[must_use]
    pub fn reaches(&self, from: Place, to: Place) -> bool {
        !self.cut.contains(&(from, to))
    }

    /// When, how often and in which state a frame sent at `now` arrives; empty: not at all.
    pub fn fates(&mut self, now: Instant, from: Place, to: Place, rng: &mut Rng) -> Vec<Fate> {
        if !self.reaches(from, to) {
            return Vec::new();
        }
        // The client is the witness of who announced last; only a cut keeps it from hearing.
        let weather = match to {
            Place::Host(_) => self.weather,
            Place::Client => Weather::default(),
        };
        let mut hits = |permille: u32| rng.below(1000) < u64::from(permille);
        if hits(weather.loss) {
            return Vec::new();
        }
        let copies = if hits(weather.duplication) { 2 } else { 1 };
        let damaged = hits(weather.damage);
        (0..copies)
            .map(|_| Fate {
                at: self.arrival(now, (from, to), weather.jitter, rng),
                damage: damaged.then(|| rng.next_u64()),
            })
            .collect()
    }

    fn arrival(
        &mut self,
        now: Instant,
        way: (Place, Place),
        jitter: Duration,
        rng: &mut Rng,
    ) -> Instant {
        let at = now + PROPAGATION + rng.duration_below(Duration::from_micros(40));
        if !jitter.is_zero() {
            return at + rng.duration_below(jitter);
        }
        let last = self.last.entry(way).or_default();
        *last = at.max(*last);
        *last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Place = Place::Host(0);
    const B: Place = Place::Host(1);

    #[test]
    fn a_cut_stops_one_direction_until_it_is_mended() {
        let (mut segment, mut rng) = (Segment::default(), Rng::new(1));
        segment.cut(A, B);
        assert!(segment.fates(Instant::ZERO, A, B, &mut rng).is_empty());
        assert_eq!(segment.fates(Instant::ZERO, B, A, &mut rng).len(), 1);
        segment.mend();
        assert_eq!(segment.fates(Instant::ZERO, A, B, &mut rng).len(), 1);
        segment.divide(&[A], &[B, Place::Client]);
        assert!(!segment.reaches(B, A) && !segment.reaches(A, Place::Client));
    }

    #[test]
    fn weather_happens_about_as_often_as_it_says() {
        let (mut segment, mut rng) = (Segment::default(), Rng::new(2));
        segment.weather = Weather {
            loss: 300,
            duplication: 100,
            ..Weather::default()
        };
        let arrived: usize = (0..10_000)
            .map(|_| segment.fates(Instant::ZERO, A, B, &mut rng).len())
            .sum();
        // 0.7 * 1.1 of 10,000.
        assert!((7500..7900).contains(&arrived), "{arrived}");
    }

    #[test]
    fn without_jitter_the_order_is_kept() {
        let (mut segment, mut rng) = (Segment::default(), Rng::new(3));
        let mut last = Instant::ZERO;
        for now in (0..1000).map(Instant::from_micros) {
            for fate in segment.fates(now, A, B, &mut rng) {
                assert!(fate.at >= last);
                last = fate.at;
            }
        }
    }
}

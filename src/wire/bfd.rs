//! Control packets of BFD: what is inside a UDP datagram to port 3784 or 4784.
//!
//! Owns: their form, and the checks that RFC 5880 §6.8.6 asks for of any packet, whichever session
//! it is for. Never does: look for a session. Driven by: `bfd`.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//! |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
//! +-----+---------+---+-+-+-+-+-+-+---------------+---------------+
//! |                       My Discriminator                        |
//! +---------------------------------------------------------------+
//! |                      Your Discriminator                       |
//! +---------------------------------------------------------------+
//! |          Desired Min TX Interval, in microseconds             |
//! +---------------------------------------------------------------+
//! |          Required Min RX Interval, in microseconds            |
//! +---------------------------------------------------------------+
//! |          Required Min Echo RX Interval, in microseconds       |
//! +---------------------------------------------------------------+   RFC 5880 §4.1
//! ```

use std::fmt;

use thiserror::Error;

/// Bytes of a packet without authentication.
pub const LEN: usize = 24;
/// The shortest packet with an authentication section.
const LEN_WITH_AUTH: usize = 26;
/// The version of RFC 5880.
const VERSION: u8 = 1;

const POLL: u8 = 0x20;
const FINAL: u8 = 0x10;
const INDEPENDENT: u8 = 0x08;
const AUTH: u8 = 0x04;
const DEMAND: u8 = 0x02;
const MULTIPOINT: u8 = 0x01;

/// State of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Held down by its administrator.
    AdminDown,
    /// No sign of the other end.
    Down,
    /// The other end is heard.
    Init,
    /// Either end hears the other.
    Up,
}

impl State {
    /// Every state, in the order of its number on the wire.
    pub const ALL: [Self; 4] = [Self::AdminDown, Self::Down, Self::Init, Self::Up];

    const fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }

    const fn of(bits: u8) -> Self {
        match bits & 3 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "AdminDown",
            Self::Down => "Down",
            Self::Init => "Init",
            Self::Up => "Up",
        })
    }
}

/// Why a session left the state Up, a number from 0 to 31 (RFC 5880 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Diagnostic(u8);

impl Diagnostic {
    /// Nothing happened.
    pub const NONE: Self = Self(0);
    /// Nothing was heard for the detection time.
    pub const EXPIRED: Self = Self(1);
    /// The other end said that it is down.
    pub const NEIGHBOR_DOWN: Self = Self(3);
    /// The administrator said so.
    pub const ADMIN_DOWN: Self = Self(7);

    /// The five lower bits of `number`.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self(number & 0x1f)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "No Diagnostic",
            1 => "Control Detection Time Expired",
            2 => "Echo Function Failed",
            3 => "Neighbor Signaled Session Down",
            4 => "Forwarding Plane Reset",
            5 => "Path Down",
            6 => "Concatenated Path Down",
            7 => "Administratively Down",
            8 => "Reverse Concatenated Path Down",
            other => return write!(f, "Reserved ({other})"),
        })
    }
}

/// What a packet says. Times are microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Why the sender left the state Up.
    pub diagnostic: Diagnostic,
    /// The sender's state.
    pub state: State,
    /// It wants to be answered.
    pub poll: bool,
    /// It answers.
    pub final_: bool,
    /// The sender's BFD outlives its control plane.
    pub independent: bool,
    /// An authentication section follows.
    pub authenticated: bool,
    /// The sender wishes to hear nothing while the session is up.
    pub demand: bool,
    /// Packets that may be lost before the session counts as down; not 0 in what is read.
    pub multiplier: u8,
    /// The session by the sender's number; not 0 in what is read.
    pub my_discriminator: u32,
    /// The session by the receiver's number; 0: not known.
    pub your_discriminator: u32,
    /// The least time between packets that the sender would like to send.
    pub desired_min_tx: u32,
    /// The least time between packets that it can take; 0: send none.
    pub required_min_rx: u32,
    /// The same of echoes; 0: it takes none.
    pub required_min_echo: u32,
}

/// Why bytes are no packet of any session. The texts are keepalived's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Shorter than any packet.
    #[error("Packet is too small: {0} bytes")]
    TooShort(usize),
    /// Of another version.
    #[error("Packet is of unsupported version: {0}")]
    Version(u8),
    /// It says that it is longer than it is, or too short for what it has.
    #[error("Packet size mismatch: length field: {length} bytes, buffer size: {size} bytes")]
    Length {
        /// What it says.
        length: u8,
        /// What is there.
        size: usize,
    },
    /// The multiplier is 0.
    #[error("Packet 'detection multiplier' field is zero")]
    NoMultiplier,
    /// For more than one receiver.
    #[error("Packet has 'multipoint' flag")]
    Multipoint,
    /// The sender's discriminator is 0.
    #[error("Packet 'my discriminator' field is zero")]
    NoDiscriminator,
    /// It is for no session, and not the first of one.
    #[error("Packet 'your discriminator' field is zero and 'state' field is not Down or AdminDown")]
    NoSession,
    /// It asks and answers at once (§6.5).
    #[error("Packet has both poll and final flags set")]
    PollAndFinal,
}

impl Malformed {
    /// One of each kind by number, to count complaints by.
    #[must_use]
    pub const fn kind(self) -> u8 {
        match self {
            Self::TooShort(_) => 0,
            Self::Version(_) => 1,
            Self::Length { .. } => 2,
            Self::NoMultiplier => 3,
            Self::Multipoint => 4,
            Self::NoDiscriminator => 5,
            Self::NoSession => 6,
            Self::PollAndFinal => 7,
        }
    }
}

impl Control {
    /// Reads the payload of a datagram. Bytes past the length that the packet names are padding.
    ///
    /// # Errors
    /// The first check of RFC 5880 §6.8.6 that fails.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let Some((header, _)) = bytes.split_first_chunk::<LEN>() else {
            return Err(Malformed::TooShort(bytes.len()));
        };
        let [first, flags, multiplier, length, words @ ..] = *header;
        if first >> 5 != VERSION {
            return Err(Malformed::Version(first >> 5));
        }
        let authenticated = flags & AUTH != 0;
        let least = if authenticated { LEN_WITH_AUTH } else { LEN };
        if usize::from(length) < least || usize::from(length) > bytes.len() {
            let size = bytes.len();
            return Err(Malformed::Length { length, size });
        }
        if multiplier == 0 {
            return Err(Malformed::NoMultiplier);
        }
        if flags & MULTIPOINT != 0 {
            return Err(Malformed::Multipoint);
        }
        let mut words = words.chunks_exact(4).map(|word| {
            let mut bytes = [0; 4];
            bytes.copy_from_slice(word);
            u32::from_be_bytes(bytes)
        });
        let mut word = || words.next().unwrap_or_default();
        let control = Self {
            diagnostic: Diagnostic::new(first),
            state: State::of(flags >> 6),
            poll: flags & POLL != 0,
            final_: flags & FINAL != 0,
            independent: flags & INDEPENDENT != 0,
            authenticated,
            demand: flags & DEMAND != 0,
            multiplier,
            my_discriminator: word(),
            your_discriminator: word(),
            desired_min_tx: word(),
            required_min_rx: word(),
            required_min_echo: word(),
        };
        if control.my_discriminator == 0 {
            return Err(Malformed::NoDiscriminator);
        }
        let first = matches!(control.state, State::Down | State::AdminDown);
        if control.your_discriminator == 0 && !first {
            return Err(Malformed::NoSession);
        }
        if control.poll && control.final_ {
            return Err(Malformed::PollAndFinal);
        }
        Ok(control)
    }

    /// The packet as bytes, without an authentication section.
    #[must_use]
    pub fn emit(&self) -> [u8; LEN] {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        let flags = self.state.bits() << 6
            | flag(self.poll, POLL)
            | flag(self.final_, FINAL)
            | flag(self.independent, INDEPENDENT)
            | flag(self.demand, DEMAND);
        let mut bytes = [0; LEN];
        let (head, words) = bytes.split_at_mut(4);
        head.copy_from_slice(&[VERSION << 5 | self.diagnostic.0, flags, self.multiplier, 24]);
        let values = [
            self.my_discriminator,
            self.your_discriminator,
            self.desired_min_tx,
            self.required_min_rx,
            self.required_min_echo,
        ];
        for (word, value) in words.chunks_exact_mut(4).zip(values) {
            word.copy_from_slice(&value.to_be_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // Captured from keepalived 2.2.7 (`min_tx 80`, `min_rx 100`, `multiplier 4`) with tcpdump.
    const SEEN: [u8; LEN] = [
        0x20, 0xe0, 4, 24, 0x7e, 0x80, 0xed, 0x5b, 0x79, 0x43, 0x85, 0x67, 0, 1, 0x38, 0x80, 0, 1,
        0x86, 0xa0, 0, 0, 0, 0,
    ];

    fn seen() -> Control {
        Control {
            diagnostic: Diagnostic::NONE,
            state: State::Up,
            poll: true,
            final_: false,
            independent: false,
            authenticated: false,
            demand: false,
            multiplier: 4,
            my_discriminator: 0x7e80_ed5b,
            your_discriminator: 0x7943_8567,
            desired_min_tx: 80_000,
            required_min_rx: 100_000,
            required_min_echo: 0,
        }
    }

    #[test]
    fn a_packet_of_keepalived_is_read_and_written() {
        assert_eq!(Control::parse(&SEEN), Ok(seen()));
        assert_eq!(seen().emit(), SEEN);
    }

    // Input: that packet, with one thing wrong. Output: the rule that refuses it.
    #[test]
    fn each_rule_of_reception_refuses() {
        let with = |at: usize, value: u8| {
            let mut bytes = SEEN;
            bytes[at] = value;
            Control::parse(&bytes)
        };
        let size = |length| Err(Malformed::Length { length, size: 24 });
        assert_eq!(Control::parse(&SEEN[..23]), Err(Malformed::TooShort(23)));
        assert_eq!(Control::parse(&[]), Err(Malformed::TooShort(0)));
        assert_eq!(with(0, 0x00), Err(Malformed::Version(0)));
        assert_eq!(with(0, 0x40), Err(Malformed::Version(2)));
        assert_eq!(with(3, 23), size(23));
        assert_eq!(with(3, 25), size(25));
        assert_eq!(with(1, 0xe4), size(24), "too short for its authentication");
        assert_eq!(with(2, 0), Err(Malformed::NoMultiplier));
        assert_eq!(with(1, 0xe1), Err(Malformed::Multipoint));
        assert_eq!(with(1, 0xf0), Err(Malformed::PollAndFinal));
        let mut bytes = SEEN;
        bytes[4..8].fill(0);
        assert_eq!(Control::parse(&bytes), Err(Malformed::NoDiscriminator));
        for (state, allowed) in [(0, true), (0x40, true), (0x80, false), (0xc0, false)] {
            let mut bytes = SEEN;
            bytes[1] = state;
            bytes[8..12].fill(0);
            let got = Control::parse(&bytes);
            assert_eq!(got.is_ok(), allowed, "{state:x}");
            assert!(allowed || got == Err(Malformed::NoSession));
        }
    }

    // RFC 5880 §6.8.6: only a length beyond the payload is wrong.
    #[test]
    fn padding_is_no_harm() {
        let mut bytes = SEEN.to_vec();
        bytes.extend_from_slice(&[0xa5; 40]);
        assert_eq!(Control::parse(&bytes), Ok(seen()));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(control) = Control::parse(&bytes) {
                prop_assert!(control.multiplier > 0 && control.my_discriminator > 0);
                prop_assert!(!(control.poll && control.final_));
                let again = Control { authenticated: false, ..control };
                prop_assert_eq!(Control::parse(&again.emit()), Ok(again));
            }
        }

        #[test]
        fn what_is_written_is_read(
            words in any::<[u32; 4]>(), state in 0..4u8, flags in 0..8u8, mine in 1..u32::MAX,
            diagnostic in 0..32u8, multiplier in 1..=255u8,
        ) {
            let [your, desired_min_tx, required_min_rx, required_min_echo] = words;
            let control = Control {
                diagnostic: Diagnostic::new(diagnostic),
                state: State::of(state),
                poll: flags & 3 == 1,
                final_: flags & 3 == 2,
                independent: flags & 4 != 0,
                authenticated: false,
                demand: flags & 3 == 3,
                multiplier,
                my_discriminator: mine,
                your_discriminator: your.max(1),
                desired_min_tx,
                required_min_rx,
                required_min_echo,
            };
            prop_assert_eq!(Control::parse(&control.emit()), Ok(control));
        }
    }
}

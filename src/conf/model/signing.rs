//! `auth_hmac`: the signature behind adverts.
//!
//! Owns: keys, and what is done with adverts without a signature. Never does: show a key. Driven by:
//! `bind::signing`; `vrrp` signs and verifies.

use std::fmt;

use crate::base::Duration;

/// Bytes that a key has at least.
pub const MIN_SECRET: usize = 32;
/// Bytes that a key has at most.
pub const MAX_SECRET: usize = 64;

/// `mode`: the stages of a change-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SigningMode {
    /// Signs, and demands a signature.
    #[default]
    Enforce,
    /// Signs, and takes adverts without a signature.
    Permissive,
    /// Does not sign, and takes adverts without a signature.
    ReceiveOnly,
}

/// `anti_replay`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AntiReplay {
    /// Signatures are of now, and each is newer than the last of its sender.
    #[default]
    Time,
    /// Each is newer than the last of its sender; the clocks need not agree.
    Monotonic,
}

/// A key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its number, 1 to 255.
    pub id: u8,
    /// Its bytes, [`MIN_SECRET`] to [`MAX_SECRET`] of them.
    pub secret: Vec<u8>,
    /// How the file has it, which never shows more than a path.
    pub file: Option<String>,
}

impl fmt::Debug for SigningKey {
    /// Dumps and logs never show the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, ********)", self.id)
    }
}

/// `auth_hmac`
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signing {
    /// `key`, in the order of the file.
    pub keys: Vec<SigningKey>,
    /// `active_key`: the one that signs.
    pub active: u8,
    /// `time_window`: how far a signature's time may be from ours; `None`: see [`Self::window`].
    pub window: Option<Duration>,
    /// `anti_replay`
    pub replay: AntiReplay,
    /// `mode`
    pub mode: SigningMode,
}

impl Signing {
    /// The key of a number.
    #[must_use]
    pub fn key(&self, id: u8) -> Option<&SigningKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key that signs, if this instance does.
    #[must_use]
    pub fn signs(&self) -> Option<&SigningKey> {
        match self.mode {
            SigningMode::Enforce | SigningMode::Permissive => self.key(self.active),
            SigningMode::ReceiveOnly => None,
        }
    }

    /// How far a signature's time may be from ours: three advert intervals, at least 5 s, unless
    /// something else is said.
    #[must_use]
    pub fn window(&self, advert_interval: Duration) -> Duration {
        let usual = (advert_interval * 3).max(Duration::from_secs(5));
        self.window.unwrap_or(usual)
    }
}

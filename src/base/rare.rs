//! A value that most owners never need.
//!
//! Owns: its place, which takes memory only once something was written there. Never does: give
//! that memory back before its owner goes. Driven by: machines that there are thousands of.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// What is read where nothing was written: the same as `default`.
pub trait Blank: Default + 'static {
    /// That value.
    const BLANK: &'static Self;
}

/// A value, [`Blank`] until it is first borrowed to be changed.
#[derive(Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> Rare<T> {
    /// The value if it has a place already: to change what can only be there then.
    pub fn present(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }
}

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self(Some(Box::new(value)))
    }
}

impl<T: Blank> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or(T::BLANK)
    }
}

impl<T: Blank> DerefMut for Rare<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }
}

impl<T: Blank + PartialEq> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Blank + Eq> Eq for Rare<T> {}

impl<T: Blank + fmt::Debug> fmt::Debug for Rare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::{Blank, Rare};

    #[derive(Debug, Default, PartialEq)]
    struct Counts {
        lost: u32,
    }

    impl Blank for Counts {
        const BLANK: &'static Self = &Self { lost: 0 };
    }

    // Input: a value that is read, then written, then set back. Output: it has a place from the
    // first write on, and compares by what it says.
    #[test]
    fn only_what_is_written_takes_memory() {
        let mut rare: Rare<Counts> = Rare::default();
        assert_eq!((rare.lost, rare.present()), (0, None));
        rare.lost += 1;
        assert_eq!(rare.present().map(|counts| counts.lost), Some(1));
        assert_ne!(rare, Rare::default());
        rare.lost = 0;
        assert_eq!(rare, Rare::default());
        assert_eq!(*Counts::BLANK, Counts::default());
    }
}

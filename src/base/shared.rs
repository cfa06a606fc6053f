//! One value with many holders.
//!
//! Owns: the sharing. Never does: let one holder see what another changes. Driven by: the
//! configuration's model, of which large parts are the same in many places at once: in the
//! configuration that runs, in the plan that leads to it, in the machine that carries it out.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

/// A value whose clones share its memory until one of them is changed; that one then gets its own.
pub struct Shared<T>(Arc<T>);

impl<T> Shared<T> {
    /// A value with one holder.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self(Arc::new(value))
    }
}

impl<T: Clone> Shared<T> {
    /// The value itself, taken out.
    #[must_use]
    pub fn into_inner(self) -> T {
        Arc::unwrap_or_clone(self.0)
    }
}

impl<T: PartialEq> Shared<T> {
    /// Gives this one's memory back if `other` has an equal value, and shares that; whether it does.
    pub fn share_with(&mut self, other: &Self) -> bool {
        let equal = self == other;
        if equal {
            self.0 = Arc::clone(&other.0);
        }
        equal
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Clone> DerefMut for Shared<T> {
    fn deref_mut(&mut self) -> &mut T {
        Arc::make_mut(&mut self.0)
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: PartialEq> PartialEq for Shared<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl<T: Eq> Eq for Shared<T> {}

impl<T: Default> Default for Shared<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Shared;

    // Input: a value, its clone, and a change of the clone. Output: two values.
    #[test]
    fn a_changed_clone_leaves_the_other_alone() {
        let one = Shared::new(vec![1]);
        let mut other = one.clone();
        assert!(std::ptr::eq(&raw const *one, &raw const *other));
        other.push(2);
        assert_eq!((&*one, &*other), (&vec![1], &vec![1, 2]));
    }

    // Input: an equal and a different value. Output: the first is one with ours from then on.
    #[test]
    fn equal_values_come_to_share_their_memory() {
        let one = Shared::new(vec![1]);
        let (mut equal, mut different) = (Shared::new(vec![1]), Shared::new(vec![2]));
        assert!(equal.share_with(&one));
        assert!(!different.share_with(&one));
        assert!(std::ptr::eq(&raw const *one, &raw const *equal));
        assert_eq!(*different, vec![2]);
    }
}

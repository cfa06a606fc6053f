//! Keywords that keepalived knows and this version does nothing with yet.
//!
//! Owns: their names and forms, so that a block of them is skipped whole and the operator is told
//! honestly. A keyword that becomes active moves from here to its table. Driven by:
//! `schema::find`.

use super::Form::{self, InactiveBlock as Block};
use super::Level::{self, Instance};

/// Level, name and form, sorted by level and name.
pub(super) static INACTIVE: &[(Level, &str, Form)] = &[(Instance, "auth_hmac", Block)];

//! Rows of the VRRP side whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::bfd;
use super::super::{Keyword, Level};

pub(super) static ROOT: &[Keyword] = &[
    Keyword::block(
        "SSL",
        bfd::ssl,
        Level::Ssl,
        None,
        "what SSL_GET shows of itself",
    ),
    Keyword::block(
        "bfd_instance",
        bfd::open,
        Level::BfdInstance,
        Some(bfd::close),
        "a BFD session",
    ),
];

pub(super) static GLOBAL: &[Keyword] = &[];

pub(super) static INSTANCE: &[Keyword] = &[];

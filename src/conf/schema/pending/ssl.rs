//! Rows of `SSL`, whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::bfd;
use super::super::Keyword;

pub(super) static SSL: &[Keyword] = &[
    Keyword::leaf("ca", bfd::ca, "file of certificates"),
    Keyword::leaf("certificate", bfd::certificate, "file of the certificate"),
    Keyword::leaf("key", bfd::key, "file of the key"),
    Keyword::leaf("password", bfd::password, "password of the key"),
];

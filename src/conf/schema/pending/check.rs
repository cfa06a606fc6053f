//! Rows of the virtual servers and their servers whose function is not there yet.
//!
//! Owns: the tables. Driven by: `schema::pending`.

use super::super::super::bind::{server_policy as s, service_policy as v};
use super::super::Keyword;

pub(super) static VIRTUAL_SERVER: &[Keyword] =
    &[Keyword::leaf("snmp_name", v::snmp_name, "name in the MIB")];

pub(super) static REAL_SERVER: &[Keyword] =
    &[Keyword::leaf("snmp_name", s::snmp_name, "name in the MIB")];

//! Guard: every field of the configuration model has a row in the table of `conf::diff`.
//!
//! Reads the model's sources, so that a field which is added without a thought about reloads
//! fails here.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;

use keepalived_rs::conf::diff;

/// Objects that have rows. Everything else in the model is the value of one of their fields, or
/// the configuration itself.
const OBJECTS: [&str; 19] = [
    "BfdInstance",
    "VrrpInstance",
    "VirtualServer",
    "RealServer",
    "Global",
    "Process",
    "Mail",
    "Scripts",
    "Fifos",
    "Dumps",
    "Reloading",
    "VrrpDefaults",
    "Interfaces",
    "Firewall",
    "Checks",
    "Lvs",
    "Snmp",
    "Dbus",
    "Buffers",
];
/// Values: they are compared whole, as the field that they stand in.
const VALUES: [&str; 49] = [
    "AddressOptions",
    "AuthPass",
    "BfdKey",
    "BfdProbe",
    "Buffer",
    "CheckRef",
    "CheckDefaults",
    "CheckScript",
    "Config",
    "DnsProbe",
    "ExtraGarp",
    "Fifo",
    "FileProbe",
    "Garp",
    "GarpSettings",
    "HttpProbe",
    "HttpRegex",
    "HttpUrl",
    "InstanceKey",
    "LvsTimeouts",
    "MiscProbe",
    "NextHop",
    "OwnLink",
    "Persistence",
    "Prefix",
    "Priority",
    "Probe",
    "RealServerKey",
    "Route",
    "RouteMetrics",
    "Rule",
    "Scheduling",
    "Scope",
    "ServerGroup",
    "ServerPolicy",
    "ServiceAddress",
    "ServicePolicy",
    "Signing",
    "SigningKey",
    "SmtpProbe",
    "SorryServer",
    "StaticAddress",
    "Statics",
    "SyncDaemon",
    "TcpCheck",
    "TlsClient",
    "TrackGroup",
    "UdpProbe",
    "VirtualAddress",
];

/// The public structs of a source with their fields.
fn structs(source: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    let mut current: Option<(String, Vec<String>)> = None;
    for line in source.lines() {
        if let Some(rest) = line.strip_prefix("pub struct ") {
            let name: String = rest.chars().take_while(|c| c.is_alphanumeric()).collect();
            if rest.ends_with('{') {
                current = Some((name, Vec::new()));
            } else {
                found.push((name, Vec::new()));
            }
        } else if line == "}" {
            found.extend(current.take());
        } else if let Some((_, fields)) = &mut current {
            let field = line.trim_start().strip_prefix("pub ");
            if let Some((name, _)) = field.and_then(|field| field.split_once(':')) {
                fields.push(name.to_owned());
            }
        }
    }
    found
}

fn model() -> Vec<(String, Vec<String>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/conf/model");
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // The steps themselves, and settings on which no domain acts, so that no change of theirs
        // reaches anything.
        let name = path.file_name().unwrap();
        if name != "plan.rs" && name != "options.rs" {
            all.extend(structs(&fs::read_to_string(path).unwrap()));
        }
    }
    all
}

#[test]
fn every_field_of_the_model_has_a_class_of_change() {
    let rows = diff::fields();
    let model = model();
    for object in OBJECTS {
        let (_, fields) = model.iter().find(|(name, _)| name == object).unwrap();
        assert!(!fields.is_empty(), "{object}");
        for field in fields {
            assert!(
                rows.contains(&(object, field.as_str())),
                "{object}.{field} has no row in conf::diff"
            );
        }
        let of_object = rows.iter().filter(|(name, _)| *name == object).count();
        assert_eq!(
            of_object,
            fields.len(),
            "{object} has a row without a field"
        );
    }
}

#[test]
fn every_struct_of_the_model_is_an_object_or_a_value() {
    for (name, _) in model() {
        let name = name.as_str();
        // `Vrid`, `Nth` and the like are tuples of one number.
        assert!(
            OBJECTS.contains(&name) || VALUES.contains(&name) || matches!(name, "Vrid" | "Nth"),
            "{name} is new: does it need rows in conf::diff?"
        );
    }
}

// Input: a struct with a field more than the table. Output: the reader of sources sees it.
#[test]
fn the_guard_sees_fields() {
    let source =
        "pub struct A {\n    /// x\n    pub x: u8,\n    pub y: Vec<u8>,\n}\npub struct B(u8);\n";
    let expected = vec![
        ("A".to_owned(), vec!["x".to_owned(), "y".to_owned()]),
        ("B".to_owned(), vec![]),
    ];
    assert_eq!(structs(source), expected);
}

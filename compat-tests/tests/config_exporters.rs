//! The reports as the usual Prometheus exporters read them.
//!
//! They know the texts by prefixes, separators and field names; what they rely on is written down
//! here as a reader of the same strictness. Input: a configuration with several instances. Output:
//! every instance with the values that the exporters publish.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;

use compat_tests::cases::{Case, read};
use compat_tests::reports::{started, whole};
use keepalived_rs::report::{Kind, Part};

const WHOLE: usize = 1 << 24;
const STATES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];
const NAMES: [&str; 3] = ["VI_1", "VI_2", "VI_3"];

fn report(kind: Kind) -> String {
    let cases = Case::all("reports");
    let case = cases.iter().find(|case| case.name == "vrrp").unwrap();
    whole(&started(&read(case).config), kind, true, WHOLE)
}

/// Blocks that begin with ` TITLE = NAME`, as key and value of each line with three blanks and an
/// equals sign; deeper lines belong to the key before them.
fn blocks(text: &str, title: &str) -> BTreeMap<String, Vec<(String, String)>> {
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut list = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(&format!(" {title} = ")) {
            current = Some(name.to_owned());
            found.insert(name.to_owned(), Vec::new());
        } else if let (Some(name), true) = (&current, line.starts_with("   ")) {
            let fields = found.get_mut(name).unwrap();
            if let Some(item) = line.strip_prefix("     ") {
                fields.push((list.clone(), item.to_owned()));
            } else if let Some((key, value)) = line.trim().split_once(" = ") {
                fields.push((key.to_owned(), value.to_owned()));
            } else if let Some((key, _)) = line.trim().split_once(':') {
                key.trim().clone_into(&mut list);
            }
        } else {
            current = None;
        }
    }
    found
}

fn value<'a>(fields: &'a [(String, String)], key: &str) -> &'a str {
    let found = fields.iter().find(|(name, _)| name == key);
    &found.unwrap_or_else(|| panic!("{key}")).1
}

#[test]
fn exporters_read_instances_from_the_data() {
    let data = blocks(&report(Kind::Data(Part::Vrrp)), "VRRP Instance");
    assert!(data.keys().eq(NAMES.iter()));
    for fields in data.values() {
        assert!(STATES.contains(&value(fields, "State")));
        assert!(STATES.contains(&value(fields, "Wantstate")));
        assert!(value(fields, "Interface").starts_with("eth"));
        assert!(value(fields, "Gratuitous ARP delay").parse::<u32>().is_ok());
        assert!(value(fields, "Virtual Router ID").parse::<u8>().is_ok());
        let since = value(fields, "Last transition").split(' ').next().unwrap();
        assert!(since.parse::<f64>().is_ok());
    }
    let addresses: Vec<Vec<&str>> = data["VI_1"]
        .iter()
        .filter(|(key, _)| key.starts_with("Virtual IP ("))
        .map(|(_, address)| address.split(' ').collect())
        .collect();
    assert_eq!(addresses.len(), 3);
    assert_eq!(addresses[0][..3], ["192.0.2.100", "dev", "eth0"]);
}

#[test]
fn exporters_read_scripts_from_the_data() {
    let data = blocks(&report(Kind::Data(Part::Vrrp)), "VRRP Script");
    assert_eq!(data.len(), 2);
    for fields in data.values() {
        assert!(["GOOD", "BAD"].contains(&value(fields, "Status")));
        let states = [
            "idle",
            "running",
            "requested termination",
            "forcing termination",
        ];
        assert!(states.contains(&value(fields, "State")));
    }
}

#[test]
fn exporters_read_counters_from_the_statistics() {
    let text = report(Kind::Stats);
    let mut counters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut instance, mut section) = (String::new(), String::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("VRRP Instance: ") {
            name.clone_into(&mut instance);
            section.clear();
        } else if let Some(title) = line.strip_suffix(':') {
            title.trim().clone_into(&mut section);
        } else {
            let (key, count) = line.trim().split_once(": ").unwrap();
            assert!(count.parse::<u64>().is_ok(), "{line}");
            let section = if line.starts_with("    ") {
                &section
            } else {
                ""
            };
            let found = counters.entry(instance.clone()).or_default();
            found.push(format!("{section}/{key}"));
        }
    }
    assert!(counters.keys().eq(NAMES.iter()));
    for found in counters.values() {
        assert_eq!(
            found.join(" "),
            "Advertisements/Received Advertisements/Sent /Became master /Released master \
             Packet Errors/Length Packet Errors/TTL Packet Errors/Invalid Type \
             Packet Errors/Advertisement Interval Packet Errors/Address List \
             Authentication Errors/Invalid Type Authentication Errors/Type Mismatch \
             Authentication Errors/Failure Priority Zero/Received Priority Zero/Sent"
        );
    }
}

#[test]
fn exporters_read_json() {
    let text = report(Kind::Json(1));
    let objects: Vec<&str> = text.split("{\"data\":").skip(1).collect();
    assert_eq!(objects.len(), NAMES.len());
    for (object, name) in objects.iter().zip(NAMES) {
        assert!(object.starts_with(&format!("{{\"iname\":\"{name}\",")));
        let number = |field: &str| {
            let at = object.split_once(&format!("\"{field}\":"));
            let (_, rest) = at.unwrap_or_else(|| panic!("{field}"));
            let end = rest.find([',', '}']).unwrap();
            rest[..end]
                .parse::<f64>()
                .unwrap_or_else(|_| panic!("{field}: {rest}"))
        };
        for field in "state wantstate vrid last_transition garp_delay adver_int master_adver_int \
                      base_priority effective_priority version auth_type advert_rcvd advert_sent \
                      become_master release_master packet_len_err advert_interval_err ip_ttl_err \
                      invalid_type_rcvd addr_list_err invalid_authtype authtype_mismatch \
                      auth_failure pri_zero_rcvd pri_zero_sent"
            .split(' ')
            .filter(|field| !field.is_empty())
        {
            assert!(number(field) >= 0.0);
        }
        assert!(object.contains("\"ifp_ifname\":\"eth") && object.contains("\"vips\":[\""));
    }
}

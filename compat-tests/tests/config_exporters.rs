//! The reports as the usual Prometheus exporters read them. Input: a configuration with several
//! instances. Output: every instance with the values that the exporters publish, the same from
//! each of the files. What daemons write in other states is read in `side_by_side_reports`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::collections::BTreeMap;

use compat_tests::cases::{Case, read};
use compat_tests::exporters::{self, Data, STATES};
use compat_tests::reports::{started, whole};
use keepalived_rs::report::{Kind, Part};

const WHOLE: usize = 1 << 24;
const NAMES: [&str; 3] = ["VI_1", "VI_2", "VI_3"];

fn report(kind: Kind) -> String {
    let cases = Case::all("reports");
    let case = cases.iter().find(|case| case.name == "vrrp").unwrap();
    whole(&started(&read(case).config), kind, true, WHOLE)
}

fn instances() -> BTreeMap<String, Data> {
    exporters::data(&report(Kind::Data(Part::Vrrp))).unwrap()
}

#[test]
fn exporters_read_instances_from_the_data() {
    let data = instances();
    assert!(data.keys().eq(NAMES.iter()));
    let states: Vec<&str> = data.values().map(|is| STATES[is.state]).collect();
    assert_eq!(states, ["BACKUP"; 3]);
    let first = &data["VI_1"];
    assert_eq!((first.vrid, first.garp_delay), (51, 1));
    assert_eq!((first.interface.as_str(), first.since), ("eth0", 1.0));
    assert_eq!(first.addresses.len(), 3);
    assert_eq!(first.addresses[0], ("192.0.2.100".into(), "eth0".into()));
}

#[test]
fn exporters_read_scripts_from_the_data() {
    let scripts = exporters::scripts(&report(Kind::Data(Part::Vrrp))).unwrap();
    assert_eq!(scripts.len(), 2);
}

#[test]
fn exporters_read_counters_from_the_statistics() {
    let counters = exporters::counters(&report(Kind::Stats)).unwrap();
    assert!(counters.keys().eq(NAMES.iter()));
    assert!(counters.values().all(|found| found.len() == 14));
}

/// Version 2 is not for these exporters: its instances are the same, one level deeper.
#[test]
fn exporters_read_json() {
    let published = exporters::json(&report(Kind::Json(1))).unwrap();
    assert!(published.counters.keys().eq(NAMES.iter()));
    assert_eq!(published.data, instances());
    let second = report(Kind::Json(2));
    assert_eq!(exporters::json_2(&second).unwrap(), published);
    assert!(exporters::json(&second).is_err());
}

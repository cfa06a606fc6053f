//! Readers of reports as strict as the usual Prometheus exporters are.
//!
//! Owns: what `mehdy/keepalived-exporter` and `gen2brain/keepalived_exporter` rely on (prefixes,
//! separators, names of keys, types of JSON fields), and what they make of a report. Each ends
//! where they end: with an error, or with less than there is. Never does: judge values. Driven by:
//! the tests of reports.

use std::collections::BTreeMap;

use serde_json::Value;

/// The states in the order of their numbers.
pub const STATES: [&str; 4] = ["INIT", "BACKUP", "MASTER", "FAULT"];
/// The states of a script's run.
const PHASES: [&str; 4] = [
    "idle",
    "running",
    "requested termination",
    "forcing termination",
];

/// What both exporters publish of an instance's data.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Data {
    /// The number of its state.
    pub state: usize,
    /// The number of the state that it wants.
    pub wanted: usize,
    /// Its interface, that of the VMAC if it has one.
    pub interface: String,
    /// Seconds.
    pub garp_delay: i64,
    /// 1 to 255.
    pub vrid: i64,
    /// Address and interface.
    pub addresses: Vec<(String, String)>,
    /// Seconds since 1970.
    pub since: f64,
}

/// The counters of an instance by `section/name`.
pub type Counters = BTreeMap<String, i64>;

/// Everything that is published.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Published {
    /// By the name of the instance.
    pub data: BTreeMap<String, Data>,
    /// By the name of the instance.
    pub counters: BTreeMap<String, Counters>,
    /// Scripts with their status and state.
    pub scripts: BTreeMap<String, (String, String)>,
}

type Result<T> = std::result::Result<T, String>;

fn number(text: &str) -> Result<i64> {
    text.parse().map_err(|_| format!("no number: {text:?}"))
}

fn state(text: &str) -> Result<usize> {
    let place = STATES.iter().position(|state| *state == text);
    place.ok_or_else(|| format!("Unknown state found: {text:?}"))
}

/// Key and value; of a value with another separator the rest is lost.
fn parts(line: &str, separator: char) -> Option<(&str, &str)> {
    let mut parts = line.trim().split(separator);
    let key = parts.next()?.trim();
    Some((key, parts.next()?.trim()))
}

fn address(text: &str) -> Result<(String, String)> {
    let words: Vec<&str> = text.split(' ').collect();
    match words[..] {
        [address, _, interface, ..] => Ok((address.to_owned(), interface.to_owned())),
        _ => Err(format!(
            "Failed to parse VIP from keepalived data: {text:?}"
        )),
    }
}

/// `keepalived.data`, its instances.
///
/// # Errors
/// What ends the exporter's scrape.
pub fn data(text: &str) -> Result<BTreeMap<String, Data>> {
    let mut found: BTreeMap<String, Data> = BTreeMap::new();
    let mut current: Option<String> = None;
    let mut key = String::new();
    for line in text.lines() {
        if line.starts_with(" VRRP Instance") && line.contains('=') {
            let (_, name) = parts(line, '=').unwrap_or_default();
            current = Some(name.to_owned());
            found.insert(name.to_owned(), Data::default());
        } else if line.starts_with(" VRRP Version") || line.starts_with(" VRRP Script") {
            // Of old releases, which had them within an instance.
        } else if let (true, Some(name)) = (line.starts_with("   "), &current) {
            let value = if line.starts_with("     ") {
                line.trim()
            } else if let Some((name, value)) = parts(line, '=').or_else(|| parts(line, ':')) {
                name.clone_into(&mut key);
                value
            } else {
                continue;
            };
            let data = found.entry(name.clone()).or_default();
            take(data, &key, value).map_err(|error| format!("{error} in {line:?}"))?;
        } else {
            current = None;
        }
    }
    Ok(found)
}

fn take(data: &mut Data, key: &str, value: &str) -> Result<()> {
    let list = key.starts_with("Virtual IP (") || key == "Virtual IP";
    match key {
        _ if list && !value.is_empty() => data.addresses.push(address(value)?),
        "State" => data.state = state(value)?,
        "Wantstate" => data.wanted = state(value)?,
        "Interface" | "Listening device" => value.clone_into(&mut data.interface),
        "Gratuitous ARP delay" => data.garp_delay = number(value)?,
        "Virtual Router ID" => data.vrid = number(value)?,
        "Last transition" => {
            let first = value.split(' ').next().unwrap_or_default();
            let since = first.parse();
            data.since = since.map_err(|_| format!("no time: {first:?}"))?;
        }
        _ => {}
    }
    Ok(())
}

/// `keepalived.data`, its scripts.
///
/// # Errors
/// What is left out of what is published.
pub fn scripts(text: &str) -> Result<BTreeMap<String, (String, String)>> {
    let mut found: BTreeMap<String, (String, String)> = BTreeMap::new();
    let mut current: Option<String> = None;
    for line in text.lines() {
        if line.starts_with(" VRRP Script") && line.contains('=') {
            let (_, name) = parts(line, '=').unwrap_or_default();
            current = Some(name.to_owned());
            found.insert(name.to_owned(), Default::default());
        } else if let (true, Some(name)) = (line.starts_with("   "), &current) {
            let script = found.entry(name.clone()).or_default();
            match parts(line, '=') {
                Some(("Status", value)) => value.clone_into(&mut script.0),
                Some(("State", value)) => value.clone_into(&mut script.1),
                Some(_) | None => {}
            }
        } else if !line.starts_with("    ") {
            current = None;
        }
    }
    for (name, (status, phase)) in &found {
        if !["BAD", "GOOD"].contains(&status.as_str()) {
            return Err(format!("Unknown status {status:?} of {name}"));
        }
        if !PHASES.contains(&phase.as_str()) {
            return Err(format!("Unknown state {phase:?} of {name}"));
        }
    }
    Ok(found)
}

/// The counters with the names in `keepalived.stats` and in JSON.
const COUNTERS: [(&str, &str); 14] = [
    ("Advertisements/Received", "advert_rcvd"),
    ("Advertisements/Sent", "advert_sent"),
    ("/Became master", "become_master"),
    ("/Released master", "release_master"),
    ("Packet Errors/Length", "packet_len_err"),
    ("Packet Errors/TTL", "ip_ttl_err"),
    ("Packet Errors/Invalid Type", "invalid_type_rcvd"),
    (
        "Packet Errors/Advertisement Interval",
        "advert_interval_err",
    ),
    ("Packet Errors/Address List", "addr_list_err"),
    ("Authentication Errors/Invalid Type", "invalid_authtype"),
    ("Authentication Errors/Type Mismatch", "authtype_mismatch"),
    ("Authentication Errors/Failure", "auth_failure"),
    ("Priority Zero/Received", "pri_zero_rcvd"),
    ("Priority Zero/Sent", "pri_zero_sent"),
];

/// `keepalived.stats`.
///
/// # Errors
/// What ends the exporter's scrape, or a counter that it would publish as 0 for want of it.
pub fn counters(text: &str) -> Result<BTreeMap<String, Counters>> {
    let mut found: BTreeMap<String, Counters> = BTreeMap::new();
    let (mut instance, mut section) = (String::new(), String::new());
    for line in text.lines() {
        let part = || parts(line, ':').ok_or_else(|| format!("no value: {line:?}"));
        if line.starts_with("VRRP Instance") && line.contains(':') {
            part()?.1.clone_into(&mut instance);
        } else if line.starts_with("  ") && line.ends_with(':') {
            part()?.0.clone_into(&mut section);
        } else if line.starts_with("  ") {
            if !line.starts_with("    ") {
                section.clear();
            } else if section.is_empty() {
                continue;
            }
            let (key, value) = part()?;
            let counters = found.entry(instance.clone()).or_default();
            counters.insert(format!("{section}/{key}"), number(value)?);
        }
    }
    for (name, counters) in &found {
        for (counter, _) in COUNTERS {
            if !counters.contains_key(counter) {
                return Err(format!("{counter} of {name} is missing"));
            }
        }
    }
    Ok(found)
}

/// `keepalived.json` of version 1, an array; both want whole numbers and lists of texts, and take
/// anything else as an error. The scripts are not in it.
///
/// # Errors
/// What ends the exporter's scrape, or a field that it would publish as 0 for want of it.
pub fn json(text: &str) -> Result<Published> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    instances(&value)
}

/// `keepalived.json` of version 2, whose array of instances is a field.
///
/// # Errors
/// As of version 1.
pub fn json_2(text: &str) -> Result<Published> {
    let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    instances(value.get("vrrp").ok_or("no field vrrp")?)
}

fn instances(value: &Value) -> Result<Published> {
    let mut published = Published::default();
    let array = value.as_array().ok_or("cannot unmarshal object into []")?;
    for object in array {
        let field = |part: &str, name: &str| {
            let value = object.get(part).and_then(|part| part.get(name));
            value.ok_or_else(|| format!("{part}.{name} is missing"))
        };
        let whole = |part: &str, name: &str| {
            let value = field(part, name)?;
            value.as_i64().ok_or_else(|| format!("{name}: {value}"))
        };
        let word = |name: &str| {
            let value = field("data", name)?;
            value.as_str().ok_or_else(|| format!("{name}: {value}"))
        };
        let place = |name: &str| {
            let number = usize::try_from(whole("data", name)?).unwrap_or(usize::MAX);
            let known = STATES.get(number).map(|_| number);
            known.ok_or_else(|| format!("{name}: {number}"))
        };
        let empty = Vec::new();
        let addresses = field("data", "vips").ok().and_then(Value::as_array);
        let addresses = addresses.unwrap_or(&empty).iter().map(|value| {
            let text = value.as_str().ok_or_else(|| format!("vips: {value}"))?;
            address(text)
        });
        let since = field("data", "last_transition")?;
        let data = Data {
            state: place("state")?,
            wanted: place("wantstate")?,
            interface: word("ifp_ifname")?.to_owned(),
            garp_delay: whole("data", "garp_delay")?,
            vrid: whole("data", "vrid")?,
            addresses: addresses.collect::<Result<_>>()?,
            since: since.as_f64().ok_or_else(|| format!("{since}"))?,
        };
        let mut counters = Counters::new();
        for (counter, name) in COUNTERS {
            counters.insert(counter.to_owned(), whole("stats", name)?);
        }
        let name = word("iname")?;
        published.data.insert(name.to_owned(), data);
        published.counters.insert(name.to_owned(), counters);
    }
    Ok(published)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Input: reports that an exporter cannot use. Output: why.
    #[test]
    fn what_exporters_stumble_over_is_an_error() {
        let instance = " VRRP Instance = VI_1\n   State = ";
        assert_eq!(
            data(&format!("{instance}MASTER\n")).unwrap()["VI_1"].state,
            2
        );
        assert!(data(&format!("{instance}Master\n")).is_err());
        assert!(scripts(" VRRP Script = a\n   Status = FINE\n   State = idle\n").is_err());
        assert!(counters("VRRP Instance: a\n  Became master: 1\n").is_err());
        assert!(json("{\"vrrp\":[]}").is_err());
        assert!(json("[{\"data\":{\"garp_delay\":1.5}}]").is_err());
        assert_eq!(json_2("{\"vrrp\":[]}").unwrap(), Published::default());
    }
}

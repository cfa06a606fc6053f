//! The configuration of the document, and the configuration test beside the real daemon.
//!
//! `KEEPALIVED_DOCUMENT`: the document whose two files are compared with our copies.
//! `KEEPALIVED_REAL`: the real daemon for the side-by-side runs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keepalived_rs::conf::model::{
    AuthPass, Config, Forwarding, InitialState, Priority, Protocol, Scheduler, ServiceKey,
};
use keepalived_rs::conf::{Class, Files, HostFacts, LoadOptions, Loaded, load};
use keepalived_rs::host::files::{Facts, HostFiles};

/// A host on which exactly the named interfaces exist.
struct Host(&'static [&'static str]);

impl HostFacts for Host {
    fn interface_exists(&self, name: &str) -> bool {
        self.0.contains(&name)
    }
    fn node_name(&self) -> String {
        "LVS_Master.example".to_owned()
    }
    fn environment(&self, _: &str) -> Option<String> {
        None
    }
    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

fn director(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("cases/lab")
        .join(name)
        .join("keepalived.conf")
}

fn read(path: &Path) -> Loaded {
    load(
        path,
        LoadOptions::default(),
        &HostFiles,
        &Host(&["eth0", "lo"]),
    )
}

fn expect_document(config: &Config, router_id: &str, state: InitialState, priority: u8) {
    assert_eq!(config.global.router_id.as_deref(), Some(router_id));
    let [instance] = &config.vrrp_instances[..] else {
        panic!("one instance expected: {config:?}");
    };
    assert_eq!(instance.name, "VI_1");
    assert_eq!(instance.initial_state, state);
    assert_eq!(instance.interface, "eth0");
    assert_eq!(instance.vrid.get(), 51);
    assert_eq!(instance.priority, Priority(priority));
    assert_eq!(instance.advert_interval, Duration::from_secs(1));
    assert_eq!(instance.auth, Some(AuthPass(*b"1111\0\0\0\0")));
    let vip = IpAddr::V4(Ipv4Addr::new(182, 148, 15, 239));
    assert_eq!(instance.addresses.len(), 1);
    assert_eq!(instance.addresses[0].address, vip);
    assert_eq!(instance.addresses[0].prefix_len, 32);
    let [service] = &config.virtual_servers[..] else {
        panic!("one service expected: {config:?}");
    };
    let key = ServiceKey::address(vip, 3306, Protocol::Tcp);
    assert_eq!(service.key, key);
    assert_eq!(service.scheduler, Scheduler::Wrr);
    let persistence = service.persistence.unwrap();
    assert_eq!(persistence.timeout, Duration::from_secs(50));
    assert_eq!(persistence.granularity, 32);
    let servers: Vec<_> = service
        .real_servers
        .iter()
        .map(|server| server.key.address.to_string())
        .collect();
    assert_eq!(servers, ["182.148.15.233", "182.148.15.238"]);
    for server in &service.real_servers {
        assert_eq!((server.key.port, server.weight), (3306, 3));
        assert_eq!(server.forwarding, Forwarding::Dr);
        let [check] = &server.tcp_checks[..] else {
            panic!("one check expected: {server:?}");
        };
        assert_eq!(check.target.ip(), server.key.address);
        assert_eq!(check.target.port(), 3306);
        assert_eq!(check.connect_timeout, Duration::from_secs(3));
        assert_eq!(check.retries, 3);
        assert_eq!(check.delay_before_retry, Duration::from_secs(3));
        assert_eq!(check.delay_loop, Duration::from_secs(6));
    }
}

// Input: the document's two files, byte for byte. Output: what they mean, and one advice about the
// no-break spaces that they are full of.
#[test]
fn the_two_directors_of_the_document() {
    for (name, router, state, priority) in [
        ("director-master", "LVS_Master", InitialState::Master, 100),
        ("director-backup", "LVS_Backup", InitialState::Backup, 90),
    ] {
        let loaded = read(&director(name));
        let found: Vec<_> = loaded
            .diagnostics
            .iter()
            .map(|finding| (finding.class, finding.to_string()))
            .collect();
        let advice = found
            .iter()
            .filter(|(class, _)| *class == Class::Advice)
            .count();
        assert_eq!(advice, 1, "{found:#?}");
        assert_eq!(found.len(), 3, "{found:#?}");
        assert!(
            found
                .iter()
                .filter(|(class, _)| *class != Class::Advice)
                .all(|(_, text)| text.contains("nb_get_retry")),
            "{found:#?}"
        );
        assert_eq!(loaded.diagnostics.blocks_start(), None);
        assert!(loaded.diagnostics.blocks_reload().is_none());
        expect_document(&loaded.config, router, state, priority);
    }
}

// Input: the same files with plain spaces. Output: the same meaning, and no advice.
#[test]
fn plain_spaces_mean_the_same() {
    for name in ["director-master", "director-backup"] {
        let bytes = HostFiles.read(&director(name)).unwrap();
        let plain = String::from_utf8(bytes).unwrap().replace('\u{a0}', " ");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("keepalived.conf");
        std::fs::write(&path, plain).unwrap();
        let (mut plain, mut document) = (read(&path), read(&director(name)));
        plain.config.files.clear();
        document.config.files.clear();
        assert_eq!(plain.config, document.config);
        assert!(
            plain
                .diagnostics
                .iter()
                .all(|finding| finding.class != Class::Advice)
        );
        assert_eq!(
            plain.diagnostics.exit_status(),
            document.diagnostics.exit_status()
        );
    }
}

// Input: the document itself. Output: our copies of its two files are its very bytes.
#[test]
fn our_copies_are_the_document_s_files() {
    let Some(document) = std::env::var_os("KEEPALIVED_DOCUMENT") else {
        println!("skipped: KEEPALIVED_DOCUMENT is not set");
        return;
    };
    let text = std::fs::read_to_string(document).unwrap();
    let mut files = text.match_indices("!\u{a0}Configuration");
    for name in ["director-master", "director-backup"] {
        let (start, _) = files.next().unwrap();
        let ours = std::fs::read_to_string(director(name)).unwrap();
        assert!(text[start..].starts_with(&ours), "{name}");
        let rest = text[start + ours.len()..].trim_start();
        assert!(rest.starts_with("启动keepalived"), "{name}: more follows");
    }
}

/// Input: blocks in each other as deep as there is room for in a file, read with little stack. Output:
/// what is read with much: no rule of the grammar recurses, so nobody has to look how much is left.
#[test]
fn little_stack_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepalived.conf");
    let deep = "bogus {\n".repeat(20_000) + "vrrp_instance VI_1 {\n    \"bogus\" {{{ }\n}\n";
    std::fs::write(&path, deep).unwrap();
    let read = |stack: usize| {
        let path = path.clone();
        let thread = std::thread::Builder::new().stack_size(stack);
        let read =
            move || load(&path, LoadOptions::default(), &HostFiles, &Host(&["eth0"])).diagnostics;
        thread.spawn(read).unwrap().join().unwrap()
    };
    // Twice what a debug build takes.
    let (little, much) = (read(256 << 10), read(8 << 20));
    assert_eq!(little.exit_status(), much.exit_status());
    assert_eq!(little.iter().count(), much.iter().count());
}

// Input: a route through a table whose name stands in a folder of its own. Output: its number, whichever
// keyword names the folder; without one the name is not known.
#[test]
fn names_of_tables_are_looked_up_where_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keepalived.conf");
    std::fs::write(folder.path().join("rt_tables"), "77 mine\n").unwrap();
    let routes = "static_routes {\n 10.1.0.0/16 dev lo table mine\n}\n";
    for keyword in ["iproute_etc_dir", "iproute_usr_dir"] {
        let settings = format!(
            "global_defs {{\n {keyword} {}\n}}\n",
            folder.path().display()
        );
        std::fs::write(&path, settings + routes).unwrap();
        let loaded = load(&path, LoadOptions::default(), &HostFiles, &Facts);
        assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
        assert_eq!(loaded.config.statics.routes[0].table, 77);
    }
    std::fs::write(&path, routes).unwrap();
    let loaded = load(&path, LoadOptions::default(), &HostFiles, &Facts);
    let said: Vec<_> = loaded
        .diagnostics
        .iter()
        .map(|found| found.message.clone())
        .collect();
    assert_eq!(said, ["Routing table mine not found for route"]);
}

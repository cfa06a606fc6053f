//! Loads on a host of the tests' own, which then changes.

use super::*;
use crate::conf::{LoadOptions, load};
use std::collections::BTreeMap;
use std::rc::Rc;

/// A host that counts how often it is asked.
#[derive(Clone, Default)]
struct Host {
    files: BTreeMap<PathBuf, Vec<u8>>,
    programs: BTreeMap<String, Program>,
    interfaces: Vec<String>,
    asked: Rc<RefCell<usize>>,
}

impl Host {
    fn count(&self) {
        *self.asked.borrow_mut() += 1;
    }
}

impl Files for Host {
    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        self.count();
        self.files.get(path).cloned().ok_or(FileError::Missing)
    }

    fn exists(&self, path: &Path) -> bool {
        self.count();
        self.files.contains_key(path)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        self.count();
        let folder = pattern.parent().unwrap();
        let inside = self.files.keys().filter(|path| path.starts_with(folder));
        inside.cloned().collect()
    }
}

impl Summed for Host {}

impl HostFacts for Host {
    fn interface_exists(&self, name: &str) -> bool {
        self.count();
        self.interfaces.iter().any(|known| known == name)
    }

    fn node_name(&self) -> String {
        self.count();
        "node".to_owned()
    }

    fn environment(&self, name: &str) -> Option<String> {
        self.count();
        (name == "WHERE").then(|| "here".to_owned())
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }

    fn program(&self, name: &str) -> Program {
        self.count();
        self.programs.get(name).copied().unwrap_or(Program::Missing)
    }
}

const MAIN: &str = "include /etc/more/*.conf
global_defs {
    router_id ${_ENV WHERE}
}
vrrp_script S {
    script /bin/check
}
vrrp_instance V {
    interface eth0
    virtual_router_id 1
    virtual_ipaddress {
        10.0.0.1
    }
}
";

fn host() -> Host {
    let mut host = Host::default();
    host.files
        .insert("/etc/keepalived.conf".into(), MAIN.as_bytes().to_vec());
    host.files
        .insert("/etc/more/a.conf".into(), b"static_routes {\n}\n".to_vec());
    host.interfaces.push("eth0".to_owned());
    host.programs
        .insert("/bin/check".to_owned(), Program::Secure);
    host
}

fn memo(host: &Host) -> Memo {
    let asked = Asked::new(host.clone(), host.clone());
    let path = Path::new("/etc/keepalived.conf");
    drop(load(path, LoadOptions::default(), &asked, &asked));
    asked.memo()
}

// Input: a configuration with an include, a script and an interface, on a host that stays as it is;
// then one change of it at a time. Output: it holds only on the first.
#[test]
fn whatever_the_load_asked_for_counts() {
    let host = host();
    let memo = memo(&host);
    assert!(memo.holds(&host, &host));
    type Edit = fn(&mut Host);
    let edits: [(&str, Edit); 6] = [
        ("the main file", |host| {
            let file = host.files.get_mut(Path::new("/etc/keepalived.conf"));
            file.unwrap().push(b'#');
        }),
        ("an included file", |host| {
            let file = host.files.get_mut(Path::new("/etc/more/a.conf"));
            file.unwrap()[0] = b'S';
        }),
        ("one more file", |host| {
            host.files.insert("/etc/more/b.conf".into(), Vec::new());
        }),
        ("the main file is gone", |host| {
            host.files.remove(Path::new("/etc/keepalived.conf"));
        }),
        ("the interface", |host| host.interfaces.clear()),
        ("the script", |host| host.programs.clear()),
    ];
    for (what, edit) in edits {
        let mut other = host.clone();
        edit(&mut other);
        assert!(!memo.holds(&other, &other), "{what}");
    }
}

// Input: 1,000 instances on one interface. Output: looking again asks no more than the load had
// different questions, however often it asked them.
#[test]
fn looking_again_asks_each_question_once() {
    let mut host = host();
    let mut text = String::new();
    for number in 0..1000_u32 {
        let id = number % 255 + 1;
        text.push_str(&format!(
            "vrrp_instance V{number} {{\n interface eth0\n virtual_router_id {id}\n}}\n"
        ));
    }
    host.files
        .insert("/etc/keepalived.conf".into(), text.into_bytes());
    let memo = memo(&host);
    *host.asked.borrow_mut() = 0;
    assert!(memo.holds(&host, &host));
    let asked = *host.asked.borrow();
    assert!((1..=8).contains(&asked), "{asked}");
}

// Input: no load at all. Output: nothing is known.
#[test]
fn an_empty_memo_holds_nothing() {
    assert!(!Memo::default().holds(&host(), &host()));
}

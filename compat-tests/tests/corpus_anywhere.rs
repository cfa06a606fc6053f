//! Configurations that other people wrote, found through `KEEPALIVED_CORPUS`: `files/ID.conf` and
//! `verdicts.tsv` with what the real daemon said of each. Nothing of them is kept here.
//!
//! Needs no privileges: the host is made up, ours alone is asked, within this process. (`corpus.rs`
//! asks both, on real interfaces.) Every file has to be read to its end. Where all of its keywords are active in this version, the
//! exit status of the config test has to be the real daemon's, too.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::fs;
use std::path::{Path, PathBuf};

use keepalived_rs::conf::source::Link;
use keepalived_rs::conf::{HostFacts, LoadOptions, Loaded, load, render};
use keepalived_rs::host::files::HostFiles;

/// A host on which every interface exists: the verdicts were taken on such hosts.
struct Anywhere;

impl HostFacts for Anywhere {
    fn interface_exists(&self, _: &str) -> bool {
        true
    }

    // What is to be made by the daemon is not there yet.
    fn link(&self, _: &str) -> Option<Link> {
        None
    }

    // Of namespaces those hosts had none.
    fn namespace_exists(&self, _: &str) -> bool {
        false
    }

    fn node_name(&self) -> String {
        "host".to_owned()
    }

    fn environment(&self, _: &str) -> Option<String> {
        None
    }

    fn working_directory(&self) -> PathBuf {
        PathBuf::from("/")
    }
}

fn only_active_keywords(loaded: &Loaded) -> bool {
    !loaded
        .diagnostics
        .iter()
        .any(|finding| finding.message.contains("not active in this version"))
}

/// Whether the verdict hangs on users, scripts, names or links that the host has: `corpus.rs` makes these,
/// where the real daemon is asked as well.
fn needs_the_host(text: &[u8], verdict: &str) -> bool {
    let text = String::from_utf8_lossy(text);
    let words = ["script", "notify", "quorum_", "MISC_CHECK"];
    let findings = ["doesn't exist", "Invalid smtp server"];
    words.iter().any(|word| text.contains(word))
        || findings.iter().any(|finding| verdict.contains(finding))
}

#[test]
fn files_of_others_are_read_and_judged_alike() {
    let Some(corpus) = std::env::var_os("KEEPALIVED_CORPUS") else {
        println!("skipped: no corpus");
        return;
    };
    let corpus = Path::new(&corpus);
    let verdicts = fs::read_to_string(corpus.join("verdicts.tsv")).unwrap();
    let (mut read, mut judged, mut wrong) = (0, 0, Vec::new());
    for row in verdicts.lines().skip(1) {
        let mut columns = row.split('\t');
        let id = columns.next().unwrap();
        let (older, status) = (columns.nth(1).unwrap(), columns.next().unwrap());
        let path = corpus.join("files").join(format!("{id}.conf"));
        let loaded = load(&path, LoadOptions::default(), &HostFiles, &Anywhere);
        read += 1;
        for finding in &loaded.diagnostics {
            assert!(!render(finding, false).is_empty());
        }
        // Negative: the real daemon crashed; 124: it hung. Where its releases disagree, `corpus.rs`
        // knows what is meant.
        if only_active_keywords(&loaded)
            && !needs_the_host(&fs::read(&path).unwrap(), row)
            && older == status
            && !status.starts_with('-')
            && status != "124"
        {
            judged += 1;
            let ours = loaded.diagnostics.exit_status();
            if ours.to_string() != status {
                wrong.push(format!("{id}: real {status}, ours {ours}"));
            }
        }
    }
    println!("{read} read, {judged} judged");
    assert!(
        read > 0 && judged > 0,
        "an empty corpus: {}",
        corpus.display()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

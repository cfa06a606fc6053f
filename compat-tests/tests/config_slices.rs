//! A reload holds the loop for a bounded number of things at a time, and comes to the same.
//!
//! Counted are lines, services and servers, not time: a figure of time is `compat-tests/bench reload`'s.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use compat_tests::cases::{Case, read_text};
use keepalived_rs::base::Instant;
use keepalived_rs::conf::diff::{self, Planning};
use keepalived_rs::conf::model::Config;
use keepalived_rs::node::{Node, Options};

fn read(text: &str) -> Config {
    // Any will do: its text is replaced.
    let case = Case::all("config").swap_remove(0);
    read_text(&case, text).config
}

/// `count` services of five servers each; those for which `odd` says so are not as the others.
fn services(count: u32, odd: impl Fn(u32) -> Option<&'static str>) -> String {
    let mut text = String::new();
    for number in 0..count {
        let weight = odd(number).unwrap_or("1");
        if weight == "gone" {
            continue;
        }
        text.push_str(&format!(
            "virtual_server 10.0.{}.{} 80 {{\n lb_algo rr\n lb_kind DR\n protocol TCP\n",
            number / 250,
            number % 250 + 1
        ));
        for server in 1..=5 {
            text.push_str(&format!(
                " real_server 172.16.0.{server} 80 {{\n  weight {weight}\n  TCP_CHECK {{\n  }}\n }}\n"
            ));
        }
        text.push_str("}\n");
    }
    text
}

// Input: two configurations of 300 services, of which some come, go and change; a budget of 1, 7 and
// 500 services and servers. Output: no step of the comparison and of taking on has more than the
// budget and the rest of a service; both come to what one step for all comes to.
#[test]
fn a_reload_in_slices_keeps_to_its_budget() {
    const MOST: usize = 6;
    let old = read(&services(300, |n| (n % 7 == 0).then_some("gone")));
    let new = read(&services(300, |n| match n % 10 {
        3 => Some("gone"),
        5 => Some("2"),
        _ => None,
    }));
    let now = Instant::from_micros(1_000_000);
    let start = || {
        let mut node = Node::new(Options::default());
        let mut out = Vec::new();
        let plan = diff::plan(&Config::default(), &old);
        node.apply(now, plan, old.clone(), &mut out);
        node
    };
    let whole = diff::plan(&old, &new);
    let mut expected = Vec::new();
    let mut node = start();
    node.apply(now, whole.clone(), new.clone(), &mut expected);
    for budget in [1, 7, 500] {
        let mut planning = Planning::new(new.clone());
        loop {
            let (count, more) = planning.step(&old, budget);
            assert!(count < budget + MOST, "{count} of {budget}");
            if !more {
                break;
            }
        }
        let (plan, config) = planning.finish(&old);
        assert_eq!(plan, whole);
        let mut sliced = start();
        let mut effects = Vec::new();
        sliced.begin(now, plan, config, &mut effects);
        let mut steps = 1;
        while sliced.go_on(now, budget, &mut effects) {
            steps += 1;
        }
        // Of 270 services 43 are new and 30 have changed; 43 go; each is looked at before as well.
        assert!(steps >= 700 / (budget + MOST), "{steps} steps of {budget}");
        assert_eq!(format!("{effects:?}"), format!("{expected:?}"));
        assert_eq!(sliced.next_deadline(), node.next_deadline());
    }
}

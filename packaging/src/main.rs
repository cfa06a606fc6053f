//! Writes what packages carry beside the binary and what is made of the same tables: manual pages
//! and shell completions.
//!
//! Owns: the form of `keepalived.conf.5` and the completions. What is not in a
//! table stands in `packaging/man`. Never does: run in the daemon. Driven by: `packaging/build`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{fs, io};

use clap::CommandFactory as _;
use clap_complete::{Shell, generate_to};
use keepalived_rs::cli::Cli;
use keepalived_rs::cli::check::Check;
use keepalived_rs::conf::{KeywordFacts, keyword_facts};

/// What no table says of the configuration file.
const LANGUAGE: &str = include_str!("../man/keepalived.conf.5.head");

/// The blocks in the order of the page, with their headings.
const BLOCKS: [(&str, &str); 30] = [
    ("-", "TOP LEVEL"),
    ("global_defs", "GLOBAL_DEFS"),
    ("vrrp_instance", "VRRP_INSTANCE"),
    ("authentication", "AUTHENTICATION IN VRRP_INSTANCE"),
    ("auth_hmac", "AUTH_HMAC IN VRRP_INSTANCE"),
    ("vrrp_sync_group", "VRRP_SYNC_GROUP"),
    ("vrrp_script", "VRRP_SCRIPT"),
    ("vrrp_track_process", "VRRP_TRACK_PROCESS"),
    ("track_file", "TRACK_FILE"),
    ("vrrp_track_file", "VRRP_TRACK_FILE"),
    ("track_group", "TRACK_GROUP"),
    ("garp_group", "GARP_GROUP"),
    ("bfd_instance", "BFD_INSTANCE"),
    ("virtual_server", "VIRTUAL_SERVER"),
    ("real_server", "REAL_SERVER IN VIRTUAL_SERVER"),
    ("TCP_CHECK", "TCP_CHECK IN REAL_SERVER"),
    ("HTTP_GET", "HTTP_GET IN REAL_SERVER"),
    ("SSL_GET", "SSL_GET IN REAL_SERVER"),
    ("url", "URL IN HTTP_GET AND SSL_GET"),
    ("SMTP_CHECK", "SMTP_CHECK IN REAL_SERVER"),
    ("host", "HOST IN SMTP_CHECK"),
    ("DNS_CHECK", "DNS_CHECK IN REAL_SERVER"),
    ("MISC_CHECK", "MISC_CHECK IN REAL_SERVER"),
    ("UDP_CHECK", "UDP_CHECK IN REAL_SERVER"),
    ("PING_CHECK", "PING_CHECK IN REAL_SERVER"),
    ("FILE_CHECK", "FILE_CHECK IN REAL_SERVER"),
    ("BFD_CHECK", "BFD_CHECK IN REAL_SERVER"),
    ("SSL", "SSL"),
    ("static_ipaddress", ""),
    ("virtual_server_group", ""),
];

fn main() -> ExitCode {
    let Some(directory) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: keepalived-pages DIRECTORY");
        return ExitCode::from(64);
    };
    match write(&directory) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", directory.display());
            ExitCode::FAILURE
        }
    }
}

fn write(directory: &Path) -> io::Result<()> {
    fs::create_dir_all(directory)?;
    fs::write(directory.join("keepalived.conf.5"), file_page())?;
    let check = Check::command().name("check");
    let mut command = Cli::command().subcommand(check);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        generate_to(shell, &mut command, "keepalived", directory)?;
    }
    Ok(())
}

/// `keepalived.conf.5`: every keyword of the table.
fn file_page() -> String {
    // The language section has a table.
    let mut page = format!("'\\\" t\n{LANGUAGE}");
    for (block, heading) in BLOCKS {
        let mut keywords: Vec<KeywordFacts> = keyword_facts()
            .filter(|facts| facts.block == block)
            .collect();
        if keywords.is_empty() {
            continue;
        }
        keywords.sort_unstable_by_key(|facts| facts.name);
        let _ = writeln!(page, ".SH {heading}");
        for facts in keywords {
            keyword(&mut page, &facts);
        }
    }
    page.push_str(
        ".SH FILES\n.TP\n/etc/keepalived/keepalived.conf\nthe configuration\n.TP\n\
         /usr/share/doc/keepalived\\-rs/examples\nexamples\n.SH SEE ALSO\n.BR keepalived (8),\n\
         .BR genhash (1)\n",
    );
    page
}

fn keyword(page: &mut String, facts: &KeywordFacts) {
    let _ = writeln!(page, ".TP\n.B {}", roff(facts.name));
    if !facts.words.is_empty() {
        // On the line of the keyword.
        let end = page.trim_end().len();
        page.truncate(end);
        let _ = writeln!(page, " \\fR{}", roff(facts.words));
    }
    let _ = writeln!(page, "{}.", roff(facts.meaning));
    for (title, value) in [("Range", facts.range), ("Default", facts.default)] {
        match value {
            "" => {}
            "needed" => page.push_str("It has to be there.\n"),
            value => {
                let _ = writeln!(page, "{title}: {}.", roff(value));
            }
        }
    }
    if facts.ours {
        page.push_str("keepalived itself does not know it.\n");
    }
}

/// Text in which nothing is taken for a request.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    match text.chars().next() {
        Some('.' | '\'') => format!("\\&{text}"),
        _ => text,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // Input: the keyword table. Output: each keyword stands in the page, under its block.
    #[test]
    fn every_keyword_is_in_the_page() {
        let page = file_page();
        for facts in keyword_facts() {
            assert!(
                BLOCKS.iter().any(|(block, _)| *block == facts.block),
                "no section for {}",
                facts.block
            );
            assert!(
                page.contains(&format!(".B {}", roff(facts.name))),
                "{}",
                facts.name
            );
        }
    }

    // Input: the options of the command line. Output: each, short and long, in the written page and
    // in the completions of each shell.
    #[test]
    fn every_option_is_in_page_and_completions() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let page = fs::read_to_string(here.join("man/keepalived.8")).unwrap();
        let page = page.replace("\\-", "-");
        let shells = ["keepalived.bash", "_keepalived", "keepalived.fish"];
        let shells = shells.map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
        let command = Cli::command();
        let options = command
            .get_arguments()
            .filter(|option| !option.is_hide_set());
        for option in options {
            let long = option.get_long().map(|name| format!("--{name}"));
            for name in long.iter() {
                assert!(page.contains(name.as_str()), "{name} in keepalived.8");
                let [bash, zsh, fish] = &shells;
                assert!(
                    bash.contains(name.as_str()) && zsh.contains(name.as_str()),
                    "{name}"
                );
                assert!(fish.contains(&format!("-l {}", &name[2..])), "{name}");
            }
            if let Some(letter) = option.get_short() {
                assert!(
                    page.contains(&format!("-{letter}")),
                    "-{letter} in keepalived.8"
                );
            }
        }
    }

    // Input: the units. Output: their command lines are ones that the daemon runs with.
    #[test]
    fn the_units_start_the_daemon() {
        let systemd = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
        for unit in ["keepalived.service", "keepalived-non-root.service"] {
            let text = fs::read_to_string(systemd.join(unit)).unwrap();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("ExecStart="));
            let words = line
                .unwrap()
                .split(' ')
                .filter(|word| !word.starts_with('$'));
            match keepalived_rs::cli::parse(words.map(Into::into)).command {
                keepalived_rs::cli::Command::Run(cli) => {
                    assert!(cli.dont_fork, "{unit}");
                }
                other => panic!("{unit}: {other:?}"),
            }
        }
    }
}

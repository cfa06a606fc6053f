//! The command line: keepalived's letters and names, and its exit codes.
//!
//! Owns: what may be said, and the messages about what was said wrongly. Never does: act on it.
//! Driven by: `main`.
//!
//! Scripts and unit files of twenty years call keepalived with any of its options. What this
//! version does not do yet is therefore accepted, but never silently: each such option is answered
//! by one line.

pub mod check;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use self::words::{Words, Wrong};
use crate::conf::model::LogStyle;

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the daemon.
    Run(Box<Cli>),
    /// `-t`: check the configuration; to a file if one is given.
    ConfigTest(Box<Cli>, Option<PathBuf>),
    /// `check`: look at configurations without running them.
    Check(check::Check),
    /// `check` with words that it does not know, or asked for help: the text and the exit status.
    CheckUsage(String, u8),
    /// `-v`.
    Version,
    /// `-h`, with the text.
    Help(String),
    /// `--signum`, with the function's name.
    Signum(String),
    /// Nothing: the command line is wrong. What to do about it, beside what was told of it already.
    Wrong(String),
}

/// A command line that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    /// What is wrong with it, a line each, for standard error: told whatever is done then.
    pub complaints: Vec<String>,
    /// What is left over, for standard output.
    pub unexpected: Option<String>,
    /// What it asks for.
    pub command: Command,
}

impl From<Command> for Parsed {
    fn from(command: Command) -> Self {
        Self {
            complaints: Vec::new(),
            unexpected: None,
            command,
        }
    }
}

/// The options of keepalived.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "keepalived",
    about = "VRRP virtual addresses and health-checked IPVS load balancing",
    disable_version_flag = true,
    disable_help_flag = true,
    // As with getopt, the last one counts.
    args_override_self = true
)]
#[allow(clippy::struct_excessive_bools)] // They are keepalived's switches.
pub struct Cli {
    /// Use the specified configuration file
    #[arg(
        short = 'f',
        long = "use-file",
        value_name = "FILE",
        default_value = "/etc/keepalived/keepalived.conf",
        // Also an empty name, as of a variable that is not set: there is no such file.
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub config: PathBuf,

    /// Only run with VRRP subsystem
    #[arg(short = 'P', long = "vrrp")]
    pub vrrp_only: bool,

    /// Only run with Health-checker subsystem
    #[arg(short = 'C', long = "check")]
    pub check_only: bool,

    /// Don't run BFD subsystem
    #[arg(short = 'B', long = "no_bfd")]
    pub no_bfd: bool,

    /// Force all child processes to run, even if have no configuration
    #[arg(long)]
    pub all: bool,

    /// Log messages to local console
    #[arg(short = 'l', long)]
    pub log_console: bool,

    /// Detailed log messages; given twice: every gratuitous ARP
    #[arg(short = 'D', long, action = ArgAction::Count)]
    pub log_detail: u8,

    /// Set syslog facility to `LOG_LOCAL[0-7]`, user or daemon (default)
    #[arg(short = 'S', long, value_name = "[0-7]|local[0-7]|user|daemon", action = ArgAction::Append)]
    log_facility: Vec<String>,

    /// Wording of log lines: 2 (current) or 1.3 (as keepalived 1.3.5)
    #[arg(long, value_name = "1.3|2", value_parser = log_style)]
    pub log_style: Option<LogStyle>,

    /// Log to FILE (default: keepalived.log in the directory of temporary files), and to files with
    /// _vrrp and _healthcheckers in their names
    #[arg(short = 'g', long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub log_file: Option<Option<PathBuf>>,

    /// Write each line of the log file at once
    #[arg(long)]
    pub flush_log_file: bool,

    /// Don't log via syslog
    #[arg(short = 'G', long)]
    pub no_syslog: bool,

    /// umask for file creation (in numeric form)
    #[arg(short = 'u', long, value_name = "MASK", action = ArgAction::Append)]
    umask: Vec<String>,

    /// Remove virtual addresses that were there before at each change of state
    #[arg(short = 'X', long)]
    pub release_vips: bool,

    /// Don't remove VRRP VIPs and VROUTEs on daemon stop
    #[arg(short = 'V', long)]
    pub dont_release_vrrp: bool,

    /// Don't remove IPVS topology on daemon stop
    #[arg(short = 'I', long)]
    pub dont_release_ipvs: bool,

    /// Don't respawn child processes
    #[arg(short = 'R', long)]
    pub dont_respawn: bool,

    /// Don't fork the daemon process
    #[arg(short = 'n', long)]
    pub dont_fork: bool,

    /// Dump the configuration data
    #[arg(short = 'd', long)]
    pub dump_conf: bool,

    /// Use specified pidfile for parent process
    #[arg(short = 'p', long, value_name = "FILE")]
    pub pid: Option<PathBuf>,

    /// Use specified pidfile for VRRP child process
    #[arg(short = 'r', long = "vrrp_pid", value_name = "FILE")]
    pub vrrp_pid: Option<PathBuf>,

    /// Use specified pidfile for checkers child process
    #[arg(short = 'c', long = "checkers_pid", value_name = "FILE")]
    pub checkers_pid: Option<PathBuf>,

    /// Use specified pidfile for BFD child process
    #[arg(short = 'b', long = "bfd_pid", value_name = "FILE")]
    pub bfd_pid: Option<PathBuf>,

    /// Report all address additions/deletions notified via netlink
    #[arg(short = 'a', long)]
    pub address_monitoring: bool,

    /// Run in network namespace NAME (overrides config)
    #[arg(short = 's', long, value_name = "NAME")]
    pub namespace: Option<String>,

    /// Produce core dump if terminate abnormally
    #[arg(short = 'm', long)]
    pub core_dump: bool,

    /// Also set /proc/sys/kernel/core_pattern to PATN (default 'core')
    #[arg(short = 'M', long, value_name = "PATN", num_args = 0..=1, require_equals = true)]
    pub core_dump_pattern: Option<Option<String>>,

    /// Don't stop on SIGINT, for debuggers
    #[arg(long)]
    pub ignore_sigint: bool,

    /// Leave addresses and IPVS to the daemon that is started next, and take over what one has left
    #[arg(long)]
    pub hand_over: bool,

    /// Write the configuration as it is understood to a descriptor
    #[arg(long, value_name = "FD", hide = true)]
    config_fd: Option<String>,

    /// Error if any configuration file missing (same as includet)
    #[arg(short = 'e', long)]
    pub all_config: bool,

    /// Skip any configuration lines beginning '@' that don't match id
    #[arg(short = 'i', long, value_name = "ID")]
    pub config_id: Option<String>,

    /// Return signal number for STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON, TDUMP
    #[arg(long, value_name = "SIGFUNC")]
    pub signum: Option<String>,

    /// Check the configuration for obvious errors, output to stderr by default
    #[arg(short = 't', long, value_name = "LOG_FILE", num_args = 0..=1, require_equals = true)]
    pub config_test: Option<Option<PathBuf>>,

    /// Display the version number
    #[arg(short = 'v', long)]
    pub version: bool,

    /// Display this help message
    #[arg(short = 'h', long)]
    pub help: bool,

    #[command(flatten)]
    inactive: Inactive,
}

/// Options of keepalived that this version knows, but does not carry out.
#[derive(Debug, Clone, PartialEq, Eq, clap::Args)]
#[command(next_help_heading = "Not active in this version (named and ignored)")]
struct Inactive {
    /// Enter into genhash utility mode, as the first word
    #[arg(short = 'T', long, help_heading = "Instead of the daemon")]
    genhash: bool,
    /// Enable SNMP subsystem
    #[arg(short = 'x', long)]
    snmp: bool,
    /// Use the specified socket for master agent
    #[arg(short = 'A', long, value_name = "SOCKET")]
    snmp_agent_socket: Option<String>,
}

impl Inactive {
    /// The names of those that were given and would change something that matters.
    fn given(&self) -> Vec<&'static str> {
        [
            (self.genhash, "--genhash"),
            (self.snmp, "--snmp"),
            (self.snmp_agent_socket.is_some(), "--snmp-agent-socket"),
        ]
        .into_iter()
        .filter_map(|(given, name)| given.then_some(name))
        .collect()
    }
}

/// Options without which the program would do something else than it was told: they end it.
const REFUSED: [&str; 1] = ["--genhash"];

impl Cli {
    /// One line for each thing on the command line that has no effect.
    #[must_use]
    pub fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self
            .inactive
            .given()
            .into_iter()
            .map(|name| format!("option {name} is not active in this version; ignored"))
            .collect();
        let wrong = self
            .log_facility
            .iter()
            .filter(|text| facility(text).is_none());
        remarks.extend(wrong.map(|text| format!("Invalid log facility '{text}'")));
        let wrong = self.umask.iter().filter(|text| umask(text).is_none());
        remarks.extend(wrong.map(|text| format!("Invalid --umask option {text}")));
        if self.log_console && !self.dont_fork && self.config_test.is_none() {
            remarks.push("option --log-console only works with --dont-fork; ignored".to_owned());
        }
        remarks
    }

    /// `-S`: the facility's number as in `LOG_DAEMON` (3 << 3), which is the default, also beside
    /// words that name none.
    #[must_use]
    pub fn facility(&self) -> u8 {
        let mut given = self.log_facility.iter().rev();
        given.find_map(|text| facility(text)).unwrap_or(3 << 3)
    }

    /// Whether a `-S` names no facility, which a config test counts as an error.
    #[must_use]
    pub fn has_wrong_facility(&self) -> bool {
        let mut given = self.log_facility.iter();
        given.any(|text| facility(text).is_none())
    }

    /// `-u`, unless it is no umask.
    #[must_use]
    pub fn umask(&self) -> Option<u32> {
        self.umask.iter().rev().find_map(|text| umask(text))
    }

    /// `--config-fd`: the descriptor.
    #[must_use]
    pub fn config_fd(&self) -> Option<i32> {
        let number = self.config_fd.as_deref()?;
        number.parse().ok().filter(|&number| number > 2)
    }
}

/// Reads the command line; `words` begin with the program's name.
#[must_use]
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Parsed {
    let mut words = words.into_iter().skip(1).peekable();
    // Only as the very first word: behind an option it is a stray word, as it always was.
    if words.next_if(|word| word == "check").is_some() {
        return match check::parse(words) {
            Ok(check) => Command::Check(check).into(),
            Err((text, status)) => Command::CheckUsage(text, status).into(),
        };
    }
    let table = Cli::command();
    let found = words::read(&table, words);
    let complaints = found.wrong.iter().map(|wrong| match wrong {
        Wrong::Unknown(word) => format!("Unknown option {}", word.display()),
        Wrong::Missing(option) => format!("Missing parameter for option {option}"),
    });
    // Nothing is left over where reading has ended before the last word.
    let stray = found.stray.iter().filter(|_| !found.ended);
    let stray: String = stray.map(|word| format!("{} ", word.display())).collect();
    Parsed {
        complaints: complaints.collect(),
        // As keepalived tells of it.
        unexpected: (!stray.is_empty()).then(|| format!("Unexpected argument(s): {stray}")),
        command: command(table, &found),
    }
}

fn command(mut table: clap::Command, found: &Words) -> Command {
    let mut words = vec![OsString::from("keepalived")];
    if let (Some(wrong), false) = (found.wrong.first(), found.ended) {
        // What clap makes of it: the nearest name, and the usage.
        words.push(match wrong {
            Wrong::Unknown(word) => word.clone(),
            Wrong::Missing(option) => option.into(),
        });
        let error = table.try_get_matches_from_mut(words).err();
        return Command::Wrong(error.map_or_else(String::new, |error| error.render().to_string()));
    }
    words.extend(found.options.iter().cloned());
    let matches = table.try_get_matches_from_mut(words);
    let cli = match matches.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return Command::Wrong(error.render().to_string()),
    };
    if cli.help {
        return Command::Help(table.render_help().to_string());
    }
    if cli.version {
        return Command::Version;
    }
    if let Some(function) = cli.signum {
        return Command::Signum(function);
    }
    let given = cli.inactive.given();
    if let Some(name) = REFUSED.iter().find(|name| given.contains(name)) {
        return Command::Wrong(format!("option {name} is not active in this version\n"));
    }
    match cli.config_test.clone() {
        Some(file) => Command::ConfigTest(Box::new(cli), file),
        None => Command::Run(Box::new(cli)),
    }
}

fn facility(text: &str) -> Option<u8> {
    const LOCAL0: u8 = 16;
    let number = match text {
        "daemon" => 3,
        "user" => 1,
        // No number is 0, as C reads it.
        "" => LOCAL0,
        _ => match text.strip_prefix("local").unwrap_or(text).as_bytes() {
            [digit @ b'0'..=b'7'] => LOCAL0 + digit - b'0',
            _ => return None,
        },
    };
    Some(number << 3)
}

fn log_style(text: &str) -> Result<LogStyle, String> {
    match text {
        "2" => Ok(LogStyle::Current),
        "1.3" => Ok(LogStyle::V1_3),
        _ => Err("not 1.3 or 2".to_owned()),
    }
}

/// A number as C reads it: octal after `0`, hexadecimal after `0x`.
fn umask(text: &str) -> Option<u32> {
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    let mask = u32::from_str_radix(digits, radix).ok()?;
    (mask <= 0o777).then_some(mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(line: &str) -> Parsed {
        let words = std::iter::once("keepalived").chain(line.split_whitespace());
        // An empty word cannot stand in a line.
        parse(words.map(|word| OsString::from(word.replace("EMPTY", ""))))
    }

    fn parsed(line: &str) -> Command {
        said(line).command
    }

    fn run(line: &str) -> Cli {
        match parsed(line) {
            Command::Run(cli) => *cli,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_table_of_clap_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn letters_cluster_as_with_getopt() {
        let cli = run("-nlDD -f /tmp/x.conf -S 3");
        assert!(cli.dont_fork && cli.log_console);
        assert_eq!((cli.log_detail, cli.facility()), (2, 19 << 3));
        assert_eq!(cli.config, PathBuf::from("/tmp/x.conf"));
        assert_eq!(cli.remarks(), Vec::<String>::new());
    }

    // Scripts put options together from several places.
    #[test]
    fn the_last_of_an_option_counts() {
        let cli = run("-n -n -f /a -f /b -P --vrrp -S 1 -S 2 -DD -D -p /x --pid=/y -g -g/l");
        assert_eq!(cli.config, PathBuf::from("/b"));
        assert_eq!((cli.facility(), cli.log_detail), (18 << 3, 3));
        assert_eq!(cli.pid, Some(PathBuf::from("/y")));
        assert_eq!(cli.log_file, Some(Some(PathBuf::from("/l"))));
    }

    // Long names may be shortened as far as they stay unique.
    #[test]
    fn long_names_may_be_shortened() {
        let cli = run("--dont-f --use-f=/x --vrrp_p /y");
        assert!(cli.dont_fork);
        assert_eq!(cli.vrrp_pid, Some(PathBuf::from("/y")));
    }

    #[test]
    fn the_file_of_a_config_test_is_attached() {
        let file = |line| match parsed(line) {
            Command::ConfigTest(cli, file) => (cli.config.clone(), file),
            other => panic!("{other:?}"),
        };
        let main = PathBuf::from("/a");
        assert_eq!(file("-t -f /a"), (main.clone(), None));
        assert_eq!(file("--config-test -f /a"), (main.clone(), None));
        for line in ["-t/log -f /a", "-t/log -t -f /a", "-t -t/log -f /a"] {
            assert_eq!(file(line), (main.clone(), Some("/log".into())), "{line}");
        }
        assert_eq!(file("--config-test= -f /a"), (main.clone(), None));
        assert_eq!(
            file("--config-test=/log -f /a"),
            (main, Some("/log".into()))
        );
    }

    #[test]
    fn facilities_are_those_of_syslog() {
        for (text, number) in [("daemon", 3), ("user", 1), ("0", 16), ("local7", 23)] {
            assert_eq!(facility(text), Some(number << 3), "{text}");
        }
        assert_eq!(facility(""), facility("0"));
        for text in ["8", "local8", "kern", "local"] {
            assert_eq!(facility(text), None, "{text}");
        }
    }

    #[test]
    fn umasks_are_read_as_c_reads_numbers() {
        assert_eq!(umask("022"), Some(0o22));
        assert_eq!(umask("0x1f"), Some(0x1f));
        assert_eq!(umask("18"), Some(18));
        for wrong in ["01000", "09", "u=rwx"] {
            assert_eq!(umask(wrong), None, "{wrong}");
        }
    }

    // Input: options of keepalived that this version lacks. Output: one line each, or an end.
    #[test]
    fn nothing_is_ignored_in_silence() {
        let line = "-n --snmp -d -S 9 -S 10 -u 8x stray word";
        let cli = run(line);
        assert_eq!(
            cli.remarks(),
            [
                "option --snmp is not active in this version; ignored",
                "Invalid log facility '9'",
                "Invalid log facility '10'",
                "Invalid --umask option 8x",
            ]
        );
        assert_eq!(
            said(line).unexpected.as_deref(),
            Some("Unexpected argument(s): stray word ")
        );
        assert_eq!((cli.facility(), cli.umask()), (3 << 3, None));
        assert_eq!(
            run("-l").remarks(),
            ["option --log-console only works with --dont-fork; ignored"]
        );
    }

    // Input: what no option is, alone and among others. Output: keepalived's line for each, and no
    // start; what is asked for before it is done all the same.
    #[test]
    fn what_is_wrong_is_told_in_its_order() {
        for (line, complaints) in [
            ("--bogus", &["Unknown option --bogus"][..]),
            ("-n -z", &["Unknown option -z"]),
            (
                "-nz --bogus=1",
                &["Unknown option -z", "Unknown option --bogus=1"],
            ),
            ("--perf", &["Unknown option --perf"]),
            ("--vrrp=1", &["Unknown option --vrrp=1"]),
            ("--log", &["Unknown option --log"]),
            ("-n -f", &["Missing parameter for option -f"]),
            ("--pid=", &["Missing parameter for option --pid"]),
            ("--pid EMPTY -n", &["Missing parameter for option --pid"]),
        ] {
            let said = said(line);
            assert!(matches!(&said.command, Command::Wrong(text) if !text.is_empty()));
            assert_eq!(said.complaints, complaints, "{line}");
        }
        let late = said("-z word --version --bogus");
        assert_eq!(late.complaints, ["Unknown option -z"]);
        assert_eq!((late.command, late.unexpected), (Command::Version, None));
        assert_eq!(
            said("-- -z").unexpected.as_deref(),
            Some("Unexpected argument(s): -z ")
        );
    }

    // Input: values that look like options, empty ones, and shortened names. Output: as getopt has it.
    #[test]
    fn values_are_what_getopt_takes_for_them() {
        assert_eq!(run("-p -n").pid, Some(PathBuf::from("-n")));
        assert_eq!(run("-p /p -p EMPTY").pid, Some(PathBuf::from("/p")));
        assert_eq!(run("-f /a -f EMPTY").config, PathBuf::new());
        assert_eq!(run("-S 3 -S 9").facility(), 19 << 3);
        assert_eq!(run("-u 9x -u 022 -u -1").umask(), Some(0o22));
        assert_eq!(parsed("--h"), parsed("--help"));
        assert_eq!(run("-g=x").log_file, Some(Some("=x".into())));
    }

    #[test]
    fn version_help_and_signum_come_before_the_rest() {
        assert_eq!(parsed("-v -n"), Command::Version);
        assert_eq!(parsed("--signum=STOP"), Command::Signum("STOP".to_owned()));
        match parsed("-h") {
            Command::Help(text) => assert!(text.contains("--dont-respawn"), "{text}"),
            other => panic!("{other:?}"),
        }
    }

    // Input: `check` as the first word and elsewhere. Output: the command, or a stray word.
    #[test]
    fn check_is_a_command_only_as_the_first_word() {
        let Command::Check(check) = parsed("check --format json --offline a.conf b.conf") else {
            panic!("no command");
        };
        assert_eq!(check.files, [PathBuf::from("a.conf"), "b.conf".into()]);
        assert!(check.offline && check.format == check::Format::Json);
        let Command::Check(bare) = parsed("check") else {
            panic!("no command");
        };
        assert_eq!(
            bare.files,
            [PathBuf::from("/etc/keepalived/keepalived.conf")]
        );
        let wrong = parsed("check --bogus");
        assert!(
            matches!(wrong, Command::CheckUsage(_, check::USAGE)),
            "{wrong:?}"
        );
        assert!(matches!(parsed("check --help"), Command::CheckUsage(_, 0)));
        assert_eq!(
            said("-n check").unexpected.as_deref(),
            Some("Unexpected argument(s): check ")
        );
        assert_eq!(run("-f check").config, PathBuf::from("check"));
    }

    #[test]
    fn the_style_of_log_lines_can_be_the_old_one() {
        assert_eq!(run("-n --log-style 1.3").log_style, Some(LogStyle::V1_3));
        assert!(matches!(parsed("--log-style 1.2"), Command::Wrong(_)));
    }
}

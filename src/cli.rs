//! The command line: keepalived's letters and names, and its exit codes.
//!
//! Owns: what may be said, and the messages about what was said wrongly. Never does: act on it.
//! Driven by: `main`.
//!
//! Scripts and unit files of twenty years call keepalived with any of its options. What this
//! version does not do yet is therefore accepted, but never silently: each such option is answered
//! by one line.

pub mod check;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

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
    /// Nothing: the command line is wrong, and this is why.
    Wrong(String),
}

/// The options of keepalived.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "keepalived",
    about = "VRRP virtual addresses and health-checked IPVS load balancing",
    disable_version_flag = true,
    disable_help_flag = true,
    infer_long_args = true,
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
        default_value = "/etc/keepalived/keepalived.conf"
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
    #[arg(short = 'S', long, value_name = "[0-7]|local[0-7]|user|daemon")]
    log_facility: Option<String>,

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
    #[arg(short = 'u', long, value_name = "MASK")]
    umask: Option<String>,

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

    /// What is left over; named and ignored, as keepalived does
    #[arg(hide = true)]
    stray: Vec<String>,
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
        if let Some(text) = self
            .log_facility
            .as_deref()
            .filter(|text| facility(text).is_none())
        {
            remarks.push(format!("Invalid log facility '{text}'"));
        }
        if let Some(text) = self.umask.as_deref().filter(|text| umask(text).is_none()) {
            remarks.push(format!("Invalid --umask option {text}"));
        }
        if self.log_console && !self.dont_fork && self.config_test.is_none() {
            remarks.push("option --log-console only works with --dont-fork; ignored".to_owned());
        }
        remarks
    }

    /// What stands on the command line and belongs to no option, as keepalived tells of it, on
    /// standard output.
    #[must_use]
    pub fn unexpected(&self) -> Option<String> {
        let words: String = self.stray.iter().map(|word| format!("{word} ")).collect();
        (!words.is_empty()).then(|| format!("Unexpected argument(s): {words}"))
    }

    /// `-S`: the facility's number as in `LOG_DAEMON` (3 << 3), which is the default, also beside a
    /// word that names none.
    #[must_use]
    pub fn facility(&self) -> u8 {
        let given = self.log_facility.as_deref().and_then(facility);
        given.unwrap_or(3 << 3)
    }

    /// Whether `-S` names no facility, which a config test counts as an error.
    #[must_use]
    pub fn has_wrong_facility(&self) -> bool {
        let given = self.log_facility.as_deref();
        given.is_some_and(|text| facility(text).is_none())
    }

    /// `-u`, unless it is no umask.
    #[must_use]
    pub fn umask(&self) -> Option<u32> {
        self.umask.as_deref().and_then(umask)
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
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Command {
    let mut words = words.into_iter().peekable();
    let name = words.next();
    // Only as the very first word: behind an option it is a stray word, as it always was.
    if words.next_if(|word| word == "check").is_some() {
        return match check::parse(words) {
            Ok(check) => Command::Check(check),
            Err((text, status)) => Command::CheckUsage(text, status),
        };
    }
    let words = name.into_iter().chain(words).map(attached_file);
    let cli = match Cli::command()
        .try_get_matches_from(words)
        .and_then(|matches| Cli::from_arg_matches(&matches))
    {
        Ok(cli) => cli,
        Err(error) => return Command::Wrong(wrong(&error)),
    };
    if cli.help {
        return Command::Help(Cli::command().render_help().to_string());
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

/// What is wrong: first the line of keepalived, then what clap makes of it.
fn wrong(error: &clap::Error) -> String {
    let invalid = |kind| match error.get(kind) {
        Some(ContextValue::String(name)) => Some(name.clone()),
        _ => None,
    };
    let option = invalid(ContextKind::InvalidArg);
    let value = invalid(ContextKind::InvalidValue).filter(|value| !value.is_empty());
    let line = match (error.kind(), option, value) {
        (ErrorKind::UnknownArgument, Some(name), _) => format!("Unknown option {name}\n"),
        (ErrorKind::InvalidValue | ErrorKind::TooFewValues, Some(name), None) => {
            let name = name.split([' ', '=']).next().unwrap_or_default();
            format!("Missing parameter for option {name}\n")
        }
        _ => String::new(),
    };
    format!("{line}{}", error.render())
}

/// `-tFILE`, `-gFILE` and `-MPATTERN` have their optional argument attached without a sign, which
/// clap reads only with one.
fn attached_file(word: OsString) -> OsString {
    let Some(text) = word.to_str() else {
        return word;
    };
    for letter in ["-t", "-g", "-M"] {
        match text.strip_prefix(letter) {
            Some(rest) if !rest.is_empty() && !rest.starts_with('=') => {
                return format!("{letter}={rest}").into();
            }
            Some(_) | None => {}
        }
    }
    word
}

fn facility(text: &str) -> Option<u8> {
    const LOCAL0: u8 = 16;
    let number = match text {
        "daemon" => 3,
        "user" => 1,
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

    fn parsed(line: &str) -> Command {
        let words = std::iter::once("keepalived").chain(line.split_whitespace());
        parse(words.map(OsString::from))
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
        assert_eq!(file("-t/log -f /a"), (main.clone(), Some("/log".into())));
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
        for text in ["8", "local8", "kern", "", "local"] {
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
        let cli = run("-n --snmp -d -S 9 -u 8x stray word");
        assert_eq!(
            cli.remarks(),
            [
                "option --snmp is not active in this version; ignored",
                "Invalid log facility '9'",
                "Invalid --umask option 8x",
            ]
        );
        assert_eq!(
            cli.unexpected().as_deref(),
            Some("Unexpected argument(s): stray word ")
        );
        assert_eq!((cli.facility(), cli.umask()), (3 << 3, None));
        assert_eq!(
            run("-l").remarks(),
            ["option --log-console only works with --dont-fork; ignored"]
        );
        for (line, first) in [
            ("--bogus", "Unknown option --bogus"),
            ("-n -z", "Unknown option -z"),
            ("--perf", "Unknown option --perf"),
            ("-f", "Missing parameter for option --use-file"),
            ("--pid=", "Missing parameter for option --pid"),
        ] {
            let Command::Wrong(text) = parsed(line) else {
                panic!("{line} is taken");
            };
            assert_eq!(text.lines().next(), Some(first), "{line}");
        }
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
            run("-n check").unexpected().as_deref(),
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

//! Exit codes: what every way to end means to whoever started the program. README.md, `--help` and
//! these constants say the same; a test compares them.

/// The run was committed, whatever was found in it; other commands: done.
pub const COMMITTED: u8 = 0;
/// A bug in the host, or a result that could not be written to standard output.
pub const INTERNAL: u8 = 1;
/// A wrong command line or environment. (Also what clap uses.)
pub const USAGE: u8 = 2;
/// The file cannot be ingested.
pub const INPUT: u8 = 3;
/// `host db status`: the embedded server is not running, or was never created. (As the Linux
/// Standard Base has it for services.)
pub const NOT_RUNNING: u8 = 3;
/// The plugin cannot be used or misbehaved.
pub const PLUGIN: u8 = 4;
/// The database cannot be reached or refused something.
pub const DATABASE: u8 = 5;
/// Whether the run was committed is not known.
pub const UNKNOWN: u8 = 6;
/// `host verify`: what is stored of the run is not what its replay gives.
pub const DIFFERS: u8 = 7;
/// Interrupted by ^C (SIGINT); nothing was written.
pub const INTERRUPTED: u8 = 130;
/// Terminated (SIGTERM); nothing was written.
pub const TERMINATED: u8 = 143;

//! Exit codes: what each way of ending means to the caller. README.md, `--help` and these constants say the
//! same; a test compares them.

/// The run was committed, whatever was found in it; other commands: done.
pub const COMMITTED: u8 = 0;
/// A bug in the host, or a result that could not be written to standard output.
pub const INTERNAL: u8 = 1;
/// A wrong command line or environment. (clap uses the same code.)
pub const USAGE: u8 = 2;
/// The file cannot be ingested.
pub const INPUT: u8 = 3;
/// `host db status`: the embedded server is not running, or was never created. (The code that the Linux
/// Standard Base defines for services.)
pub const NOT_RUNNING: u8 = 3;
/// The plugin cannot be used or misbehaved.
pub const PLUGIN: u8 = 4;
/// The database cannot be reached or refused something.
pub const DATABASE: u8 = 5;
/// It is not known whether the run was committed.
pub const UNKNOWN: u8 = 6;
/// `host verify`: what is stored of the run differs from what its replay gives.
pub const DIFFERS: u8 = 7;
/// `host status`: the latest run is not as expected.
pub const UNEXPECTED: u8 = 8;
/// Interrupted by ^C (SIGINT); nothing was written.
pub const INTERRUPTED: u8 = 130;
/// Terminated (SIGTERM); nothing was written.
pub const TERMINATED: u8 = 143;

//! Parse, do, print what went wrong, exit.

use std::process::ExitCode;

use clap::Parser as _;
use host::cli::Cli;
use host::{commands, diagnostic, logging};

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.verbose);
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostic::no_runtime(&error),
    };
    match runtime.block_on(commands::execute(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            diagnostic::print(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

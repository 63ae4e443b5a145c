//! Parse, do, print what went wrong, exit.

use std::process::ExitCode;

use clap::Parser as _;
use host::cli::Cli;
use host::environment::Environment;
use host::error::Failure;
use host::{commands, diagnostic, logging};

fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = logging::start(cli.verbose, &Environment::of_process()) {
        return fail(&error.into());
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostic::no_runtime(&error),
    };
    match runtime.block_on(commands::execute(cli)) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    diagnostic::print(failure);
    ExitCode::from(failure.exit_code())
}

//! Parse, do, print what went wrong, exit.

use std::process::ExitCode;

use host::environment::Environment;
use host::{cli, commands, diagnostic, logging, panics};

fn main() -> ExitCode {
    panics::remember();
    let done = panics::caught(|| {
        let cli = match cli::parse(std::env::args_os()) {
            Ok(cli) => cli,
            Err(instead) => return commands::instead(&instead),
        };
        logging::start(cli.verbose, &Environment::of_process())?;
        commands::run_to_end(cli)
    });
    ExitCode::from(done.unwrap_or_else(|failure| {
        diagnostic::print(&failure);
        failure.exit_code()
    }))
}

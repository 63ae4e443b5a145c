//! Parse, run, print what went wrong, exit.

use std::ffi::OsString;
use std::process::ExitCode;

use host::report::Reporter;
use host::{cli, commands, logging, output, panics};
use host_core::environment::Environment;
use host_detector::compiler;

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Some(exit_code) = compiler::serve(&arguments) {
        return exit_code;
    }
    panics::remember();
    let environment = Environment::of_process();
    output::choose_colors(cli::color_asked_for(&arguments), &environment);
    let reporter = Reporter::new(cli::format_asked_for(&arguments));
    let done = panics::caught(|| {
        let given = commands::given(&arguments, &environment)?;
        let cli = match cli::parse(&given.arguments) {
            Ok(cli) => cli,
            Err(said) => return commands::instead(&said, &given, &reporter),
        };
        reporter.is_of(cli.command.name());
        logging::start(cli.verbose, cli.log_format == cli::LogFormat::Json, &environment)?;
        commands::run_to_end(cli, &given, &reporter)
    });
    ExitCode::from(done.unwrap_or_else(|failure| reporter.failed(&failure)))
}

//! What is generated from the command line's own description: completions for shells, and man pages.
//! Both use the name under which this program was called, because a package may install it under
//! another (`host` is also the name of a DNS lookup tool).

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use super::command::Cli;

/// The footer of every man page.
const SOURCE: &str = concat!("host ", env!("CARGO_PKG_VERSION"));

/// A script for completing the arguments of the program with this name in a shell.
#[must_use]
pub fn completions(shell: Shell, program: &str) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut visible(&Cli::command()), program, &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// Writes a page for the program with this name, and one for each of its commands.
///
/// # Errors
/// If one of them cannot be written.
pub fn write_man_pages(program: &str, folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let mut command = Cli::command().display_name(program).bin_name(program).disable_help_subcommand(true);
    command.build();
    write_page(&command, folder)
}

fn write_page(command: &Command, folder: &Path) -> io::Result<()> {
    let mut seen = command.get_subcommands().filter(|command| !command.is_hide_set());
    seen.try_for_each(|command| write_page(command, folder))?;
    Man::new(command.clone()).source(SOURCE).generate_to(folder).map(drop)
}

/// The part of a command that is completed, since clap would also propose hidden commands.
fn visible(command: &Command) -> Command {
    let seen = command.get_subcommands().filter(|command| !command.is_hide_set());
    Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .version(command.get_version().unwrap_or_default().to_owned())
        .disable_version_flag(command.get_version().is_none())
        .args(command.get_arguments().cloned())
        .subcommands(seen.map(visible))
}

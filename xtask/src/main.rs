//! Development tasks. `cargo xtask demo` shows the product, `cargo xtask test` runs everything
//! that must pass; both install what is missing where they can, and say what to install otherwise.

mod bench;
mod caretaker;
mod changelog;
mod compose;
mod demo;
mod dist;
mod packages;
mod plugins;
mod random;
#[cfg(test)]
mod repository;
mod sample_data;
mod server;
mod setup;
mod shapes;
mod shell;
mod task;
mod test;
mod user;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser as _;

fn main() -> Result<ExitCode> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if let Some(code) = test::compiler::stand_in(&arguments)? {
        return Ok(code);
    }
    task::Task::parse().run()?;
    Ok(ExitCode::SUCCESS)
}

//! `host watch`.

use host_core::exit;

use super::start::{catch_interrupts, choose_plugin};
use crate::cli::WatchArgs;
use crate::error::Failure;
use crate::report::Reporter;
use crate::watch::{self, WatchConfig};

pub(super) async fn watch(mut arguments: WatchArgs, reporter: &Reporter) -> Result<u8, Failure> {
    choose_plugin(&mut arguments.run).map_err(Failure::without_rows)?;
    let config = WatchConfig::new(arguments).map_err(Failure::without_rows)?;
    let mut interrupts = catch_interrupts().map_err(Failure::without_rows)?.patient();
    let totals = watch::watch(config, reporter, &mut interrupts).await?;
    reporter
        .end(exit::COMMITTED, totals, || format!("ended as asked: {}\n", totals.human()))
        .map_err(Failure::without_rows)?;
    Ok(exit::COMMITTED)
}

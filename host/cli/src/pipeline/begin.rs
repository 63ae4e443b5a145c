//! The beginning of a run's transaction, under a lock that others wait for: so whatever takes long with
//! large files is done before, or between two attempts.

use host_core::digest::Sha256Digest;
use host_core::threads::in_thread;
use host_sink::{Candidate, Known, SinkError, Target, Transaction, TransactionOptions};
use host_source::FileList;

use super::end::{INTERRUPTED_PATIENCE, rolled_back};
use super::label::label;
use super::prepare::Prepared;
use crate::config::RunConfig;
use crate::error::{Error, Failure};

/// No row is shorter than `0,0,0,0` and a line break.
const MIN_ROW_BYTES: u64 = 8;

/// What was found under the lock.
enum Look {
    /// There are ids for all rows, as far as that can be known.
    Enough(Known),
    /// Whether there are enough depends on the number of rows, which must be counted.
    MustCount,
}

/// Begins, and finds out which of the files were ingested before.
///
/// # Errors
/// [`SinkError::IdsExhausted`] if looking at the files is enough to know that there are not enough ids for
/// all rows; what cannot be known now (for instance, for a pipe) is found out while writing. And errors
/// from the database.
pub(super) async fn begin(config: &RunConfig, prepared: &Prepared) -> Result<(Transaction, Known), Failure> {
    let list = &prepared.list;
    // The contents only matter if they must not be ingested twice.
    let contents = match config.options.once {
        Some(_) => contents(list).await?,
        None => Vec::new(),
    };
    let files = list.files.iter().map(|file| file.display().to_string()).zip(contents).collect();
    let reading = config.ingest.rules.reading();
    let candidate = Candidate { files, plugin: &prepared.plugin, reading: &reading };
    let target = config.target.clone().labelled(&label(list));
    let mut rows_of_files = None;
    loop {
        let transaction = open(&target, config.options, list.size_bytes).await?;
        match look(&transaction, &candidate, list, rows_of_files.as_deref()).await {
            Ok(Look::Enough(known)) => return Ok((transaction, known)),
            Ok(Look::MustCount) => {
                // Ignored: it has written nothing.
                let _ = transaction.roll_back(false, INTERRUPTED_PATIENCE).await;
                rows_of_files = Some(count(config, list).await?);
            }
            Err(error) => return Err(rolled_back(transaction, error).await),
        }
    }
}

/// Connects, ensures that the tables fit, and begins.
async fn open(
    target: &Target,
    options: TransactionOptions,
    size_bytes: Option<u64>,
) -> Result<Transaction, Error> {
    let connection = host_sink::connect(target).await?;
    host_sink::ensure_schema(&connection, options.lock_timeout).await?;
    Ok(Transaction::begin(connection, options, size_bytes).await?)
}

async fn look(
    transaction: &Transaction,
    candidate: &Candidate<'_>,
    list: &FileList,
    rows_of_files: Option<&[u64]>,
) -> Result<Look, Error> {
    let known = transaction.known(candidate).await?;
    let Known::Files(left_out) = &known else { return Ok(Look::Enough(known)) };
    let mut remaining = list.clone();
    remaining.leave_out(&left_out.keys().copied().collect());
    let could_run_out = remaining.size_bytes.zip(transaction.ids_left());
    let Some((_, left)) = could_run_out.filter(|(bytes, left)| bytes / MIN_ROW_BYTES > *left) else {
        return Ok(Look::Enough(known));
    };
    let Some(rows_of_files) = rows_of_files else { return Ok(Look::MustCount) };
    let is_read = |(position, _): &(usize, &u64)| !left_out.contains_key(position);
    let rows: u64 = rows_of_files.iter().enumerate().filter(is_read).map(|(_, rows)| rows).sum();
    if rows <= left {
        return Ok(Look::Enough(known));
    }
    Err(SinkError::IdsExhausted { last_id: transaction.last_possible_id(), rows: Some(rows) }.into())
}

/// The digests of the files' contents; `None` for a file that can be read only once.
async fn contents(list: &FileList) -> Result<Vec<Option<Sha256Digest>>, Error> {
    let files = list.clone();
    let digests = in_thread(move || host_source::hash_files(&files)).await??;
    Ok(digests.into_iter().map(|digests| Some(digests?.content_sha256)).collect())
}

/// The number of rows in each file; empty if one of them can be read only once.
async fn count(config: &RunConfig, list: &FileList) -> Result<Vec<u64>, Error> {
    tracing::info!("counting rows, since ids are running short");
    let (files, rules) = (list.clone(), config.ingest.rules.clone());
    let rows = in_thread(move || host_source::count_rows(&files, &rules)).await??;
    Ok(rows.unwrap_or_default())
}

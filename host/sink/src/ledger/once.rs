//! What was ingested before. A file is recognised by its decompressed content, whatever its name and the
//! options it was read with; a whole run by the contents of all its files together with the plugin,
//! the settings and the way of reading. Neither counts if the run's rows are gone.

use std::collections::{BTreeMap, HashMap};

use host_core::digest::Sha256Digest;

use crate::connection::connect::Connection;
use crate::connection::query::Parameter;
use crate::error::SinkError;
use crate::known_file::{KnownFile, KnownFrom};
use crate::ledger::facts::{Candidate, Once};
use crate::ledger::record::json;
use crate::ledger::runs::LedgerRun;

/// There is nothing to do: everything was ingested before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyIngested {
    /// What was asked for.
    pub once: Once,
    /// The files.
    pub files: Vec<KnownFile>,
    /// The latest of the runs that ingested them.
    pub run: LedgerRun,
}

/// What part of a run was ingested before.
#[derive(Debug)]
pub enum Known {
    /// These files, by their positions from 0; never all of them.
    Files(BTreeMap<usize, KnownFile>),
    /// Everything.
    All(Box<AlreadyIngested>),
}

/// Finds out what was ingested before.
///
/// # Errors
/// If the server refuses.
pub(crate) async fn look_up(
    connection: &Connection,
    once: Once,
    candidate: &Candidate<'_>,
) -> Result<Known, SinkError> {
    let known = match once {
        Once::File => known_files(connection, &candidate.files).await?,
        Once::All => known_run(connection, candidate).await?,
    };
    if known.len() < candidate.files.len() {
        return Ok(Known::Files(known));
    }
    let files: Vec<_> = known.into_values().collect();
    let latest = files.iter().filter_map(|file| match file.from {
        KnownFrom::RunId(run_id) => Some(run_id),
        KnownFrom::SameAs(_) => None,
    });
    let run_id = latest.max().unwrap_or_default();
    let run = crate::ledger::read::run(connection, run_id)
        .await?
        .ok_or(SinkError::StrangeAnswer("the same question twice"))?;
    Ok(Known::All(Box::new(AlreadyIngested { once, files, run })))
}

/// Whether the rows of the run `r` still exist. They are gone if it was undone, if its first or last id is, or if a
/// later run was given the same ids; but not if it merely replaced rows, which were there to be replaced.
const ROWS_ARE_THERE: &str = "
    r.undone_at IS NULL AND
    (r.rows_written = 0
     OR EXISTS (SELECT FROM transactions WHERE transaction_id = r.first_transaction_id
                                           AND xmin <> pg_current_xact_id()::xid)
        AND EXISTS (SELECT FROM transactions WHERE transaction_id = r.last_transaction_id
                                               AND xmin <> pg_current_xact_id()::xid)
        AND NOT (r.ids = 'assign'
                 AND EXISTS (SELECT FROM ingest_runs later
                             WHERE later.run_id > r.run_id AND later.rows_replaced = 0
                               AND later.first_transaction_id <= r.last_transaction_id
                               AND later.last_transaction_id >= r.first_transaction_id)))";

/// The files whose content a run has ingested, and those with the same content as an earlier file of
/// this run.
async fn known_files(
    connection: &Connection,
    files: &[(String, Option<Sha256Digest>)],
) -> Result<BTreeMap<usize, KnownFile>, SinkError> {
    let query = format!(
        "SELECT coalesce(f.content_sha256, f.sha256), max(r.run_id)
         FROM ingest_files f JOIN ingest_runs r USING (run_id)
         WHERE coalesce(f.content_sha256, f.sha256) = ANY ($1::text[]) AND {ROWS_ARE_THERE}
         GROUP BY 1"
    );
    let contents: Vec<String> =
        files.iter().filter_map(|(_, content)| Some(content.as_ref()?.to_string())).collect();
    let rows = connection.query("look for the same contents in the ledger", &query, &[&contents]).await?;
    let runs: HashMap<String, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let mut first_with: HashMap<String, &String> = HashMap::new();
    let mut known = BTreeMap::new();
    for (position, (name, content)) in files.iter().enumerate() {
        let Some(content) = content else { continue };
        let content = content.to_string();
        let from = match (runs.get(&content), first_with.get(&content)) {
            (Some(run_id), _) => KnownFrom::RunId(*run_id),
            (None, Some(first)) => KnownFrom::SameAs((*first).clone()),
            (None, None) => {
                first_with.insert(content, name);
                continue;
            }
        };
        known.insert(position, KnownFile { name: name.clone(), from });
    }
    Ok(known)
}

/// A rule that earlier hosts did not have; nobody has asked for something else because of it.
const RULE: &str = "rejects_three_decimals";

/// All files, if one run did the same with all of them; otherwise none.
async fn known_run(
    connection: &Connection,
    Candidate { files, plugin, reading }: &Candidate<'_>,
) -> Result<BTreeMap<usize, KnownFile>, SinkError> {
    let query = format!(
        "SELECT r.run_id FROM ingest_runs r
         WHERE r.run_id IN (SELECT run_id FROM ingest_files
                            WHERE coalesce(content_sha256, sha256) = ($1::text[])[1] AND position = 1)
           AND (SELECT array_agg(coalesce(content_sha256, sha256) ORDER BY position)
                FROM ingest_files f WHERE f.run_id = r.run_id) = $1::text[]
           AND r.plugin_sha256 = $2 AND r.settings = $3::text::jsonb
           AND r.reading - '{RULE}' = $4::text::jsonb - '{RULE}'
           AND {ROWS_ARE_THERE}
         ORDER BY r.run_id DESC LIMIT 1"
    );
    let contents: Option<Vec<String>> =
        files.iter().map(|(_, content)| Some(content.as_ref()?.to_string())).collect();
    let Some(contents) = contents else { return Ok(BTreeMap::new()) };
    let (settings, reading) = (json(&plugin.settings), json(reading));
    let parameters: [&dyn Parameter; 4] = [&contents, &plugin.sha256, &settings, &reading];
    let rows = connection.query("look for the same run in the ledger", &query, &parameters).await?;
    let Some(run_id) = rows.first().map(|row| row.get(0)) else { return Ok(BTreeMap::new()) };
    let file = |(name, _): &(String, _)| KnownFile { name: name.clone(), from: KnownFrom::RunId(run_id) };
    Ok(files.iter().map(file).enumerate().collect())
}

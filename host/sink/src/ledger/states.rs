//! The states of detectors, as ledger and entries have them: for commands that list them. What a run needs of a state is
//! elsewhere; here, nothing is compared with its digest.

use jiff::Timestamp;
use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::prunes::STATE_IS_DROPPED;

/// A state, with what is stored of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateSummary {
    /// Its name.
    pub name: String,
    /// The newest run, which the next one continues.
    pub run_id: i64,
    /// When that was committed.
    pub committed_at: Timestamp,
    /// Name of the plugin of the newest run.
    pub plugin_name: String,
    /// Its version.
    pub plugin_version: String,
    /// How many runs have written it, without those that were undone.
    pub runs: u64,
    /// How many entries are stored, older versions of the same user included.
    pub entries: u64,
    /// How many bytes their values have.
    pub bytes: u64,
}

/// A run that has written a state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRun {
    /// The run.
    pub run_id: i64,
    /// When it was committed.
    pub committed_at: Timestamp,
    /// The run that it continued; `None` if it began anew.
    pub predecessor: Option<i64>,
    /// Name of its plugin.
    pub plugin_name: String,
    /// Version of its plugin.
    pub plugin_version: String,
    /// How many entries it wrote.
    pub entries: u64,
    /// Their digest.
    pub sha256: String,
    /// How many of them are stored: fewer than it wrote, if they were merged with those of later runs.
    pub entries_stored: u64,
    /// How many bytes their values have.
    pub bytes_stored: u64,
    /// Whether what it and the runs before it wrote was merged, so that the state cannot go back before it.
    pub is_merged: bool,
    /// When it was undone; `None` if it was not.
    pub undone_at: Option<Timestamp>,
    /// When the state was dropped, after this run; `None` if it was not.
    pub dropped_at: Option<Timestamp>,
}

/// All states that a run can continue, by name, or only the one of this name.
pub(crate) async fn states(
    connection: &Connection,
    name: Option<&str>,
) -> Result<Vec<StateSummary>, SinkError> {
    let states = format!(
        "SELECT r.state, r.run_id, (extract(epoch FROM r.committed_at) * 1000000)::bigint,
               r.plugin_name, r.plugin_version, n.runs, coalesce(s.entries, 0), coalesce(s.bytes, 0)
        FROM (
            SELECT max(run_id) AS run_id, count(*) AS runs FROM ingest_runs r
            WHERE state IS NOT NULL AND undone_at IS NULL AND NOT {STATE_IS_DROPPED} AND ($1::text IS NULL OR state = $1::text)
            GROUP BY state
        ) n
        JOIN ingest_runs r USING (run_id)
        LEFT JOIN (
            SELECT i.state, count(*) AS entries, sum(octet_length(d.value))::bigint AS bytes
            FROM detector_states d JOIN ingest_runs i USING (run_id)
            WHERE i.state IS NOT NULL AND ($1::text IS NULL OR i.state = $1::text)
            GROUP BY i.state
        ) s ON s.state = r.state
        ORDER BY r.state COLLATE \"C\""
    );
    let name = name.map(str::to_owned);
    let rows = connection.query("look up the states", &states, &[&name]).await?;
    let state = |row: &Row| StateSummary {
        name: row.get(0),
        run_id: row.get(1),
        committed_at: time(row.get(2)),
        plugin_name: row.get(3),
        plugin_version: row.get(4),
        runs: count(row.get(5)),
        entries: count(row.get(6)),
        bytes: count(row.get(7)),
    };
    Ok(rows.iter().map(state).collect())
}

/// The latest runs that have written a state, newest first, and how many more there are.
pub(crate) async fn runs(
    connection: &Connection,
    name: &str,
    limit: u32,
) -> Result<(Vec<StateRun>, u64), SinkError> {
    const RUNS: &str = "
        SELECT r.run_id, (extract(epoch FROM committed_at) * 1000000)::bigint, state_predecessor,
               plugin_name, plugin_version, coalesce(state_entries, 0), coalesce(state_sha256, ''),
               s.entries, s.bytes, (extract(epoch FROM undone_at) * 1000000)::bigint,
               r.run_id <= (
                   SELECT max(b.run_id) FROM detector_state_bases b JOIN ingest_runs m USING (run_id)
                   WHERE m.state = $1
               ),
               (SELECT (extract(epoch FROM max(pruned_at)) * 1000000)::bigint FROM ingest_prunes p
                WHERE p.run_id = r.run_id AND table_name = 'detector_states')
        FROM (
            SELECT * FROM ingest_runs WHERE state = $1 ORDER BY run_id DESC LIMIT $2
        ) r, LATERAL (
            SELECT count(*) AS entries, coalesce(sum(octet_length(value)), 0)::bigint AS bytes
            FROM detector_states d WHERE d.run_id = r.run_id
        ) s
        ORDER BY r.run_id DESC";
    const COUNT: &str = "SELECT count(*) FROM ingest_runs WHERE state = $1";
    let (doing, name) = ("look up the runs of a state", name.to_owned());
    let counted = connection.query(doing, COUNT, &[&name]).await?;
    let all = counted.first().map_or(0, |row| count(row.get(0)));
    let rows = connection.query(doing, RUNS, &[&name, &i64::from(limit)]).await?;
    let run = |row: &Row| StateRun {
        run_id: row.get(0),
        committed_at: time(row.get(1)),
        predecessor: row.get(2),
        plugin_name: row.get(3),
        plugin_version: row.get(4),
        entries: count(row.get(5)),
        sha256: row.get(6),
        entries_stored: count(row.get(7)),
        bytes_stored: count(row.get(8)),
        undone_at: row.get::<_, Option<i64>>(9).map(time),
        is_merged: row.get::<_, Option<bool>>(10).unwrap_or_default()
            && row.get::<_, Option<i64>>(11).is_none(),
        dropped_at: row.get::<_, Option<i64>>(11).map(time),
    };
    let not_shown = all.saturating_sub(rows.len() as u64);
    Ok((rows.iter().map(run).collect(), not_shown))
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or_default()
}

fn count(number: i64) -> u64 {
    number.unsigned_abs()
}

//! What a run finds in the tables it has locked, and continues from.

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::ledger::ids::AllottedIds;
use crate::write::sequences;
use crate::write::sequences::{RESTARTED, Sequence};

/// Numbers and names, queried under the lock.
pub(crate) struct Numbers {
    /// The highest id; `None` if the table is empty.
    pub last_id: Option<i64>,
    /// The highest id that was given to runs which were undone; `None` if there is none, or if ids begin anew since.
    pub last_undone: Option<i64>,
    /// The sequence that also counts the ids, in a table that the host did not create.
    pub sequence: Option<Sequence>,
    /// This run's number in the ledger.
    pub run_id: i64,
    /// The ledger's name with its schema, quoted, for queries by other sessions.
    pub ledger: String,
    /// Whether users with textual ids have numbers here.
    pub has_textual_users: bool,
    /// The highest number in a prepared statement's name that tokio-postgres might choose, too.
    pub taken_name: Option<u32>,
}

/// The ledger's own sequence may be behind, for instance after a restore; nobody else takes a number
/// while we hold the lock. Ids that a run was given which was undone are not given again, unless the tables were emptied
/// with RESTART IDENTITY since: then, a sequence is behind where it was. Kept ids are the files' own, so nobody has to
/// keep clear of them.
fn query() -> String {
    format!(
        r"
    SELECT max(transaction_id),
        greatest(nextval(pg_get_serial_sequence('ingest_runs', 'run_id')),
                 (SELECT max(run_id) + 1 FROM ingest_runs)),
        (SELECT format('%I.%I', relnamespace::regnamespace, relname) FROM pg_class
         WHERE oid = 'ingest_runs'::regclass),
        (SELECT max(substring(name FROM '^s([0-9]{{1,9}})$')::int) FROM pg_prepared_statements),
        (SELECT string_agg(quote_ident(relname), ', ' ORDER BY relname) FROM pg_class c
         WHERE relpersistence = 'u' AND relkind IN ('r', 'p')
           AND EXISTS (SELECT FROM unnest(ARRAY['transactions', 'anomalies', 'ingest_runs', 'ingest_files',
                                                'rejected_rows', 'skipped_rows', 'replaced_rows',
                                                'detector_states', 'detector_state_bases', 'feedback',
                                                'kept_columns']) AS name
                       WHERE to_regclass(name) = c.oid
                          OR to_regclass(name) IN (SELECT pg_partition_ancestors(c.oid)))),
        EXISTS (SELECT FROM ingest_runs WHERE reading ->> 'user_ids' = 'text'),
        (SELECT max(last_transaction_id) FROM ingest_runs
         WHERE undone_at IS NOT NULL AND ids = 'assign'
           AND coalesce(undone_mark <= coalesce((SELECT pg_sequence_last_value(oid) FROM ({RESTARTED}) s), 0), true))
    FROM transactions"
    )
}

impl Numbers {
    pub async fn look_up(connection: &Connection) -> Result<Numbers, SinkError> {
        let query = query();
        let (rows, sequence) = tokio::join!(
            connection.simple_query("look up the highest id and the run's number", &query),
            sequences::look_up(connection)
        );
        let (rows, sequence) = (rows?, sequence?);
        let strange = || SinkError::StrangeAnswer("a question about the highest id");
        let row = rows.first().ok_or_else(strange)?;
        if let Some(unlogged) = row.get(4) {
            tracing::warn!(
                "what is written to {unlogged} is lost if the server crashes, because it is UNLOGGED; see ALTER TABLE … SET LOGGED"
            );
        }
        let number = |text: &str| text.parse::<i64>().map_err(|_| strange());
        Ok(Numbers {
            last_id: row.get(0).map(number).transpose()?,
            last_undone: row.get(6).map(number).transpose()?,
            sequence,
            run_id: row.get(1).ok_or_else(strange).and_then(number)?,
            ledger: row.get(2).ok_or_else(strange)?.to_owned(),
            has_textual_users: row.get(5) == Some("t"),
            taken_name: row.get(3).and_then(|number| number.parse().ok()),
        })
    }

    /// How many ids are left to allot up to `last_id`, the highest possible one.
    pub fn ids_left(&self, last_id: i64) -> u64 {
        last_id.abs_diff(self.last_allotted())
    }

    /// The ids that this run's rows get.
    pub fn allotted(&self) -> AllottedIds {
        AllottedIds::after(self.last_allotted())
    }

    /// The highest id that exists or was given out, but at least 0.
    fn last_allotted(&self) -> i64 {
        let given_away = self.sequence.as_ref().and_then(Sequence::last);
        self.last_id.max(given_away).max(self.last_undone).unwrap_or_default().max(0)
    }
}

//! Keys after rows: if the tables are empty, building their keys once, from all rows, is cheaper than
//! keeping them up to date row by row. All of it happens in the run's own transaction, so a run that
//! fails leaves the keys as they were.
//!
//! It is only done if nothing can go wrong: nobody is using the tables at the moment (they are locked
//! against readers, too, who would see nothing in them), the keys are exactly those that the host
//! creates, no other table's keys refer to them, and the tables are ours. Otherwise the rows are
//! written with the keys in place.

use tokio_postgres::SimpleQueryMessage;

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// The keys as the host creates them: table, definition. They are built in this order.
const KEYS: [(&str, &str); 4] = [
    ("transactions", "PRIMARY KEY (transaction_id)"),
    ("anomalies", "PRIMARY KEY (anomaly_id)"),
    ("anomalies", "UNIQUE (transaction_id)"),
    ("anomalies", "FOREIGN KEY (transaction_id) REFERENCES transactions(transaction_id)"),
];

/// All keys of the two tables, and other tables' keys that refer to them; the last column says
/// whether everything about the tables is as the host creates it.
const LOOK: &str = "
    SELECT c.conrelid::regclass, quote_ident(c.conname), pg_get_constraintdef(c.oid),
        NOT EXISTS (SELECT FROM anomalies)
        AND (SELECT bool_and(relkind = 'r' AND relreplident = 'd' AND pg_has_role(relowner, 'USAGE'))
             FROM pg_class WHERE oid IN ('transactions'::regclass, 'anomalies'::regclass))
        AND (SELECT count(*) = 3 AND bool_and(k.reloptions IS NULL AND k.reltablespace = 0
                    AND NOT i.indisclustered AND obj_description(k.oid, 'pg_class') IS NULL)
             FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid
             WHERE i.indrelid IN ('transactions'::regclass, 'anomalies'::regclass))
        AND obj_description(c.oid, 'pg_constraint') IS NULL
    FROM pg_constraint c
    WHERE c.contype IN ('p', 'u', 'f', 'x')
      AND (c.conrelid IN ('transactions'::regclass, 'anomalies'::regclass)
           OR c.confrelid IN ('transactions'::regclass, 'anomalies'::regclass))";

/// Keys that are yet to be built.
pub(crate) struct DeferredKeys {
    build: String,
}

/// Drops the keys until [`DeferredKeys::build`]; `None` if they must stay. `transactions` must be locked
/// and empty.
pub(crate) async fn defer(connection: &Connection) -> Result<Option<DeferredKeys>, SinkError> {
    let asked = connection.client.simple_query(LOOK);
    let found = connection.answer("look at the tables' keys", asked).await?;
    let keys: Option<Vec<[&str; 3]>> = found
        .iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        })
        .map(|row| (row.get(3) == Some("t")).then_some([row.get(0)?, row.get(1)?, row.get(2)?]))
        .collect();
    let Some(keys) = keys.filter(|keys| keys.len() == KEYS.len()) else { return Ok(None) };
    let (mut drop, mut build) = (String::new(), String::new());
    for (table, definition) in KEYS {
        let Some([_, name, _]) = keys.iter().find(|key| (key[0], key[2]) == (table, definition)) else {
            return Ok(None);
        };
        // A key that refers to another is dropped first and built last.
        drop.insert_str(0, &format!("ALTER TABLE {table} DROP CONSTRAINT {name};"));
        build.push_str(&format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition};"));
    }
    // Building them is tried while there is nothing to lose: an event trigger may forbid it.
    let statements = format!(
        "SAVEPOINT keys; LOCK TABLE transactions, anomalies IN ACCESS EXCLUSIVE MODE NOWAIT; \
         {drop} {build} {drop} RELEASE keys"
    );
    let doing = "put off the keys of the empty tables";
    match connection.answer(doing, connection.client.batch_execute(&statements)).await {
        Ok(()) => Ok(Some(DeferredKeys { build })),
        // Somebody is reading the tables right now, or something depends on a key.
        Err(error) if error.code().is_some() && !error.has_lost_connection() => {
            tracing::debug!("the keys stay as they are: {error}");
            let undo = connection.client.batch_execute("ROLLBACK TO keys; RELEASE keys");
            connection.answer(doing, undo).await.map(|()| None)
        }
        Err(error) => Err(error),
    }
}

impl DeferredKeys {
    /// Builds the keys as they were.
    pub async fn build(self, connection: &Connection) -> Result<(), SinkError> {
        connection.answer("build the keys", connection.client.batch_execute(&self.build)).await
    }
}

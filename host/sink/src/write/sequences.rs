//! Sequences that count the ids of tables which the host did not create: SERIAL or identity columns.
//!
//! Ids that the host allots do not come from the sequence, so it is moved past them; otherwise the
//! next INSERT by the application that uses it would collide with one of our ids. And ids are allotted
//! after the last one that the sequence gave out: somebody may be about to use it.
//!
//! A sequence that is behind its own table, for instance after a restore, is moved before the run
//! needs it. A rollback does not undo the move; all it ever does is leave ids unused.

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// The sequence of a column, if it counts upwards.
#[derive(Clone, Debug)]
pub(crate) struct Sequence {
    /// With its schema where that is needed, quoted.
    name: String,
    /// The last number it gave out; `None` if it gave out none, or if we may not read it.
    last: Option<i64>,
    max: i64,
    may_move: bool,
}

/// One row for each column that has a sequence, by its default or as an identity. The highest id of
/// `anomalies` is only looked up if there is a sequence to compare it with.
const QUERY: &str = "
    SELECT a.attname::text, s.oid::regclass::text, q.seqmax, quote_ident(current_user),
        CASE WHEN has_sequence_privilege(s.oid, 'USAGE, SELECT') THEN pg_sequence_last_value(s.oid) END,
        has_sequence_privilege(s.oid, 'UPDATE'),
        CASE a.attname WHEN 'anomaly_id' THEN (SELECT max(anomaly_id)::bigint FROM anomalies) END
    FROM (
        SELECT d.refobjid AS sequence, f.adrelid AS relation, f.adnum AS attribute
        FROM pg_attrdef f JOIN pg_depend d
            ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid AND d.refclassid = 'pg_class'::regclass
        WHERE f.adrelid IN (to_regclass('transactions'), to_regclass('anomalies'))
        UNION ALL
        SELECT d.objid, d.refobjid, d.refobjsubid FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'i'
          AND d.refobjid IN (to_regclass('transactions'), to_regclass('anomalies'))
    ) AS uses
    JOIN pg_class s ON s.oid = uses.sequence AND s.relkind = 'S'
    JOIN pg_sequence q ON q.seqrelid = s.oid AND q.seqincrement > 0
    JOIN pg_attribute a ON a.attrelid = uses.relation AND a.attnum = uses.attribute
    WHERE (a.attrelid, a.attname) IN ((to_regclass('transactions'), 'transaction_id'),
                                      (to_regclass('anomalies'), 'anomaly_id'))";

/// The sequence, as `oid`, that RESTART IDENTITY sets back when the tables are emptied: that of `anomalies`, if it has
/// one, else that of `transactions`. Nothing else ever moves it back, so it tells whether that was done since some time.
pub(crate) const RESTARTED: &str = "
    SELECT d.objid AS oid FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid AND s.seqincrement > 0
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
      AND d.refobjid IN (to_regclass('anomalies'), to_regclass('transactions')) AND d.refobjsubid > 0
      AND has_sequence_privilege(d.objid, 'USAGE')
    ORDER BY d.refobjid = to_regclass('anomalies') DESC, d.objid LIMIT 1";

/// Looks them up, under the lock, and moves that of `anomalies` if it is behind. Returns that of
/// `transactions`, which the host's own table does not have.
///
/// # Errors
/// [`SinkError::PrivilegesMissing`] if one has to be moved, but the role may not.
pub(crate) async fn look_up(connection: &Connection) -> Result<Option<Sequence>, SinkError> {
    let rows = connection.query("look up the sequences of the ids", QUERY, &[]).await?;
    let mut transaction_id = None;
    for row in &rows {
        let sequence = Sequence::of(row);
        if row.get::<_, &str>(0) == "transaction_id" {
            sequence.must_be_movable(row)?;
            transaction_id = Some(sequence);
        } else if let Some(highest) = row.get::<_, Option<i64>>(6)
            && sequence.last.unwrap_or_default() < highest
        {
            sequence.must_be_movable(row)?;
            sequence.move_past(connection, highest).await?;
        }
    }
    Ok(transaction_id)
}

impl Sequence {
    fn of(row: &Row) -> Sequence {
        Sequence { name: row.get(1), max: row.get(2), last: row.get(4), may_move: row.get(5) }
    }

    /// The last number it gave out.
    pub fn last(&self) -> Option<i64> {
        self.last
    }

    /// Moves it so that the next number is above this one, unless it already is.
    pub async fn move_past(&self, connection: &Connection, id: i64) -> Result<(), SinkError> {
        const MOVE: &str = "
            SELECT setval($1::text::regclass, $2) WHERE coalesce(pg_sequence_last_value($1::text::regclass) < $2, true)";
        // By itself, it could not have gone beyond its maximum either.
        let id = id.min(self.max);
        connection.query("move a sequence past the ids of this run", MOVE, &[&self.name, &id]).await.map(drop)
    }

    fn must_be_movable(&self, row: &Row) -> Result<(), SinkError> {
        if self.may_move {
            return Ok(());
        }
        Err(SinkError::PrivilegesMissing {
            role: row.get(3),
            grants: vec![format!("USAGE, UPDATE ON SEQUENCE {}", self.name)],
        })
    }
}

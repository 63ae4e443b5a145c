//! Do the tables fit? They may have been made by hand. Binary COPY would store nonsense in a
//! column of another type, so every column that is written is looked at before every run.

use std::ops::RangeInclusive;

use tokio_postgres::Row;

use super::{Connection, SinkError};

/// Columns that the host writes, with the types that it can encode, as `format_type` names them.
const COLUMNS: [(&str, &str, &[&str]); 14] = [
    ("transactions", "transaction_id", &["integer", "bigint"]),
    ("transactions", "user_id", &["integer"]),
    ("transactions", "amount", &["numeric(10,2)", "numeric"]),
    ("transactions", "transaction_timestamp", &["timestamp without time zone"]),
    ("transactions", "is_anomalous", &["integer"]),
    ("transactions", "source_id", &["bigint"]),
    ("anomalies", "transaction_id", &["integer", "bigint"]),
    ("anomalies", "user_id", &["integer"]),
    ("anomalies", "amount", &["numeric(10,2)", "numeric"]),
    ("anomalies", "transaction_timestamp", &["timestamp without time zone"]),
    ("anomalies", "score", &["double precision"]),
    ("anomalies", "reason", &["text"]),
    ("anomalies", "run_id", &["bigint"]),
    // Not written: the server counts it.
    ("anomalies", "anomaly_id", &[]),
];

/// All columns of the two tables: table, column, type (whatever `quote_all_identifiers` makes of it),
/// whether a value must be given.
const QUERY: &str = "
    SELECT c.relname::text, a.attname::text, replace(format_type(a.atttypid, a.atttypmod), '\"', ''),
           a.attnotnull AND NOT a.atthasdef AND a.attidentity = ''
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.oid IN (to_regclass('transactions'), to_regclass('anomalies'))
      AND a.attnum > 0 AND NOT a.attisdropped";

/// The type of `transaction_id`, in both tables: operators with many rows widen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdType {
    /// `INT`, as the host creates it.
    Int,
    /// `BIGINT`
    BigInt,
}

impl IdType {
    /// The ids that it can hold.
    #[must_use]
    pub fn range(self) -> RangeInclusive<i64> {
        match self {
            IdType::Int => i32::MIN.into()..=i32::MAX.into(),
            IdType::BigInt => i64::MIN..=i64::MAX,
        }
    }

    /// The highest id.
    #[must_use]
    pub fn max(self) -> i64 {
        *self.range().end()
    }
}

/// Checks that the tables can take what the host writes.
///
/// # Errors
/// [`SinkError::TableDoesNotFit`] with the first column that does not.
pub async fn check(connection: &Connection) -> Result<IdType, SinkError> {
    let rows = connection.query("look at the tables' columns", QUERY, &[]).await?;
    for table in ["transactions", "anomalies"] {
        if !rows.iter().any(|row| row.get::<_, &str>(0) == table) {
            let problem = "it is not there, although the migrations have been applied".into();
            return Err(SinkError::TableDoesNotFit { table, problem });
        }
    }
    for &(table, column, types) in &COLUMNS {
        let found = rows.iter().find(|row| is(row, table, column)).map(|row| row.get::<_, &str>(2));
        let problem = match found {
            Some(found) if types.is_empty() || types.contains(&found) => continue,
            Some(found) => format!("its column `{column}` is `{found}`; it must be `{}`", types[0]),
            None if types.is_empty() => continue,
            None => format!("it has no column `{column}` of type `{}`", types[0]),
        };
        return Err(SinkError::TableDoesNotFit { table, problem });
    }
    let unknown = rows.iter().find(|row| {
        row.get::<_, bool>(3) && !COLUMNS.iter().any(|&(table, column, _)| is(row, table, column))
    });
    match unknown {
        None => id_type(&rows),
        Some(row) => Err(SinkError::TableDoesNotFit {
            table: if row.get::<_, &str>(0) == "transactions" { "transactions" } else { "anomalies" },
            problem: format!(
                "its column `{}` needs a value, which the host does not have; give it a default",
                row.get::<_, &str>(1)
            ),
        }),
    }
}

/// A trigger that somebody has made.
pub(super) struct Trigger {
    pub table: String,
    pub name: String,
}

/// The triggers of both tables that are not PostgreSQL's own. It does not say which one it was
/// that refused a row.
pub(super) async fn triggers(connection: &Connection) -> Result<Vec<Trigger>, SinkError> {
    const TRIGGERS: &str = "
        SELECT tgrelid::regclass::text, tgname::text FROM pg_trigger
        WHERE tgrelid IN (to_regclass('transactions'), to_regclass('anomalies'))
          AND NOT tgisinternal AND tgenabled IN ('O', 'A')
        ORDER BY tgname";
    let rows = connection.query("look at the tables' triggers", TRIGGERS, &[]).await?;
    Ok(rows.iter().map(|row| Trigger { table: row.get(0), name: row.get(1) }).collect())
}

fn id_type(rows: &[Row]) -> Result<IdType, SinkError> {
    let is_wide =
        |table| rows.iter().any(|row| is(row, table, "transaction_id") && row.get::<_, &str>(2) == "bigint");
    match (is_wide("transactions"), is_wide("anomalies")) {
        (false, false) => Ok(IdType::Int),
        (true, true) => Ok(IdType::BigInt),
        (wide, _) => Err(SinkError::TableDoesNotFit {
            table: if wide { "anomalies" } else { "transactions" },
            problem: "its column `transaction_id` is `integer`, that of the other table `bigint`; widen both"
                .into(),
        }),
    }
}

fn is(row: &Row, table: &str, column: &str) -> bool {
    row.get::<_, &str>(0) == table && row.get::<_, &str>(1) == column
}

//! Triggers that the host did not create. PostgreSQL does not say which of them refused a row, or left it
//! out.

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// A trigger that the operator has created.
pub(crate) struct Trigger {
    pub table: String,
    pub name: String,
    /// Whether it may leave a row out, by returning NULL.
    pub may_leave_out: bool,
}

/// The triggers of both tables that are not PostgreSQL's own.
pub(crate) async fn look_up(connection: &Connection) -> Result<Vec<Trigger>, SinkError> {
    // Bits of `tgtype`: 1 is FOR EACH ROW, 2 is BEFORE (PostgreSQL's `catalog/pg_trigger.h`).
    const TRIGGERS: &str = "
        SELECT tgrelid::regclass::text, tgname::text, tgtype & 3 = 3 FROM pg_trigger
        WHERE tgrelid IN (to_regclass('transactions'), to_regclass('anomalies'))
          AND NOT tgisinternal AND tgenabled IN ('O', 'A')
        ORDER BY tgname";
    let rows = connection.query("look at the tables' triggers", TRIGGERS, &[]).await?;
    let trigger = |row: &tokio_postgres::Row| Trigger {
        table: row.get(0),
        name: row.get(1),
        may_leave_out: row.get(2),
    };
    Ok(rows.iter().map(trigger).collect())
}

/// The names of the wanted triggers of one table.
pub(crate) fn names(triggers: &[Trigger], table: &str, wanted: impl Fn(&Trigger) -> bool) -> Vec<String> {
    let of_table = triggers.iter().filter(|trigger| trigger.table == table && wanted(trigger));
    of_table.map(|trigger| trigger.name.clone()).collect()
}

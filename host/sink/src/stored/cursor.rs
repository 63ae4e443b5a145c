//! Rows of our tables that belong to one run, in file order and a few at a time: there may be
//! millions of them, and a single one may be a megabyte.

use std::marker::PhantomData;

use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// A row of a run, in the form that the caller needs.
pub trait RowOfRun: Sized {
    /// What is being done, for messages.
    const DOING: &'static str;
    /// The cursor's name; a transaction may have only one of that name.
    const CURSOR: &'static str;
    /// How many rows are fetched at a time; with everything in them, a few megabytes at most.
    const ROWS_AT_A_TIME: u32;
    /// The table.
    const TABLE: &'static str;
    /// The columns to select, after the file's position.
    const COLUMNS: &'static str;

    /// From the file's position and these columns.
    fn of(row: &Row) -> Self;
}

/// The files' positions in the run; for hosts that did not record them, found by the files' names.
const POSITION: &str = "coalesce(r.position, (SELECT min(f.position) FROM ingest_files f
                                         WHERE f.run_id = r.run_id AND f.name = r.file), 0)";

/// An open cursor over rows of a run, within a transaction.
pub struct Cursor<T>(PhantomData<T>);

impl<T: RowOfRun> Cursor<T> {
    /// Begins to read the rows.
    pub(crate) async fn open(connection: &Connection, run_id: i64) -> Result<Cursor<T>, SinkError> {
        let (name, columns, table) = (T::CURSOR, T::COLUMNS, T::TABLE);
        let declare = format!(
            "DECLARE {name} NO SCROLL CURSOR FOR SELECT {POSITION} AS file_position, {columns} FROM {table} r
            WHERE r.run_id = {run_id} ORDER BY file_position, line"
        );
        connection.simple_query(T::DOING, &declare).await?;
        Ok(Cursor(PhantomData))
    }

    /// The next few rows; empty after the last.
    pub(crate) async fn next(&self, connection: &Connection) -> Result<Vec<T>, SinkError> {
        let fetch = format!("FETCH {} FROM {}", T::ROWS_AT_A_TIME, T::CURSOR);
        Ok(connection.query(T::DOING, &fetch, &[]).await?.iter().map(T::of).collect())
    }
}

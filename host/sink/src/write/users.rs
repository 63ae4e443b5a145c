//! Numbers for users whose ids are texts, from the table `users`. New users get the next ones, in the run's own
//! transaction: what is rolled back leaves none, and as no other run can write meanwhile (it would have to lock
//! `transactions`), no two give out the same.
//!
//! The numbers are below zero and go down, so that they are never those of users whose ids are numbers: these are not
//! below zero once there are any of ours, nor may there be any before.

use std::ops::RangeInclusive;

use crate::connection::connect::Connection;
use crate::error::SinkError;
use crate::schema::columns::{TableWidths, Widths};
use crate::stored::users;
use crate::write::copy::{CopyBuffer, USER_COLUMNS};
use crate::write::writer::{copy_at_once, expect, prepare};

/// Whether `users` is the table that the host creates, or like it, and may be used.
const TABLE: &str = "
    SELECT c.relkind IN ('r', 'p') AND (SELECT count(*) = 2 FROM pg_attribute a
               WHERE a.attrelid = c.oid AND NOT a.attisdropped
                 AND (a.attname, format_type(a.atttypid, -1)) IN (('user_id', 'bigint'), ('source_key', 'text')))
           AND EXISTS (SELECT FROM pg_index i JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[0]
               WHERE i.indrelid = c.oid AND i.indisunique AND i.indimmediate AND i.indisvalid
                 AND i.indpred IS NULL AND i.indnkeyatts = 1 AND a.attname = 'source_key')
           AND NOT row_security_active(c.oid),
        has_any_column_privilege(c.oid, 'SELECT'), has_any_column_privilege(c.oid, 'INSERT'),
        quote_ident(current_user)
    FROM pg_class c WHERE c.oid = to_regclass('users')";

/// The lowest number; without any, whether there are users of another kind with such numbers.
const LOWEST: &str = "
    SELECT lowest, CASE WHEN lowest IS NULL THEN EXISTS (SELECT FROM transactions WHERE user_id < 0) END
    FROM (SELECT min(user_id)::bigint AS lowest FROM users) AS users";

/// The numbers that a run gives out.
pub(crate) struct Users {
    /// The lowest number so far, but at most 0.
    lowest: i64,
    /// Nobody has a number.
    is_empty: bool,
    /// What the tables can hold.
    range: RangeInclusive<i64>,
}

impl Users {
    /// Looks whether the table fits, and which numbers it has.
    pub async fn look_up(connection: &Connection, widths: &Widths) -> Result<Users, SinkError> {
        let does_not_fit = |problem: &str, help: &str| SinkError::TableDoesNotFit {
            table: "users",
            problem: problem.into(),
            help: help.into(),
        };
        let rows = connection.query("look at the table `users`", TABLE, &[]).await?;
        let Some(table) = rows.first() else {
            return Err(does_not_fit("it is missing, although the migrations have been applied", RESTORE));
        };
        if !table.get::<_, bool>(0) {
            let problem = "it is not the table of the host's users";
            return Err(does_not_fit(problem, crate::error::OTHER_SCHEMA));
        }
        let [may_select, may_insert] = [1_usize, 2].map(|column| table.get::<_, bool>(column));
        let lacking: Vec<&str> = [(may_select, "SELECT"), (may_insert, "INSERT")]
            .into_iter()
            .filter_map(|(may, privilege)| (!may).then_some(privilege))
            .collect();
        if !lacking.is_empty() {
            let grants = vec![format!("{} ON users", lacking.join(", "))];
            return Err(SinkError::PrivilegesMissing { role: table.get(3), grants });
        }
        let rows = connection.query("look up the numbers of users", LOWEST, &[]).await?;
        let row = rows.first().ok_or(SinkError::StrangeAnswer("a question about users"))?;
        let lowest: Option<i64> = row.get(0);
        if row.get::<_, Option<bool>>(1) == Some(true) {
            let problem =
                "it is empty, but `transactions` has user ids below zero, which only its users may have";
            return Err(does_not_fit(problem, APART));
        }
        Ok(Users {
            lowest: lowest.unwrap_or_default().min(0),
            is_empty: lowest.is_none(),
            range: widths.user_range(),
        })
    }

    /// The numbers of users with these ids, which are all different; those who are new get one.
    pub async fn numbers(&mut self, connection: &Connection, keys: &[String]) -> Result<Vec<i64>, SinkError> {
        // Written in another way, two users could become one.
        if let Some(key) = keys.iter().find(|key| connection.encoding.replaced(key).is_some()) {
            return Err(SinkError::UserNotStorable { key: key.clone() });
        }
        let known = match self.is_empty {
            true => vec![None; keys.len()],
            false => users::numbers(connection, keys).await?,
        };
        let (mut numbers, mut new) = (Vec::new(), Vec::new());
        for (key, number) in keys.iter().zip(known) {
            numbers.push(match number {
                Some(number) => number,
                None => {
                    self.lowest -= 1;
                    new.push((key.as_str(), self.lowest));
                    self.lowest
                }
            });
        }
        if let Some(number) = numbers.iter().find(|number| !self.range.contains(number)) {
            return Err(SinkError::TableDoesNotFit {
                table: "transactions",
                problem: format!(
                    "its column `user_id`, or that of `anomalies`, cannot hold the user {number}"
                ),
                help: WIDEN.into(),
            });
        }
        if !new.is_empty() {
            self.insert(connection, new).await?;
            self.is_empty = false;
        }
        Ok(numbers)
    }

    /// Writes new users in the order of their ids, by COPY: both cost the server less, together a third.
    async fn insert(&self, connection: &Connection, mut new: Vec<(&str, i64)>) -> Result<(), SinkError> {
        const DOING: &str = "write new users";
        new.sort_unstable();
        let mut buffer = CopyBuffer::new(TableWidths::NARROW, connection.encoding.clone());
        buffer.start_if_empty();
        new.iter().for_each(|(key, number)| buffer.put_user(*number, key));
        let copy = prepare(connection, DOING, USER_COLUMNS).await?;
        let stored = copy_at_once(connection, DOING, &copy, &mut buffer).await?;
        expect("users", buffer.rows(), stored, Vec::new())
    }
}

const RESTORE: &str =
    "was it dropped, or moved to a schema that is not on the search path? Restore it from a backup";
const APART: &str = "restore it from a backup if it was emptied; if these ids came from files, give textual users a schema of their \
    own: `CREATE SCHEMA ingest`, then add `options=-csearch_path%3Dingest` to the URL";
const WIDEN: &str =
    "`ALTER TABLE transactions ALTER user_id TYPE BIGINT; ALTER TABLE anomalies ALTER user_id TYPE BIGINT`";

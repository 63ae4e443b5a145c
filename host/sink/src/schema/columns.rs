//! Do the columns fit? The tables may have been created by hand. Binary COPY would store nonsense in
//! a column of another type, so every column that is written is checked before every run. A column
//! fits if it can hold everything that the host writes, and may be wider: `bigint`, `numeric(12,2)`, a
//! domain.

use std::ops::RangeInclusive;

use host_core::capacity::Capacity;
use tokio_postgres::Row;

use crate::connection::connect::Connection;
use crate::error::SinkError;

/// Columns that the host writes.
const COLUMNS: [(&str, &str, Need); 15] = [
    ("transactions", "transaction_id", Need::Integer),
    ("transactions", "user_id", Need::Integer),
    ("transactions", "amount", Need::Money),
    ("transactions", "transaction_timestamp", Need::Timestamp),
    ("transactions", "is_anomalous", Need::Integer),
    ("transactions", "source_id", Need::BigInt),
    ("transactions", "source_key", Need::Text),
    ("anomalies", "transaction_id", Need::Integer),
    ("anomalies", "user_id", Need::Integer),
    ("anomalies", "amount", Need::Money),
    ("anomalies", "transaction_timestamp", Need::Timestamp),
    ("anomalies", "score", Need::Double),
    ("anomalies", "reason", Need::Text),
    ("anomalies", "run_id", Need::BigInt),
    ("anomalies", "anomaly_id", Need::Counted),
];

/// All columns of the two tables, domains resolved: table, column, its type as shown to people (however
/// `quote_all_identifiers` writes it), the underlying type and its modifier, whether a value is
/// required, and whether the column is generated.
const QUERY: &str = "
    WITH RECURSIVE columns AS (
        SELECT c.relname::text AS table_name, a.attname::text AS name,
               replace(format_type(a.atttypid, a.atttypmod), '\"', '') AS declared,
               a.atttypid AS type, a.atttypmod AS modifier,
               a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS is_required,
               a.attgenerated <> '' AS is_generated
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.oid IN (to_regclass('transactions'), to_regclass('anomalies'))
          AND a.attnum > 0 AND NOT a.attisdropped
        UNION ALL
        SELECT table_name, name, declared, t.typbasetype, t.typtypmod, is_required, is_generated
        FROM columns JOIN pg_type t ON t.oid = type WHERE t.typtype = 'd'
    )
    SELECT table_name, name, declared, replace(format_type(type, NULL), '\"', ''), modifier, is_required, is_generated
    FROM columns JOIN pg_type t ON t.oid = type WHERE t.typtype <> 'd'";

/// What a column must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    /// 32-bit integers; `bigint` can be encoded, too.
    Integer,
    /// 64-bit integers.
    BigInt,
    /// Eight digits before the point and two after it.
    Money,
    /// Microseconds, without a zone.
    Timestamp,
    Double,
    Text,
    /// Nothing: the server numbers it by itself.
    Counted,
}

impl Need {
    /// The type that the host creates it with.
    fn sql(self) -> &'static str {
        match self {
            Need::Integer | Need::Counted => "integer",
            Need::BigInt => "bigint",
            Need::Money => "numeric(10,2)",
            Need::Timestamp => "timestamp without time zone",
            Need::Double => "double precision",
            Need::Text => "text",
        }
    }

    /// Whether a type holds it; the modifier is that of `pg_attribute`, negative if there is none.
    fn is_met_by(self, type_name: &str, modifier: i32) -> bool {
        match self {
            Need::Integer => matches!(type_name, "integer" | "bigint"),
            Need::BigInt => type_name == "bigint",
            Need::Money => type_name == "numeric" && whole_digits(modifier).is_some_and(|digits| digits >= 8),
            Need::Timestamp => type_name == "timestamp without time zone" && matches!(modifier, -1 | 6),
            Need::Double => type_name == "double precision",
            Need::Text => matches!(type_name, "text" | "character varying") && modifier == -1,
            Need::Counted => true,
        }
    }
}

/// How many digits a `numeric` with this modifier has before the point; `None` if it does not hold hundredths
/// (`numeric_typmod_precision` and `numeric_typmod_scale` in PostgreSQL's `numeric.c`).
fn whole_digits(modifier: i32) -> Option<u32> {
    const HEADER: i32 = 4;
    if modifier < HEADER {
        return Some(u32::MAX);
    }
    let precision = (modifier - HEADER) >> 16 & 0xffff;
    // 11 bits, signed.
    let scale = ((modifier - HEADER) & 0x7ff ^ 1024) - 1024;
    if scale < 2 { None } else { u32::try_from(precision - scale).ok() }
}

/// The largest amount with so many digits before the point, in hundredths.
fn max_cents(whole_digits: u32) -> i64 {
    10_i64.checked_pow(whole_digits.saturating_add(2)).map_or(i64::MAX, |beyond| beyond - 1)
}

/// The width of an integer column: operators with many rows widen theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IntType {
    /// `INT`, as the host creates it.
    Int,
    /// `BIGINT`
    BigInt,
}

impl IntType {
    /// The numbers it can hold.
    #[must_use]
    pub fn range(self) -> RangeInclusive<i64> {
        match self {
            IntType::Int => i32::MIN.into()..=i32::MAX.into(),
            IntType::BigInt => i64::MIN..=i64::MAX,
        }
    }

    /// The highest number.
    #[must_use]
    pub fn max(self) -> i64 {
        *self.range().end()
    }
}

/// The widths of the columns that may be of several widths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Those of `transactions`.
    pub transactions: TableWidths,
    /// Those of `anomalies`.
    pub anomalies: TableWidths,
    /// The largest amount that both can hold, in hundredths.
    pub max_amount_cents: i64,
}

/// Those of one table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableWidths {
    /// `transaction_id`
    pub transaction_id: IntType,
    /// `user_id`
    pub user_id: IntType,
    /// `is_anomalous`, if the table has it.
    pub is_anomalous: IntType,
}

impl TableWidths {
    /// As the host creates the tables.
    pub const NARROW: TableWidths =
        TableWidths { transaction_id: IntType::Int, user_id: IntType::Int, is_anomalous: IntType::Int };
}

impl Widths {
    /// The ids that can be written.
    #[must_use]
    pub fn id_range(&self) -> RangeInclusive<i64> {
        self.transactions.transaction_id.range()
    }

    /// The numbers of users that both tables can hold.
    #[must_use]
    pub fn user_range(&self) -> RangeInclusive<i64> {
        let [one, other] = [self.transactions.user_id, self.anomalies.user_id];
        if one == other { one.range() } else { IntType::Int.range() }
    }

    /// What the tables can hold of a row. `are_ids_kept`: the file's transaction ids become the keys;
    /// `has_textual_users`: numbers below zero are those of users with textual ids.
    #[must_use]
    pub fn capacity(&self, are_ids_kept: bool, has_textual_users: bool) -> Capacity {
        let users = self.user_range();
        Capacity {
            transaction_ids: are_ids_kept.then(|| self.id_range()),
            user_ids: if has_textual_users { 0..=*users.end() } else { users },
            max_amount_cents: self.max_amount_cents,
        }
    }
}

/// Checks that the tables can take what the host writes.
///
/// # Errors
/// [`SinkError::TableDoesNotFit`] with the first column that does not.
pub async fn check(connection: &Connection) -> Result<Widths, SinkError> {
    let rows = connection.query("look at the tables' columns", QUERY, &[]).await?;
    let columns: Vec<_> = rows.iter().map(Column::of).collect();
    for (table, name, need) in COLUMNS {
        check_column(&columns, table, name, need)?;
    }
    let is_known = |column: &&Column| COLUMNS.iter().any(|&(table, name, _)| column.is(table, name));
    if let Some(unknown) = columns.iter().filter(|column| !is_known(column)).find(|column| column.is_required)
    {
        return Err(unknown.has_no_value());
    }
    widths(&columns)
}

fn check_column(columns: &[Column], table: &'static str, name: &str, need: Need) -> Result<(), SinkError> {
    let Some(column) = columns.iter().find(|column| column.is(table, name)) else {
        return match need {
            Need::Counted => Ok(()),
            // Without it, it is another table altogether.
            _ if name == "transaction_id" => Err(SinkError::TableDoesNotFit {
                table,
                problem: format!("it has no column `{name}`"),
                help: crate::error::OTHER_SCHEMA.into(),
            }),
            _ => Err(SinkError::TableDoesNotFit {
                table,
                problem: format!("it has no column `{name}` of type `{}`", need.sql()),
                help: format!("`ALTER TABLE {table} ADD COLUMN {name} {}`", need.sql()),
            }),
        };
    };
    if need == Need::Counted && column.is_required {
        return Err(column.has_no_value());
    }
    if need != Need::Counted && column.is_generated {
        return Err(SinkError::TableDoesNotFit {
            table,
            problem: format!(
                "its column `{name}` is computed by the server, so nothing can be written to it"
            ),
            help: format!("`ALTER TABLE {table} ALTER COLUMN {name} DROP EXPRESSION`"),
        });
    }
    if need.is_met_by(&column.type_name, column.modifier) {
        return Ok(());
    }
    let (wanted, using) = (need.sql(), using(need, name, &column.type_name));
    Err(SinkError::TableDoesNotFit {
        table,
        problem: format!("its column `{name}` is `{}`; it must be `{wanted}`", column.declared),
        help: format!("`ALTER TABLE {table} ALTER COLUMN {name} TYPE {wanted}{using}`"),
    })
}

/// The USING clause that ALTER needs if there is no conversion by default (PostgreSQL documentation,
/// "ALTER TABLE").
fn using(need: Need, name: &str, type_name: &str) -> String {
    match (need, type_name) {
        (Need::Integer, "boolean") => format!(" USING {name}::integer"),
        (Need::Timestamp, "timestamp with time zone") => format!(" USING {name} AT TIME ZONE 'UTC'"),
        (_, "text" | "character varying") => format!(" USING {name}::{}", need.sql()),
        _ => String::new(),
    }
}

/// A column as the server describes it.
struct Column {
    table: String,
    name: String,
    /// Its type, as shown to people.
    declared: String,
    /// Its type; the underlying one if it is a domain.
    type_name: String,
    modifier: i32,
    is_required: bool,
    is_generated: bool,
}

impl Column {
    fn of(row: &Row) -> Column {
        Column {
            table: row.get(0),
            name: row.get(1),
            declared: row.get(2),
            type_name: row.get(3),
            modifier: row.get(4),
            is_required: row.get(5),
            is_generated: row.get(6),
        }
    }

    fn is(&self, table: &str, name: &str) -> bool {
        self.table == table && self.name == name
    }

    fn has_no_value(&self) -> SinkError {
        let table = if self.table == "transactions" { "transactions" } else { "anomalies" };
        let name = format!("\"{}\"", self.name.replace('"', "\"\""));
        SinkError::TableDoesNotFit {
            table,
            problem: format!(
                "its column `{}` is NOT NULL without a default, and the host does not fill it",
                self.name
            ),
            help: match self.name.as_str() {
                "anomaly_id" => format!(
                    "let the server count it: `ALTER TABLE {table} ALTER COLUMN {name} ADD GENERATED BY DEFAULT AS IDENTITY`"
                ),
                _ => format!("give it a default, or `ALTER TABLE {table} ALTER COLUMN {name} DROP NOT NULL`"),
            },
        }
    }
}

fn widths(columns: &[Column]) -> Result<Widths, SinkError> {
    let width = |table, name| match columns.iter().find(|column| column.is(table, name)) {
        Some(column) if column.type_name == "bigint" => IntType::BigInt,
        _ => IntType::Int,
    };
    let of_table = |table| TableWidths {
        transaction_id: width(table, "transaction_id"),
        user_id: width(table, "user_id"),
        is_anomalous: width(table, "is_anomalous"),
    };
    let amounts = columns.iter().filter(|column| column.name == "amount");
    let max_amounts = amounts.filter_map(|column| whole_digits(column.modifier).map(max_cents));
    let widths = Widths {
        transactions: of_table("transactions"),
        anomalies: of_table("anomalies"),
        max_amount_cents: max_amounts.min().unwrap_or_default(),
    };
    if widths.anomalies.transaction_id.max() < widths.transactions.transaction_id.max() {
        return Err(SinkError::TableDoesNotFit {
            table: "anomalies",
            problem: "its column `transaction_id` is `integer`, that of `transactions` is `bigint`".into(),
            help: "`ALTER TABLE anomalies ALTER COLUMN transaction_id TYPE bigint`".into(),
        });
    }
    Ok(widths)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The modifiers are those that PostgreSQL 15 has in `pg_attribute`.
    #[test]
    fn a_numeric_fits_if_every_amount_does() {
        let cases = [
            ("numeric", -1, Some(i64::MAX)),
            ("numeric(10,2)", 655_366, Some(9_999_999_999)),
            ("numeric(12,2)", 786_438, Some(999_999_999_999)),
            ("numeric(19,4)", 1_245_192, Some(99_999_999_999_999_999)),
            ("numeric(9,2)", 589_830, None),
            ("numeric(10,3)", 655_367, None),
            ("numeric(10,0)", 655_364, None),
            ("numeric(10,-2)", 657_410, None),
        ];
        for (name, modifier, max) in cases {
            assert_eq!(Need::Money.is_met_by("numeric", modifier), max.is_some(), "{name}");
            if max.is_some() {
                assert_eq!(whole_digits(modifier).map(max_cents), max, "{name}");
            }
        }
    }
}

//! Arguments that say what the cells of a record mean: how amounts are written and which columns they are in,
//! timestamps of several columns, currencies.

use clap::Args;
use host_source::amount::AmountFormat;
use host_source::{SignColumn, TimestampColumns};

/// What cells mean.
#[derive(Debug, Args)]
#[command(next_help_heading = "Input")]
pub struct ValueArgs {
    /// Timestamps are these columns' cells, joined by blanks, such as `Date,Time` or `Date,Time,TimeZone`
    /// (with `--timestamp-format '%d/%m/%Y %H:%M:%S %Q'`)
    #[arg(long, value_name = "COLUMN,COLUMN")]
    pub timestamp_columns: Option<TimestampColumns>,

    /// Timestamps are dates alone, such as `2024-02-29`, and mean midnight
    #[arg(long, conflicts_with = "timestamp_columns")]
    pub date_only: bool,

    /// How amounts are written, by an example: `1,234.56`, `'1.234,56 €'`, `'(1,234.56)'`, `1234.56-`. It says
    /// what stands between thousands and before decimals, where the sign stands, and which currency sign
    /// each has [default: `-1234.56`]
    #[arg(long, value_name = "EXAMPLE", allow_hyphen_values = true)]
    pub amount_format: Option<AmountFormat>,

    /// The column of the amounts that go out, which become negative; of each row, either it or that of
    /// `--credit` has an amount
    #[arg(long, value_name = "COLUMN", requires = "credit", conflicts_with = "sign")]
    pub debit: Option<String>,

    /// The column of the amounts that come in
    #[arg(long, value_name = "COLUMN", requires = "debit")]
    pub credit: Option<String>,

    /// Amounts have no sign; they are negative where this column has this value, such as `type=DR`. With two values,
    /// such as `type=DR,CR`, every row must have one of them
    #[arg(long, value_name = "COLUMN=VALUE")]
    pub sign: Option<SignColumn>,

    /// Keep this column, such as `EUR`, in `transactions.currency`; an empty cell is NULL
    #[arg(long, value_name = "COLUMN")]
    pub currency: Option<String>,
}

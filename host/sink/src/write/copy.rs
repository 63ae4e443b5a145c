//! Rows in the format of binary COPY (PostgreSQL documentation, "COPY", section "Binary
//! Format"), encoded by hand: each tuple is a count of fields, then every field's length in bytes
//! and its value, all big-endian.

use bytes::{BufMut as _, BytesMut};
use host_core::batch::{Batch, SourceId};
use host_core::column::Column;
use host_core::facts::IdKind;
use host_core::rejected::RejectedRow;
use host_core::state::Entry;
use host_core::text::without_nul;

use crate::connection::encoding::Encoding;
use crate::schema::columns::{IntType, TableWidths};
use crate::stored::rows::EPOCH_MICROS;

/// The digits to base 10,000 that hundredths of 64 bits need: five before the point, and one after it.
const CENTS_DIGITS: usize = 6;
const NUMERIC_POSITIVE: u16 = 0x0000;
const NUMERIC_NEGATIVE: u16 = 0x4000;

/// A growing part of a COPY stream.
pub struct CopyBuffer {
    bytes: BytesMut,
    widths: TableWidths,
    encoding: Encoding,
    /// Tuples encoded so far.
    rows: u64,
}

/// The values that both tables have.
#[derive(Clone, Copy)]
pub struct TransactionRow {
    /// The key, as written.
    pub transaction_id: i64,
    /// The user's id; 32 bits, unless the column is wider.
    pub user_id: i64,
    /// In hundredths.
    pub amount_cents: i64,
    /// Microseconds since 1970-01-01T00:00:00.
    pub timestamp_micros: i64,
}

impl CopyBuffer {
    /// An empty buffer for a table with columns of these widths, in a database with this encoding.
    #[must_use]
    pub fn new(widths: TableWidths, encoding: Encoding) -> CopyBuffer {
        CopyBuffer { bytes: BytesMut::new(), widths, encoding, rows: 0 }
    }

    /// Bytes encoded but not yet taken.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Tuples since the stream began.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Whether there is nothing to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Begins a stream, unless one has begun: signature, no flags, no extension.
    pub fn start_if_empty(&mut self) {
        if !self.is_empty() {
            return;
        }
        self.rows = 0;
        self.bytes.put_slice(b"PGCOPY\n\xff\r\n\0");
        self.bytes.put_u32(0);
        self.bytes.put_u32(0);
    }

    /// Ends a stream.
    pub fn end(&mut self) {
        self.bytes.put_i16(-1);
    }

    /// Takes what has been encoded, for sending.
    pub fn take(&mut self) -> bytes::Bytes {
        self.bytes.split().freeze()
    }

    /// A tuple of [`transaction_columns`], as they are for this kind of id, and with a currency or without; an
    /// empty currency is NULL.
    pub fn put_transaction(
        &mut self,
        row: TransactionRow,
        is_anomalous: bool,
        source_id: SourceId<'_>,
        currency: Option<&str>,
    ) {
        let further = i16::from(source_id != SourceId::None) + i16::from(currency.is_some());
        self.put_common(5 + further, row);
        self.put_int(self.widths.is_anomalous, i64::from(is_anomalous));
        match source_id {
            SourceId::Number(id) => self.put_i64(id),
            SourceId::Text(key) => self.put_text(key),
            SourceId::None => {}
        }
        match currency {
            None => {}
            Some("") => self.bytes.put_i32(-1),
            // A source has checked that it has no NUL.
            Some(currency) => self.put_text_without_nul(currency),
        }
    }

    /// A tuple of [`ANOMALY_COLUMNS`].
    pub fn put_anomaly(&mut self, row: TransactionRow, score: f64, reason: &str, run_id: i64) {
        self.put_common(7, row);
        self.bytes.put_i32(8);
        self.bytes.put_f64(score);
        // A guest's answers have already been checked.
        self.put_text_without_nul(reason);
        self.put_i64(run_id);
    }

    /// A tuple of [`REJECT_COLUMNS`].
    pub fn put_rejected(&mut self, run_id: i64, row: &RejectedRow) {
        self.rows += 1;
        self.bytes.put_i16(9);
        self.put_i64(run_id);
        self.put_text(&row.file);
        self.put_i64(row.line as i64);
        self.put_i64(row.byte_offset as i64);
        match &row.column {
            Some(column) => self.put_text(column),
            None => self.bytes.put_i32(-1),
        }
        self.put_text(&row.reason());
        self.put_text(&row.message());
        self.put_bytes(&row.raw);
        self.put_i32(row.file_position);
    }

    /// A tuple of [`SKIPPED_COLUMNS`].
    pub fn put_skipped(&mut self, run_id: i64, batch: &Batch, i: usize, differs: bool) {
        self.rows += 1;
        self.bytes.put_i16(9);
        self.put_i64(run_id);
        self.put_text(&batch.file);
        self.put_i64(batch.lines[i] as i64);
        self.put_i64(batch.transaction_ids[i]);
        self.put_bytes(&[u8::from(differs)]);
        self.put_i32(batch.file_position);
        self.put_i64(batch.user_ids[i]);
        self.put_cents(batch.amounts_cents[i]);
        self.put_i64(batch.timestamps_micros[i] - EPOCH_MICROS);
    }

    /// A tuple of [`STATE_COLUMNS`].
    pub fn put_state(&mut self, run_id: i64, entry: Entry<'_>) {
        self.rows += 1;
        self.bytes.put_i16(3);
        self.put_i64(run_id);
        match entry.user_id {
            Some(user_id) => self.put_i64(user_id),
            None => self.bytes.put_i32(-1),
        }
        self.put_bytes(entry.value);
    }

    /// A tuple of [`KEPT_COLUMNS`]: row `i` of further columns, as texts; NULL where the file has no such column.
    pub fn put_kept(&mut self, transaction_id: i64, run_id: i64, columns: &[Column], i: usize) {
        self.rows += 1;
        self.bytes.put_i16(3);
        self.put_i64(transaction_id);
        self.put_i64(run_id);
        let length_at = self.bytes.len();
        self.bytes.put_i32(0);
        // One dimension, perhaps with NULLs, from 1 (`array_send` in PostgreSQL's `arrayfuncs.c`).
        let has_null = columns.contains(&Column::Absent);
        [1, i32::from(has_null), TEXT_OID, columns.len() as i32, 1]
            .into_iter()
            .for_each(|value| self.bytes.put_i32(value));
        for column in columns {
            match column {
                Column::Absent => self.bytes.put_i32(-1),
                // A source has checked that it has no NUL.
                Column::Text(texts) => self.put_text_without_nul(texts.get(i)),
                Column::Number(numbers) => self.put_bytes(number_text(numbers[i]).as_bytes()),
            }
        }
        let length = (self.bytes.len() - length_at - size_of::<i32>()) as i32;
        self.bytes[length_at..length_at + size_of::<i32>()].copy_from_slice(&length.to_be_bytes());
    }

    /// A tuple of [`USER_COLUMNS`].
    pub fn put_user(&mut self, user_id: i64, key: &str) {
        self.rows += 1;
        self.bytes.put_i16(2);
        self.put_i64(user_id);
        self.put_text(key);
    }

    fn put_common(&mut self, fields: i16, row: TransactionRow) {
        self.rows += 1;
        self.bytes.reserve(96);
        self.bytes.put_i16(fields);
        // The transaction has checked that its block of ids fits, and the source that user id and amount do.
        self.put_int(self.widths.transaction_id, row.transaction_id);
        self.put_int(self.widths.user_id, row.user_id);
        self.put_cents(row.amount_cents);
        self.put_i64(row.timestamp_micros - EPOCH_MICROS);
    }

    fn put_text(&mut self, text: &str) {
        self.put_text_without_nul(&without_nul(text));
    }

    fn put_text_without_nul(&mut self, text: &str) {
        let storable = self.encoding.storable(text);
        self.put_bytes(storable.as_bytes());
    }

    /// Records, and so everything in them, are bounded far below the limit of a field; so are states.
    fn put_bytes(&mut self, bytes: &[u8]) {
        self.bytes.put_i32(bytes.len() as i32);
        self.bytes.put_slice(bytes);
    }

    fn put_int(&mut self, width: IntType, value: i64) {
        match width {
            IntType::Int => self.put_i32(value as i32),
            IntType::BigInt => self.put_i64(value),
        }
    }

    fn put_i32(&mut self, value: i32) {
        self.bytes.put_i32(4);
        self.bytes.put_i32(value);
    }

    fn put_i64(&mut self, value: i64) {
        self.bytes.put_i32(8);
        self.bytes.put_i64(value);
    }

    /// Hundredths as NUMERIC with two decimals: digits to base 10,000, of which the last holds
    /// the hundredths; zero digits at either end are left out (`numeric_send` in PostgreSQL's
    /// `numeric.c`).
    fn put_cents(&mut self, cents: i64) {
        let magnitude = cents.unsigned_abs();
        // 64 bits have at most 17 digits before the point.
        let mut digits = [0; CENTS_DIGITS];
        let (mut rest, mut place) = (magnitude / 100, CENTS_DIGITS - 1);
        digits[place] = (magnitude % 100 * 100) as u16;
        while rest > 0 {
            place -= 1;
            digits[place] = (rest % 10_000) as u16;
            rest /= 10_000;
        }
        let first = digits.iter().position(|&digit| digit != 0).unwrap_or(digits.len());
        let end = digits.iter().rposition(|&digit| digit != 0).map_or(first, |last| last + 1);
        let digits_used = &digits[first..end];
        let weight = if digits_used.is_empty() { 0 } else { (CENTS_DIGITS - 2) as i16 - first as i16 };
        self.bytes.put_i32(8 + 2 * digits_used.len() as i32);
        self.bytes.put_u16(digits_used.len() as u16);
        self.bytes.put_i16(weight);
        self.bytes.put_u16(if cents < 0 { NUMERIC_NEGATIVE } else { NUMERIC_POSITIVE });
        self.bytes.put_u16(2);
        digits_used.iter().for_each(|&digit| self.bytes.put_u16(digit));
    }
}

/// The type `text`, in arrays.
const TEXT_OID: i32 = 25;

/// A number as the shortest text that means exactly this one; empty for NaN, which is an empty cell.
fn number_text(number: f64) -> String {
    match number.abs() {
        _ if number.is_nan() => String::new(),
        0.0 | 1e-5..1e16 => number.to_string(),
        _ => format!("{number:e}"),
    }
}

/// What [`number_text`] made of a number, or what a file had as text where a number is wanted; `None` if it is none.
pub(crate) fn number_of_text(text: &str) -> Option<f64> {
    match text.trim() {
        "" => Some(f64::NAN),
        text => text.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// What [`CopyBuffer::put_kept`] encodes.
pub const KEPT_COLUMNS: &str = "kept_columns (transaction_id, run_id, texts)";

/// What [`CopyBuffer::put_transaction`] encodes for files with ids of this kind, and with currencies or without.
#[must_use]
pub fn transaction_columns(ids: IdKind, has_currencies: bool) -> String {
    let id = match ids {
        IdKind::Number => ", source_id",
        IdKind::Text => ", source_key",
        IdKind::None => "",
    };
    let currency = if has_currencies { ", currency" } else { "" };
    format!(
        "transactions (transaction_id, user_id, amount, transaction_timestamp, is_anomalous{id}{currency})"
    )
}

/// What [`CopyBuffer::put_anomaly`] encodes.
pub const ANOMALY_COLUMNS: &str =
    "anomalies (transaction_id, user_id, amount, transaction_timestamp, score, reason, run_id)";

/// What [`CopyBuffer::put_rejected`] encodes.
pub const REJECT_COLUMNS: &str =
    "rejected_rows (run_id, file, line, byte_offset, column_name, reason, message, raw, position)";

/// What [`CopyBuffer::put_skipped`] encodes.
pub const SKIPPED_COLUMNS: &str = "skipped_rows (run_id, file, line, transaction_id, differs, position, user_id, \
     amount, transaction_timestamp)";

/// What [`CopyBuffer::put_user`] encodes.
pub const USER_COLUMNS: &str = "users (user_id, source_key)";
/// What [`CopyBuffer::put_state`] encodes.
pub const STATE_COLUMNS: &str = "detector_states (run_id, user_id, value)";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kept_numbers_are_short() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (12.5, "12.5"),
            (1e15, "1000000000000000"),
            (1e16, "1e16"),
            (-3e-7, "-3e-7"),
            (f64::NAN, ""),
            (f64::MAX, "1.7976931348623157e308"),
        ] {
            assert_eq!(number_text(number), text);
        }
        assert_eq!(number_of_text(" 7 "), Some(7.0));
        for wrong in ["x", "inf", "NaN", "1,5"] {
            assert_eq!(number_of_text(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn kept_numbers_are_exact(bits: u64) {
            let number = f64::from_bits(bits);
            prop_assume!(number.is_finite());
            let read = number_of_text(&number_text(number)).unwrap();
            prop_assert_eq!(read.to_bits(), number.to_bits());
        }
    }

    fn numeric(cents: i64) -> Vec<u16> {
        let mut buffer = CopyBuffer::new(TableWidths::NARROW, Encoding::named(None));
        buffer.put_cents(cents);
        buffer.bytes[4..].chunks(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }

    /// The expected words are what `numeric_send` in PostgreSQL 15 gives for the same values.
    #[test]
    fn numerics_are_encoded_as_the_server_encodes_them() {
        const NEGATIVE: u16 = NUMERIC_NEGATIVE;
        assert_eq!(numeric(0), [0, 0, 0, 2]);
        assert_eq!(numeric(10), [1, u16::MAX, 0, 2, 1000]);
        assert_eq!(numeric(-1), [1, u16::MAX, NEGATIVE, 2, 100]);
        assert_eq!(numeric(100), [1, 0, 0, 2, 1]);
        assert_eq!(numeric(i64::MAX), [6, 4, 0, 2, 9, 2233, 7203, 6854, 7758, 700]);
        assert_eq!(numeric(1_000_000_000_000), [1, 2, 0, 2, 100]);
        assert_eq!(numeric(1_000_000), [1, 1, 0, 2, 1]);
        assert_eq!(numeric(-1_250), [2, 0, NEGATIVE, 2, 12, 5000]);
        assert_eq!(numeric(9_999_999_999), [3, 1, 0, 2, 9999, 9999, 9900]);
        assert_eq!(numeric(1_000_001), [3, 1, 0, 2, 1, 0, 100]);
    }
}

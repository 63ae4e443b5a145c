//! What the columns of the tables can hold, which decides what a row may have: they may be wider than the host
//! creates them.

use std::ops::RangeInclusive;

use crate::rejected::Problem;

/// What the tables can hold of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// The file's transaction ids, if they become the keys; otherwise all of 64 bits fit.
    pub transaction_ids: Option<RangeInclusive<i64>>,
    /// Users' ids.
    pub user_ids: RangeInclusive<i64>,
    /// The largest amount, in hundredths, of either sign.
    pub max_amount_cents: i64,
}

/// The user ids that an `INT` holds.
const INT: RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;
/// The largest amount of `DECIMAL(10, 2)`, in hundredths.
const MAX_AMOUNT_CENTS: i64 = 9_999_999_999;

/// Those of the tables as the host creates them.
impl Default for Capacity {
    fn default() -> Capacity {
        Capacity { transaction_ids: None, user_ids: INT, max_amount_cents: MAX_AMOUNT_CENTS }
    }
}

impl Capacity {
    /// Accepts a transaction id.
    ///
    /// # Errors
    /// The [`Problem`] with it.
    #[inline]
    pub fn transaction_id(&self, id: i64) -> Result<i64, Problem> {
        match &self.transaction_ids {
            Some(range) if !range.contains(&id) => {
                Err(Problem::OutOfRange("the column `transaction_id` cannot hold it"))
            }
            _ => Ok(id),
        }
    }

    /// Accepts a user's id.
    ///
    /// # Errors
    /// The [`Problem`] with it.
    #[inline]
    pub fn user_id(&self, id: i64) -> Result<i64, Problem> {
        if self.user_ids.contains(&id) {
            return Ok(id);
        }
        Err(Problem::OutOfRange(match &self.user_ids {
            range if range.contains(&id.saturating_abs()) => {
                "negative user ids are the numbers of users with textual ids in these tables"
            }
            range if *range == INT => "user ids lie between -2147483648 and 2147483647",
            _ => "the column `user_id` cannot hold it",
        }))
    }

    /// Accepts an amount in hundredths.
    ///
    /// # Errors
    /// The [`Problem`] with it.
    #[inline]
    pub fn amount_cents(&self, cents: i64) -> Result<i64, Problem> {
        if cents.unsigned_abs() <= self.max_amount_cents.unsigned_abs() {
            return Ok(cents);
        }
        Err(Problem::OutOfRange(match self.max_amount_cents {
            MAX_AMOUNT_CENTS => "amounts lie within ±99999999.99",
            _ => "the column `amount` cannot hold it",
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_depends_on_the_columns() {
        let narrow = Capacity::default();
        assert_eq!(narrow.user_id(-2_147_483_648), Ok(-2_147_483_648));
        assert!(narrow.user_id(2_147_483_648).unwrap_err().to_string().contains("2147483647"));
        assert_eq!(narrow.amount_cents(-9_999_999_999), Ok(-9_999_999_999));
        assert!(narrow.amount_cents(10_000_000_000).unwrap_err().to_string().contains("99999999.99"));
        assert_eq!(narrow.transaction_id(i64::MIN), Ok(i64::MIN));

        let wide = Capacity {
            transaction_ids: Some(INT),
            user_ids: 0..=i64::MAX,
            max_amount_cents: 999_999_999_999,
        };
        assert_eq!(wide.user_id(i64::MAX), Ok(i64::MAX));
        assert!(wide.user_id(-1).unwrap_err().to_string().contains("textual"));
        assert_eq!(wide.amount_cents(-999_999_999_999), Ok(-999_999_999_999));
        assert!(wide.amount_cents(i64::MIN).is_err());
        assert!(wide.transaction_id(2_147_483_648).is_err());
    }
}

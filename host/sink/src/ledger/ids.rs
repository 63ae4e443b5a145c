//! The ids that the host allots to the rows of a run: consecutive numbers, in the order of the files.
//! Writing and verifying both use this.

/// The ids of one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllottedIds {
    /// `None` if there is no number left.
    first: Option<i64>,
}

impl AllottedIds {
    /// Starting with this one.
    #[must_use]
    pub fn from(first: i64) -> AllottedIds {
        AllottedIds { first: Some(first) }
    }

    /// Starting after this one.
    #[must_use]
    pub fn after(last: i64) -> AllottedIds {
        AllottedIds { first: last.checked_add(1) }
    }

    /// The id of the row at this position in the run, from 0; `None` if there is no such number.
    #[must_use]
    pub fn of_row(self, position: u64) -> Option<i64> {
        self.first?.checked_add_unsigned(position)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_do_not_wrap() {
        let ids = AllottedIds::from(i64::MAX - 1);
        assert_eq!(
            [0, 1, 2, u64::MAX].map(|row| ids.of_row(row)),
            [Some(i64::MAX - 1), Some(i64::MAX), None, None]
        );
        assert_eq!(AllottedIds::after(i64::MAX).of_row(0), None);
        assert_eq!(AllottedIds::after(0).of_row(1_799), Some(1_800));
    }
}

//! What a detector has learned, by user, as it is passed between runs.

use crate::runtime::RawState;

/// A part of what a detector has learned: values of a format of its own, by user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    shared: Option<Vec<u8>>,
    /// Sorted by user when it is passed on.
    entries: Vec<(i64, Vec<u8>)>,
}

impl State {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_none() && self.entries.is_empty()
    }

    /// Keeps what belongs to no user; only for detectors with [`Ordering::File`](crate::Ordering::File).
    pub fn share(&mut self, value: impl Into<Vec<u8>>) {
        self.shared = Some(value.into());
    }

    /// What belongs to no user, if that is in this part.
    #[must_use]
    pub fn shared(&self) -> Option<&[u8]> {
        self.shared.as_deref()
    }

    /// Keeps what is known of a user, each once; nothing if the value is empty.
    pub fn keep(&mut self, user_id: i64, value: impl Into<Vec<u8>>) {
        self.entries.push((user_id, value.into()));
    }

    /// What is known of users.
    pub fn users(&self) -> impl Iterator<Item = (i64, &[u8])> {
        self.entries.iter().map(|(user_id, value)| (*user_id, value.as_slice()))
    }

    pub(crate) fn from_contract(raw: RawState) -> State {
        let mut start = 0;
        let entries = raw.users.into_iter().zip(raw.ends).map(|(user_id, end)| {
            let end = end as usize;
            let value = raw.bytes[start..end].to_vec();
            start = end;
            (user_id, value)
        });
        State { shared: raw.shared, entries: entries.collect() }
    }

    pub(crate) fn into_contract(mut self) -> RawState {
        self.entries.sort_by_key(|(user_id, _)| *user_id);
        let mut raw = RawState { shared: self.shared, users: vec![], ends: vec![], bytes: vec![] };
        for (user_id, value) in self.entries {
            raw.users.push(user_id);
            raw.bytes.extend(value);
            // The contract's limit on what a call may pass is far lower.
            raw.ends.push(raw.bytes.len() as u32);
        }
        raw
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_crosses_the_border_and_comes_back_sorted() {
        let mut state = State::default();
        assert!(state.is_empty());
        state.share(*b"all");
        state.keep(9, *b"nine");
        state.keep(-3, *b"");
        let raw = state.into_contract();
        assert_eq!((raw.users.as_slice(), raw.ends.as_slice()), ([-3, 9].as_slice(), [0, 4].as_slice()));
        let back = State::from_contract(raw);
        assert_eq!(back.shared(), Some(b"all".as_slice()));
        assert_eq!(back.users().collect::<Vec<_>>(), [(-3, b"".as_slice()), (9, b"nine".as_slice())]);
    }
}

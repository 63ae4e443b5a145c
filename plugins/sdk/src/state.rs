//! What a detector has learned, by user, as it is passed between runs. [`Users`](crate::Users) makes and reads it for
//! most detectors.

use crate::runtime::RawState;

/// A part of what a detector has learned: values in a format of its own, by user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    shared: Option<Vec<u8>>,
    /// Sorted when they are passed on.
    users: Vec<i64>,
    /// For each user, where in `bytes` its value ends.
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl State {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shared.is_none() && self.users.is_empty()
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
    pub fn keep(&mut self, user_id: i64, value: impl AsRef<[u8]>) {
        self.keep_with(user_id, |bytes| bytes.extend_from_slice(value.as_ref()));
    }

    /// Like [`keep`](Self::keep), with a value that is written in place.
    pub(crate) fn keep_with(&mut self, user_id: i64, write: impl FnOnce(&mut Vec<u8>)) {
        write(&mut self.bytes);
        self.users.push(user_id);
        // The contract's limit on what a call may pass is far lower.
        self.ends.push(self.bytes.len() as u32);
    }

    /// What is known of users.
    pub fn users(&self) -> impl Iterator<Item = (i64, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        let values = starts.zip(&self.ends).map(|(start, end)| &self.bytes[start as usize..*end as usize]);
        self.users.iter().copied().zip(values)
    }

    /// How many users it has, and how many bytes are known of them.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.users.len(), self.bytes.len())
    }

    pub(crate) fn from_contract(RawState { shared, users, ends, bytes }: RawState) -> State {
        State { shared, users, ends, bytes }
    }

    pub(crate) fn into_contract(self) -> RawState {
        let State { shared, users, ends, bytes } = if self.users.is_sorted() { self } else { self.sorted() };
        RawState { shared, users, ends, bytes }
    }

    fn sorted(self) -> State {
        let mut entries: Vec<_> = self.users().collect();
        entries.sort_by_key(|(user_id, _)| *user_id);
        let mut sorted = State { shared: self.shared.clone(), ..State::default() };
        for (user_id, value) in entries {
            sorted.keep(user_id, value);
        }
        sorted
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
        state.keep(9, b"nine");
        state.keep(-3, b"");
        state.keep(0, "zero");
        let raw = state.into_contract();
        assert_eq!(
            (raw.users.as_slice(), raw.ends.as_slice()),
            ([-3, 0, 9].as_slice(), [0, 4, 8].as_slice())
        );
        let back = State::from_contract(raw);
        assert_eq!(back.shared(), Some(b"all".as_slice()));
        let users: Vec<_> = back.users().collect();
        assert_eq!(users, [(-3, b"".as_slice()), (0, b"zero".as_slice()), (9, b"nine".as_slice())]);
    }
}

//! What is known of each user, and which of them have changed since that was passed on: what every detector with
//! knowledge by user needs. It is in a detector's innermost loop.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::entry::{self, Entry};
use crate::{Error, State};

/// How many users a part of a state has at most.
const PART_USERS: usize = 16_384;
/// How many bytes are known of the users of a part before no further one is added; the host takes 4 MiB.
const PART_BYTES: usize = 1 << 20;

/// What is known of each user. It remembers who has changed, so that [`snapshot`](Self::snapshot) passes on no more
/// than that.
///
/// A detector that knows how often each user was seen, also in earlier runs:
///
/// ```
/// use detector_sdk::{Decoder, Encoder, Entry, Error, State, Stateful, Users};
/// # use detector_sdk::{Anomaly, Batch, Detector, Metadata, Ordering, Settings};
///
/// #[derive(Default)]
/// struct Seen(i64);
///
/// impl Entry for Seen {
///     const VERSION: u8 = 1;
///     fn encode(&self, to: &mut Encoder<'_>) {
///         to.i64(self.0);
///     }
///     fn decode(from: &mut Decoder<'_>) -> Result<Self, Error> {
///         Ok(Seen(from.i64()?))
///     }
/// }
///
/// struct Newcomers {
///     users: Users<Seen>,
/// }
///
/// impl Stateful for Newcomers {
///     fn snapshot(&mut self) -> Result<State, Error> {
///         Ok(self.users.snapshot())
///     }
///     fn restore(&mut self, state: &State) -> Result<(), Error> {
///         self.users.restore(state)
///     }
/// }
///
/// impl Detector for Newcomers {
///     // …
/// #     fn describe() -> Metadata { Metadata::new("newcomers", "1.0.0", "", Ordering::PerUser) }
/// #     fn configure(_: &Settings) -> Result<Self, Error> { Ok(Newcomers { users: Users::default() }) }
///     fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
///         let mut anomalies = Vec::new();
///         for row in batch.rows() {
///             let seen = self.users.change(row.user_id());
///             if seen.0 < 2 {
///                 anomalies.push(row.anomaly(1.0, format!("number {}", seen.0 + 1)));
///             }
///             seen.0 += 1;
///         }
///         Ok(anomalies)
///     }
/// }
///
/// detector_sdk::export_detector!(Newcomers: Stateful);
///
/// // As one run, and as one run per row, each of which continues what the others have learned.
/// let found = detector_sdk::testing::run_stateful::<Newcomers>(&[], "user_id\n7\n7\n8\n7\n").unwrap();
/// found.assert_rows(&[0, 1, 2]);
/// ```
#[derive(Clone, Debug)]
pub struct Users<T> {
    known: UserMap<Slot<T>>,
    /// Each once: those whose slot says so, and those who were removed.
    changed: Vec<i64>,
    removed: HashSet<i64, UserHash>,
}

type UserHash = BuildHasherDefault<UserHasher>;
type UserMap<T> = HashMap<i64, T, UserHash>;

#[derive(Clone, Debug, Default)]
struct Slot<T> {
    value: T,
    is_changed: bool,
}

impl<T> Default for Users<T> {
    fn default() -> Users<T> {
        Users { known: UserMap::default(), changed: Vec::new(), removed: HashSet::default() }
    }
}

impl<T> Users<T> {
    /// What is known of a user.
    #[must_use]
    pub fn get(&self, user_id: i64) -> Option<&T> {
        self.known.get(&user_id).map(|slot| &slot.value)
    }

    /// What is known of a user, to be changed; it begins with the default.
    pub fn change(&mut self, user_id: i64) -> &mut T
    where
        T: Default,
    {
        let slot = self.known.entry(user_id).or_default();
        if !slot.is_changed {
            slot.is_changed = true;
            if !self.removed.remove(&user_id) {
                self.changed.push(user_id);
            }
        }
        &mut slot.value
    }

    /// Forgets a user, also for later runs.
    pub fn remove(&mut self, user_id: i64) {
        if let Some(slot) = self.known.remove(&user_id) {
            self.removed.insert(user_id);
            if !slot.is_changed {
                self.changed.push(user_id);
            }
        }
    }

    /// How many users are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no user is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

impl<T: Entry> Users<T> {
    /// What has changed since it was restored or passed on, in parts: empty if there is no more.
    pub fn snapshot(&mut self) -> State {
        let mut state = State::default();
        while state.size().0 < PART_USERS && state.size().1 < PART_BYTES {
            let Some(user_id) = self.changed.pop() else { break };
            match self.known.get_mut(&user_id) {
                Some(slot) => {
                    slot.is_changed = false;
                    state.keep_with(user_id, |bytes| entry::write(&slot.value, bytes));
                }
                None => {
                    self.removed.remove(&user_id);
                    state.keep(user_id, []);
                }
            }
        }
        state
    }

    /// Takes over a part of what earlier runs have passed on.
    ///
    /// # Errors
    /// If a user's value cannot be read, see [`Entry::from_bytes`].
    pub fn restore(&mut self, state: &State) -> Result<(), Error> {
        for (user_id, bytes) in state.users() {
            if bytes.is_empty() {
                self.known.remove(&user_id);
                continue;
            }
            let value = T::from_bytes(bytes).map_err(|error| unreadable(user_id, error))?;
            self.known.insert(user_id, Slot { value, is_changed: false });
        }
        Ok(())
    }
}

fn unreadable(user_id: i64, error: Error) -> Error {
    match error {
        Error::Internal(why) | Error::InvalidInput(why) => {
            Error::Internal(format!("what earlier runs knew of user {user_id} cannot be read: {why}"))
        }
        Error::InvalidSetting(_) => error,
    }
}

/// One multiplication: the standard library's hash takes longer than most detectors need for a row. It is the same in
/// every run, too.
#[derive(Clone, Default)]
struct UserHasher(u64);

impl Hasher for UserHasher {
    fn write_i64(&mut self, user_id: i64) {
        // 2^64 divided by the golden ratio.
        self.0 = (user_id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    /// Not used for users.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_i64(self.0 as i64 ^ i64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        // The upper half depends on most bits of the user's id; the map, of 32 bits in a plugin, uses the lower one.
        self.0.rotate_left(32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, Encoder};

    #[derive(Clone, Debug, Default, PartialEq)]
    struct Text(String);

    impl Entry for Text {
        const VERSION: u8 = 1;
        fn encode(&self, to: &mut Encoder<'_>) {
            to.text(&self.0);
        }
        fn decode(from: &mut Decoder<'_>) -> Result<Text, Error> {
            Ok(Text(from.text()?.to_owned()))
        }
    }

    fn parts(users: &mut Users<Text>) -> Vec<State> {
        let parts: Vec<State> =
            std::iter::from_fn(|| Some(users.snapshot()).filter(|part| !part.is_empty())).collect();
        parts.into_iter().map(|part| State::from_contract(part.into_contract())).collect()
    }

    fn restored(states: &[State]) -> Users<Text> {
        let mut users = Users::default();
        for state in states {
            users.restore(state).unwrap();
        }
        users
    }

    #[test]
    fn only_what_has_changed_is_passed_on() {
        let mut users = Users::<Text>::default();
        for user_id in [7, 3, 7] {
            users.change(user_id).0.push('a');
        }
        let mut states = parts(&mut users);
        assert_eq!(states.len(), 1);
        assert_eq!(states[0].users().map(|(user_id, _)| user_id).collect::<Vec<_>>(), [3, 7]);
        let mut users = restored(&states);
        assert!(users.snapshot().is_empty(), "what was restored has not changed");
        assert_eq!(users.get(7), Some(&Text("aa".into())));
        assert!(users.get(8).is_none());
        users.change(3).0.push('b');
        states.extend(parts(&mut users));
        assert_eq!(states[1].users().map(|(user_id, _)| user_id).collect::<Vec<_>>(), [3]);
        assert_eq!(restored(&states).get(3), Some(&Text("ab".into())));
    }

    #[test]
    fn who_is_forgotten_stays_forgotten() {
        let mut users = Users::<Text>::default();
        for user_id in [1, 2, 3] {
            users.change(user_id).0.push('a');
        }
        let mut states = parts(&mut users);
        users.remove(1);
        users.remove(2);
        users.change(2).0.push('b');
        users.change(3);
        users.remove(3);
        users.remove(4);
        let changes = parts(&mut users);
        let passed: Vec<_> = changes[0].users().map(|(user_id, value)| (user_id, value.len())).collect();
        assert_eq!((changes.len(), passed), (1, vec![(1, 0), (2, 10), (3, 0)]));
        states.extend(changes);
        let users = restored(&states);
        assert_eq!((users.len(), users.get(2)), (1, Some(&Text("b".into()))));
    }

    #[test]
    fn parts_are_bounded_in_users_and_in_bytes() {
        let mut users = Users::<Text>::default();
        for user_id in 0..40_000 {
            users.change(user_id);
        }
        let sizes: Vec<_> = parts(&mut users).iter().map(|part| part.size().0).collect();
        assert_eq!(sizes, [16_384, 16_384, 7_232]);
        for user_id in 0..10 {
            users.change(user_id).0 = "x".repeat(400_000);
        }
        let states = parts(&mut users);
        assert_eq!(states.iter().map(|part| part.size().0).collect::<Vec<_>>(), [3, 3, 3, 1]);
        assert_eq!(restored(&states).len(), 10);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_user() {
        let mut state = State::default();
        state.keep(-5, [9]);
        let Err(Error::Internal(why)) = Users::<Text>::default().restore(&state) else { panic!() };
        assert_eq!(
            why,
            "what earlier runs knew of user -5 cannot be read: it is in version 9 of the format, and this detector \
             reads version 1"
        );
    }
}

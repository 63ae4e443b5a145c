//! Numbers for users whose ids are texts. The database has them, so it is asked, and gives numbers to new users; but the
//! connection is in the middle of a COPY most of the time, which it costs to end. So what is known is remembered, as
//! far as memory allows, and the others are asked for many at a time: rows wait for the answer, in their order.
//!
//! Users are asked for in the order in which they first appear, and each only until its number is known. So the numbers
//! of new users depend on neither the size of batches nor what is remembered.

use std::collections::VecDeque;
use std::mem::take;

use host_core::column::Dictionary;

use crate::error::SourceError;
use crate::parsed::Parsed;

/// Says which numbers these users have, in this order; they are all different. `None` if nobody wants to know any
/// more.
pub type NumberUsers = Box<dyn FnMut(Vec<String>) -> Option<Vec<i64>> + Send>;

/// Rows that wait before users are asked for.
const STRETCH_ROWS: usize = 65_536;
/// Bytes that these rows may take.
const STRETCH_BYTES: usize = 6 * 1024 * 1024;
/// Half of what is remembered may take so much.
const GENERATION_BYTES: usize = 16 * 1024 * 1024;

/// Numbers in the order of appearance, below zero: those that a run would give in empty tables. All users are kept in
/// memory, a few dozen bytes each.
pub(crate) fn by_appearance() -> NumberUsers {
    let mut users = Dictionary::default();
    Box::new(move |keys| Some(keys.iter().map(|key| -1 - i64::from(users.intern(key))).collect()))
}

/// The rows between the reader and whoever takes them.
pub(crate) struct Users {
    number: NumberUsers,
    remembered: Remembered,
    /// In file order, and all before those that wait.
    numbered: VecDeque<Parsed>,
    waiting: Vec<Waiting>,
    waiting_rows: usize,
    waiting_bytes: usize,
    /// Users of waiting rows whose numbers are not known, in order of appearance.
    unknown: Dictionary,
    /// How the files ended, which is told after the last row.
    pub end: Option<Result<(), SourceError>>,
}

/// Rows, and for each of their different users the number, or a place in [`Users::unknown`].
struct Waiting {
    part: Parsed,
    users: Vec<Result<i64, u32>>,
}

impl Users {
    pub fn new(number: NumberUsers) -> Users {
        Users {
            number,
            remembered: Remembered::new(GENERATION_BYTES),
            numbered: VecDeque::new(),
            waiting: Vec::new(),
            waiting_rows: 0,
            waiting_bytes: 0,
            unknown: Dictionary::default(),
            end: None,
        }
    }

    /// The next rows, if the numbers of all their users are known.
    pub fn next(&mut self) -> Option<Parsed> {
        self.numbered.pop_front()
    }

    /// Takes the next rows from the reader.
    pub fn add(&mut self, part: Parsed) -> Result<(), SourceError> {
        let Users { remembered, unknown, .. } = self;
        let known = |key: &str| remembered.get(key).ok_or_else(|| unknown.intern(key));
        let users = part.batch.user_keys.texts().iter().map(known).collect();
        self.waiting_rows += part.batch.len();
        self.waiting_bytes += part.size_bytes();
        self.waiting.push(Waiting { part, users });
        let is_full = self.waiting_rows >= STRETCH_ROWS || self.waiting_bytes >= STRETCH_BYTES;
        if is_full || self.unknown.is_empty() { self.number_all() } else { Ok(()) }
    }

    /// Numbers the users of all rows that wait.
    pub fn number_all(&mut self) -> Result<(), SourceError> {
        let numbers = match self.unknown.is_empty() {
            true => Vec::new(),
            false => self.ask()?,
        };
        for Waiting { mut part, users } in self.waiting.drain(..) {
            let numbers: Vec<i64> =
                users.into_iter().map(|user| user.unwrap_or_else(|asked| numbers[asked as usize])).collect();
            let of_row = |&code: &u32| numbers[code as usize];
            part.batch.user_ids.clear();
            part.batch.user_ids.extend(part.batch.user_keys.codes().iter().map(of_row));
            part.batch.user_keys.clear();
            self.numbered.push_back(part);
        }
        (self.waiting_rows, self.waiting_bytes) = (0, 0);
        Ok(())
    }

    /// The numbers of all unknown users, which are remembered.
    fn ask(&mut self) -> Result<Vec<i64>, SourceError> {
        let keys: Vec<String> = self.unknown.iter().map(str::to_owned).collect();
        let numbers = (self.number)(keys).filter(|numbers| numbers.len() == self.unknown.len());
        let numbers = numbers.ok_or(SourceError::UsersNotNumbered)?;
        let unknown = take(&mut self.unknown);
        unknown.iter().zip(&numbers).for_each(|(key, number)| self.remembered.insert(key, *number));
        Ok(numbers)
    }
}

/// Users with their numbers, in two halves: once the younger one is full, the older one is forgotten, except for those
/// of its users who came up again meanwhile.
struct Remembered {
    young: Generation,
    old: Generation,
    /// The size of a half.
    max_bytes: usize,
}

#[derive(Default)]
struct Generation {
    keys: Dictionary,
    numbers: Vec<i64>,
}

impl Generation {
    fn get(&self, key: &str) -> Option<i64> {
        self.keys.find(key.as_bytes()).map(|code| self.numbers[code as usize])
    }

    fn size_bytes(&self) -> usize {
        self.keys.size_bytes() + size_of_val(self.numbers.as_slice())
    }
}

impl Remembered {
    fn new(max_bytes: usize) -> Remembered {
        Remembered { young: Generation::default(), old: Generation::default(), max_bytes }
    }

    fn get(&mut self, key: &str) -> Option<i64> {
        self.young.get(key).or_else(|| {
            let number = self.old.get(key)?;
            self.insert(key, number);
            Some(number)
        })
    }

    /// Remembers a user who is not in the younger half.
    fn insert(&mut self, key: &str, number: i64) {
        if self.young.size_bytes() >= self.max_bytes {
            self.old = take(&mut self.young);
        }
        self.young.keys.intern(key);
        self.young.numbers.push(number);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::{Arc, Mutex};

    use host_core::batch::{Batch, Row};
    use proptest::prelude::*;

    use super::*;

    fn part(first_row: u64, keys: &[String]) -> Parsed {
        let mut batch = Batch { first_row, ..Batch::default() };
        for key in keys {
            batch.push(Row {
                transaction_id: None,
                user_id: 0,
                amount_cents: 0,
                timestamp_micros: 0,
                line: 2,
            });
            batch.user_keys.push(key);
        }
        Parsed { batch, rejected: Vec::new() }
    }

    proptest! {
        /// However rows are cut into parts, each user has one number, and it is that of its first appearance.
        #[test]
        fn a_user_has_one_number(users in prop::collection::vec(0_u8..40, 0..200), rows in 1_usize..50) {
            let keys: Vec<String> = users.iter().map(|user| format!("C{user}")).collect();
            let mut users = Users::new(by_appearance());
            let mut found = Vec::new();
            for (i, keys) in keys.chunks(rows).enumerate() {
                users.add(part((i * rows) as u64, keys)).unwrap();
                found.extend(std::iter::from_fn(|| users.next()));
            }
            users.number_all().unwrap();
            found.extend(std::iter::from_fn(|| users.next()));
            prop_assert!(found.is_sorted_by_key(|part| part.batch.first_row));
            prop_assert!(found.iter().all(|part| part.batch.user_keys.is_empty()));
            let found: Vec<i64> = found.into_iter().flat_map(|part| part.batch.user_ids).collect();
            let mut first = HashMap::new();
            let expected: Vec<i64> = keys
                .iter()
                .map(|key| {
                    let next = -1 - first.len() as i64;
                    *first.entry(key).or_insert(next)
                })
                .collect();
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn users_who_are_known_are_not_asked_for_again() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let mut by_appearance = by_appearance();
        let mut users = Users::new(Box::new(move |keys| {
            seen.lock().unwrap().push(keys.clone());
            by_appearance(keys)
        }));
        let keys = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        users.add(part(0, &keys(&["a", "b", "a"]))).unwrap();
        assert!(users.next().is_none());
        users.add(part(3, &keys(&["b", "c"]))).unwrap();
        users.number_all().unwrap();
        users.add(part(5, &keys(&["c", "a"]))).unwrap();
        let found: Vec<Vec<i64>> =
            std::iter::from_fn(|| users.next()).map(|part| part.batch.user_ids).collect();
        assert_eq!(found, [vec![-1, -2, -1], vec![-2, -3], vec![-3, -1]]);
        assert_eq!(*asked.lock().unwrap(), [["a", "b", "c"]]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_right() {
        const MAX_BYTES: usize = 100_000;
        let mut remembered = Remembered::new(MAX_BYTES);
        let key = |user: i64| format!("customer-{user:012}");
        for user in 0..10_000 {
            if remembered.get(&key(user)).is_none() {
                remembered.insert(&key(user), user);
            }
            // Somebody who comes up again and again is never forgotten.
            assert_eq!(remembered.get(&key(0)), Some(0));
        }
        let bytes = remembered.young.size_bytes() + remembered.old.size_bytes();
        assert!(bytes <= 2 * MAX_BYTES + 100, "{bytes}");
        assert_eq!(remembered.get(&key(1)), None);
        assert_eq!(remembered.get(&key(9_999)), Some(9_999));
    }
}

//! Numbers for users whose ids are texts. The database has them, so it is asked, and gives numbers to new users; but the
//! connection is in the middle of a COPY most of the time, which it costs to end. So what is known is remembered, as
//! far as memory allows, and the others are asked for many at a time. Rows wait for the answer, in their order, while
//! the next ones are read: their question comes before the rows that were waiting, so that whoever answers has
//! something to do all the time.
//!
//! Users are asked for in the order in which they first appear, and each only until its number is known. So the numbers
//! of new users depend on neither the size of batches nor what is remembered.

use std::collections::VecDeque;
use std::mem::take;

use host_core::column::Dictionary;

use crate::error::SourceError;
use crate::parsed::Parsed;

/// Asks which numbers these users have, in this order; they are all different. `None` if nobody wants to know any
/// more.
pub type NumberUsers = Box<dyn FnMut(Vec<String>) -> Option<NumbersOfUsers> + Send>;

/// Waits for the answer, of one number for each user; `None` if there will not be one.
pub type NumbersOfUsers = Box<dyn FnOnce() -> Option<Vec<i64>> + Send>;

/// Rows whose users are asked for together. Those of two stretches may wait: for an answer, and for their question.
const STRETCH_ROWS: usize = 65_536;
/// Bytes that the rows of a stretch may take.
const STRETCH_BYTES: usize = 6 * 1024 * 1024;
/// Half of what is remembered may take so much.
const GENERATION_BYTES: usize = 16 * 1024 * 1024;

/// Numbers in the order of appearance, below zero: those that a run would give in empty tables. All users are kept in
/// memory, a few dozen bytes each.
#[derive(Default)]
pub struct UsersByAppearance(Dictionary);

impl UsersByAppearance {
    /// The numbers of these users, of whom the new ones get the next.
    pub fn numbers(&mut self, keys: &[String]) -> Vec<i64> {
        keys.iter().map(|key| -1 - i64::from(self.0.intern(key))).collect()
    }
}

/// Numbers users by their appearance.
pub(crate) fn by_appearance() -> NumberUsers {
    let mut users = UsersByAppearance::default();
    Box::new(move |keys| {
        let numbers = users.numbers(&keys);
        Some(Box::new(move || Some(numbers)))
    })
}

/// The rows between the reader and whoever takes them.
pub(crate) struct Users {
    number: NumberUsers,
    remembered: Remembered,
    /// In file order, and all before those that wait.
    numbered: VecDeque<Parsed>,
    /// Rows whose users have been asked for; all of them come before `next`.
    asked: Option<(Stretch, NumbersOfUsers)>,
    next: Stretch,
    stretch_rows: usize,
    /// How the files ended, which is told after the last row.
    pub end: Option<Result<(), SourceError>>,
}

/// Consecutive rows that wait for the numbers of their users.
#[derive(Default)]
struct Stretch {
    parts: Vec<Waiting>,
    rows: usize,
    bytes: usize,
    /// Users whose numbers are neither known nor asked for by the stretch before, in order of appearance.
    unknown: Dictionary,
}

/// Rows, and what is known of each of their different users.
struct Waiting {
    part: Parsed,
    users: Vec<Number>,
}

/// The number of a user.
#[derive(Clone, Copy)]
enum Number {
    Known(i64),
    /// That of an unknown user of the stretch before.
    AskedBefore(u32),
    /// That of an unknown user of the same stretch.
    Unknown(u32),
}

impl Users {
    pub fn new(number: NumberUsers) -> Users {
        Users {
            number,
            remembered: Remembered::new(GENERATION_BYTES),
            numbered: VecDeque::new(),
            asked: None,
            next: Stretch::default(),
            stretch_rows: STRETCH_ROWS,
            end: None,
        }
    }

    /// The next rows, if the numbers of all their users are known.
    pub fn next(&mut self) -> Option<Parsed> {
        self.numbered.pop_front()
    }

    /// Takes the next rows from the reader.
    pub fn add(&mut self, part: Parsed) -> Result<(), SourceError> {
        let Users { remembered, asked, next, .. } = self;
        let asked = asked.as_ref().map(|(stretch, _)| &stretch.unknown);
        let number =
            |key: &str| match (remembered.get(key), asked.and_then(|asked| asked.find(key.as_bytes()))) {
                (Some(number), _) => Number::Known(number),
                (None, Some(asked)) => Number::AskedBefore(asked),
                (None, None) => Number::Unknown(next.unknown.intern(key)),
            };
        let users = part.batch.user_keys.texts().iter().map(number).collect();
        next.rows += part.batch.len();
        next.bytes += part.size_bytes();
        next.parts.push(Waiting { part, users });
        let is_full = next.rows >= self.stretch_rows || next.bytes >= STRETCH_BYTES;
        let waits_for_nothing = asked.is_none() && next.unknown.is_empty();
        if is_full || waits_for_nothing { self.ask() } else { Ok(()) }
    }

    /// Numbers the users of all rows that wait.
    pub fn number_all(&mut self) -> Result<(), SourceError> {
        self.ask()?;
        self.take_answer()
    }

    /// Asks for the unknown users of the next stretch, and then waits for the answer about the one before.
    fn ask(&mut self) -> Result<(), SourceError> {
        let keys: Vec<String> = self.next.unknown.iter().map(str::to_owned).collect();
        let answer = match keys.is_empty() {
            true => None,
            false => Some((self.number)(keys).ok_or(SourceError::UsersNotNumbered)?),
        };
        self.take_answer()?;
        let stretch = take(&mut self.next);
        match answer {
            Some(answer) => self.asked = Some((stretch, answer)),
            None => self.number(stretch, &[]),
        }
        Ok(())
    }

    /// Waits for the answer, if there was a question, and numbers the users of the rows that wait for it.
    fn take_answer(&mut self) -> Result<(), SourceError> {
        let Some((stretch, answer)) = self.asked.take() else { return Ok(()) };
        let numbers = answer().filter(|numbers| numbers.len() == stretch.unknown.len());
        let numbers = numbers.ok_or(SourceError::UsersNotNumbered)?;
        stretch.unknown.iter().zip(&numbers).for_each(|(key, number)| self.remembered.insert(key, *number));
        for user in self.next.parts.iter_mut().flat_map(|waiting| &mut waiting.users) {
            if let Number::AskedBefore(asked) = *user {
                *user = Number::Known(numbers[asked as usize]);
            }
        }
        self.number(stretch, &numbers);
        Ok(())
    }

    /// Numbers the users of rows; `numbers` are those of the unknown ones.
    fn number(&mut self, stretch: Stretch, numbers: &[i64]) {
        for Waiting { mut part, users } in stretch.parts {
            let number = |user: &Number| match *user {
                Number::Known(number) => number,
                // There is none from before: that was answered first.
                Number::AskedBefore(asked) | Number::Unknown(asked) => numbers[asked as usize],
            };
            let numbers: Vec<i64> = users.iter().map(number).collect();
            let of_row = |&code: &u32| numbers[code as usize];
            part.batch.user_ids.clear();
            part.batch.user_ids.extend(part.batch.user_keys.codes().iter().map(of_row));
            part.batch.user_keys.clear();
            self.numbered.push_back(part);
        }
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

    fn keys(keys: &[&str]) -> Vec<String> {
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    /// Also says what was asked for.
    fn observed(mut number: NumberUsers) -> (NumberUsers, Arc<Mutex<Vec<Vec<String>>>>) {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        let number = move |keys: Vec<String>| {
            seen.lock().unwrap().push(keys.clone());
            number(keys)
        };
        (Box::new(number), asked)
    }

    proptest! {
        /// However rows are cut into parts, and parts into stretches, each user has one number, which is that of its
        /// first appearance, and is asked for once.
        #[test]
        fn a_user_has_one_number(
            users in prop::collection::vec(0_u8..40, 0..200),
            rows in 1_usize..50,
            stretch_rows in 1_usize..100,
        ) {
            let keys: Vec<String> = users.iter().map(|user| format!("C{user}")).collect();
            let (number, asked) = observed(by_appearance());
            let mut users = Users { stretch_rows, ..Users::new(number) };
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
            let asked = asked.lock().unwrap().concat();
            prop_assert_eq!(asked.len(), first.len());
        }
    }

    #[test]
    fn users_who_are_known_are_not_asked_for_again() {
        let (number, asked) = observed(by_appearance());
        let mut users = Users::new(number);
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

    /// So whoever answers is not kept waiting: the next question is there before the rows that were waiting.
    #[test]
    fn the_next_question_comes_before_the_rows_that_wait() {
        let (number, asked) = observed(by_appearance());
        let mut users = Users { stretch_rows: 2, ..Users::new(number) };
        users.add(part(0, &keys(&["a", "b"]))).unwrap();
        assert_eq!(*asked.lock().unwrap(), [["a", "b"]]);
        users.add(part(2, &keys(&["b"]))).unwrap();
        assert!(users.next().is_none());
        users.add(part(3, &keys(&["c"]))).unwrap();
        assert_eq!(*asked.lock().unwrap(), [vec!["a", "b"], vec!["c"]]);
        assert_eq!(users.next().unwrap().batch.user_ids, [-1, -2]);
        assert!(users.next().is_none());
        users.number_all().unwrap();
        assert_eq!(users.next().unwrap().batch.user_ids, [-2]);
        assert_eq!(users.next().unwrap().batch.user_ids, [-3]);
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

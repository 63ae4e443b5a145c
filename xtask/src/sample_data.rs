//! Makes `data/consumed_transactions.csv`: a year of 1,800 transactions of users with habits.
//! Every run makes the same bytes.
//!
//! Each user has an own usual amount (log-normal, most purchases small) and own hours of the day;
//! fewer purchases happen at night. 38 purchases are above 500, the default limit of the
//! `threshold` plugin. The label column is what somebody looking into it afterwards would have
//! said: most of the large purchases were frauds, a few were furniture, and some frauds were tiny
//! (a stolen card being tried out), so a detector by amount alone is neither right nor wrong
//! every time.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result};

use crate::random::{Random, timestamp};
use crate::shell::{root, say};

const ROWS: usize = 1_800;
const USERS: usize = 120;
/// Purchases above [`LIMIT_CENTS`]: what `threshold` flags.
const LARGE: usize = 38;
/// Of these, how many turned out to be honest.
const LARGE_HONEST: usize = 9;
/// Small frauds.
const CARD_TESTS: usize = 7;
const LIMIT_CENTS: i64 = 50_000;
/// 2024 is a leap year.
const DAYS: u64 = 366;
const SEED: u64 = 0x2024_1800_0038;

struct User {
    id: usize,
    /// Of the logarithm of an amount in currency units.
    mean: f64,
    deviation: f64,
    /// The hour around which the user shops.
    hour: f64,
}

struct Transaction {
    second: u64,
    user: usize,
    cents: i64,
    is_fraud: bool,
}

/// Writes the file.
pub fn write() -> Result<()> {
    let path = root().join("data/consumed_transactions.csv");
    fs::write(&path, csv()).with_context(|| format!("write {}", path.display()))?;
    say("wrote data/consumed_transactions.csv");
    Ok(())
}

/// The file's content.
fn csv() -> String {
    let mut random = Random::new(SEED);
    let users: Vec<User> = (0..USERS)
        .map(|i| User {
            id: 1_001 + i * 7,
            mean: 3.1 + 0.5 * random.normal(),
            deviation: 0.5 + 0.4 * random.unit(),
            hour: 15.0 + 3.0 * random.normal(),
        })
        .collect();
    let mut transactions: Vec<Transaction> = (0..ROWS).map(|_| usual(&users, &mut random)).collect();
    for (i, position) in random.distinct(LARGE + CARD_TESTS, ROWS).into_iter().enumerate() {
        let transaction = &mut transactions[position];
        if i < LARGE {
            let above = exp(5.5 + 0.9 * random.normal());
            transaction.cents = LIMIT_CENTS + 1 + (above * 100.0) as i64;
            transaction.is_fraud = i >= LARGE_HONEST;
        } else {
            transaction.cents = 50 + (random.unit() * 150.0) as i64;
            transaction.is_fraud = true;
        }
        if transaction.is_fraud {
            // Between one and five at night.
            transaction.second =
                transaction.second / 86_400 * 86_400 + 3_600 + (random.unit() * 14_400.0) as u64;
        }
    }
    transactions.sort_by_key(|transaction| (transaction.second, transaction.user));
    let mut csv = String::from("transaction_id,user_id,amount,timestamp,is_anomalous\n");
    for (i, transaction) in transactions.iter().enumerate() {
        let Transaction { second, user, cents, is_fraud } = *transaction;
        // Writing into a String cannot fail.
        let _ = writeln!(
            csv,
            "{},{user},{}.{:02},{},{}",
            i + 1,
            cents / 100,
            cents % 100,
            timestamp(second),
            u8::from(is_fraud)
        );
    }
    csv
}

/// An ordinary purchase, at most the limit.
fn usual(users: &[User], random: &mut Random) -> Transaction {
    let user = &users[random.below(users.len())];
    let cents = loop {
        let amount = exp(user.mean + user.deviation * random.normal());
        let cents = (amount * 100.0).round() as i64;
        if (50..=LIMIT_CENTS).contains(&cents) {
            break cents;
        }
    };
    let hour = loop {
        let hour = user.hour + 3.5 * random.normal();
        if (0.0..24.0).contains(&hour) && (hour > 6.0 || random.unit() < 0.2) {
            break hour;
        }
    };
    let day = random.below(DAYS as usize) as u64;
    Transaction { second: day * 86_400 + (hour * 3_600.0) as u64, user: user.id, cents, is_fraud: false }
}

/// e to the power of `x`, nearly: (1 + x / 1024)^1024 by squaring, which unlike a library's `exp`
/// is the same to the last bit on every machine.
fn exp(x: f64) -> f64 {
    (0..10).fold(1.0 + x / 1024.0, |power, _| power * power)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_in_the_repository_is_what_is_generated() {
        let file = fs::read_to_string(root().join("data/consumed_transactions.csv")).unwrap();
        assert!(file == csv(), "run `cargo xtask sample-data`");
    }

    #[test]
    fn it_has_the_promised_shape() {
        let csv = csv();
        let rows: Vec<Vec<&str>> = csv.lines().skip(1).map(|line| line.split(',').collect()).collect();
        assert_eq!(rows.len(), ROWS);
        let large = |row: &&Vec<&str>| row[2].replace('.', "").parse::<i64>().unwrap() > LIMIT_CENTS;
        assert_eq!(rows.iter().filter(large).count(), LARGE);
        assert_eq!(rows.iter().filter(|row| row[4] == "1").count(), LARGE - LARGE_HONEST + CARD_TESTS);
        assert!(rows.is_sorted_by_key(|row| row[3]));
    }
}

//! Generated rows. They look like months of transactions and have in them what detectors look for, so that a
//! detector that is wrong shows it: habits at the same minute every day, salaries on the same day every month,
//! few busy users and thousands who come once, bursts of one user within seconds or minutes, rows that are
//! repeated, and amounts and texts that are new for their user.

use host_core::batch::{Batch, Row};
use host_core::column::{Column, ColumnRequest};

/// 2024-01-01T00:00:00, a Monday.
const START_MICROS: i64 = 1_704_067_200_000_000;
const SECOND_MICROS: i64 = 1_000_000;
const DAY_SECONDS: u64 = 24 * 60 * 60;

/// Users who buy the same at the same minute every day.
const HABITUAL: Group = Group { first: 1_000, users: 40 };
/// Users with dozens of rows a day.
const BUSY: Group = Group { first: 2_000, users: 8 };
/// Users with a row every few days, and some with a salary every month.
const REGULAR: Group = Group { first: 3_000, users: 300 };
/// How many of the regular users have one.
const SALARIED: u64 = 120;
/// Users who come once or a few times.
const RARE: Group = Group { first: 10_000, users: 8_000 };

/// How many different texts a column has, besides those that come up once.
const TEXTS: u64 = 20;

/// Months of transactions: always the same, and sorted by time. Fewer rows are the first of more.
#[must_use]
pub fn generated(rows: usize, columns: &[ColumnRequest]) -> Batch {
    let mut random = Random(1);
    let mut batch = Batch::new(columns);
    let mut day = 0;
    while batch.len() < rows {
        let mut events = Vec::new();
        of_a_day(day, &mut random, &mut events);
        // Stable, so that a burst stays in its order.
        events.sort_by_key(|event| (event.second, event.micros()));
        for event in events.iter().take(rows - batch.len()) {
            push_row(&mut batch, day, event);
        }
        day += 1;
    }
    batch
}

/// Users with consecutive ids.
struct Group {
    first: u64,
    users: u64,
}

impl Group {
    fn any(&self, random: &mut Random) -> u64 {
        self.first + random.below(self.users)
    }
}

/// What happens on a day.
#[derive(Clone)]
struct Event {
    second: u64,
    user: u64,
    amount_cents: i64,
    /// What the further columns have is drawn from this.
    chance: u64,
    /// Whether it is something that the user has never done before.
    is_new: bool,
}

impl Event {
    /// After the second: the same for rows that are to be equal.
    fn micros(&self) -> u64 {
        self.chance % 1_000_000
    }
}

/// Some 330 rows, or half of that at weekends.
fn of_a_day(day: u64, random: &mut Random, events: &mut Vec<Event>) {
    let ordinary = |user: u64, random: &mut Random| Event {
        second: random.below(DAY_SECONDS),
        user,
        amount_cents: usual_cents(user, random),
        chance: random.next(),
        is_new: false,
    };
    for user in HABITUAL.first..HABITUAL.first + HABITUAL.users {
        let amount_cents = 250 + (user % 7 * 50) as i64;
        let second = 7 * 3_600 + user % 40 * 300 + random.below(60);
        events.push(Event { second, amount_cents, ..ordinary(user, random) });
    }
    for user in (REGULAR.first..REGULAR.first + SALARIED).filter(|user| user % 30 == day % 30) {
        let amount_cents = 150_000 + (user % 50 * 5_000) as i64;
        events.push(Event { second: 60, amount_cents, ..ordinary(user, random) });
    }
    let share = if day % 7 < 5 { 2 } else { 1 };
    for (group, rows) in [(&BUSY, 40), (&REGULAR, 60), (&RARE, 40)] {
        for _ in 0..rows * share {
            events.push(ordinary(group.any(random), random));
        }
    }
    let mut user = REGULAR.any(random);
    burst(&Event { user, ..ordinary(user, random) }, 5 + random.below(8), 9, random, events);
    user = if day.is_multiple_of(2) { RARE.any(random) } else { BUSY.any(random) };
    burst(&Event { user, ..ordinary(user, random) }, 3 + random.below(3), 200, random, events);
    // A row that is there twice, and one that is equal but for the time.
    for later_seconds in [0, 3_600] {
        let user = REGULAR.any(random);
        let once = Event { second: random.below(DAY_SECONDS - 3_600), ..ordinary(user, random) };
        events.extend([once.clone(), Event { second: once.second + later_seconds, ..once }]);
    }
    for kind in 0..4 {
        let user = REGULAR.any(random);
        let event = ordinary(user, random);
        let amount_cents = match kind {
            0 => event.amount_cents * 100,
            1 => -event.amount_cents,
            2 => event.amount_cents / 10_000 * 10_000 + 10_000,
            _ => event.amount_cents,
        };
        events.push(Event { amount_cents, is_new: kind % 3 == 0, ..event });
    }
    if day.is_multiple_of(5) {
        events.push(Event { amount_cents: 0, ..ordinary(RARE.any(random), random) });
    }
}

/// Rows of one user with at most so many seconds in between; in half of the bursts, with the same amount.
fn burst(first: &Event, rows: u64, pause_seconds: u64, random: &mut Random, events: &mut Vec<Event>) {
    let same_amount = random.below(2) == 0;
    let mut second = first.second.min(DAY_SECONDS - rows * pause_seconds);
    for _ in 0..rows {
        let amount_cents = if same_amount { first.amount_cents } else { usual_cents(first.user, random) };
        events.push(Event { second, amount_cents, ..first.clone() });
        second += random.below(pause_seconds);
    }
}

/// Each user spends around an amount of their own.
fn usual_cents(user: u64, random: &mut Random) -> i64 {
    let usual_cents = 500 + user * 7_919 % 20_000;
    (usual_cents / 2 + random.below(usual_cents)) as i64
}

/// Appends an event as a row.
fn push_row(batch: &mut Batch, day: u64, event: &Event) {
    let i = batch.len();
    let seconds = day * DAY_SECONDS + event.second;
    batch.push(Row {
        transaction_id: Some(i as i64 + 1),
        user_id: event.user as i64,
        amount_cents: event.amount_cents,
        timestamp_micros: START_MICROS + seconds as i64 * SECOND_MICROS + event.micros() as i64,
        line: i as u64 + 2,
    });
    for (at, column) in (0..).zip(&mut batch.columns) {
        let mut random = Random(event.chance.wrapping_add(at));
        // One that many users share, and which changes for one of them now and then.
        let home = (event.user * 31 + at * 7) % TEXTS;
        let (text, number) = match random.below(1_000) {
            _ if event.is_new => (format!("value {}", TEXTS + random.below(1_000)), 1e9),
            0..10 => (String::new(), f64::NAN),
            10..30 => (format!("value {}", random.below(TEXTS)), random.below(100) as f64),
            30..33 => (format!("Wert „{}“", random.below(1_000)), -1e12),
            33..36 => (format!("value {home} "), -0.0),
            _ => (format!("value {home}"), home as f64 + random.below(100) as f64 / 100.0),
        };
        push(column, &text, number);
    }
}

/// Rows at the limits of what the contract allows, with strange texts.
#[must_use]
pub fn extremes(columns: &[ColumnRequest]) -> Batch {
    const AMOUNTS_CENTS: [i64; 5] = [-9_999_999_999, -1, 0, 1, 9_999_999_999];
    const USERS: [i64; 3] = [-2_147_483_647, 0, 2_147_483_647];
    // 0001-01-01T00:00:00, 1970, and 9999-12-31T23:59:59.999999.
    const TIMES_MICROS: [i64; 3] = [-62_135_596_800_000_000, 0, 253_402_300_799_999_999];
    const IDS: [i64; 3] = [i64::MIN, 0, i64::MAX];
    const NUMBERS: [f64; 7] = [0.0, -0.0, f64::NAN, f64::MAX, f64::MIN, f64::MIN_POSITIVE, -1.5];
    let texts = ["", " ", "0", "-1e999", "NaN", "a\nb\tc\u{1b}[2J", "\u{202e}🦀\u{301}", &"x".repeat(10_000)];
    let mut batch = Batch::new(columns);
    for amount_cents in AMOUNTS_CENTS {
        for user_id in USERS {
            for timestamp_micros in TIMES_MICROS {
                let i = batch.len();
                let transaction_id = IDS[i % IDS.len()];
                batch.push(Row {
                    transaction_id: Some(transaction_id),
                    user_id,
                    amount_cents,
                    timestamp_micros,
                    line: i as u64 + 2,
                });
                for column in &mut batch.columns {
                    push(column, texts[i % texts.len()], NUMBERS[i % NUMBERS.len()]);
                }
            }
        }
    }
    batch
}

/// Appends a row's value to a column: the text or the number, whichever it has.
fn push(column: &mut Column, text: &str, number: f64) {
    match column {
        Column::Absent => {}
        Column::Text(texts) => drop(texts.push(text)),
        Column::Number(numbers) => numbers.push(number),
    }
}

/// Knuth's MMIX generator: good enough for amounts, and the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use host_core::column::ColumnKind;

    use super::*;

    /// Of as many rows as most rules take.
    fn usual() -> Batch {
        let risk = ColumnRequest { kind: ColumnKind::Number, ..ColumnRequest::text("risk") };
        generated(20_000, &[ColumnRequest::text("city"), risk])
    }

    #[test]
    fn generated_rows_are_always_the_same_and_sorted() {
        let columns = [ColumnRequest::text("city"), ColumnRequest::text("shop")];
        let rows = generated(20_000, &columns);
        assert_eq!(rows.len(), 20_000);
        assert!(rows == generated(20_000, &columns));
        assert!(rows.timestamps_micros.is_sorted());
        assert!(rows.columns[0] != rows.columns[1]);
        let fewer = generated(1_000, &[]);
        assert_eq!(fewer.amounts_cents, rows.amounts_cents[..1_000]);
    }

    /// What detectors look for is there, and is not what most rows are.
    #[test]
    fn generated_rows_have_what_detectors_look_for() {
        let rows = usual();
        let (mut of_user, mut places): (HashMap<i64, Vec<usize>>, HashMap<i64, &str>) = Default::default();
        let (mut fast, mut moved, mut seen, mut repeated) = (0, 0, HashSet::new(), 0);
        let city = rows.columns[0].as_text().unwrap();
        for row in 0..rows.len() {
            let (user, micros) = (rows.user_ids[row], rows.timestamps_micros[row]);
            let earlier = of_user.entry(user).or_default();
            if earlier.len() >= 2 && micros - rows.timestamps_micros[earlier[earlier.len() - 2]] < 600_000_000
            {
                fast += 1;
            }
            earlier.push(row);
            moved +=
                usize::from(places.insert(user, city.get(row)).is_some_and(|place| place != city.get(row)));
            repeated += usize::from(!seen.insert((user, micros, rows.amounts_cents[row])));
        }
        let count = |is: &dyn Fn(usize) -> bool| (0..rows.len()).filter(|&row| is(row)).count();
        for (what, found) in [
            ("the third row of a user in ten minutes", fast),
            ("another city than before", moved),
            ("the same row again", repeated),
            ("a refund", count(&|row| rows.amounts_cents[row] < 0)),
            ("a hundred times the usual", count(&|row| rows.amounts_cents[row] > 400_000)),
            ("a round amount", count(&|row| rows.amounts_cents[row] % 10_000 == 0)),
            (
                "no number",
                count(&|row| matches!(&rows.columns[1], Column::Number(risks) if risks[row].is_nan())),
            ),
        ] {
            assert!((40..2_000).contains(&found), "{what}: {found}");
        }
        assert!(of_user.len() > 3_000);
        assert!(of_user.values().filter(|rows| rows.len() > 400).count() >= 8);
        assert!(of_user.values().filter(|rows| rows.len() == 1).count() > 500);
    }
}

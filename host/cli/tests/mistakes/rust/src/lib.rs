//! Makes the mistake that its setting `mistake` names, in its first batch.

#[macro_use]
extern crate detector_sdk;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::{Duration, Instant, SystemTime};

use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, SettingKind, Settings};

struct Mistaken {
    mistake: String,
}

impl Detector for Mistaken {
    fn describe() -> Metadata {
        Metadata::new("mistaken", "0.1.0", "Makes mistakes.", Ordering::Any).setting(
            "mistake",
            SettingKind::Text,
            "none",
            "Which mistake to make.",
        )
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let mistake = settings.text("mistake").unwrap_or("none").to_owned();
        if mistake == "refused" {
            return Err(Settings::refuse("mistake", "anything else would be right"));
        }
        Ok(Mistaken { mistake })
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let (numbers, five) = (vec![1, 2, 3], black_box(5));
        let nothing: Option<i32> = black_box(None);
        match self.mistake.as_str() {
            "panic" => panic!("this should never happen"),
            "null-pointer" => println!("{} is there", nothing.unwrap()),
            "array-index" => println!("{}", numbers[five]),
            "overflow" => println!("{}", i32::MAX - 4 + black_box(5)),
            "divide-by-zero" => println!("{}", five / (five - 5)),
            "not-a-number" => println!("{}", black_box("five").parse::<i32>().unwrap()),
            "borrowed" => {
                let cell = RefCell::new(1);
                let _first = cell.borrow_mut();
                *cell.borrow_mut() += 1;
            }
            "printing" => {
                print!("printed: {}", 1);
                println!(" and ü");
                eprintln!("to stderr");
                detector_sdk::log::info!("logged");
                dbg!(five + 1);
            }
            "clock" => println!("{:?}", SystemTime::now()),
            "stopwatch" => println!("{:?}", Instant::now()),
            "sleep" => std::thread::sleep(Duration::from_secs(1)),
            "file" => println!("{}", std::fs::read_to_string("/etc/passwd").unwrap()),
            "network" => println!("{:?}", std::net::TcpStream::connect("127.0.0.1:80").unwrap()),
            "environment" => println!("{:?}", std::env::var("HOME")),
            "thread" => std::thread::spawn(|| println!("elsewhere")).join().unwrap(),
            "exit" => std::process::exit(0),
            "endless-loop" => while black_box(five) > 0 {},
            "endless-recursion" => println!("{}", deeper(0)),
            "too-much-memory" => {
                let mut all = Vec::new();
                loop {
                    all.push(black_box(vec![1_u8; 1 << 20]));
                }
            }
            "internal" => return Err(Error::Internal("no idea".into())),
            "reason-unprintable" => {
                return Ok(batch.rows().take(1).map(|row| row.anomaly(1.0, "\x1b[2J\n ü\u{202e}")).collect());
            }
            "score-is-nan" => {
                return Ok(batch.rows().take(1).map(|row| row.anomaly(f64::NAN, "for no reason")).collect());
            }
            "row-out-of-range" => {
                return Ok(vec![Anomaly { row: 99, score: 1.0, reason: "for no reason".into() }]);
            }
            _ => {}
        }
        Ok(Vec::new())
    }
}

#[allow(unconditional_recursion, reason = "a mistake")]
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    deeper(black_box(depth + 1)) + depth
}

export_detector!(Mistaken);

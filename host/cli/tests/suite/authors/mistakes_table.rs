//! The table of mistakes in the guide: what authors are told of the same mistake in each language. It is made of the
//! snapshots of [`super::mistakes`] and [`super::mistakes_native`], and kept up to date by this test.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// A language, and its snapshots: the first one that has a mistake counts.
const LANGUAGES: [(&str, &[&str]); 9] = [
    ("Rust", &["rust_debug", "rust"]),
    ("Python", &["python"]),
    ("JavaScript", &["javascript"]),
    ("TypeScript", &["typescript"]),
    ("AssemblyScript", &["assemblyscript"]),
    ("C", &["c_debug", "c"]),
    ("C++", &["cpp_debug", "cpp"]),
    ("Go", &["go"]),
    ("Zig", &["zig_debug", "zig"]),
];

/// A mistake in words, and its names in the snapshots.
const MISTAKES: [(&str, &[&str]); 13] = [
    ("A panic, an exception, an abort", &["panic", "exception", "terminate", "abort"]),
    ("Nothing where there should be something", &["null-pointer", "undefined-name"]),
    ("An index out of range", &["array-index"]),
    ("An overflow", &["overflow"]),
    ("Printing", &["printing"]),
    ("The clock", &["clock", "time"]),
    ("A file", &["file"]),
    ("The network", &["network"]),
    ("Ending the program", &["exit"]),
    ("An endless loop", &["endless-loop"]),
    ("Endless recursion", &["endless-recursion"]),
    ("Too much memory", &["too-much-memory"]),
    ("A score that is not a number", &["score-is-nan"]),
];
/// How much of a message is told, in characters.
const MAX_CHARS: usize = 200;

fn table() -> String {
    let mut text = String::from(
        "# What authors are told of their mistakes\n\n\
         Made by the tests from what they have seen, with limits of 2 s and 64 MiB; in C, C++ and Zig with\n\
         `make debug`, in Rust in part without `--release`. The whole message\n\
         also has the rows, the functions on the way and what was logged.\n",
    );
    for (title, names) in MISTAKES {
        write!(text, "\n## {title}\n\n| | |\n| --- | --- |\n").unwrap();
        for (language, snapshots) in LANGUAGES {
            let told = snapshots.iter().flat_map(|snapshot| names.iter().map(move |name| (snapshot, name)));
            if let Some(told) = told.filter_map(|(snapshot, name)| section(snapshot, name)).next() {
                writeln!(text, "| {language} | {} |", cell(&told)).unwrap();
            }
        }
    }
    text
}

/// What was seen of this mistake.
fn section(snapshot: &str, mistake: &str) -> Option<String> {
    let name = format!("tests/suite/authors/snapshots/suite__authors__mistakes__told_{snapshot}.snap");
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
    let (_, rest) = text.split_once(&format!("\n## {mistake}: "))?;
    Some(rest.split("\n## ").next().unwrap().to_owned())
}

/// The gist of it.
fn cell(told: &str) -> String {
    let after = |beginning: &str| told.lines().find_map(|line| line.trim_start().strip_prefix(beginning));
    let all = |label: &str| {
        let lines = told.lines().filter_map(|line| line.split_once(label));
        lines.map(|(_, text)| format!("“{text}”")).collect::<Vec<_>>().join(", ")
    };
    let place = after("called: ").map_or(String::new(), |call| format!(", in {}", code(call)));
    let Some(error) = after("error: ") else {
        let logged = all("guest: mistaken.wasm: ");
        return if logged.is_empty() { "nothing".into() } else { format!("in the log: {}", cut(&logged)) };
    };
    // What comes before is the same everywhere.
    let what = error.split_once("(lines 2 to 6)").map_or(error, |(before, after)| {
        let after = after.trim_start_matches([':', ';']).trim_start();
        if after.is_empty() { before } else { after }
    });
    let error = match (after("panic: "), after("caused by: ")) {
        (Some(panic), _) => panic.trim_start_matches("panicked at ").trim_start_matches("/rustc/[n]/"),
        (_, Some(cause)) => cause,
        _ if error.contains("did not finish within") => "it did not finish within 2 s",
        _ if error.contains(" of memory ") => "it asked for more memory than allowed",
        _ => what,
    };
    cut(error) + &place
}

fn cut(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_CHARS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown.replace('|', "\\|").replace('<', "&lt;").replace('*', "\\*")
}

fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[test]
fn the_table_of_mistakes_is_up_to_date() {
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/MISTAKES.md");
    let table = table();
    if fs::read_to_string(&file).is_ok_and(|kept| kept == table) {
        return;
    }
    let fresh = file.with_extension("md.new");
    fs::write(&fresh, table).unwrap();
    panic!("what is told has changed: look at {}, and put it into the place of MISTAKES.md", fresh.display());
}

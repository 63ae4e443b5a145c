//! What an author can do about an error of a plugin, in any rule: it depends on what went wrong and in which of
//! its functions.

use host_detector::verify::Violation;
use host_detector::{Call, DetectorError, TrapReport};

/// What to do about it.
pub(super) fn advice(error: &DetectorError) -> &'static str {
    match error {
        DetectorError::Violation { source, .. } => broken(source),
        DetectorError::Malformation { call, source, .. } => malformed(call, &format!("{source:#}")),
        DetectorError::Trap { call, trap, .. } => crashed(call, trap),
        DetectorError::Memory { call: Call::Start | Call::Describe | Call::Configure, .. } => {
            "it takes as much before it has seen a row: load or allocate less in `configure` and at the top of the program"
        }
        DetectorError::Memory { .. } => {
            "free what belongs to a batch; keep something for each user, not for each row"
        }
        DetectorError::Transfer { .. } => {
            "return sparse anomalies with short reasons; if they were few and short, their length or pointer is wrong"
        }
        DetectorError::TableEntries { .. } => "declare smaller tables: a detector hardly needs any",
        DetectorError::Deadline { call: Call::Start | Call::Describe | Call::Configure, .. } => {
            "nothing that takes long belongs here; is there a loop that does not end?"
        }
        DetectorError::Deadline { .. } => {
            "a call must end: is there a loop that does not, or work that grows with all rows so far? `host plugin bench` says what a row costs"
        }
        DetectorError::Setting { .. } => "give the settings that it needs: `--set NAME=VALUE`",
        DetectorError::Guest { call: Call::Finish, .. } => {
            "an error in `finish` ends the run: return one only if nothing of it may be written"
        }
        DetectorError::Guest { call: Call::Restore, .. } => "it must accept what `snapshot` returned",
        DetectorError::Guest { .. } => {
            "an error ends the run: return one only if rows cannot be judged at all"
        }
        _ => "this ends a run; see the message",
    }
}

/// For an answer of the right types that the contract does not allow.
fn broken(violation: &Violation) -> &'static str {
    match violation {
        Violation::TooMany { .. } => "return each row at most once, and only those that are anomalous",
        Violation::OutOfRange { .. } => {
            "`row` is the index in this batch, from 0; do not count on from one batch to the next"
        }
        Violation::Order { .. } => "sort by row, and return each row once, with its reasons joined",
        Violation::Score { .. } => {
            "look for a division by zero, a logarithm of 0 or an empty cell (NaN), and return no anomaly or a large number instead"
        }
        Violation::LongReason { .. } => {
            "cut reasons to 1,000 bytes; texts of the file can be of any length, and the templates have a function `quoted`"
        }
        Violation::UnprintableReason { .. } => {
            "texts of the file may contain any character: escape them in reasons, for instance with the templates' function `quoted`"
        }
        Violation::ScoreCount { .. } => "`score` returns one number for each row, anomalous or not",
        Violation::State { .. } => {
            "users strictly increasing and once, `ends` never falling, the last one the length of `bytes`; users only with the ordering `per-user` or `file`, `shared` only with `file`"
        }
        Violation::Metadata { .. } => "see the limits in the WIT, at the record that the message names",
        _ => "see the WIT for what may be returned",
    }
}

/// For bytes that are no value of the contract's types: what languages without bindings of their own get wrong.
fn malformed(call: &Call, message: &str) -> &'static str {
    const TEXT: [&str; 2] = ["utf-8", "utf8"];
    let message = message.to_lowercase();
    let is_text = TEXT.iter().any(|word| message.contains(word));
    let is_pointer = ["out of bounds", "not aligned"].iter().any(|word| message.contains(word));
    if message.contains("realloc") {
        return "`cabi_realloc` gave the host a bad pointer: memory was freed twice, or its bookkeeping overwritten; in C and C++, build with `make debug`, which says where";
    }
    match call {
        Call::Describe if is_text => {
            "names, descriptions and documentation must be UTF-8, and their lengths count bytes"
        }
        Call::Configure if is_text => {
            "names of columns, and the messages of a refused setting, must be UTF-8, and their lengths count bytes"
        }
        Call::Classify(_) if is_text => {
            "reasons must be UTF-8: do not cut one within a character, and give its length in bytes; is its memory still in use?"
        }
        _ if is_text => "texts and messages of errors must be UTF-8, and their lengths count bytes",
        Call::Describe if is_pointer => {
            "check the pointers and lengths of `metadata` and its list of settings; they must stay valid after it has returned"
        }
        Call::Configure if is_pointer => {
            "check the pointer and length of the list of columns that it returns, and of each name in it"
        }
        Call::Classify(_) if is_pointer => {
            "check the pointer and length of the list of anomalies and of each reason; a list must not be freed before it was read (`cabi_post_classify`)"
        }
        Call::Snapshot if is_pointer => "check the pointers and lengths of the lists in the state",
        _ if is_pointer => {
            "check the pointers and lengths of what it returns, and what `cabi_realloc` returns"
        }
        Call::Describe => "a kind of setting or an ordering has a number that the WIT does not have",
        Call::Configure => "a kind of column, or `ok` or `error`, has a number that the WIT does not have",
        _ => "what it returns is not laid out as the WIT says: use bindings that are generated from it",
    }
}

fn crashed(call: &Call, trap: &TrapReport) -> &'static str {
    let is = |word: &str| trap.summary.contains(word);
    if !trap.panics.is_empty() {
        return "the message and the functions that were called say where; a crash ends the run";
    }
    if is("out of bounds") || is("indirect call") || is("uninitialized element") {
        return match call {
            Call::Start | Call::Describe => {
                "a pointer is wrong before any row was seen: look at the program's own constants; in C and C++, try `make debug`"
            }
            Call::Configure => {
                "a pointer is wrong in `configure`: do not keep a setting's text, which is freed, without copying it; in C and C++, try `make debug`"
            }
            _ => {
                "a pointer or an index is wrong, or memory was used after it was freed or freed twice: in C and C++, build with `make debug`, which says where"
            }
        };
    }
    if is("stack") {
        return "a recursion does not end, or an array on the stack is too large";
    }
    if is("divide") || is("overflow") || is("conversion") {
        return "a whole number was divided by zero or became too large; look at amounts and counts of 0";
    }
    if is("exit(") {
        return "return an error instead of ending the program";
    }
    "return an error instead of aborting; a build with debug information has files and lines (`make debug`; in Rust without `--release`)"
}

#[cfg(test)]
mod tests {
    use host_detector::BatchSpan;

    use super::*;

    /// Every finding in every function where it can happen: what differs is advised differently.
    #[test]
    fn advice_is_about_the_function_that_failed() {
        let plugin = || "x.wasm".to_owned();
        let classify = || Call::Classify(BatchSpan { first_row: 0, rows: 1, lines: (2, 2) });
        let malformation = |call: Call, message: &str| malformed(&call, message);
        let crash = |call: Call, summary: &str| {
            let trap = Box::new(TrapReport { summary: summary.into(), ..TrapReport::default() });
            advice(&DetectorError::Trap { plugin: plugin(), call, trap })
        };
        let violation =
            |source| advice(&DetectorError::Violation { plugin: plugin(), call: classify(), source });
        let (utf8, bounds, variant) =
            ("invalid utf-8 sequence", "list pointer/length out of bounds of memory", "invalid discriminant");
        let (wild, late) = ("wasm trap: out of bounds memory access", "wasm trap: integer divide by zero");
        let table = [
            (malformation(Call::Describe, utf8), "descriptions"),
            (malformation(Call::Configure, utf8), "names of columns"),
            (malformation(classify(), utf8), "reasons"),
            (malformation(Call::Finish, utf8), "errors"),
            (malformation(Call::Describe, bounds), "`metadata`"),
            (malformation(Call::Configure, bounds), "list of columns"),
            (malformation(classify(), bounds), "list of anomalies"),
            (malformation(Call::Snapshot, bounds), "the state"),
            (malformation(Call::Finish, bounds), "what it returns"),
            (malformation(classify(), "realloc return: result not aligned"), "freed twice"),
            (malformation(Call::Describe, variant), "ordering"),
            (malformation(Call::Configure, variant), "kind of column"),
            (malformation(classify(), variant), "bindings"),
            (crash(Call::Start, wild), "constants"),
            (crash(Call::Configure, wild), "setting's text"),
            (crash(classify(), wild), "freed twice"),
            (crash(classify(), late), "divided by zero"),
            (crash(classify(), "its call stack overflowed"), "recursion"),
            (crash(classify(), "it called exit(1)"), "ending the program"),
            (crash(classify(), "it aborted itself"), "aborting"),
            (violation(Violation::Score { row: 0, score: f64::NAN }), "NaN"),
            (violation(Violation::Order { row: 0, previous: 1 }), "sort by row"),
            (violation(Violation::OutOfRange { row: 9, rows: 1 }), "from 0"),
            (violation(Violation::TooMany { found: 2, allowed: 1 }), "at most once"),
            (violation(Violation::LongReason { row: 0, bytes: 2_000 }), "1,000 bytes"),
            (violation(Violation::UnprintableReason { row: 0, character: '\u{7}' }), "escape"),
            (violation(Violation::ScoreCount { found: 1, rows: 2 }), "each row"),
            (violation(Violation::State { what: "x".into() }), "`ends`"),
            (violation(Violation::Metadata { what: "x".into() }), "limits"),
        ];
        for (advised, about) in table {
            assert!(advised.contains(about), "{about}: {advised}");
        }
    }
}

//! Text from outside (a guest, a CSV file, a server) before it reaches a person: bounded in length, and
//! without anything that a terminal would interpret.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

/// How much of a foreign text a message shows, in characters.
pub const SHOWN_CHARS: usize = 200;

/// Whether a terminal or a log reader could be misled by this character: control characters,
/// and the marks that reorder or hide text (Unicode's bidirectional and zero-width formatting).
#[must_use]
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` with unprintable characters written as escapes (`\n`, `\u{1b}`), and cut after
/// [`SHOWN_CHARS`] characters.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    printable_up_to(text, SHOWN_CHARS)
}

/// Like [`printable`], with another bound.
#[must_use]
pub fn printable_up_to(text: &str, max_chars: usize) -> Cow<'_, str> {
    let short = text.char_indices().nth(max_chars).is_none();
    if short && !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for character in text.chars().take(max_chars) {
        match character {
            _ if is_unprintable(character) => push_escape(&mut shown, character),
            _ => shown.push(character),
        }
    }
    if !short {
        shown.push('…');
    }
    Cow::Owned(shown)
}

fn push_escape(shown: &mut String, character: char) {
    match character {
        '\n' | '\r' | '\t' => shown.extend(character.escape_default()),
        _ => {
            // Writing into a String cannot fail.
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        }
    }
}

/// How [`without_control_characters`] writes the characters that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escape {
    /// As `\u{1b}`, for people.
    Text,
    /// As `\u001b`, from which a JSON parser restores the original. Outside its strings, a JSON text has no
    /// such characters but line breaks.
    Json,
}

/// Text of many lines with all unprintable characters but line breaks written as escapes. Text that has been
/// through [`printable`] stays unchanged.
#[must_use]
pub fn without_control_characters(text: &str, escape: Escape) -> Cow<'_, str> {
    let is_escaped = |character: char| character != '\n' && is_unprintable(character);
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match escape {
            _ if !is_escaped(character) => shown.push(character),
            Escape::Text => push_escape(&mut shown, character),
            Escape::Json => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(shown, "\\u{unit:04x}");
                }
            }
        }
    }
    Cow::Owned(shown)
}

/// The whole of a text as one line: like [`printable`], but not cut.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    printable_up_to(text, usize::MAX)
}

/// A file's name for a message, printable and never truncated.
#[must_use]
pub fn path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(&one_line(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// An argument as it must be written in a shell: as it is if the shell leaves it unchanged, else in quotes.
/// Unprintable characters are written in the form that bash, zsh and ksh understand (`$'\x1b'`).
#[must_use]
pub fn shell_quoted(argument: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !argument.is_empty() && argument.bytes().all(is_plain) {
        return Cow::Borrowed(argument);
    }
    if !argument.contains(is_unprintable) {
        return Cow::Owned(format!("'{}'", argument.replace('\'', r"'\''")));
    }
    let mut quoted = String::from("$'");
    for character in argument.chars() {
        match character {
            '\\' | '\'' => quoted.extend(['\\', character]),
            _ if is_unprintable(character) => {
                for byte in character.encode_utf8(&mut [0; 4]).bytes() {
                    let _ = write!(quoted, "\\x{byte:02x}");
                }
            }
            _ => quoted.push(character),
        }
    }
    quoted.push('\'');
    Cow::Owned(quoted)
}

/// A file's name as an argument of other programs, which must not take a leading hyphen for an option.
#[must_use]
pub fn shell_file(name: &str) -> Cow<'_, str> {
    if name.len() > 1 && name.starts_with('-') {
        return Cow::Owned(shell_quoted(&format!("./{name}")).into_owned());
    }
    shell_quoted(name)
}

/// A time span in the form that arguments take, as a whole number: `4s`, `250ms`.
#[must_use]
pub fn argument(span: Duration) -> String {
    if span.subsec_millis() == 0 && span.as_secs() > 0 {
        format!("{}s", span.as_secs())
    } else {
        format!("{}ms", span.as_millis().max(1))
    }
}

/// Text that a text column can hold: PostgreSQL does not allow NUL.
#[must_use]
pub fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "\u{fffd}").into() } else { text.into() }
}

/// A count and its unit: "1 row", "2 rows".
#[must_use]
pub fn counted(count: u64, unit: &str) -> String {
    counted_as(count, unit, &format!("{unit}s"))
}

/// A count and its unit, whose plural is not regular: "1 entry", "2 entries".
#[must_use]
pub fn counted_as(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), if count == 1 { one } else { many })
}

/// With commas: 1,234,567.
#[must_use]
pub fn grouped(number: u64) -> String {
    indicatif::HumanCount(number).to_string()
}

/// A time span in seconds for people, to the millisecond: `3 s`, `0.25 s`.
#[must_use]
pub fn seconds(span: Duration) -> String {
    let millis = (span.as_secs_f64() * 1000.0).round() / 1000.0;
    format!("{millis} s")
}

/// Bytes of unknown encoding as printable text; bytes that are not UTF-8 are shown as `\xNN`.
#[must_use]
pub fn printable_bytes(bytes: &[u8]) -> String {
    // No more bytes than can be shown: at most four per character.
    let bytes = &bytes[..bytes.len().min(SHOWN_CHARS * 4 + 4)];
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    printable(&text).into_owned()
}

/// Foreign names for a message: in backticks, printable, and at most `shown` of them.
#[must_use]
pub fn listed(names: &[String], shown: usize) -> String {
    let mut list: Vec<_> = names.iter().take(shown).map(|name| format!("`{}`", printable(name))).collect();
    if names.len() > shown {
        list.push(format!("{} more", names.len() - shown));
    }
    list.join(", ")
}

/// The candidate whose spelling is closest to `given`, if any is close: at most a third of its letters
/// differ.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::levenshtein(&given.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The end of a message on a name that is unknown: `; did you mean …?`, if any candidate is close, or nothing.
#[must_use]
pub fn did_you_mean<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(given, candidates).map_or(String::new(), |near| format!("; did you mean `{}`?", printable(near)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_survives() {
        assert_eq!(printable("plain ünïcode 🦀"), "plain ünïcode 🦀");
        assert_eq!(printable("a\x1b[31mred\u{9b}2J"), "a\\u{1b}[31mred\\u{9b}2J");
        assert_eq!(printable("a\nb\tc\r"), "a\\nb\\tc\\r");
        assert_eq!(printable("\u{202e}gnp.exe"), "\\u{202e}gnp.exe");
        assert_eq!(printable_bytes(b"12\xff\xfe\0"), "12\\xff\\xfe\\u{0}");
    }

    #[test]
    fn the_gate_leaves_nothing_but_line_breaks() {
        let text = "a\x1b[31m\r\n\u{202e}\u{e0001}\u{7f}";
        assert_eq!(
            without_control_characters(text, Escape::Text),
            "a\\u{1b}[31m\\r\n\\u{202e}\\u{e0001}\\u{7f}"
        );
        let once = printable("a\x1b\n").into_owned();
        assert_eq!(without_control_characters(&once, Escape::Text), once);
    }

    #[test]
    fn json_gives_back_every_character() {
        let text: String = (0..0x11_0000).filter_map(char::from_u32).collect();
        let json = serde_json::to_string(&text).unwrap();
        let json = without_control_characters(&json, Escape::Json);
        assert!(!json.contains(is_unprintable));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    /// Asks real shells.
    #[test]
    fn a_quoted_argument_is_what_a_shell_takes_it_for() {
        let hostile = [
            "",
            "plain-1.2_x",
            "User Id",
            "it's",
            "a\"b`c$d\\e!*?[",
            "ünï",
            "~",
            "-x",
            "a\tb\n\x1b[1m\u{202e}'\\",
        ];
        for argument in hostile {
            let quoted = shell_quoted(argument);
            assert!(!quoted.contains(is_unprintable), "{quoted}");
            let script = format!("printf '%s|' {quoted}");
            let output = std::process::Command::new("bash").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{argument}|"), "{quoted}");
        }
        assert_eq!(shell_quoted("amount=TX_AMOUNT"), "amount=TX_AMOUNT");
        assert_eq!(shell_quoted("amount=it's"), r"'amount=it'\''s'");
    }

    #[test]
    fn names_of_files_are_one_printable_line() {
        use std::os::unix::ffi::OsStrExt as _;
        let name = std::ffi::OsStr::from_bytes(b"a\nerror: \x1b\xff");
        assert_eq!(path(Path::new(name)), "a\\nerror: \\u{1b}\\xff");
    }

    #[test]
    fn counts_agree_with_their_units() {
        let cases = [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_234_567, "1,234,567 rows")];
        for (count, text) in cases {
            assert_eq!(counted(count, "row"), text);
        }
        assert_eq!(seconds(Duration::from_micros(3_000_518)), "3.001 s");
        assert_eq!(seconds(Duration::from_secs(3)), "3 s");
    }

    #[test]
    fn long_text_is_cut_by_characters() {
        assert_eq!(printable_up_to("äöü", 3), "äöü");
        assert_eq!(printable_up_to("äöüß", 3), "äöü…");
        assert!(printable_bytes(&[b'x'; 100_000]).chars().count() == SHOWN_CHARS + 1);
    }

    #[test]
    fn the_nearest_name_is_near() {
        let names = ["transaction_id", "user_id", "amount", "timestamp"];
        assert_eq!(nearest("ammount", names), Some("amount"));
        assert_eq!(nearest("USERID", names), Some("user_id"));
        assert_eq!(nearest("colour", names), None);
    }
}

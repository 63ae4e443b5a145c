//! Text from outside (a guest, a CSV file, a server) before it reaches a person: bounded in
//! length, and without anything that a terminal would obey.

use std::borrow::Cow;
use std::fmt::Write as _;

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

/// Like [`printable`], with a bound of its own.
#[must_use]
pub fn printable_up_to(text: &str, max_chars: usize) -> Cow<'_, str> {
    let short = text.char_indices().nth(max_chars).is_none();
    if short && !text.contains(is_unprintable) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::new();
    for character in text.chars().take(max_chars) {
        match character {
            '\n' | '\r' | '\t' => shown.extend(character.escape_default()),
            _ if is_unprintable(character) => {
                // Writing into a String cannot fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
            }
            _ => shown.push(character),
        }
    }
    if !short {
        shown.push('…');
    }
    Cow::Owned(shown)
}

/// Bytes of unknown encoding as printable text; what is no UTF-8 shows as `\xNN`.
#[must_use]
pub fn printable_bytes(bytes: &[u8]) -> String {
    // No more bytes than can be shown: four a character at the most.
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

/// The candidate that is nearest to `given` by spelling, if any is near: at most a third of the
/// letters differ.
#[must_use]
pub fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::levenshtein(&given.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.chars().count().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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

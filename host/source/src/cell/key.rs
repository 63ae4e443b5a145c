//! Ids that are texts. Two of them mean the same only if they are the same to the last byte, apart from blanks around
//! them: case is not ignored, nor are zeros in front.

use host_core::rejected::Problem;

use crate::cell::value::{text, trim};

/// A longer text is not an id.
const MAX_KEY_BYTES: usize = 255;

/// An id as text: UTF-8 without control characters, not empty, at most 255 bytes. Blanks around it are ignored.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn key(cell: &[u8]) -> Result<&str, Problem> {
    let cell = trim(cell);
    if cell.is_empty() {
        return Err(Problem::Empty);
    }
    if cell.len() > MAX_KEY_BYTES {
        return Err(Problem::OutOfRange("an id has at most 255 bytes"));
    }
    let key = text(cell)?;
    match key.chars().find(|character| character.is_control()) {
        Some(control) => Err(Problem::Unexpected(control)),
        None => Ok(key),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys() {
        let longest = "x".repeat(255);
        for (cell, expected) in [
            ("C1231006815", Ok("C1231006815")),
            (" \tC 1\t", Ok("C 1")),
            ("0007", Ok("0007")),
            ("ünal-✓", Ok("ünal-✓")),
            ("340282366920938463463374607431768211456", Ok("340282366920938463463374607431768211456")),
            (&longest, Ok(longest.as_str())),
            ("", Err(Problem::Empty)),
            ("  ", Err(Problem::Empty)),
            ("a\0b", Err(Problem::Unexpected('\0'))),
            ("a\nb", Err(Problem::Unexpected('\n'))),
            ("a\u{9b}b", Err(Problem::Unexpected('\u{9b}'))),
            (&format!("{longest}x"), Err(Problem::OutOfRange("an id has at most 255 bytes"))),
        ] {
            assert_eq!(key(cell.as_bytes()), expected, "{cell:?}");
        }
        assert_eq!(key(b"a\xff"), Err(Problem::InvalidUtf8));
    }
}

//! What a row has turned out to be, in one word. Words of other languages or with other meanings are not guessed at.

use host_core::rejected::Problem;

use crate::cell::value::trim;

const FRAUD: [&str; 4] = ["1", "true", "yes", "fraud"];
const GENUINE: [&str; 4] = ["0", "false", "no", "genuine"];

/// Whether it says fraud. Case and blanks around the word do not matter.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn is_fraud(cell: &[u8]) -> Result<bool, Problem> {
    let cell = trim(cell);
    let is_one_of = |words: [&str; 4]| words.iter().any(|word| cell.eq_ignore_ascii_case(word.as_bytes()));
    match () {
        () if cell.is_empty() => Err(Problem::Empty),
        () if is_one_of(FRAUD) => Ok(true),
        () if is_one_of(GENUINE) => Ok(false),
        () => Err(Problem::UnknownLabel),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_one_of_a_few_words() {
        for (cell, expected) in [
            ("1", Ok(true)),
            ("0", Ok(false)),
            (" True\t", Ok(true)),
            ("FALSE", Ok(false)),
            ("Yes", Ok(true)),
            ("no", Ok(false)),
            ("Fraud", Ok(true)),
            ("genuine", Ok(false)),
            ("", Err(Problem::Empty)),
            ("  ", Err(Problem::Empty)),
            ("2", Err(Problem::UnknownLabel)),
            ("1.0", Err(Problem::UnknownLabel)),
            ("-1", Err(Problem::UnknownLabel)),
            ("t", Err(Problem::UnknownLabel)),
            ("fraud?", Err(Problem::UnknownLabel)),
            ("not fraud", Err(Problem::UnknownLabel)),
            ("ja", Err(Problem::UnknownLabel)),
        ] {
            assert_eq!(is_fraud(cell.as_bytes()), expected, "{cell:?}");
        }
        assert_eq!(is_fraud(b"\xff"), Err(Problem::UnknownLabel));
    }
}

//! How knowledge is written as bytes: exactly, with a version, so that a later version of a detector can tell what
//! an earlier one wrote, and anything else is refused instead of being misread.

use crate::Error;

/// What a detector knows of one user (or of all, see [`State::share`](crate::State::share)), and how it is written.
/// [`Users`](crate::Users) has an example.
pub trait Entry: Sized {
    /// The version of the format. Raise it when what [`encode`](Self::encode) writes changes its meaning: entries of
    /// other versions are refused.
    const VERSION: u8;

    /// Writes it, value by value.
    fn encode(&self, to: &mut Encoder<'_>);

    /// Reads the same values in the same order.
    ///
    /// # Errors
    /// Those of the [`Decoder`], and if the values make no sense.
    fn decode(from: &mut Decoder<'_>) -> Result<Self, Error>;

    /// All of it as bytes, never none.
    #[must_use]
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(self, &mut bytes);
        bytes
    }

    /// What [`to_bytes`](Self::to_bytes) returned.
    ///
    /// # Errors
    /// If it is of another version, or has fewer or more bytes than were written.
    fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let (&version, rest) = bytes.split_first().ok_or_else(too_short)?;
        if version != Self::VERSION {
            let read = Self::VERSION;
            return Err(unreadable(format!(
                "it is in version {version} of the format, and this detector reads version {read}"
            )));
        }
        let mut decoder = Decoder { rest };
        let entry = Self::decode(&mut decoder)?;
        match decoder.rest.len() {
            0 => Ok(entry),
            more => Err(unreadable(format!("it is longer than it should be, by {more} bytes"))),
        }
    }
}

/// Appends an entry.
pub(crate) fn write<T: Entry>(entry: &T, bytes: &mut Vec<u8>) {
    bytes.push(T::VERSION);
    entry.encode(&mut Encoder { bytes });
}

/// Writes the values of an [`Entry`].
#[derive(Debug)]
pub struct Encoder<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Encoder<'_> {
    /// A whole number.
    pub fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A number, bit by bit.
    pub fn f64(&mut self, value: f64) {
        self.bytes.extend_from_slice(&value.to_le_bytes());
    }

    /// A text.
    pub fn text(&mut self, value: &str) {
        self.i64(value.len() as i64);
        self.bytes.extend_from_slice(value.as_bytes());
    }
}

/// Reads the values of an [`Entry`].
#[derive(Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// A whole number.
    ///
    /// # Errors
    /// If there are not enough bytes.
    pub fn i64(&mut self) -> Result<i64, Error> {
        self.next().map(i64::from_le_bytes)
    }

    /// A number, bit by bit; it need not be finite.
    ///
    /// # Errors
    /// If there are not enough bytes.
    pub fn f64(&mut self) -> Result<f64, Error> {
        self.next().map(f64::from_le_bytes)
    }

    /// A text.
    ///
    /// # Errors
    /// If there are not enough bytes, or they are not a text.
    pub fn text(&mut self) -> Result<&'a str, Error> {
        let length = usize::try_from(self.i64()?).map_err(|_| too_short())?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or_else(too_short)?;
        self.rest = rest;
        str::from_utf8(text).map_err(|_| unreadable("a text in it is not UTF-8".into()))
    }

    /// Whether everything has been read: for entries with any number of values.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    fn next<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], Error> {
        let (value, rest) = self.rest.split_first_chunk().ok_or_else(too_short)?;
        self.rest = rest;
        Ok(*value)
    }
}

fn too_short() -> Error {
    unreadable("it is shorter than it should be".into())
}

fn unreadable(why: String) -> Error {
    Error::Internal(why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Known(i64, f64, String);

    impl Entry for Known {
        const VERSION: u8 = 3;
        fn encode(&self, to: &mut Encoder<'_>) {
            to.i64(self.0);
            to.f64(self.1);
            to.text(&self.2);
        }
        fn decode(from: &mut Decoder<'_>) -> Result<Known, Error> {
            Ok(Known(from.i64()?, from.f64()?, from.text()?.to_owned()))
        }
    }

    fn refusal(bytes: &[u8]) -> String {
        match Known::from_bytes(bytes).unwrap_err() {
            Error::Internal(message) => message,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn values_come_back_bit_by_bit() {
        for number in [0.1 + 0.2, -0.0, f64::MIN_POSITIVE / 2.0, f64::MAX, f64::INFINITY, f64::NAN] {
            for (whole, text) in [(i64::MIN, ""), (-1, "Zürich\0"), (i64::MAX, "x")] {
                let Known(back, float, same) =
                    Known::from_bytes(&Known(whole, number, text.into()).to_bytes()).unwrap();
                assert_eq!((back, float.to_bits(), same.as_str()), (whole, number.to_bits(), text));
            }
        }
    }

    #[test]
    fn what_was_not_written_so_is_refused() {
        let bytes = Known(1, 2.0, "three".into()).to_bytes();
        for length in 0..bytes.len() {
            assert_eq!(refusal(&bytes[..length]), "it is shorter than it should be", "{length}");
        }
        assert_eq!(refusal(&[&bytes[..], &[0]].concat()), "it is longer than it should be, by 1 bytes");
        let other = [&[4], &bytes[1..]].concat();
        assert_eq!(refusal(&other), "it is in version 4 of the format, and this detector reads version 3");
        let broken = [&bytes[..bytes.len() - 1], &[0xff]].concat();
        assert_eq!(refusal(&broken), "a text in it is not UTF-8");
        let negative = [&bytes[..17], &[0xff; 8], b"three".as_slice()].concat();
        assert_eq!(refusal(&negative), "it is shorter than it should be");
    }
}

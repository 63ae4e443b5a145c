//! Text in encodings other than UTF-8, converted to UTF-8 while it is read. A byte sequence that is not valid
//! in the given encoding is an error, never a replacement character.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult};

/// The encoding of a file's text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8, with or without a byte order mark. Nothing is converted; cells are checked.
    #[default]
    Utf8,
    /// Another encoding.
    Other(&'static encoding_rs::Encoding),
}

impl Encoding {
    /// The names that are used most, for those who mistype one.
    pub const COMMON_NAMES: [&str; 12] = [
        "utf-8",
        "utf-16",
        "utf-16le",
        "utf-16be",
        "latin1",
        "iso-8859-1",
        "iso-8859-2",
        "iso-8859-15",
        "windows-1250",
        "windows-1252",
        "shift_jis",
        "gb18030",
    ];

    /// By its name: `utf-8`, `utf-16` (little-endian unless a byte order mark says otherwise), `utf-16le`,
    /// `utf-16be`, `latin1`, `windows-1252` and every other label of the WHATWG Encoding Standard. `None` if
    /// it is unknown.
    #[must_use]
    pub fn by_name(name: &str) -> Option<Encoding> {
        let encoding = encoding_rs::Encoding::for_label(name.as_bytes())?;
        Some(if encoding == encoding_rs::UTF_8 { Encoding::Utf8 } else { Encoding::Other(encoding) })
    }

    /// Its name, which [`by_name`](Self::by_name) knows.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Other(encoding) => encoding.name(),
        }
    }

    /// The bytes that begin a file in this encoding: the byte order mark of UTF-16, or nothing.
    pub(crate) fn mark(self) -> Vec<u8> {
        match self {
            Encoding::Other(encoding) if is_utf16(encoding) => self.encode("\u{feff}"),
            _ => Vec::new(),
        }
    }

    /// Encodes text; a character that the encoding does not have becomes `&#8230;`.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Encoding::Utf8 => text.into(),
            // Like browsers, encoding_rs can only decode these.
            Encoding::Other(encoding) if encoding == encoding_rs::UTF_16LE => {
                text.encode_utf16().flat_map(u16::to_le_bytes).collect()
            }
            Encoding::Other(encoding) if encoding == encoding_rs::UTF_16BE => {
                text.encode_utf16().flat_map(u16::to_be_bytes).collect()
            }
            Encoding::Other(encoding) => encoding.encode(text).0.into_owned(),
        }
    }

    /// Converts what is read from `input` to UTF-8.
    pub(crate) fn decode<R: Read + Send + 'static>(self, input: R) -> Box<dyn Read + Send> {
        match self {
            Encoding::Utf8 => Box::new(input),
            Encoding::Other(encoding) => Box::new(Decode {
                input,
                decoder: if is_utf16(encoding) {
                    // A byte order mark decides between the two byte orders.
                    encoding.new_decoder()
                } else {
                    // No mark is looked for: in Latin-1, `ÿþ` is text like any other.
                    encoding.new_decoder_without_bom_handling()
                },
                encoded: vec![0; CHUNK_BYTES],
                unread: 0..0,
                at_end: false,
                finished: false,
                spare: Vec::new(),
            }),
        }
    }
}

fn is_utf16(encoding: &encoding_rs::Encoding) -> bool {
    encoding == encoding_rs::UTF_16LE || encoding == encoding_rs::UTF_16BE
}

const CHUNK_BYTES: usize = 64 * 1024;
/// The decoder asks for room for a few characters at once, however little the caller has.
const SPARE_BYTES: usize = 64;

struct Decode<R> {
    input: R,
    decoder: Decoder,
    encoded: Vec<u8>,
    unread: std::ops::Range<usize>,
    at_end: bool,
    /// The decoder has finished and must not be called again.
    finished: bool,
    /// Decoded bytes for which the caller's buffer was too small.
    spare: Vec<u8>,
}

impl<R: Read> Read for Decode<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if !self.spare.is_empty() {
                let count = self.spare.len().min(buffer.len());
                buffer[..count].copy_from_slice(&self.spare[..count]);
                self.spare.drain(..count);
                return Ok(count);
            }
            if self.finished {
                return Ok(0);
            }
            if self.unread.is_empty() && !self.at_end {
                let count = self.input.read(&mut self.encoded)?;
                self.unread = 0..count;
                self.at_end = count == 0;
            }
            let mut small = [0; SPARE_BYTES];
            let is_small = buffer.len() < SPARE_BYTES;
            let target = if is_small { &mut small[..] } else { &mut *buffer };
            let encoded = &self.encoded[self.unread.clone()];
            let (result, read, written) =
                self.decoder.decode_to_utf8_without_replacement(encoded, target, self.at_end);
            self.unread.start += read;
            self.finished = self.at_end && result == DecoderResult::InputEmpty;
            if let DecoderResult::Malformed(..) = result {
                let name = self.decoder.encoding().name();
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("the bytes are not {name} text"),
                ));
            }
            if is_small {
                self.spare.extend_from_slice(&small[..written]);
            } else if written > 0 {
                return Ok(written);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(name: &str, bytes: &[u8], piece: usize) -> io::Result<String> {
        let mut reader = Encoding::by_name(name).unwrap().decode(io::Cursor::new(bytes.to_vec()));
        let (mut text, mut buffer) = (Vec::new(), vec![0; piece]);
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(String::from_utf8(text).unwrap()),
                count => text.extend_from_slice(&buffer[..count]),
            }
        }
    }

    #[test]
    fn text_is_the_same_in_every_encoding() {
        let text = "a,é\r\nß,1\n".repeat(1_000);
        let utf16 = |to: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(to).collect::<Vec<_>>();
        let latin1: Vec<u8> = text.chars().map(|character| character as u8).collect();
        for piece in [1, 7, 100_000] {
            assert_eq!(decode("utf-16le", &utf16(u16::to_le_bytes), piece).unwrap(), text);
            assert_eq!(decode("utf-16be", &utf16(u16::to_be_bytes), piece).unwrap(), text);
            assert_eq!(decode("latin1", &latin1, piece).unwrap(), text);
            assert_eq!(decode("utf-8", text.as_bytes(), piece).unwrap(), text);
            let with_mark = [&[0xfe, 0xff][..], &utf16(u16::to_be_bytes)].concat();
            assert_eq!(decode("utf-16", &with_mark, piece).unwrap(), text);
        }
        assert!(Encoding::by_name("klingon").is_none());
    }

    #[test]
    fn what_was_encoded_is_read_back() {
        for name in ["utf-8", "utf-16le", "utf-16be", "latin1", "shift_jis", "iso-2022-jp", "gb18030"] {
            let encoding = Encoding::by_name(name).unwrap();
            let text = if name == "latin1" { "a,é\nÿ" } else { "a,日本\nü" };
            let text =
                if name.starts_with("iso") || name.starts_with("shift") { "a,日本\nc" } else { text };
            let bytes = [encoding.mark(), encoding.encode(text)].concat();
            assert_eq!(decode(name, &bytes, 100).unwrap().trim_start_matches('\u{feff}'), text, "{name}");
        }
        assert_eq!(Encoding::by_name("latin1").unwrap().encode("日"), b"&#26085;");
    }

    #[test]
    fn only_utf_16_has_a_byte_order_mark() {
        assert_eq!(decode("latin1", b"\xff\xfea", 100).unwrap(), "ÿþa");
        assert_eq!(decode("latin1", b"\xfe\xffa", 100).unwrap(), "þÿa");
        assert_eq!(decode("windows-1252", b"\xef\xbb\xbfa", 100).unwrap(), "ï»¿a");
        assert_eq!(decode("utf-16be", b"\xff\xfea\0", 100).unwrap(), "a");
    }

    /// The decoder holds these back until the end, because they could begin a byte order mark.
    #[test]
    fn what_comes_only_at_the_end_comes() {
        for piece in [1, 2, 100] {
            assert_eq!(decode("utf-16le", &[0xef, 0xbb], piece).unwrap(), "\u{bbef}");
        }
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        assert!(decode("utf-16le", &[0x00, 0xd8, 0x41, 0x00], 100).is_err(), "half a surrogate pair");
        assert!(decode("utf-16le", &[0x41], 100).is_err(), "half a character");
        assert!(decode("shift_jis", &[0x81], 100).is_err());
    }
}

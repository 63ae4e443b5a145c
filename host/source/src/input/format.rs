//! What a file is, by its first bytes, never by its name: text, something that contains text, or something
//! else, which is then named together with a way to turn it into CSV.

use std::fmt;
use std::path::Path;

use host_core::text::shell_file;

/// How many of a file's first bytes tell formats apart: a tar archive has its signature at offset 257.
pub(crate) const HEAD_BYTES: usize = 512;

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Text,
    Gzip,
    Zstd,
    /// Not CSV text in UTF-8.
    Foreign(Foreign),
}

/// What a file that is not CSV text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Foreign {
    name: &'static str,
    remedy: Remedy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remedy {
    /// Pass this encoding.
    Encoding(&'static str),
    /// Run this command, with `{}` for the file's name.
    Command(&'static str),
    /// Anything else, in words.
    Words(&'static str),
}

const SAVE_AS_CSV: Remedy = Remedy::Words("open it with the program that made it, and save it as CSV");
const EXPORT: Remedy = Remedy::Words("export its rows as CSV first");
const OTHER_FILE: Remedy = Remedy::Words("give another file: there is no CSV in this one");

/// The first bytes of a format, its name, and the remedy.
const BEGINNINGS: [(&[u8], &str, Remedy); 28] = [
    (b"\xff\xfe\0\0", "UTF-32 text", Remedy::Command("iconv -f UTF-32 -t UTF-8 {} > utf-8.csv")),
    (b"\0\0\xfe\xff", "UTF-32 text", Remedy::Command("iconv -f UTF-32 -t UTF-8 {} > utf-8.csv")),
    (b"\xff\xfe", "UTF-16 text", Remedy::Encoding("utf-16")),
    (b"\xfe\xff", "UTF-16 text", Remedy::Encoding("utf-16")),
    (b"PK\x03\x04", "a zip archive or spreadsheet", Remedy::Words("unpack it, or save it as CSV")),
    (b"PK\x05\x06", "an empty zip archive", OTHER_FILE),
    (b"\xfd7zXZ\0", "an xz file", Remedy::Command("xz --decompress --stdout {} > decompressed.csv")),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", Remedy::Command("7z x {}")),
    (b"\x04\x22\x4d\x18", "an lz4 file", Remedy::Command("lz4 -d -c {} > decompressed.csv")),
    (
        b"\x1f\x9d",
        "a file of `compress`",
        Remedy::Command("gzip --decompress --stdout {} > decompressed.csv"),
    ),
    (b"Rar!\x1a\x07", "a rar archive", Remedy::Command("unrar x {}")),
    (b"-----BEGIN PGP", "a PGP message", Remedy::Command("gpg --decrypt {} > decrypted.csv")),
    (b"-----BEGIN CMS", "an encrypted message", Remedy::Words("decrypt it first")),
    (b"-----BEGIN PKCS7", "an encrypted message", Remedy::Words("decrypt it first")),
    (b"age-encryption.org/", "a file encrypted by age", Remedy::Command("age --decrypt {} > decrypted.csv")),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old spreadsheet or document (`.xls`)", SAVE_AS_CSV),
    (b"SQLite format 3\0", "an SQLite database", EXPORT),
    (b"PAR1", "a Parquet file", EXPORT),
    (b"ARROW1\0\0", "an Arrow file", EXPORT),
    (b"Obj\x01", "an Avro file", EXPORT),
    (b"PGDMP", "a dump of a PostgreSQL database", EXPORT),
    (b"%PDF", "a PDF", EXPORT),
    (b"{\\rtf", "an RTF document", SAVE_AS_CSV),
    (b"<?xml", "XML", SAVE_AS_CSV),
    (b"<html", "a web page, perhaps that of a login", OTHER_FILE),
    (b"<!doctype html", "a web page, perhaps that of a login", OTHER_FILE),
    (b"\0asm", "a WebAssembly module", OTHER_FILE),
    (b"\0\x05\x16\x07", "a companion file of macOS (`._…`)", OTHER_FILE),
];

impl Format {
    /// Recognises a format by the first bytes, up to [`HEAD_BYTES`] of them.
    pub fn of(head: &[u8]) -> Format {
        let head_is = |beginning: &[u8]| {
            head.get(..beginning.len()).is_some_and(|start| start.eq_ignore_ascii_case(beginning))
        };
        match head {
            [0x1f, 0x8b, ..] => return Format::Gzip,
            // A frame, or a skippable one, which parallel compressors put in front.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Format::Zstd,
            _ => {}
        }
        let foreign = |name, remedy| Format::Foreign(Foreign { name, remedy });
        if let Some((_, name, remedy)) = BEGINNINGS.iter().find(|(beginning, ..)| head_is(beginning)) {
            return foreign(name, *remedy);
        }
        match head {
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, ..] => {
                foreign("a bzip2 file", Remedy::Command("bzip2 --decompress --stdout {} > decompressed.csv"))
            }
            // An OpenPGP packet for a key or a password: tag, length, version.
            [0x84 | 0xc1, _, 3, ..] | [0x85, _, _, 3, ..] | [0x8c | 0xc3, _, 4 | 5, ..] => {
                foreign("a PGP message", Remedy::Command("gpg --decrypt {} > decrypted.csv"))
            }
            _ if head.get(257..262) == Some(b"ustar") => {
                foreign("a tar archive", Remedy::Command("tar --extract --file {}"))
            }
            // ASCII characters of 16 bits.
            [b' '..=b'~', 0, b' '..=b'~', 0, ..] => foreign("UTF-16 text", Remedy::Encoding("utf-16le")),
            [0, b' '..=b'~', 0, b' '..=b'~', ..] => foreign("UTF-16 text", Remedy::Encoding("utf-16be")),
            _ => Format::Text,
        }
    }

    /// Something that cannot be read as text in this encoding, or `None` if it can.
    pub fn foreign(self, encoding: crate::input::encoding::Encoding) -> Option<Foreign> {
        match self {
            // If an encoding was given, it decides what the bytes are.
            Format::Foreign(Foreign { remedy: Remedy::Encoding(_), .. })
                if encoding != crate::input::encoding::Encoding::Utf8 =>
            {
                None
            }
            Format::Foreign(foreign) => Some(foreign),
            Format::Text | Format::Gzip | Format::Zstd => None,
        }
    }

    /// The same within a compressed file, which must not contain another one.
    pub fn inside(self) -> Format {
        match self {
            Format::Gzip | Format::Zstd => Format::Foreign(Foreign {
                name: "a compressed file within a compressed file",
                remedy: Remedy::Words("decompress it once"),
            }),
            other => other,
        }
    }
}

impl Foreign {
    /// The encoding with which it is CSV text after all, if that is all that is foreign about it.
    pub(crate) fn encoding(self) -> Option<&'static str> {
        match self.remedy {
            Remedy::Encoding(name) => Some(name),
            Remedy::Command(_) | Remedy::Words(_) => None,
        }
    }

    /// How to turn it into CSV.
    pub(crate) fn help(self, file: &Path) -> String {
        match self.remedy {
            Remedy::Encoding(name) => format!("pass `--encoding {name}`"),
            Remedy::Words(words) => words.to_owned(),
            Remedy::Command(command) => {
                let command = command.replace("{}", &shell_file(&file.to_string_lossy()));
                format!("turn it into CSV first, for instance with `{command}`")
            }
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::encoding::Encoding;

    fn name(head: &[u8]) -> Option<&'static str> {
        match Format::of(head) {
            Format::Foreign(foreign) => Some(foreign.name),
            _ => None,
        }
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        assert_eq!(Format::of(b"\x1f\x8b\x08"), Format::Gzip);
        assert_eq!(Format::of(b"\x28\xb5\x2f\xfd"), Format::Zstd);
        assert_eq!(Format::of(b"\x50\x2a\x4d\x18\x04\0\0\0"), Format::Zstd);
        for text in
            [&b""[..], b"a", b"transaction_id", b"BZh1,", b"PAR", b"\xef\xbb\xbfa", b"\xe9t\xe9", b"\0"]
        {
            assert_eq!(Format::of(text), Format::Text, "{text:?}");
        }
        assert_eq!(name(b"BZh91AY&SY"), Some("a bzip2 file"));
        assert_eq!(name(b"\x85\x01\x0c\x03abc"), Some("a PGP message"));
        assert_eq!(name(b"\xff\xfe\0\0t\0\0\0"), Some("UTF-32 text"));
        assert_eq!(name(b"t\0r\0"), Some("UTF-16 text"));
        assert_eq!(name(b"<!DOCTYPE html>"), Some("a web page, perhaps that of a login"));
        let tar = [&[b'a'; 257][..], b"ustar\0"].concat();
        assert_eq!(name(&tar), Some("a tar archive"));
        assert!(Format::of(b"\x1f\x8b").inside().foreign(Encoding::Utf8).is_some());
    }

    #[test]
    fn an_encoding_that_was_named_counts() {
        let latin1 = Encoding::by_name("latin1").unwrap();
        assert!(Format::of(b"\xff\xfea").foreign(Encoding::Utf8).is_some());
        assert!(Format::of(b"\xff\xfea").foreign(latin1).is_none());
        assert!(Format::of(b"%PDF").foreign(latin1).is_some());
    }

    #[test]
    fn what_help_proposes_can_be_copied() {
        let Format::Foreign(xz) = Format::of(b"\xfd7zXZ\0") else { panic!() };
        assert!(
            xz.help(Path::new("my day.csv"))
                .ends_with("`xz --decompress --stdout 'my day.csv' > decompressed.csv`")
        );
    }
}

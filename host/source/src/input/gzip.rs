//! gzip files as `gzip` reads them: members one after the other, and after the last of them zeros, with which
//! tapes and some programs pad a block.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The decompressed content of a gzip file.
pub(crate) enum Gzip<R> {
    Member(GzDecoder<R>),
    /// After the last member.
    Ended,
}

impl<R: BufRead> Gzip<R> {
    /// `input` begins with a member.
    pub fn new(input: R) -> Gzip<R> {
        Gzip::Member(GzDecoder::new(input))
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Gzip::Member(member) = self {
            let count = member.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            let Gzip::Member(member) = std::mem::replace(self, Gzip::Ended) else { break };
            let mut input = member.into_inner();
            if input.fill_buf()?.first().is_some_and(|byte| *byte != 0) {
                *self = Gzip::new(input);
            } else {
                expect_zeros(input)?;
            }
        }
        Ok(0)
    }
}

fn expect_zeros(mut input: impl BufRead) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf()?;
        if bytes.is_empty() {
            return Ok(());
        }
        if bytes.iter().any(|byte| *byte != 0) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "other data follows the gzip data"));
        }
        let count = bytes.len();
        input.consume(count);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    fn read(bytes: &[u8], buffer_bytes: usize) -> io::Result<String> {
        io::read_to_string(Gzip::new(io::BufReader::with_capacity(buffer_bytes, bytes)))
    }

    #[test]
    fn members_and_zeros_behind_them() {
        let (a, b, none) = (member("first,"), member("second"), member(""));
        let zeros = vec![0; 1_000];
        for buffer_bytes in [1, 7, 100_000] {
            for (parts, expected) in [
                (vec![&a], "first,"),
                (vec![&a, &b], "first,second"),
                (vec![&a, &none, &b, &none], "first,second"),
                (vec![&a, &b, &zeros], "first,second"),
                (vec![&none], ""),
            ] {
                let bytes: Vec<u8> = parts.into_iter().flatten().copied().collect();
                assert_eq!(read(&bytes, buffer_bytes).unwrap(), expected);
            }
            for behind in [&b"x"[..], b"\0\0x", &b[..b.len() - 1], &[&[0, 0], &b[..]].concat()] {
                assert!(read(&[&a, behind].concat(), buffer_bytes).is_err(), "{behind:?}");
            }
            assert!(read(&a[..a.len() - 1], buffer_bytes).is_err());
        }
    }
}

//! Where the content of an HTTP request ends (RFC 9112 sections 6 and 7): what comes behind it is the next request.
//!
//! The content itself is thrown away. Not here: reading and answering (see `http`).

/// Longest line of the chunked coding: a size with its extensions, or a trailer field; bytes.
const LINE_LIMIT: usize = 8 * 1024;

/// What is still to come of a request's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// So many bytes.
    Bytes(u64),
    /// The line with the size of a chunk.
    Size,
    /// So many bytes of a chunk.
    Chunk(u64),
    /// The end of the line behind a chunk.
    Break,
    /// Trailer fields, up to an empty line.
    Trailer,
}

/// It cannot be told where the content ends: 400, and no more requests over this connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

impl Content {
    /// What follows a request's head, whose header fields these are.
    ///
    /// # Errors
    /// A length that is none, two that differ, a coding that does not tell its end, or a length beside a coding: with the
    /// last, two readers of one connection may take different bytes for the next request.
    pub(super) fn behind<'a>(
        fields: impl Iterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, Malformed> {
        let (mut length, mut coding) = (None, None);
        for (name, value) in fields {
            if name.eq_ignore_ascii_case("transfer-encoding") {
                coding = Some(value);
            } else if name.eq_ignore_ascii_case("content-length") {
                for value in value.split(',') {
                    let told = number(value.trim().as_bytes(), 10)?;
                    if length.is_some_and(|before| before != told) {
                        return Err(Malformed);
                    }
                    length = Some(told);
                }
            }
        }
        match (coding, length) {
            (None, length) => Ok(Self::Bytes(length.unwrap_or(0))),
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Self::Size),
            (Some(_), _) => Err(Malformed),
        }
    }

    /// True when nothing is to come.
    pub(super) fn is_over(self) -> bool {
        self == Self::Bytes(0)
    }

    /// Takes what belongs to it from the front of what was read; over afterwards, unless more must come.
    ///
    /// # Errors
    /// What stands there is not the chunked coding.
    pub(super) fn take(&mut self, bytes: &mut Vec<u8>) -> Result<(), Malformed> {
        while !self.is_over() {
            *self = match *self {
                Self::Bytes(_) | Self::Chunk(1..) if bytes.is_empty() => return Ok(()),
                Self::Bytes(left) => Self::Bytes(left - skip(bytes, left)),
                Self::Chunk(0) => Self::Break,
                Self::Chunk(left) => Self::Chunk(left - skip(bytes, left)),
                Self::Size | Self::Break | Self::Trailer => match line(bytes)? {
                    None => return Ok(()),
                    Some(line) => self.behind_line(&line)?,
                },
            };
        }
        Ok(())
    }

    /// What follows a line of the coding.
    fn behind_line(self, line: &[u8]) -> Result<Self, Malformed> {
        match self {
            Self::Size => {
                let end = line.iter().position(|byte| *byte == b';');
                let size = line[..end.unwrap_or(line.len())].trim_ascii();
                Ok(match number(size, 16)? {
                    0 => Self::Trailer,
                    size => Self::Chunk(size),
                })
            }
            Self::Break if line.is_empty() => Ok(Self::Size),
            Self::Trailer if line.is_empty() => Ok(Self::Bytes(0)),
            Self::Trailer => Ok(Self::Trailer),
            Self::Break | Self::Bytes(_) | Self::Chunk(_) => Err(Malformed),
        }
    }
}

/// Throws away so many bytes, or all there are. Gives how many.
fn skip(bytes: &mut Vec<u8>, count: u64) -> u64 {
    let there = bytes
        .len()
        .min(usize::try_from(count).unwrap_or(usize::MAX));
    bytes.drain(..there);
    there as u64
}

/// Takes a line, without its end; none when its end has not come.
fn line(bytes: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Malformed> {
    let end = bytes.windows(2).position(|window| window == b"\r\n");
    if end.unwrap_or(bytes.len()) > LINE_LIMIT {
        return Err(Malformed);
    }
    Ok(end.map(|end| {
        let mut line: Vec<u8> = bytes.drain(..end + 2).collect();
        line.truncate(end);
        line
    }))
}

/// Digits only: `parse` takes signs as well.
fn number(digits: &[u8], radix: u32) -> Result<u64, Malformed> {
    let text = std::str::from_utf8(digits).map_err(|_| Malformed)?;
    match text.chars().all(|digit| digit.is_digit(radix)) {
        true => u64::from_str_radix(text, radix).map_err(|_| Malformed),
        false => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn behind(fields: &[(&str, &str)]) -> Result<Content, Malformed> {
        Content::behind(fields.iter().copied())
    }

    /// Takes bytes as they come in such pieces; the rest belongs to the next request.
    fn rest(mut content: Content, wire: &[u8], piece: usize) -> Result<(bool, Vec<u8>), Malformed> {
        let mut bytes = Vec::new();
        for piece in wire.chunks(piece) {
            bytes.extend_from_slice(piece);
            content.take(&mut bytes)?;
        }
        Ok((content.is_over(), bytes))
    }

    #[test]
    fn the_head_tells_what_follows() {
        assert_eq!(behind(&[("Host", "shop")]), Ok(Content::Bytes(0)));
        assert_eq!(behind(&[("content-length", "7")]), Ok(Content::Bytes(7)));
        assert_eq!(
            behind(&[("Content-Length", "7, 7"), ("Content-Length", "7")]),
            Ok(Content::Bytes(7))
        );
        assert_eq!(
            behind(&[("Transfer-Encoding", "Chunked")]),
            Ok(Content::Size)
        );
        for bad in ["", "+7", "-1", "7, 8", "0x7", "99999999999999999999"] {
            assert_eq!(behind(&[("Content-Length", bad)]), Err(Malformed), "{bad}");
        }
        assert_eq!(behind(&[("Transfer-Encoding", "gzip")]), Err(Malformed));
        let both = [("Transfer-Encoding", "chunked"), ("Content-Length", "7")];
        assert_eq!(behind(&both), Err(Malformed));
    }

    #[test]
    fn what_is_no_chunk_is_told() {
        for bad in [
            &b"x\r\n"[..],
            b"\r\n",
            b"-1\r\n",
            b"1\r\nab\r\n",
            &[b'1'; LINE_LIMIT + 1],
        ] {
            assert_eq!(rest(Content::Size, bad, 64), Err(Malformed), "{bad:?}");
        }
        let short = rest(Content::Size, b"5\r\nabc", 64);
        assert_eq!(short, Ok((false, Vec::new())));
    }

    proptest! {
        #[test]
        fn the_next_request_begins_where_the_content_ends(
            chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..5),
            piece in 1usize..20,
            trailer in any::<bool>(),
        ) {
            let next = b"GET / HTTP/1.1\r\n\r\n";
            let plain: Vec<u8> = chunks.concat();
            let length = Content::Bytes(plain.len() as u64);
            let wire = [&plain[..], next].concat();
            prop_assert_eq!(rest(length, &wire, piece), Ok((true, next.to_vec())));

            let mut wire: Vec<u8> = Vec::new();
            for chunk in &chunks {
                wire.extend(format!("{:x};name=value\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n");
            if trailer {
                wire.extend(b"Checksum: none\r\n");
            }
            wire.extend(b"\r\n");
            wire.extend(next);
            prop_assert_eq!(rest(Content::Size, &wire, piece), Ok((true, next.to_vec())));
        }
    }
}

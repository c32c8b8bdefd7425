//! A file under the operator key: a key of its own, sealed, then encrypted pieces in order.
//!
//! Each piece is XChaCha20-Poly1305 under the file's own key; its nonce is its number and whether
//! it is the last (the STREAM construction), so that pieces can't be changed, swapped, repeated or
//! cut off without it being noticed.

use std::io::{self, Read, Write};

use chacha20poly1305::aead::{Aead, KeyInit};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use hallway_spine::operator_key::{OperatorKey, OperatorKeyError, random_bytes};

const MAGIC: &[u8; 17] = b"hallway backup 1\n";
/// What names the file's key under the operator key.
const NAME: &str = "backup";
/// Bytes of one piece before it is encrypted.
const PIECE_BYTES: usize = 1 << 20;
/// Bytes that encrypting adds.
const TAG_BYTES: usize = 16;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    Middle,
    Last,
}

fn nonce(number: u64, position: Position) -> XNonce {
    let mut nonce = [0; 24];
    nonce[..8].copy_from_slice(&number.to_be_bytes());
    nonce[8] = u8::from(position == Position::Last);
    XNonce::from(nonce)
}

fn cipher(key: &[u8]) -> io::Result<XChaCha20Poly1305> {
    XChaCha20Poly1305::new_from_slice(key).map_err(|_| damaged("its key has the wrong length"))
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("the backup is damaged: {what}"),
    )
}

/// Encrypts what is written.
pub(super) struct SealedWriter<W: Write> {
    to: W,
    cipher: XChaCha20Poly1305,
    number: u64,
    waiting: Vec<u8>,
}

impl<W: Write> SealedWriter<W> {
    pub(super) fn new(mut to: W, operator: &OperatorKey) -> Result<Self, SealedFileError> {
        let key = random_bytes::<32>()?;
        let sealed = operator.seal(NAME, key.as_slice())?;
        to.write_all(MAGIC)?;
        to.write_all(&[sealed.len() as u8])?;
        to.write_all(&sealed)?;
        Ok(Self {
            to,
            cipher: cipher(key.as_slice())?,
            number: 0,
            waiting: Vec::with_capacity(PIECE_BYTES),
        })
    }

    fn piece(&mut self, position: Position) -> io::Result<()> {
        let sealed = self
            .cipher
            .encrypt(&nonce(self.number, position), self.waiting.as_slice())
            .map_err(|_| io::Error::other("the backup could not be encrypted"))?;
        self.to.write_all(&(sealed.len() as u32).to_be_bytes())?;
        self.to.write_all(&sealed)?;
        self.number += 1;
        self.waiting.clear();
        Ok(())
    }

    /// Writes the last piece and gives the file back.
    pub(super) fn finish(mut self) -> io::Result<W> {
        self.piece(Position::Last)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() == PIECE_BYTES {
            self.piece(Position::Middle)?;
        }
        let taken = bytes.len().min(PIECE_BYTES - self.waiting.len());
        self.waiting.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// Pieces are written when they are full, and at the end.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why a file cannot be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealedFileError {
    /// The file.
    #[error(transparent)]
    File(#[from] io::Error),
    /// Not a backup.
    #[error("this is not a backup that hallway made")]
    Foreign,
    /// Another operator key.
    #[error("the backup was made with another operator key")]
    Key(#[from] OperatorKeyError),
}

/// Decrypts what is read.
pub(super) struct SealedReader<R: Read> {
    from: R,
    cipher: XChaCha20Poly1305,
    number: u64,
    piece: Vec<u8>,
    at: usize,
    ended: bool,
}

impl<R: Read> SealedReader<R> {
    pub(super) fn new(mut from: R, operator: &OperatorKey) -> Result<Self, SealedFileError> {
        let mut magic = [0; MAGIC.len()];
        from.read_exact(&mut magic)
            .map_err(|_| SealedFileError::Foreign)?;
        if magic != *MAGIC {
            return Err(SealedFileError::Foreign);
        }
        let mut length = [0; 1];
        from.read_exact(&mut length)?;
        let mut sealed = vec![0; usize::from(length[0])];
        from.read_exact(&mut sealed)?;
        let key = operator.open(NAME, &sealed)?;
        Ok(Self {
            from,
            cipher: cipher(&key)?,
            number: 0,
            piece: Vec::new(),
            at: 0,
            ended: false,
        })
    }

    fn next_piece(&mut self) -> io::Result<()> {
        let mut length = [0; 4];
        self.from
            .read_exact(&mut length)
            .map_err(|_| damaged("it ends too early"))?;
        let length = u32::from_be_bytes(length) as usize;
        if !(TAG_BYTES..=PIECE_BYTES + TAG_BYTES).contains(&length) {
            return Err(damaged("a piece has an impossible length"));
        }
        let mut sealed = vec![0; length];
        self.from
            .read_exact(&mut sealed)
            .map_err(|_| damaged("it ends too early"))?;
        let open = |position| {
            self.cipher
                .decrypt(&nonce(self.number, position), &*sealed)
                .ok()
        };
        let (piece, ended) = match (open(Position::Middle), open(Position::Last)) {
            (Some(piece), _) => (piece, false),
            (None, Some(piece)) => (piece, true),
            (None, None) => return Err(damaged("a piece was changed, or is out of order")),
        };
        (self.piece, self.ended, self.at) = (piece, ended, 0);
        self.number += 1;
        Ok(())
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() {
            if self.ended {
                return Ok(0);
            }
            self.next_piece()?;
        }
        let taken = into.len().min(self.piece.len() - self.at);
        into[..taken].copy_from_slice(&self.piece[self.at..self.at + taken]);
        self.at += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> OperatorKey {
        OperatorKey::from_base64("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=").unwrap()
    }

    fn seal(content: &[u8]) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), &operator()).unwrap();
        writer.write_all(content).unwrap();
        writer.finish().unwrap()
    }

    fn open(file: &[u8]) -> Result<Vec<u8>, SealedFileError> {
        let mut content = Vec::new();
        SealedReader::new(file, &operator())?.read_to_end(&mut content)?;
        Ok(content)
    }

    #[test]
    fn what_is_written_reads_back() {
        for length in [
            0,
            1,
            PIECE_BYTES - 1,
            PIECE_BYTES,
            PIECE_BYTES + 1,
            3 * PIECE_BYTES,
        ] {
            let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
            assert!(open(&seal(&content)).unwrap() == content, "{length}");
        }
    }

    #[test]
    fn one_changed_byte_anywhere_is_noticed() {
        let file = seal(b"a realm");
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(open(&changed).is_err(), "byte {at}");
        }
        for length in 0..file.len() {
            assert!(open(&file[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn pieces_keep_their_order_and_their_end() {
        let file = seal(&vec![7; 2 * PIECE_BYTES + 5]);
        let head = MAGIC.len() + 1 + usize::from(file[MAGIC.len()]);
        let whole = 4 + PIECE_BYTES + TAG_BYTES;
        let (first, rest) = file[head..].split_at(whole);
        let (second, last) = rest.split_at(whole);
        let made = |pieces: &[&[u8]]| [&[&file[..head]], pieces].concat().concat();
        assert!(open(&made(&[first, second, last])).is_ok());
        assert!(open(&made(&[second, first, last])).is_err());
        assert!(open(&made(&[first, second])).is_err());
        assert!(open(&made(&[first, last])).is_err());
    }

    #[test]
    fn another_key_does_not_open_it() {
        let other = OperatorKey::from_base64("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
        let file = seal(b"a realm");
        let opened = SealedReader::new(file.as_slice(), &other.unwrap());
        assert!(matches!(opened, Err(SealedFileError::Key(_))));
    }
}

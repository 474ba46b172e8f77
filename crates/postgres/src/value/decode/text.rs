//! Text and what is written as text.

use std::io::Write as _;

use super::{Decoded, Reader, Undecodable};

/// Text. A database in `SQL_ASCII` may hold bytes that are no UTF-8; they become U+FFFD.
pub(crate) fn string(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    serde_json::to_writer(out, &String::from_utf8_lossy(raw)).map_err(|_| Undecodable)
}

/// `"char"`: one byte, nothing for zero, octal as PostgreSQL writes it beyond ASCII.
pub(super) fn char(byte: u8, out: &mut Vec<u8>) -> Decoded {
    match byte {
        0 => string(b"", out),
        1..=127 => string(&[byte], out),
        128.. => string(format!("\\{byte:03o}").as_bytes(), out),
    }
}

pub(super) fn bytea(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.reserve(raw.len() * 2 + 5);
    out.extend_from_slice(b"\"\\\\x");
    for byte in raw {
        out.push(HEX[usize::from(byte >> 4)]);
        out.push(HEX[usize::from(byte & 15)]);
    }
    out.push(b'"');
    Ok(())
}

pub(super) fn uuid(raw: &[u8; 16], out: &mut Vec<u8>) -> Decoded {
    out.push(b'"');
    for (at, byte) in raw.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push(b'-');
        }
        write!(out, "{byte:02x}").map_err(|_| Undecodable)?;
    }
    out.push(b'"');
    Ok(())
}

pub(super) fn bits(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let count = usize::try_from(reader.i32()?).map_err(|_| Undecodable)?;
    let bytes = reader.take(count.div_ceil(8))?;
    reader.end()?;
    out.push(b'"');
    out.extend((0..count).map(|at| b'0' + (bytes[at / 8] >> (7 - at % 8) & 1)));
    out.push(b'"');
    Ok(())
}

pub(super) fn lsn(value: u64, out: &mut Vec<u8>) -> Decoded {
    write!(out, "\"{:X}/{:X}\"", value >> 32, value & 0xFFFF_FFFF).map_err(|_| Undecodable)
}

pub(super) fn tid(raw: &[u8; 6], out: &mut Vec<u8>) -> Decoded {
    let block = u32::from_be_bytes([raw[0], raw[1], raw[2], raw[3]]);
    let offset = u16::from_be_bytes([raw[4], raw[5]]);
    write!(out, "\"({block},{offset})\"").map_err(|_| Undecodable)
}

//! Integers, floats and `numeric`.

use std::io::Write as _;

use super::{Decoded, Reader, Undecodable};

/// The largest integer that a reader with 64-bit floats, such as JavaScript, keeps.
const MAX_SAFE: u64 = (1 << 53) - 1;

/// The digits that a 64-bit float always keeps.
const SAFE_DIGITS: usize = 15;

pub(super) fn int(value: i64, out: &mut Vec<u8>) -> Decoded {
    let quote = if value.unsigned_abs() > MAX_SAFE { "\"" } else { "" };
    write!(out, "{quote}{value}{quote}").map_err(|_| Undecodable)
}

pub(super) fn unsigned(value: u64, out: &mut Vec<u8>) -> Decoded {
    let quote = if value > MAX_SAFE { "\"" } else { "" };
    write!(out, "{quote}{value}{quote}").map_err(|_| Undecodable)
}

pub(super) fn float4(value: f32, out: &mut Vec<u8>) -> Decoded {
    if value.is_finite() {
        serde_json::to_writer(out, &value).map_err(|_| Undecodable)
    } else {
        special(f64::from(value), out);
        Ok(())
    }
}

pub(super) fn float8(value: f64, out: &mut Vec<u8>) -> Decoded {
    if value.is_finite() {
        serde_json::to_writer(out, &value).map_err(|_| Undecodable)
    } else {
        special(value, out);
        Ok(())
    }
}

fn special(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(if value.is_nan() {
        b"\"NaN\""
    } else if value > 0.0 {
        b"\"Infinity\""
    } else {
        b"\"-Infinity\""
    });
}

/// Digits of base 10000 behind a header: count, weight of the first, sign, digits of the scale.
pub(super) fn numeric(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let count = usize::try_from(reader.i16()?).map_err(|_| Undecodable)?;
    let weight = i32::from(reader.i16()?);
    let sign = reader.i16()?.cast_unsigned();
    let scale = usize::try_from(reader.i16()?).map_err(|_| Undecodable)?;
    let digits = reader.take(count * 2)?;
    reader.end()?;
    let digit = |index: i32| -> Result<u16, Undecodable> {
        let Some(at) = usize::try_from(index).ok().filter(|at| *at < count) else {
            return Ok(0);
        };
        let digit = u16::from_be_bytes([digits[at * 2], digits[at * 2 + 1]]);
        if digit < 10_000 { Ok(digit) } else { Err(Undecodable) }
    };

    let special: &[u8] = match sign {
        0x0000 | 0x4000 => b"",
        0xC000 => b"\"NaN\"",
        0xD000 => b"\"Infinity\"",
        0xF000 => b"\"-Infinity\"",
        _ => return Err(Undecodable),
    };
    if !special.is_empty() {
        out.extend_from_slice(special);
        return Ok(());
    }

    let start = out.len();
    out.push(b'"'); // taken away again if a number will do
    if sign == 0x4000 {
        out.push(b'-');
    }
    let first = out.len();
    for index in 0..=weight {
        let digit = digit(index)?;
        if out.len() == first {
            if digit > 0 {
                write!(out, "{digit}").map_err(|_| Undecodable)?;
            }
        } else {
            write!(out, "{digit:04}").map_err(|_| Undecodable)?;
        }
    }
    let mut significant = out.len() - first;
    if significant == 0 {
        out.push(b'0');
    }
    if scale > 0 {
        out.push(b'.');
        let fraction = out.len();
        let mut index = weight + 1;
        // With a negative weight the fraction starts with whole groups of zeros.
        if weight < 0 {
            index = 0;
            for _ in 0..-(weight + 1) {
                out.extend_from_slice(b"0000");
                if out.len() - fraction >= scale {
                    break;
                }
            }
        }
        while out.len() - fraction < scale {
            write!(out, "{:04}", digit(index)?).map_err(|_| Undecodable)?;
            index += 1;
        }
        out.truncate(fraction + scale);
        significant += if significant > 0 {
            scale
        } else {
            out[fraction..].iter().skip_while(|digit| **digit == b'0').count()
        };
    }
    if significant <= SAFE_DIGITS && scale <= 300 {
        out.remove(start);
    } else {
        out.push(b'"');
    }
    Ok(())
}

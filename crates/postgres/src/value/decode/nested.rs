//! Arrays, ranges, composites and records.

use std::io::Write as _;

use postgres_types::Type;

use super::{Codec, Decoded, Reader, Undecodable};

/// Dimensions, whether there are NULLs, the element's type; per dimension its length and lower
/// bound; the elements in row-major order.
pub(super) fn array(element: &Codec, is_vector: bool, raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let dimensions = reader.count(0)?;
    reader.take(8)?;
    if dimensions > 6 {
        return Err(Undecodable); // PostgreSQL's MAXDIM
    }
    let mut lengths = Vec::with_capacity(dimensions);
    let mut bounds = Vec::with_capacity(dimensions);
    for _ in 0..dimensions {
        lengths.push(usize::try_from(reader.i32()?).map_err(|_| Undecodable)?);
        bounds.push(reader.i32()?);
    }
    let usual = is_vector || bounds.iter().all(|bound| *bound == 1);
    if !usual {
        write!(out, "{{\"lower_bounds\":{bounds:?},\"values\":").map_err(|_| Undecodable)?;
    }
    if lengths.is_empty() {
        out.extend_from_slice(b"[]");
    } else {
        slice(element, &lengths, &mut reader, out)?;
    }
    if !usual {
        out.push(b'}');
    }
    reader.end()
}

fn slice(element: &Codec, lengths: &[usize], reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Decoded {
    let (length, inner) = lengths.split_first().ok_or(Undecodable)?;
    out.push(b'[');
    for at in 0..*length {
        if at > 0 {
            out.push(b',');
        }
        if inner.is_empty() {
            value(element, reader.value()?, out)?;
        } else {
            slice(element, inner, reader, out)?;
        }
    }
    out.push(b']');
    Ok(())
}

fn value(codec: &Codec, raw: Option<&[u8]>, out: &mut Vec<u8>) -> Decoded {
    match raw {
        Some(raw) => codec.write(raw, out),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    }
}

pub(super) fn composite(fields: &[(String, Codec)], raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    if reader.count(8)? != fields.len() {
        return Err(Undecodable);
    }
    out.push(b'{');
    for (at, (name, codec)) in fields.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, name).map_err(|_| Undecodable)?;
        out.push(b':');
        reader.take(4)?; // the field's type, which is known
        value(codec, reader.value()?, out)?;
    }
    out.push(b'}');
    reader.end()
}

/// An anonymous record tells its fields' types but not their names.
pub(super) fn record(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let count = reader.count(8)?;
    out.push(b'{');
    for at in 1..=count {
        if at > 1 {
            out.push(b',');
        }
        write!(out, "\"f{at}\":").map_err(|_| Undecodable)?;
        let ty = Type::from_oid(reader.i32()?.cast_unsigned()).ok_or(Undecodable)?;
        let codec = Codec::of(&ty).ok_or(Undecodable)?;
        value(&codec, reader.value()?, out)?;
    }
    out.push(b'}');
    reader.end()
}

pub(super) fn range(bound: &Codec, raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let text = range_text(bound, raw)?;
    serde_json::to_writer(out, &text).map_err(|_| Undecodable)
}

pub(super) fn multirange(bound: &Codec, raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let count = reader.count(4)?;
    let mut text = String::from("{");
    for at in 0..count {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&range_text(bound, reader.value()?.ok_or(Undecodable)?)?);
    }
    text.push('}');
    reader.end()?;
    serde_json::to_writer(out, &text).map_err(|_| Undecodable)
}

/// A range as PostgreSQL writes it: flags, then the bounds that are finite.
fn range_text(bound: &Codec, raw: &[u8]) -> Result<String, Undecodable> {
    const EMPTY: u8 = 0x01;
    const LOWER_INCLUSIVE: u8 = 0x02;
    const UPPER_INCLUSIVE: u8 = 0x04;
    const LOWER_INFINITE: u8 = 0x08;
    const UPPER_INFINITE: u8 = 0x10;

    let mut reader = Reader(raw);
    let flags = reader.u8()?;
    if flags & EMPTY != 0 {
        reader.end()?;
        return Ok("empty".into());
    }
    let mut text = String::from(if flags & LOWER_INCLUSIVE != 0 { "[" } else { "(" });
    if flags & LOWER_INFINITE == 0 {
        bound_text(bound, reader.value()?.ok_or(Undecodable)?, &mut text)?;
    }
    text.push(',');
    if flags & UPPER_INFINITE == 0 {
        bound_text(bound, reader.value()?.ok_or(Undecodable)?, &mut text)?;
    }
    text.push(if flags & UPPER_INCLUSIVE != 0 { ']' } else { ')' });
    reader.end()?;
    Ok(text)
}

/// Quotes a bound where the range's own syntax asks for it.
fn bound_text(bound: &Codec, raw: &[u8], text: &mut String) -> Decoded {
    let mut json = Vec::new();
    bound.write(raw, &mut json)?;
    let value = match json.first() {
        Some(b'"') => serde_json::from_slice::<String>(&json).map_err(|_| Undecodable)?,
        // A bound of a nested type would need that type's own quoting.
        Some(b'{' | b'[') | None => return Err(Undecodable),
        Some(_) => String::from_utf8(json).map_err(|_| Undecodable)?,
    };
    let special = |c: char| c.is_whitespace() || "()[],\"\\".contains(c);
    if !value.is_empty() && !value.contains(special) {
        text.push_str(&value);
        return Ok(());
    }
    text.push('"');
    for c in value.chars() {
        if matches!(c, '"' | '\\') {
            text.push(c);
        }
        text.push(c);
    }
    text.push('"');
    Ok(())
}

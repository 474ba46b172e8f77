//! Dates, times and intervals.

use std::io::Write as _;

use super::{Decoded, Reader, Undecodable};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// Days from 1970-01-01 to PostgreSQL's epoch, 2000-01-01.
const EPOCH: i64 = 10_957;

pub(super) fn date(days: i32, out: &mut Vec<u8>) -> Decoded {
    match days {
        i32::MAX => infinity("", out),
        i32::MIN => infinity("-", out),
        days => quoted(out, |out| {
            let suffix = day(i64::from(days), out)?;
            out.extend_from_slice(suffix);
            Ok(())
        }),
    }
}

pub(super) fn timestamp(micros: i64, zone: &str, out: &mut Vec<u8>) -> Decoded {
    match micros {
        i64::MAX => infinity("", out),
        i64::MIN => infinity("-", out),
        micros => quoted(out, |out| {
            let suffix = day(micros.div_euclid(DAY), out)?;
            out.push(b'T');
            clock(micros.rem_euclid(DAY), out)?;
            out.extend_from_slice(zone.as_bytes());
            out.extend_from_slice(suffix);
            Ok(())
        }),
    }
}

/// May be `24:00:00`.
pub(super) fn time(micros: i64, out: &mut Vec<u8>) -> Decoded {
    if !(0..=DAY).contains(&micros) {
        return Err(Undecodable);
    }
    quoted(out, |out| clock(micros, out))
}

/// The zone is in seconds west of Greenwich.
pub(super) fn time_tz(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let micros = i64::from_be_bytes(super::array(reader.take(8)?)?);
    let west = i64::from(reader.i32()?);
    reader.end()?;
    if !(0..=DAY).contains(&micros) || west.abs() > 86_400 {
        return Err(Undecodable);
    }
    quoted(out, |out| {
        clock(micros, out)?;
        let east = west.abs();
        let sign = if west > 0 { '-' } else { '+' };
        write!(out, "{sign}{:02}:{:02}", east / 3600, east / 60 % 60).map_err(|_| Undecodable)?;
        if east % 60 != 0 {
            write!(out, ":{:02}", east % 60).map_err(|_| Undecodable)?;
        }
        Ok(())
    })
}

/// As PostgreSQL writes it with `intervalstyle = iso_8601`: each field has its own sign.
pub(super) fn interval(raw: &[u8], out: &mut Vec<u8>) -> Decoded {
    let mut reader = Reader(raw);
    let micros = i64::from_be_bytes(super::array(reader.take(8)?)?);
    let days = reader.i32()?;
    let months = reader.i32()?;
    reader.end()?;
    match (micros, days, months) {
        (i64::MAX, i32::MAX, i32::MAX) => return infinity("", out), // since PostgreSQL 17
        (i64::MIN, i32::MIN, i32::MIN) => return infinity("-", out),
        (0, 0, 0) => return quoted(out, |out| write!(out, "PT0S").map_err(|_| Undecodable)),
        _ => {}
    }
    quoted(out, |out| {
        let field = |value: i64, unit: char, out: &mut Vec<u8>| {
            if value == 0 {
                return Ok(());
            }
            write!(out, "{value}{unit}").map_err(|_| Undecodable)
        };
        out.push(b'P');
        field(i64::from(months / 12), 'Y', out)?;
        field(i64::from(months % 12), 'M', out)?;
        field(i64::from(days), 'D', out)?;
        if micros == 0 {
            return Ok(());
        }
        out.push(b'T');
        field(micros / (3600 * SECOND), 'H', out)?;
        field(micros / (60 * SECOND) % 60, 'M', out)?;
        let seconds = micros % (60 * SECOND);
        if seconds != 0 {
            if seconds < 0 {
                out.push(b'-');
            }
            write!(out, "{}", seconds.abs() / SECOND).map_err(|_| Undecodable)?;
            fraction(seconds.abs() % SECOND, out)?;
            out.push(b'S');
        }
        Ok(())
    })
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Decoded) -> Decoded {
    out.push(b'"');
    write(out)?;
    out.push(b'"');
    Ok(())
}

fn infinity(sign: &str, out: &mut Vec<u8>) -> Decoded {
    write!(out, "\"{sign}infinity\"").map_err(|_| Undecodable)
}

fn clock(micros: i64, out: &mut Vec<u8>) -> Decoded {
    let seconds = micros / SECOND;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write!(out, "{hour:02}:{minute:02}:{second:02}").map_err(|_| Undecodable)?;
    fraction(micros % SECOND, out)
}

/// Up to six digits, without zeros at the end.
fn fraction(micros: i64, out: &mut Vec<u8>) -> Decoded {
    if micros == 0 {
        return Ok(());
    }
    write!(out, ".{micros:06}").map_err(|_| Undecodable)?;
    while out.last() == Some(&b'0') {
        out.pop();
    }
    Ok(())
}

/// Writes the day and returns what belongs behind the time: PostgreSQL has no year zero and writes
/// years before 1 with ` BC`.
///
/// The conversion is the one of Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms".
fn day(days: i64, out: &mut Vec<u8>) -> Result<&'static [u8], Undecodable> {
    let days = days + EPOCH + 719_468; // from 0000-03-01
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153; // March is 0
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (year, suffix) = if year > 0 { (year, &b""[..]) } else { (1 - year, &b" BC"[..]) };
    write!(out, "{year:04}-{month:02}-{day:02}").map_err(|_| Undecodable)?;
    Ok(suffix)
}

//! Times that tokens and files tell, in seconds since 1970.

use std::time::{SystemTime, UNIX_EPOCH};

use toml::value::{Datetime, Offset};

/// The time now. It is the system's and not tokio's: what others have written down is held against it.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The second that a TOML date or time names; of a date alone, its beginning. A time without an offset is one in UTC.
pub(crate) fn seconds(time: &Datetime) -> Option<u64> {
    let date = time.date?;
    let clock = time.time.map_or(0, |clock| {
        i64::from(clock.hour) * 3600 + i64::from(clock.minute) * 60 + i64::from(clock.second.unwrap_or(0))
    });
    let offset = match time.offset {
        Some(Offset::Custom { minutes }) => i64::from(minutes) * 60,
        _ => 0,
    };
    let days = days(i64::from(date.year), i64::from(date.month), i64::from(date.day));
    u64::try_from(days * 86_400 + clock - offset).ok()
}

/// That second since 1970, in UTC. `None` beyond the year 9999.
pub(crate) fn datetime(seconds: u64) -> Option<Datetime> {
    let (days, of_day) = (i64::try_from(seconds / 86_400).ok()?, seconds % 86_400);
    // The inverse of `days`.
    let shifted = days.checked_add(719_468)?;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era.checked_mul(400)? + year_of_era + i64::from(month <= 2);
    if year > 9999 {
        return None;
    }
    let text = format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60
    );
    text.parse().ok()
}

/// Days from 1970-01-01, in the Gregorian calendar. Years are counted from March, so that the leap day is the last of its
/// year.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_calendar_and_the_offset_say() {
        for (text, expected) in [
            ("1970-01-01", Some(0)),
            ("2000-02-29T00:00:00Z", Some(951_782_400)),
            ("2026-07-28T02:00:00+02:00", Some(1_785_196_800)),
            ("2026-07-28T00:00:00", Some(1_785_196_800)),
            ("1969-12-31", None),
            ("12:00:00", None),
        ] {
            assert_eq!(seconds(&text.parse().unwrap()), expected, "{text}");
        }
        for second in (0..253_402_300_800).step_by(86_400 * 31 + 12_345).chain([951_782_400, 951_868_799]) {
            assert_eq!(seconds(&datetime(second).unwrap()), Some(second), "{second}");
        }
        assert_eq!(datetime(253_402_300_800).map(|time| time.to_string()), None);
    }
}

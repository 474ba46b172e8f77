//! How long an answer asks to wait.

use std::time::{Duration, SystemTime};

use http::header::{DATE, RETRY_AFTER};

use crate::request::ApiResponse;

/// Pauses that answers ask for are believed up to this.
const MOST_PAUSE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long an answer asks to wait: `Retry-After` in both forms (RFC 9110, section 10.2.3), or an allowance that is
/// used up and the time of its renewal, as GitHub and others tell it.
pub(super) fn pause(response: &ApiResponse) -> Option<Duration> {
    let status = response.status.as_u16();
    let text = |name: &str| response.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if matches!(status, 403 | 413 | 429 | 503)
        && let Some(after) = text(RETRY_AFTER.as_str())
    {
        if !after.is_empty() && after.bytes().all(|byte| byte.is_ascii_digit()) {
            return Some(after.parse().map_or(MOST_PAUSE, Duration::from_secs).min(MOST_PAUSE));
        }
        if let Ok(at) = httpdate::parse_http_date(after) {
            // Against the sender's own clock, if it tells it.
            let now = text(DATE.as_str()).and_then(|date| httpdate::parse_http_date(date).ok());
            let now = now.unwrap_or_else(SystemTime::now);
            return Some(at.duration_since(now).unwrap_or_default().min(MOST_PAUSE));
        }
    }
    if matches!(status, 403 | 429) && text("x-ratelimit-remaining") == Some("0") {
        let reset: u64 = text("x-ratelimit-reset")?.parse().ok()?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        // Seconds since 1970, or, of small numbers, from now.
        let left = if reset < 1_000_000_000 { reset } else { reset.saturating_sub(now.as_secs()) };
        return Some(Duration::from_secs(left).min(MOST_PAUSE));
    }
    None
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, StatusCode};

    use super::*;
    use crate::request::CacheStatus;

    fn paused(status: u16, headers: &[(&str, &str)]) -> Option<Duration> {
        let mut response = ApiResponse {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            is_cut: false,
            cache: CacheStatus::Miss,
        };
        for (name, value) in headers {
            let name: http::HeaderName = name.parse().unwrap();
            response.headers.insert(name, value.parse().unwrap());
        }
        pause(&response)
    }

    #[test]
    fn every_way_to_ask_for_a_pause_is_read() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let date = ("date", "Thu, 15 Jan 2026 12:00:00 GMT");
        assert_eq!(paused(429, &[("retry-after", "12")]), seconds(12));
        assert_eq!(paused(503, &[("retry-after", "0")]), seconds(0));
        assert_eq!(paused(503, &[("retry-after", "Thu, 15 Jan 2026 12:00:30 GMT"), date]), seconds(30));
        assert_eq!(paused(429, &[("retry-after", "Thursday, 15-Jan-26 12:00:30 GMT"), date]), seconds(30));
        assert_eq!(paused(429, &[("retry-after", "Thu, 15 Jan 2026 11:00:00 GMT"), date]), seconds(0));
        assert_eq!(paused(429, &[("retry-after", "99999999999999999999999")]), Some(MOST_PAUSE));
        assert_eq!(paused(403, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "60")]), seconds(60));
        assert_eq!(paused(403, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "60")]), None);
        assert_eq!(paused(429, &[("retry-after", "soon")]), None);
        assert_eq!(paused(429, &[("retry-after", "-5")]), None);
        assert_eq!(paused(200, &[("retry-after", "12")]), None);
    }
}

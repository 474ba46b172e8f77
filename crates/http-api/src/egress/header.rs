//! Which headers a call may set.

use http::HeaderMap;

use super::refusal::Refusal;

/// Headers of one call at most.
const MOST_HEADERS: usize = 64;

/// Bytes of their names and values at most.
const MOST_BYTES: usize = 16 * 1024;

/// Refuses headers that the configuration or HTTP itself decides.
pub(crate) fn check_headers(headers: &HeaderMap) -> Result<(), Refusal> {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MOST_HEADERS || bytes > MOST_BYTES {
        return Err(Refusal::TooManyHeaders { count: MOST_HEADERS, bytes: MOST_BYTES });
    }
    for name in headers.keys() {
        if let Some(why) = is_managed(name.as_str()) {
            return Err(Refusal::Header { name: name.as_str().to_owned(), why });
        }
    }
    Ok(())
}

/// Who sets the header, if a call may not. Servers that hand headers on as variables fold `_` and `-`.
pub(crate) fn is_managed(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    match name.as_str() {
        "host" => Some("it follows from the API's URL"),
        "authorization" | "www-authenticate" | "authentication-info" => {
            Some("credentials come from the configuration")
        }
        "content-length" | "transfer-encoding" | "content-encoding" | "accept-encoding" | "expect"
        | "trailer" => Some("the HTTP client sets it"),
        "connection" | "keep-alive" | "te" | "upgrade" | "http2-settings" => {
            Some("it belongs to a single connection")
        }
        "forwarded"
        | "via"
        | "x-real-ip"
        | "x-client-ip"
        | "true-client-ip"
        | "cf-connecting-ip"
        | "fastly-client-ip"
        | "x-cluster-client-ip"
        | "x-proxyuser-ip"
        | "x-original-url"
        | "x-rewrite-url"
        | "x-host" => Some("proxies set it"),
        // A secret that comes back in two halves would not be known for one.
        "range" | "if-range" => Some("answers are read as a whole"),
        "x-http-method" | "x-http-method-override" | "x-method-override" => {
            Some("give the method itself instead")
        }
        _ if name.starts_with("proxy-") || name.starts_with("x-forwarded-") => Some("proxies set it"),
        _ if name.starts_with("sec-") => Some("browsers set it"),
        _ => None,
    }
}

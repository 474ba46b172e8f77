//! The parent of a request's span, as the client tells it in `_meta`.

/// Where a caller's span is: the W3C Trace Context's `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TraceParent {
    pub(crate) trace_id: u128,
    #[cfg_attr(not(feature = "otel"), allow(dead_code))]
    pub(crate) span_id: u64,
    #[cfg_attr(not(feature = "otel"), allow(dead_code))]
    pub(crate) is_sampled: bool,
}

impl TraceParent {
    /// Reads `00-<32 hex>-<16 hex>-<2 hex>`, and what later versions may put after that. What is not exactly so is
    /// no parent, as the recommendation demands.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        if bytes.len() < 55 || [2, 35, 52].iter().any(|&dash| bytes[dash] != b'-') {
            return None;
        }
        let version = hex(&bytes[..2])?;
        let is_this_version = version == 0 && bytes.len() == 55;
        let is_later = (1..0xff).contains(&version) && bytes.get(55).is_none_or(|&byte| byte == b'-');
        let (trace_id, span_id) = (hex(&bytes[3..35])?, hex(&bytes[36..52])?);
        let flags = hex(&bytes[53..55])?;
        if !(is_this_version || is_later) || trace_id == 0 || span_id == 0 {
            return None;
        }
        Some(Self { trace_id, span_id: u64::try_from(span_id).ok()?, is_sampled: flags & 1 == 1 })
    }
}

#[cfg(feature = "otel")]
impl TraceParent {
    /// Makes the span a child of this parent, linked with what is around it here.
    ///
    /// It must be called before anything is done with the span: what has begun cannot change its parent.
    pub(crate) fn adopt(self, span: &tracing::Span, state: Option<&str>) {
        use opentelemetry::Context;
        use opentelemetry::trace::{SpanContext, TraceContextExt, TraceFlags, TraceState};
        use tracing_opentelemetry::OpenTelemetrySpanExt;

        let flags = if self.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
        // A state that is not as it should be is dropped, and the parent stays.
        let state =
            state.filter(|state| is_bounded(state)).and_then(|state| state.parse::<TraceState>().ok());
        let state = state.unwrap_or_default();
        let parent = SpanContext::new(self.trace_id.into(), self.span_id.into(), flags, true, state);
        let around = tracing::Span::current();
        if span.set_parent(Context::new().with_remote_span_context(parent)).is_ok() && !around.is_disabled() {
            span.add_link(around.context().span().span_context().clone());
        }
    }
}

/// Whether a `tracestate` keeps to the recommendation's bounds.
#[cfg(feature = "otel")]
fn is_bounded(state: &str) -> bool {
    state.len() <= 512 && state.split(',').count() <= 32
}

/// Reads lower-case digits, the only ones allowed.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, &digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_valid_parent_is_read() {
        let parent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        assert_eq!(parent.trace_id, 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c);
        assert_eq!((parent.span_id, parent.is_sampled), (0xb7ad_6b71_6920_3331, true));
        let later = "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00-what-may-come";
        assert!(!TraceParent::parse(later).unwrap().is_sampled);
    }

    #[test]
    fn what_is_not_exactly_so_is_no_parent() {
        for text in [
            "",
            "00",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-012",
            "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
            "00_0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331_01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01.more",
            "0ä-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
            " 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            assert_eq!(TraceParent::parse(text), None, "{text}");
        }
    }
}

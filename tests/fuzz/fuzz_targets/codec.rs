//! The codec on bytes that nobody wrote, held against serde_json.
//!
//! What it takes must be JSON that means the same to serde_json, and what it refuses as no JSON must be none to it.
//! Whatever comes in, what goes out is one JSON object.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use towline_core::codec::{self, Agreed, Limits, Message};
use towline_core::protocol::ProtocolVersion;
use towline_core::{Error, ErrorKind};

fuzz_target!(|data: &[u8]| {
    let judged: Result<Value, _> = serde_json::from_slice(data);
    match codec::decode(Bytes::copy_from_slice(data), &Limits::default()) {
        Ok(Message::Request(id, mut request)) => {
            // Only numbers out of a float's range are JSON to one and not to the other.
            let Ok(value) = judged else {
                assert!(data.iter().any(u8::is_ascii_digit), "took what is no JSON");
                return;
            };
            assert_eq!(value["method"], request.method());
            let params = request.params().map(|params| serde_json::from_str::<Value>(params.as_str()).unwrap());
            assert_eq!(value.get("params"), params.as_ref());
            let _ = codec::negotiate(&mut request, Agreed::Header(Some("2026-07-28")));
            let answer = codec::encode(Some(&id), &Err(Error::internal("x")), ProtocolVersion::LATEST);
            let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
            assert!(value["id"] == answer["id"] || value["id"].is_f64(), "the id came back as another");
        }
        Ok(_) => {}
        Err(refused) => {
            if refused.error.kind() == ErrorKind::Parse {
                // serde_json bounds depth, and takes the last of two equal keys.
                assert!(judged.is_err(), "refused what is JSON");
            }
            let answer = codec::encode(refused.id.as_ref(), &Err(refused.error), ProtocolVersion::LATEST);
            serde_json::from_slice::<Value>(&answer).expect("a refusal is JSON");
        }
    }
});

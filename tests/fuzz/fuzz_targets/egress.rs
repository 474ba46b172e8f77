//! The egress guard on paths and queries that nobody wrote.
//!
//! Whatever it makes a request for lies below the base URL, to a reader of URLs as browsers have it and to a server
//! that decodes what it is given more than once.
#![no_main]

use libfuzzer_sys::fuzz_target;
use percent_encoding::percent_decode_str;
use towline_http_api::egress::BaseUrl;
use url::{Position, Url};

const BASES: [&str; 3] = ["https://api.example.com/v3", "http://127.0.0.1:8080", "https://[2001:db8::1]/a/b"];

fuzz_target!(|input: (&str, Option<&str>)| {
    let (path, query) = input;
    for base in BASES {
        let target = BaseUrl::parse(base).expect("a base URL").join(path, query);
        let rooted = BaseUrl::parse(base).expect("a base URL").join(&format!("/{path}"), query);
        for target in [target, rooted].into_iter().flatten() {
            check(&target.to_string(), &Url::parse(base).expect("a URL"));
        }
    }
});

fn check(target: &str, base: &Url) {
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
    let url = Url::parse(target).expect("a target is a URL");
    assert_eq!(url[..Position::BeforePath], base[..Position::BeforePath], "{target}");
    assert_eq!(url.fragment(), None, "{target}");

    let prefix = base.path().trim_end_matches('/');
    let rest = url.path().strip_prefix(prefix).expect("below the prefix");
    assert!(rest.is_empty() || rest.starts_with('/'), "{target}");
    // The reader changed nothing, so there was nothing to resolve.
    assert!(*target == url[..] || format!("{target}/") == url[..], "{target} is {url}");

    let mut rest = rest.to_owned();
    for _ in 0..5 {
        assert!(!rest.split(['/', '\\']).any(|segment| segment == "." || segment == ".."), "{target}");
        rest = percent_decode_str(&rest).decode_utf8_lossy().into_owned();
    }
}

//! What no call can make of a base URL, and which addresses are none for an API.

use std::net::IpAddr;

use proptest::prelude::*;
use towline_http_api::egress::{AddressKind, AddressRules, BaseUrl, Refusal};

const BASE: &str = "https://api.example.com/v3";

fn join(path: &str, query: Option<&str>) -> Result<String, Refusal> {
    BaseUrl::parse(BASE).unwrap().join(path, query).map(|uri| uri.to_string())
}

#[test]
fn what_is_a_path_below_the_base_url_passes() {
    for (path, below) in [
        ("", ""),
        ("/", "/"),
        ("/repos/a/b", "/repos/a/b"),
        ("/repos/a b", "/repos/a%20b"),
        ("/repos/a%20b", "/repos/a%20b"),
        ("/projects/group%2Fproject", "/projects/group%2Fproject"),
        ("/@scope/name", "/@scope/name"),
        ("/a:b/c;v=1,2", "/a:b/c;v=1,2"),
        ("/...", "/..."),
        ("/..a/b..", "/..a/b.."),
        ("/.well-known/x", "/.well-known/x"),
        ("/a//b", "/a//b"),
        ("/größe", "/gr%C3%B6%C3%9Fe"),
        ("/{id}|\"<>^`'", "/%7Bid%7D%7C%22%3C%3E%5E%60%27"),
        ("/a%3Fb%23c", "/a%3Fb%23c"),
        ("/100%25", "/100%25"),
        ("/http://other.com", "/http://other.com"),
        ("/東京", "/%E6%9D%B1%E4%BA%AC"),
    ] {
        assert_eq!(join(path, None).as_deref(), Ok(&*format!("{BASE}{below}")), "{path}");
    }
    for (query, encoded) in [
        ("a=b&c=d", "a=b&c=d"),
        ("q=a b", "q=a%20b"),
        ("q=100%", "q=100%25"),
        ("q=%41%zz%", "q=%41%25zz%25"),
        ("u=http://x/?y", "u=http://x/?y"),
        ("q=../..", "q=../.."),
        ("f[a]=1", "f%5Ba%5D=1"),
        ("q=ö", "q=%C3%B6"),
        ("", ""),
        ("q=%0D%0Ax", "q=%0D%0Ax"),
    ] {
        assert_eq!(join("/s", Some(query)), Ok(format!("{BASE}/s?{encoded}")), "{query}");
    }
    assert_eq!(BaseUrl::parse("http://h").unwrap().join("", None).unwrap().to_string(), "http://h/");
}

/// Every way out that is known, and what is said of it.
const REFUSED: &[(&str, Refusal)] = &[
    // Another origin.
    ("https://evil.com/", Refusal::AbsoluteUrl),
    ("http://evil.com", Refusal::AbsoluteUrl),
    ("HTTPS://evil.com", Refusal::AbsoluteUrl),
    ("https:evil.com", Refusal::AbsoluteUrl),
    ("http:/evil.com", Refusal::AbsoluteUrl),
    ("https:///evil.com", Refusal::AbsoluteUrl),
    ("https:\\\\evil.com", Refusal::Backslash),
    ("file:///etc/passwd", Refusal::AbsoluteUrl),
    ("gopher://evil.com/_x", Refusal::AbsoluteUrl),
    ("ftp://evil.com", Refusal::AbsoluteUrl),
    ("javascript:alert(1)", Refusal::AbsoluteUrl),
    ("data:text/plain,x", Refusal::AbsoluteUrl),
    ("dict://localhost:11211/stat", Refusal::AbsoluteUrl),
    ("unix:/var/run/docker.sock", Refusal::AbsoluteUrl),
    ("https://api.example.com/v3/x", Refusal::AbsoluteUrl),
    ("https://api.example.com@evil.com/", Refusal::AbsoluteUrl),
    ("http://169.254.169.254/latest/meta-data", Refusal::AbsoluteUrl),
    ("ht\ntp://evil.com", Refusal::LineBreak),
    ("ht\ttp://evil.com", Refusal::ControlCharacter),
    (" https://evil.com", Refusal::NoLeadingSlash),
    ("\u{0}https://evil.com", Refusal::ControlCharacter),
    ("ｈttps://evil.com", Refusal::NoLeadingSlash),
    ("//evil.com", Refusal::NetworkPath),
    ("///evil.com", Refusal::NetworkPath),
    ("////evil.com", Refusal::NetworkPath),
    ("//evil.com/..;/x", Refusal::NetworkPath),
    ("//user:pass@evil.com", Refusal::NetworkPath),
    ("/%2Fevil.com", Refusal::NetworkPath),
    ("/%2fevil.com", Refusal::NetworkPath),
    ("/%252Fevil.com", Refusal::NetworkPath),
    ("/%25252fevil.com", Refusal::NetworkPath),
    ("/\u{ff0f}evil.com", Refusal::NetworkPath),
    ("/\u{2215}evil.com", Refusal::NetworkPath),
    ("/\u{2044}evil.com", Refusal::NetworkPath),
    ("/%EF%BC%8Fevil.com", Refusal::NetworkPath),
    ("/\\evil.com", Refusal::Backslash),
    ("\\\\evil.com", Refusal::Backslash),
    ("\\/evil.com", Refusal::Backslash),
    ("/\\/evil.com", Refusal::Backslash),
    ("/\t/evil.com", Refusal::ControlCharacter),
    ("/\n/evil.com", Refusal::LineBreak),
    ("/\r/evil.com", Refusal::LineBreak),
    ("@evil.com", Refusal::NoLeadingSlash),
    ("@evil.com/x", Refusal::NoLeadingSlash),
    (":80@evil.com", Refusal::NoLeadingSlash),
    ("user:pass@evil.com", Refusal::AbsoluteUrl),
    (".evil.com", Refusal::NoLeadingSlash),
    ("-evil.com", Refusal::NoLeadingSlash),
    (":8080/x", Refusal::NoLeadingSlash),
    ("evil.com", Refusal::NoLeadingSlash),
    ("x", Refusal::NoLeadingSlash),
    ("?x=1", Refusal::QuestionMark),
    ("#x", Refusal::Fragment),
    ("%2Fx", Refusal::NoLeadingSlash),
    // Out of the prefix.
    ("..", Refusal::NoLeadingSlash),
    ("../x", Refusal::NoLeadingSlash),
    ("./x", Refusal::NoLeadingSlash),
    ("/..", Refusal::DotSegment),
    ("/../", Refusal::DotSegment),
    ("/../../etc/passwd", Refusal::DotSegment),
    ("/x/..", Refusal::DotSegment),
    ("/x/../../admin", Refusal::DotSegment),
    ("/.", Refusal::DotSegment),
    ("/./x", Refusal::DotSegment),
    ("/x/.", Refusal::DotSegment),
    ("/x/./y", Refusal::DotSegment),
    ("/%2e%2e/x", Refusal::DotSegment),
    ("/%2E%2E/x", Refusal::DotSegment),
    ("/%2e./x", Refusal::DotSegment),
    ("/.%2e/x", Refusal::DotSegment),
    ("/.%2E/x", Refusal::DotSegment),
    ("/%2e/x", Refusal::DotSegment),
    ("/%252e%252e/x", Refusal::DotSegment),
    ("/%252E./x", Refusal::DotSegment),
    ("/%25252e%25252e/x", Refusal::DotSegment),
    ("/.%252e/x", Refusal::DotSegment),
    ("/%2525252e%2525252e/x", Refusal::EncodedTooOften),
    ("/..%2f..%2fx", Refusal::DotSegment),
    ("/..%2Fx", Refusal::DotSegment),
    ("/%2e%2e%2fx", Refusal::DotSegment),
    ("/x%2f..%2fy", Refusal::DotSegment),
    ("/x%2F%2e%2e%2Fy", Refusal::DotSegment),
    ("/x%252f..%252fy", Refusal::DotSegment),
    ("/x%25252f%25252e%25252e", Refusal::DotSegment),
    ("/..%5cx", Refusal::Backslash),
    ("/..%5Cx", Refusal::Backslash),
    ("/..\\x", Refusal::Backslash),
    ("/x\\..\\y", Refusal::Backslash),
    ("/%5c..%5cx", Refusal::Backslash),
    ("/%255c..%255cx", Refusal::Backslash),
    ("/x%5c", Refusal::Backslash),
    ("/..;/x", Refusal::DotSegment),
    ("/..;v=1/x", Refusal::DotSegment),
    ("/.;/x", Refusal::DotSegment),
    ("/..%3bx=y/z", Refusal::DotSegment),
    ("/..%3B/z", Refusal::DotSegment),
    ("/%2e%2e;/x", Refusal::DotSegment),
    ("/%2e%2e%3b/x", Refusal::DotSegment),
    ("/x/..;a/../y", Refusal::DotSegment),
    ("/.. /x", Refusal::DotSegment),
    ("/..%20/x", Refusal::DotSegment),
    ("/ ../x", Refusal::DotSegment),
    ("/%20../x", Refusal::DotSegment),
    ("/..%09/x", Refusal::ControlCharacter),
    ("/.\u{200b}./x", Refusal::DotSegment),
    ("/.%E2%80%8B./x", Refusal::DotSegment),
    ("/..\u{feff}/x", Refusal::DotSegment),
    ("/.\u{ad}./x", Refusal::DotSegment),
    ("/\u{ff0e}\u{ff0e}/x", Refusal::DotSegment),
    ("/%EF%BC%8E%EF%BC%8E/x", Refusal::DotSegment),
    ("/%ef%bc%8e./x", Refusal::DotSegment),
    ("/\u{2025}/x", Refusal::DotSegment),
    ("/\u{2024}\u{2024}/x", Refusal::DotSegment),
    ("/\u{fe52}\u{fe52}/x", Refusal::DotSegment),
    ("/\u{3002}\u{3002}/x", Refusal::DotSegment),
    ("/\u{ff61}\u{ff61}/x", Refusal::DotSegment),
    ("/..\u{ff0f}x", Refusal::DotSegment),
    ("/..\u{2215}x", Refusal::DotSegment),
    ("/..\u{29f8}x", Refusal::DotSegment),
    ("/..%E2%88%95x", Refusal::DotSegment),
    ("/..\u{ff3c}x", Refusal::Backslash),
    ("/..\u{fe68}x", Refusal::Backslash),
    ("/..%EF%BC%BCx", Refusal::Backslash),
    ("/%c0%ae%c0%ae/x", Refusal::NotUtf8),
    ("/%C0%AF..%C0%AFx", Refusal::NotUtf8),
    ("/%c1%9c..%c1%9cx", Refusal::NotUtf8),
    ("/%e0%80%ae%e0%80%ae/x", Refusal::NotUtf8),
    ("/%f0%80%80%ae/x", Refusal::NotUtf8),
    ("/%fe/x", Refusal::NotUtf8),
    ("/%25c0%25ae/x", Refusal::NotUtf8),
    ("/%ff", Refusal::NotUtf8),
    ("/%u002e%u002e/x", Refusal::BadPercent),
    ("/%uff0e/x", Refusal::BadPercent),
    ("/%2", Refusal::BadPercent),
    ("/%", Refusal::BadPercent),
    ("/x%", Refusal::BadPercent),
    ("/%zz", Refusal::BadPercent),
    ("/%2g/x", Refusal::BadPercent),
    ("/%%32%65", Refusal::BadPercent),
    ("/%+2e", Refusal::BadPercent),
    // Another request in the same one.
    ("/x\r\nHost: evil.com", Refusal::LineBreak),
    ("/x\nHost: evil.com", Refusal::LineBreak),
    ("/x\rHost: evil.com", Refusal::LineBreak),
    ("/x HTTP/1.1\r\nHost: evil.com\r\n\r\nGET /", Refusal::LineBreak),
    ("/x%0d%0aHost:%20evil.com", Refusal::LineBreak),
    ("/x%0D%0AHost: evil.com", Refusal::LineBreak),
    ("/x%0a", Refusal::LineBreak),
    ("/x%0d", Refusal::LineBreak),
    ("/x%250d%250aHost:x", Refusal::LineBreak),
    ("/x%25250a", Refusal::LineBreak),
    ("/x\u{0}", Refusal::ControlCharacter),
    ("/x%00", Refusal::ControlCharacter),
    ("/x%00.json", Refusal::ControlCharacter),
    ("/x%2500", Refusal::ControlCharacter),
    ("/x\u{7f}", Refusal::ControlCharacter),
    ("/x%7f", Refusal::ControlCharacter),
    ("/x\u{1b}[31m", Refusal::ControlCharacter),
    ("/x%1b", Refusal::ControlCharacter),
    ("/x%08", Refusal::ControlCharacter),
    ("/x\u{85}", Refusal::ControlCharacter),
    ("/x%C2%85", Refusal::ControlCharacter),
    ("/x\u{b}", Refusal::ControlCharacter),
    ("/x%0b", Refusal::ControlCharacter),
    ("/x#y", Refusal::Fragment),
    ("/#/../x", Refusal::Fragment),
    ("/x?y", Refusal::QuestionMark),
    ("/x?/../y", Refusal::QuestionMark),
];

#[test]
fn every_known_way_out_is_refused_and_named() {
    let cases = REFUSED;
    assert!(cases.len() >= 150, "{}", cases.len());
    for (path, expected) in cases {
        assert_eq!(join(path, None), Err(expected.clone()), "{path:?}");
        // A base URL without a path has as little to lose.
        let root = BaseUrl::parse("http://127.0.0.1:8080").unwrap();
        assert_eq!(root.join(path, None), Err(expected.clone()), "{path:?}");
    }
    for (query, expected) in [
        ("a\r\nb", Refusal::LineBreak),
        ("a\nb", Refusal::LineBreak),
        ("a\u{0}b", Refusal::ControlCharacter),
        ("a\tb", Refusal::ControlCharacter),
        ("a#b", Refusal::Fragment),
        ("a\\b", Refusal::Backslash),
    ] {
        assert_eq!(join("/x", Some(query)), Err(expected), "{query:?}");
    }
    assert_eq!(join(&"/x".repeat(5000), None), Err(Refusal::TooLong { most: 8192 }));
    assert_eq!(join("/x", Some(&"ö".repeat(3000))), Err(Refusal::TooLong { most: 8192 }));
}

#[test]
fn every_refusal_says_something_else() {
    let mut texts: Vec<String> = REFUSED.iter().map(|(_, refusal)| refusal.to_string()).collect();
    texts.sort();
    texts.dedup();
    assert_eq!(texts.len(), 12);
}

#[test]
fn a_base_url_has_one_reading_only() {
    for (url, origin, prefix) in [
        ("https://api.example.com", "https://api.example.com", ""),
        ("https://API.Example.com:443/", "https://api.example.com", ""),
        ("http://h:8080/v1/", "http://h:8080", "/v1"),
        ("http://h:80/v1", "http://h", "/v1"),
        ("http://[::1]:8080/a", "http://[::1]:8080", "/a"),
        ("http://127.0.0.1", "http://127.0.0.1", ""),
        ("https://xn--mnchen-3ya.de/x%20y", "https://xn--mnchen-3ya.de", "/x%20y"),
        ("https://my_service/v1", "https://my_service", "/v1"),
    ] {
        let base = BaseUrl::parse(url).unwrap();
        assert_eq!((base.origin(), base.prefix()), (origin, prefix), "{url}");
    }
    for url in [
        "",
        "api.example.com",
        "//api.example.com",
        "ftp://h",
        "file:///x",
        "https://",
        "https:///x",
        "https://user@h",
        "https://user:pass@h",
        "https://h?x",
        "https://h#x",
        "https://h/?x",
        "https://h/a/../b",
        "https://h/./b",
        "https://h/a//b",
        "https://h/a b",
        "https://h\\x",
        "https://h/a\\b",
        "https://h:0",
        "https://h:65536",
        "https://h:x",
        "https://h:",
        "https://h:80:80",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[fe80::1%25eth0]",
        "https://0x7f.1",
        "https://2130706433",
        "https://127.1",
        "https://0177.0.0.1",
        "https://0x7f000001",
        "https://1.2.3.4.5",
        "https://1.2.3.256",
        "https://h..x",
        "https://.h",
        "https://h.",
        "https://hö",
        "https://ｈ",
        "https://h/ö",
        "https://h%2ex",
        "https://h h",
        "https://h\n",
        "https://127.0.0.1\u{2e}\u{3002}",
        "https://h/%2e%2e/x",
        "https://h/%0a",
    ] {
        assert!(BaseUrl::parse(url).is_err(), "{url:?}");
    }
}

/// What a reader of URLs as browsers have it makes of a target.
fn is_inside(target: &str, base: &str) -> bool {
    let (url, base) = (url::Url::parse(target).unwrap(), url::Url::parse(base).unwrap());
    let prefix = base.path().trim_end_matches('/');
    let path = url.path();
    url.origin() == base.origin()
        && url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        // It changed nothing, so there was nothing to resolve.
        && target.strip_prefix(&base[..url::Position::BeforePath]).is_some_and(|rest| {
            rest.split('?').next() == Some(path) || (rest.is_empty() && path == "/")
        })
}

const BASES: &[&str] = &["https://api.example.com/v3", "http://127.0.0.1:8080", "https://[2001:db8::1]/a/b"];

fn check(path: &str, query: Option<&str>) {
    for base in BASES {
        if let Ok(target) = BaseUrl::parse(base).unwrap().join(path, query) {
            let target = target.to_string();
            assert!(is_inside(&target, base), "{path:?} {query:?} {target}");
            assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
            // What any server could make of it, however often it decodes.
            let mut path = target[base.len().min(target.len())..].split('?').next().unwrap().to_owned();
            for _ in 0..5 {
                assert!(
                    !path.split(['/', '\\']).any(|segment| segment == ".." || segment == "."),
                    "{target}"
                );
                path = percent_encoding::percent_decode_str(&path).decode_utf8_lossy().into_owned();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn no_text_leads_out(path in any::<String>(), query in any::<Option<String>>()) {
        check(&path, query.as_deref());
        check(&format!("/{path}"), query.as_deref());
    }

    /// Of the pieces that ways out are made of.
    #[test]
    fn no_mixture_of_tricks_leads_out(
        pieces in proptest::collection::vec(
            prop::sample::select(vec![
                "/", "..", ".", "%2e", "%2E", "%252e", "%2f", "%2F", "%252f", "%5c", "\\", "//", ";", "%3b", ":", "@",
                "?", "#", "%", "%25", "%00", "\r\n", "\t", " ", "%20", "evil.com", "https:", "http://", "a", "v3",
                "\u{ff0e}", "\u{ff0f}", "\u{200b}", "%c0%ae", "%u002e", "[::1]", "2", "e", "&", "=", "ö",
            ]),
            0..12,
        ),
        query in any::<Option<String>>(),
    ) {
        check(&pieces.concat(), query.as_deref());
        check(&format!("/{}", pieces.concat()), query.as_deref());
    }
}

#[test]
fn addresses_that_are_none_of_the_internet_are_refused() {
    use AddressKind as K;
    let rules = AddressRules::default();
    for (address, kind) in [
        ("0.0.0.0", K::Unspecified),
        ("0.1.2.3", K::Unspecified),
        ("127.0.0.1", K::Loopback),
        ("127.255.255.254", K::Loopback),
        ("10.0.0.1", K::Private),
        ("172.16.0.1", K::Private),
        ("172.31.255.255", K::Private),
        ("192.168.1.1", K::Private),
        ("100.64.0.1", K::Shared),
        ("100.127.255.255", K::Shared),
        ("169.254.1.1", K::LinkLocal),
        ("169.254.169.254", K::Metadata),
        ("169.254.170.2", K::Metadata),
        ("100.100.100.200", K::Metadata),
        ("168.63.129.16", K::Metadata),
        ("192.0.0.192", K::Metadata),
        ("192.0.0.1", K::Reserved),
        ("192.0.2.1", K::Documentation),
        ("198.51.100.1", K::Documentation),
        ("203.0.113.1", K::Documentation),
        ("198.18.0.1", K::Documentation),
        ("198.19.255.255", K::Documentation),
        ("192.88.99.1", K::Tunnelled),
        ("224.0.0.1", K::Multicast),
        ("239.255.255.255", K::Multicast),
        ("255.255.255.255", K::Multicast),
        ("240.0.0.1", K::Reserved),
        ("::", K::Unspecified),
        ("::1", K::Loopback),
        ("::7f00:1", K::Tunnelled),
        ("::93.184.216.34", K::Tunnelled),
        ("::ffff:127.0.0.1", K::Loopback),
        ("::ffff:10.0.0.1", K::Private),
        ("::ffff:169.254.169.254", K::Metadata),
        ("::ffff:0:127.0.0.1", K::Loopback),
        ("64:ff9b::127.0.0.1", K::Loopback),
        ("64:ff9b::a9fe:a9fe", K::Metadata),
        ("64:ff9b:1::1", K::Private),
        ("2002:7f00:1::", K::Tunnelled),
        ("2002:5db8:d822::", K::Tunnelled),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", K::Tunnelled),
        ("2001:10::1", K::Reserved),
        ("2001:20::1", K::Reserved),
        ("2001:2::1", K::Documentation),
        ("2001:db8::1", K::Documentation),
        ("3fff::1", K::Documentation),
        ("fc00::1", K::Private),
        ("fd12:3456::1", K::Private),
        ("fd00:ec2::254", K::Metadata),
        ("fe80::1", K::LinkLocal),
        ("fec0::1", K::Private),
        ("ff02::1", K::Multicast),
        ("100::1", K::Reserved),
        ("5f00::1", K::Reserved),
        ("4000::1", K::Reserved),
    ] {
        assert_eq!(rules.check(address.parse().unwrap()), Err(kind), "{address}");
    }
    for address in [
        "1.1.1.1",
        "93.184.216.34",
        "172.15.255.255",
        "172.32.0.1",
        "100.63.255.255",
        "100.128.0.1",
        "169.253.1.1",
        "192.0.1.1",
        "192.167.1.1",
        "198.17.0.1",
        "198.20.0.1",
        "223.255.255.255",
        "11.0.0.1",
        "::ffff:1.1.1.1",
        "64:ff9b::1.1.1.1",
        "2606:4700:4700::1111",
        "2a00:1450:4001::1",
        "2001:4860:4860::8888",
    ] {
        assert_eq!(rules.check(address.parse().unwrap()), Ok(()), "{address}");
    }
}

#[test]
fn what_the_configuration_adds_passes_and_nothing_else() {
    let check = |rules: &AddressRules, address: &str| rules.check(address.parse::<IpAddr>().unwrap()).is_ok();
    let private = AddressRules { allow_private_networks: true, ..AddressRules::default() };
    for address in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "::ffff:10.0.0.1", "100.64.0.1", "169.254.1.1"]
    {
        assert!(check(&private, address), "{address}");
    }
    for address in
        ["169.254.169.254", "::ffff:169.254.169.254", "fd00:ec2::254", "0.0.0.0", "224.0.0.1", "2002::1"]
    {
        assert!(!check(&private, address), "{address}");
    }
    let listed =
        AddressRules { allowed_networks: vec!["10.1.0.0/16".parse().unwrap()], ..AddressRules::default() };
    assert!(check(&listed, "10.1.2.3") && check(&listed, "::ffff:10.1.2.3"));
    assert!(!check(&listed, "10.2.0.1") && !check(&listed, "127.0.0.1"));
}

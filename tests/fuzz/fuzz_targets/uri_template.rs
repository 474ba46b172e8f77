//! Templates of URIs, and URIs that are matched against them, that nobody wrote.
//!
//! No value of a variable leads out of a folder, and a URI that a template makes of the values that it found is one of the
//! template's own, with the same values.
#![no_main]

use libfuzzer_sys::fuzz_target;
use towline_core::{UriTemplate, UriValue};

/// Templates as servers have them, beside those that nobody wrote.
const TEMPLATES: [&str; 6] = [
    "notes://{folder}/{name}",
    "file:///{+path}",
    "db://tables{/names*}",
    "a://{x,y}{?q,page}",
    "a://b{.format}{#part}",
    "a://{id}/data{&more}",
];

fuzz_target!(|input: (&str, &str, u8)| {
    let (template, uri, at) = input;
    let known = TEMPLATES[usize::from(at) % TEMPLATES.len()];
    for text in [template, known] {
        // It may be no template; what matters is that it is told without a panic.
        let Ok(template) = UriTemplate::parse(text) else { continue };
        let whole = format!("{}{uri}", text.split('{').next().unwrap_or_default());
        for uri in [uri, whole.as_str()] {
            check(&template, uri);
        }
    }
});

fn check(template: &UriTemplate, uri: &str) {
    let Some(values) = template.match_uri(uri) else { return };
    for (name, value) in values.iter() {
        assert!(template.variables().any(|known| known == name), "{template}: {name}");
        let texts = match value {
            UriValue::Text(text) => std::slice::from_ref(text),
            UriValue::List(list) => list,
        };
        assert!(texts.iter().all(|text| !text.contains('\0')), "{template} {uri}: {texts:?}");
    }
    let again = template.expand(&values);
    assert_eq!(template.match_uri(&again).as_ref(), Some(&values), "{template}: {uri} and {again}");
}

//! How parameters are written.

use serde_json::{Value, json};
use towline_http_api::openapi::Document;

use crate::support::{document, headers, operation, request, v2, v3};

/// Holds what a parameter `color` becomes against what the specification says.
fn check_parameter(document: &Document, place: &str, value: &Value, expected: &str) {
    let request = request(document, &json!({"color": value})).unwrap();
    let found = match place {
        "path" => request.path.strip_prefix("/x/").unwrap().to_owned(),
        "query" => request.query.unwrap_or_default(),
        "header" => headers(&request.headers, "color"),
        _ => headers(&request.headers, "cookie"),
    };
    assert_eq!(found, expected, "{place} {value} {:?}", operation(document).input_schema());
}

#[test]
fn every_style_of_version_3_is_written_as_specified() {
    let list = json!(["blue", "black", "b,r w"]);
    let object = json!({"B": 150, "R": 100});
    for (place, style, explode, text, elements, members) in [
        ("path", "simple", false, "blue", "blue,black,b%2Cr%20w", "B,150,R,100"),
        ("path", "simple", true, "blue", "blue,black,b%2Cr%20w", "B=150,R=100"),
        ("path", "label", false, ".blue", ".blue,black,b%2Cr%20w", ".B,150,R,100"),
        ("path", "label", true, ".blue", ".blue.black.b%2Cr%20w", ".B=150.R=100"),
        ("path", "matrix", false, ";color=blue", ";color=blue,black,b%2Cr%20w", ";color=B,150,R,100"),
        ("path", "matrix", true, ";color=blue", ";color=blue;color=black;color=b%2Cr%20w", ";B=150;R=100"),
        ("query", "form", false, "color=blue", "color=blue,black,b%2Cr%20w", "color=B,150,R,100"),
        ("query", "form", true, "color=blue", "color=blue&color=black&color=b%2Cr%20w", "B=150&R=100"),
        (
            "query",
            "spaceDelimited",
            false,
            "color=blue",
            "color=blue%20black%20b%2Cr%20w",
            "color=B%20150%20R%20100",
        ),
        (
            "query",
            "pipeDelimited",
            false,
            "color=blue",
            "color=blue%7Cblack%7Cb%2Cr%20w",
            "color=B%7C150%7CR%7C100",
        ),
        (
            "query",
            "deepObject",
            true,
            "color=blue",
            "color%5B0%5D=blue&color%5B1%5D=black&color%5B2%5D=b%2Cr%20w",
            "color%5BB%5D=150&color%5BR%5D=100",
        ),
        ("header", "simple", false, "blue", "blue,black,b,r w", "B,150,R,100"),
        ("header", "simple", true, "blue", "blue,black,b,r w", "B=150,R=100"),
        ("cookie", "form", false, "color=blue", "color=blue,black,b%2Cr%20w", "color=B,150,R,100"),
        ("cookie", "form", true, "color=blue", "color=blue; color=black; color=b%2Cr%20w", "B=150; R=100"),
    ] {
        let parameter = json!({"name": "color", "in": place, "required": true, "style": style, "explode": explode, "schema": {}});
        let document = v3("/x/{color}", place == "path", &parameter);
        check_parameter(&document, place, &json!("blue"), text);
        check_parameter(&document, place, &list, elements);
        check_parameter(&document, place, &object, members);
    }
}

#[test]
fn styles_have_the_defaults_of_their_places() {
    let list = json!(["a", "b"]);
    for (place, expected) in
        [("path", "a,b"), ("query", "color=a&color=b"), ("header", "a,b"), ("cookie", "color=a; color=b")]
    {
        let parameter = json!({"name": "color", "in": place, "required": true, "schema": {}});
        check_parameter(&v3("/x/{color}", place == "path", &parameter), place, &list, expected);
    }
}

#[test]
fn reserved_characters_stay_only_where_the_document_allows_it() {
    let parameter = |place: &str| json!({"name": "color", "in": place, "required": true, "allowReserved": true, "schema": {}});
    let value = json!("/a?b=c&d#e%2f%é+");
    check_parameter(
        &v3("", false, &parameter("query")),
        "query",
        &value,
        "color=/a?b=c%26d%23e%2f%25%C3%A9%2B",
    );
    check_parameter(
        &v3("/x/{color}", true, &parameter("path")),
        "path",
        &value,
        "%2Fa%3Fb%3Dc%26d%23e%252f%25%C3%A9%2B",
    );
}

#[test]
fn parameters_with_content_are_documents_of_their_own() {
    let parameter = |place: &str, media_type: &str| json!({"name": "color", "in": place, "required": true, "content": {media_type: {"schema": {}}}});
    let value = json!({"a": [1, "x y"]});
    let encoded = "%7B%22a%22%3A%5B1%2C%22x%20y%22%5D%7D";
    check_parameter(
        &v3("", false, &parameter("query", "application/json")),
        "query",
        &value,
        &format!("color={encoded}"),
    );
    check_parameter(&v3("/x/{color}", true, &parameter("path", "application/json")), "path", &value, encoded);
    check_parameter(
        &v3("", false, &parameter("header", "application/json")),
        "header",
        &value,
        r#"{"a":[1,"x y"]}"#,
    );
    check_parameter(
        &v3("", false, &parameter("cookie", "application/json")),
        "cookie",
        &value,
        &format!("color={encoded}"),
    );
    check_parameter(&v3("", false, &parameter("query", "text/plain")), "query", &json!("a b"), "color=a%20b");
}

#[test]
fn version_3_2_has_the_whole_query_and_plain_cookies() {
    let whole = json!({"name": "q", "in": "querystring", "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}}});
    let made = request(&v3("", false, &whole), &json!({"q": {"a": [1, 2], "b": "x y"}})).unwrap();
    assert_eq!(made.query.as_deref(), Some("a=1&a=2&b=x%20y"));
    let json_query = json!({"name": "q", "in": "querystring", "content": {"application/json": {"schema": {"type": "object"}}}});
    let made = request(&v3("", false, &json_query), &json!({"q": {"a": 1}})).unwrap();
    assert_eq!(made.query.as_deref(), Some("%7B%22a%22%3A1%7D"));
    let cookie = json!({"name": "color", "in": "cookie", "required": true, "style": "cookie", "schema": {}});
    check_parameter(&v3("", false, &cookie), "cookie", &json!(["a", "b=/"]), "color=a; color=b=/");
    assert!(request(&v3("", false, &cookie), &json!({"color": "a; admin=1"})).is_err());
    let text = json!({"openapi": "3.2.0", "paths": {"/x": {"query": {"responses": {}}, "additionalOperations": {"COPY": {"responses": {}}}}}});
    let (operations, _) = document(&text).operations();
    assert_eq!(operations.iter().map(|one| one.method().as_str()).collect::<Vec<_>>(), ["QUERY", "COPY"]);
}

#[test]
fn every_collection_format_of_version_2_is_written_as_specified() {
    for (place, format, expected) in [
        ("query", "csv", "color=a,b%20c"),
        ("query", "ssv", "color=a%20b%20c"),
        ("query", "tsv", "color=a%09b%20c"),
        ("query", "pipes", "color=a%7Cb%20c"),
        ("query", "multi", "color=a&color=b%20c"),
        ("path", "csv", "a,b%20c"),
        ("path", "pipes", "a%7Cb%20c"),
        ("header", "pipes", "a|b c"),
    ] {
        let parameter = json!({"name": "color", "in": place, "required": true, "type": "array", "items": {"type": "string"}, "collectionFormat": format});
        check_parameter(
            &v2("/x/{color}", place == "path", &[parameter], &[]),
            place,
            &json!(["a", "b c"]),
            expected,
        );
    }
}

#[test]
fn no_value_leads_out_of_its_place_in_the_path() {
    let parameter = json!({"name": "color", "in": "path", "required": true, "schema": {"type": "string"}});
    let document = v3("/x/{color}", true, &parameter);
    for value in [
        ".",
        "..",
        "a/../b",
        "..\\b",
        "%2e%2e",
        "%252e%252e/",
        "..;x=1",
        "../../admin",
        "",
        "a/.",
        "%2E%2E%2Fadmin",
    ] {
        assert!(request(&document, &json!({"color": value})).is_err(), "{value}");
    }
    for (value, expected) in [
        ("a/b", "a%2Fb"),
        ("...", "..."),
        ("a?b#c", "a%3Fb%23c"),
        ("é\r\n", "%C3%A9%0D%0A"),
        ("a;b", "a%3Bb"),
    ] {
        check_parameter(&document, "path", &json!(value), expected);
    }
    // Two harmless values that together are not.
    let text = json!({"openapi": "3.0.0", "paths": {"/x/{a}{b}": {"get": {"responses": {}, "parameters": [
        {"name": "a", "in": "path", "required": true, "schema": {"type": "string"}},
        {"name": "b", "in": "path", "required": true, "schema": {"type": "string"}},
    ]}}}});
    assert!(request(&crate::support::document(&text), &json!({"a": ".", "b": "."})).is_err());
}

#[test]
fn headers_and_cookies_cannot_be_broken_out_of() {
    let header = json!({"name": "color", "in": "header", "schema": {"type": "string"}});
    for value in ["a\r\nHost: evil", "a\nb", "é", "\u{0}"] {
        assert!(request(&v3("", false, &header), &json!({"color": value})).is_err(), "{value:?}");
    }
    let cookie = json!({"name": "color", "in": "cookie", "schema": {"type": "string"}});
    let made = request(&v3("", false, &cookie), &json!({"color": "a; b=c\r\n"})).unwrap();
    assert_eq!(headers(&made.headers, "cookie"), "color=a%3B%20b%3Dc%0D%0A");
    for name in
        ["Authorization", "host", "Content-Length", "Transfer-Encoding", "Connection", "Cookie", "Accept"]
    {
        let reserved = json!({"name": name, "in": "header", "required": true, "schema": {"type": "string"}});
        let schema = operation(&v3("", false, &reserved)).input_schema();
        assert_eq!(schema["properties"], json!({}), "{name}");
    }
}

#[test]
fn null_and_absent_parameters_are_not_sent() {
    let parameter = json!({"name": "color", "in": "query", "schema": {"type": "string", "nullable": true}});
    let document = v3("", false, &parameter);
    assert_eq!(request(&document, &json!({"color": null})).unwrap().query, None);
    assert_eq!(request(&document, &json!({})).unwrap().query, None);
    assert!(
        request(&document, &json!({"colour": "x"}))
            .unwrap_err()
            .contains("unknown argument `colour`; allowed: `color`")
    );
}

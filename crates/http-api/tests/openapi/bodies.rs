//! How bodies are written.

use serde_json::{Value, json};
use towline_http_api::openapi::Document;

use crate::support::{body, document, headers, request, v2};

/// An operation with a body of one media type.
fn with_body(media_type: &str, required: bool, media: &Value) -> Document {
    document(&json!({"openapi": "3.1.0", "paths": {"/x": {"post": {
        "requestBody": {"required": required, "content": {media_type: media}}, "responses": {},
    }}}, "components": {"schemas": {"Pet": {"type": "object", "required": ["name"], "properties": {
        "name": {"type": "string"}, "tag": {"type": ["string", "null"]}, "id": {"type": "integer", "readOnly": true},
    }}}}}))
}

#[test]
fn a_plain_object_s_members_are_arguments_and_anything_else_is_one() {
    let media = json!({"schema": {"$ref": "#/components/schemas/Pet"}});
    let document = with_body("application/json", true, &media);
    let made = request(&document, &json!({"name": "Rex", "tag": null})).unwrap();
    assert_eq!(
        (body(&made).as_str(), headers(&made.headers, "content-type").as_str()),
        (r#"{"name":"Rex","tag":null}"#, "application/json")
    );
    assert!(request(&document, &json!({"tag": "x"})).unwrap_err().contains("`name` is required"));
    assert!(request(&document, &json!({"name": "Rex", "id": 1})).is_err());

    // What may be left out as a whole, but not in part, stays whole.
    let optional = with_body("application/json", false, &media);
    assert!(request(&optional, &json!({})).unwrap().body.is_none());
    assert_eq!(body(&request(&optional, &json!({"body": {"name": "Rex"}})).unwrap()), r#"{"name":"Rex"}"#);
    assert!(request(&optional, &json!({"body": {}})).is_err());

    let list = with_body(
        "application/json",
        true,
        &json!({"schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}}}),
    );
    assert_eq!(body(&request(&list, &json!({"body": [{"name": "a"}]})).unwrap()), r#"[{"name":"a"}]"#);
    let any = with_body("application/vnd.x+json; v=1", true, &json!({}));
    let made = request(&any, &json!({"body": null})).unwrap();
    assert_eq!(
        (body(&made).as_str(), headers(&made.headers, "content-type").as_str()),
        ("null", "application/vnd.x+json; v=1")
    );
}

#[test]
fn json_is_preferred_among_media_types() {
    let text = json!({"openapi": "3.0.0", "paths": {"/x": {"post": {"responses": {}, "requestBody": {"required": true, "content": {
        "multipart/form-data": {}, "application/xml": {}, "application/json": {"schema": {"type": "string"}}, "text/plain": {},
    }}}}}});
    let made = request(&document(&text), &json!({"body": "x"})).unwrap();
    assert_eq!(body(&made), "\"x\"");
}

#[test]
fn forms_are_written_by_their_encoding() {
    let media = json!({
        "schema": {"type": "object", "properties": {
            "text": {"type": "string"}, "list": {"type": "array"}, "csv": {"type": "array"}, "deep": {"type": "object"},
            "object": {"type": "object"}, "json": {}, "url": {"type": "string"},
        }},
        "encoding": {
            "csv": {"style": "form", "explode": false}, "deep": {"style": "deepObject", "explode": true},
            "json": {"contentType": "application/json"}, "url": {"allowReserved": true},
        },
    });
    let made = request(&with_body("application/x-www-form-urlencoded", true, &media), &json!({
        "text": "a&b=c d", "list": [1, 2], "csv": [1, 2], "deep": {"x": {"y": 1}}, "object": {"k": "v"}, "json": [true], "url": "http://x/?y",
    })).unwrap();
    let mut pairs: Vec<_> = body(&made).split('&').map(str::to_owned).collect();
    pairs.sort();
    assert_eq!(
        pairs,
        [
            "csv=1,2",
            "deep%5Bx%5D%5By%5D=1",
            "json=%5Btrue%5D",
            "list=1",
            "list=2",
            "object=%7B%22k%22%3A%22v%22%7D",
            "text=a%26b%3Dc%20d",
            "url=http://x/?y",
        ]
    );
    assert_eq!(headers(&made.headers, "content-type"), "application/x-www-form-urlencoded");
}

#[test]
fn a_multipart_body_has_files_given_in_base64() {
    let media = json!({
        "schema": {"type": "object", "required": ["file"], "properties": {
            "file": {"type": "string", "format": "binary", "description": "The picture."},
            "more": {"type": "array", "items": {"type": "string", "contentMediaType": "application/octet-stream"}},
            "meta": {"type": "object"}, "n": {"type": "integer"},
        }},
        "encoding": {"file": {"contentType": "image/png, image/jpeg"}},
    });
    let document = with_body("multipart/form-data", true, &media);
    let made = request(&document, &json!({
        "file": {"base64": "aGk=", "filename": "a\"b.png"}, "more": [{"base64": "eA", "content_type": "text/css"}, {"base64": ""}],
        "meta": {"a": 1}, "n": 5,
    })).unwrap();
    let boundary = headers(&made.headers, "content-type")
        .strip_prefix("multipart/form-data; boundary=")
        .unwrap()
        .to_owned();
    let text = body(&made);
    let mut parts: Vec<_> =
        text.split(&format!("--{boundary}")).map(|part| part.trim_matches('\n').trim_matches('\r')).collect();
    assert_eq!((parts.remove(0), parts.pop().unwrap().trim()), ("", "--"));
    parts.sort_unstable();
    assert_eq!(
        parts.iter().map(|part| part.trim_end_matches("\r\n").trim_start()).collect::<Vec<_>>(),
        [
            "Content-Disposition: form-data; name=\"file\"; filename=\"a%22b.png\"\r\nContent-Type: image/png\r\n\r\nhi",
            "Content-Disposition: form-data; name=\"meta\"\r\nContent-Type: application/json\r\n\r\n{\"a\":1}",
            "Content-Disposition: form-data; name=\"more\"; filename=\"file\"\r\nContent-Type: application/octet-stream",
            "Content-Disposition: form-data; name=\"more\"; filename=\"file\"\r\nContent-Type: text/css\r\n\r\nx",
            "Content-Disposition: form-data; name=\"n\"\r\n\r\n5",
        ]
    );
    for bad in [
        json!({"base64": "?"}),
        json!({"base64": "", "content_type": "a/b\r\nX: y"}),
        json!({"base64": "", "content_type": "a b/c"}),
        json!("text"),
    ] {
        assert!(request(&document, &json!({"file": bad})).is_err(), "{bad}");
    }
}

#[test]
fn text_and_bytes_are_sent_as_they_are() {
    let made = request(
        &with_body("application/xml", true, &json!({"schema": {"type": "object"}})),
        &json!({"body": "<a/>"}),
    )
    .unwrap();
    assert_eq!(
        (body(&made).as_str(), headers(&made.headers, "content-type").as_str()),
        ("<a/>", "application/xml")
    );
    let binary = with_body(
        "application/octet-stream",
        true,
        &json!({"schema": {"type": "string", "format": "binary"}}),
    );
    let made = request(&binary, &json!({"body": {"base64": "AP8="}})).unwrap();
    assert_eq!(&made.body.unwrap()[..], [0, 255]);
    let pdf = request(
        &with_body("application/pdf", true, &json!({})),
        &json!({"body": {"base64": "", "content_type": "image/gif"}}),
    )
    .unwrap();
    assert_eq!(headers(&pdf.headers, "content-type"), "application/pdf");
    let made = request(
        &with_body("image/*", true, &json!({})),
        &json!({"body": {"base64": "", "content_type": "image/gif"}}),
    )
    .unwrap();
    assert_eq!(headers(&made.headers, "content-type"), "image/gif");
}

#[test]
fn bodies_of_version_2_are_json_or_forms() {
    let json_body = json!({"name": "pet", "in": "body", "required": true, "schema": {"type": "object", "properties": {"a": {"type": "integer"}}}});
    let made =
        request(&v2("/x", false, &[json_body], &["application/xml", "application/json"]), &json!({"a": 1}))
            .unwrap();
    assert_eq!(body(&made), r#"{"a":1}"#);
    let field = json!({"name": "f", "in": "formData", "type": "array", "items": {"type": "string"}, "collectionFormat": "pipes"});
    let made = request(
        &v2("/x", false, &[field], &["application/x-www-form-urlencoded"]),
        &json!({"f": ["a", "b"]}),
    )
    .unwrap();
    assert_eq!(body(&made), "f=a%7Cb");
    let file = json!({"name": "f", "in": "formData", "type": "file", "required": true});
    let made = request(&v2("/x", false, &[file], &[]), &json!({"f": {"base64": "aGk="}})).unwrap();
    assert!(
        body(&made).contains("filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\nhi\r\n")
    );
}

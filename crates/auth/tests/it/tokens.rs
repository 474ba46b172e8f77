//! Tokens of an issuer, good and bad.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use towline_auth::{Algorithm, AuthLayer, Jwt, ProtectedResource, Rejection, Verify};

use crate::common::{bearer, call, message, send, serve};
use crate::issuer::{AUDIENCE, Issuer, Mood, SigningKey, now};

fn jwt(issuer: &Issuer) -> Jwt {
    Jwt::new(issuer.url(""), AUDIENCE, &issuer.url("/keys")).unwrap()
}

async fn judged(jwt: &Jwt, token: &str) -> Result<String, Rejection> {
    jwt.verify(token).await.map(|caller| caller.principal.id().to_owned())
}

#[tokio::test]
async fn claims_that_are_asked_for_go_on_with_the_caller_and_no_others() {
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
    let jwt = jwt(&issuer).claims(["tenant", "level"]);
    let token = |claims: Value| key.sign(&json!({"alg": "ES256", "kid": "one"}), &claims);
    let mut claims = issuer.claims();
    (claims["tenant"], claims["level"], claims["email"]) =
        (json!("north"), json!(3), json!("ann@example.com"));
    let caller = jwt.verify(&token(claims.clone())).await.unwrap().principal;
    assert_eq!(caller.claims().collect::<Vec<_>>(), [("level", "3"), ("tenant", "north")]);
    assert_eq!((caller.subject(), caller.issuer()), ("ann", Some(&*issuer.url(""))));
    assert_eq!(caller.scopes().collect::<Vec<_>>(), ["db:read", "mcp"]);
    claims["tenant"] = json!(["north", "south"]);
    assert_eq!(
        jwt.verify(&token(claims)).await.unwrap_err(),
        Rejection::Invalid,
        "it could be taken for either"
    );
}

#[tokio::test]
async fn a_token_counts_only_if_all_that_it_must_say_is_there_and_right() {
    let (key, stranger) = (SigningKey::p256("one"), SigningKey::p256("one"));
    let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
    let jwt = jwt(&issuer);
    let header = json!({"alg": "ES256", "kid": "one", "typ": "at+jwt"});
    let with = |name: &str, value: Value| {
        let mut claims = issuer.claims();
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value,
        }
        key.sign(&header, &claims)
    };
    let ann = Ok(format!("{}#ann", issuer.url("")));
    assert_eq!(judged(&jwt, &issuer.token(&key)).await, ann);
    assert_eq!(judged(&jwt, &with("aud", json!(["https://other", AUDIENCE]))).await, ann, "one of several");
    assert_eq!(judged(&jwt, &with("exp", json!(now() - 5))).await, ann, "clocks differ");

    for (name, value) in [
        ("exp", json!(now() - 31)),
        ("exp", Value::Null),
        ("exp", json!("9999999999")),
        ("exp", json!(now() + 25 * 60 * 60)),
        ("nbf", json!(now() + 60)),
        ("nbf", json!("0")),
        ("iat", json!(now() + 60)),
        ("aud", json!("https://mcp.example")),
        ("aud", json!("https://mcp.example/mcp/")),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("iss", json!("https://other.example")),
        ("iss", Value::Null),
        ("sub", Value::Null),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
    ] {
        let token = with(name, value.clone());
        assert!(judged(&jwt, &token).await.is_err(), "{name}: {value}");
    }
    for header in [
        json!({"alg": "ES256", "kid": "one", "typ": "id_token"}),
        json!({"alg": "ES256", "kid": "one", "crit": ["exp"]}),
        json!({"alg": "none"}),
        json!({"alg": "None", "kid": "one"}),
        json!({"alg": "HS256", "kid": "one"}),
        json!({"alg": "RS256", "kid": "one"}),
        json!({"alg": "EdDSA", "kid": "one"}),
        json!({"alg": "ES384", "kid": "one"}),
        json!({"alg": "es256", "kid": "one"}),
        json!({"kid": "one"}),
    ] {
        let token = key.sign(&header, &issuer.claims());
        assert!(judged(&jwt, &token).await.is_err(), "{header}");
    }
    // Of another's key with the same id, and one that brings its own key along.
    assert_eq!(judged(&jwt, &issuer.token(&stranger)).await, Err(Rejection::Invalid));
    let header = json!({"alg": "ES256", "jwk": stranger.jwk(), "jku": issuer.url("/other")});
    assert_eq!(judged(&jwt, &stranger.sign(&header, &issuer.claims())).await, Err(Rejection::Invalid));
}

#[tokio::test]
async fn nothing_of_a_token_can_be_changed_or_left_out() {
    let key = SigningKey::ed25519("one");
    let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
    let jwt = jwt(&issuer);
    let token = issuer.token(&key);
    assert!(judged(&jwt, &token).await.is_ok());
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = issuer.claims();
    claims["sub"] = "root".into();
    let forged = URL_SAFE_NO_PAD.encode(claims.to_string());
    for bad in [
        format!("{}.{forged}.{}", parts[0], parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{}.{}", parts[0], parts[1]),
        format!("{token}."),
        format!("{token}=="),
        format!("{}.{}.{}.x.y", parts[0], parts[1], parts[2]),
        String::new(),
    ] {
        assert!(judged(&jwt, &bad).await.is_err(), "{bad}");
    }
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    for at in 0..signature.len() {
        let mut changed = signature.clone();
        changed[at] ^= 1;
        let bad = format!("{}.{}.{}", parts[0], parts[1], URL_SAFE_NO_PAD.encode(changed));
        assert_eq!(judged(&jwt, &bad).await, Err(Rejection::Invalid), "byte {at}");
    }
}

#[tokio::test]
async fn a_public_key_never_passes_for_a_secret() {
    // HS256 with the text of the key that everybody can read, and with an `oct` key in the issuer's own set.
    let key = SigningKey::p256("one");
    let secret = json!({"kty": "oct", "kid": "shared", "k": "c2VjcmV0", "alg": "HS256"});
    let issuer = Issuer::start(Mood::Keys(vec![secret, key.jwk()])).await;
    let jwt = jwt(&issuer);
    for (id, secret) in [("one", key.jwk().to_string()), ("shared", "secret".into())] {
        let header = json!({"alg": "HS256", "kid": id});
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header.to_string()),
            URL_SAFE_NO_PAD.encode(issuer.claims().to_string())
        );
        let tag = ring::hmac::sign(
            &ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes()),
            message.as_bytes(),
        );
        let token = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
        assert_eq!(judged(&jwt, &token).await, Err(Rejection::Invalid), "{id}");
    }
    assert!(judged(&jwt, &issuer.token(&key)).await.is_ok(), "the good key beside it works");
}

#[tokio::test]
async fn a_key_that_is_too_short_counts_for_nothing_and_harms_no_other() {
    let rsa = json!({"kty": "RSA", "kid": "rsa", "e": "AQAB", "n": "AQAB"});
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(Mood::Keys(vec![rsa, key.jwk()])).await;
    let jwt = jwt(&issuer);
    let header = json!({"alg": "RS256", "kid": "rsa"});
    let token = key.sign(&header, &issuer.claims());
    assert_eq!(judged(&jwt, &token).await, Err(Rejection::Invalid), "a key that is too short");
    assert!(judged(&jwt, &issuer.token(&key)).await.is_ok());
}

#[tokio::test]
async fn only_allowed_algorithms_count() {
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
    let jwt = jwt(&issuer).algorithms([Algorithm::EdDSA]);
    assert_eq!(judged(&jwt, &issuer.token(&key)).await, Err(Rejection::Invalid));
    assert_eq!(issuer.count(), 0, "nothing is fetched for it");
}

#[tokio::test]
async fn keys_of_one_issuer_are_not_those_of_another() {
    let (a, b) = (SigningKey::p256("same"), SigningKey::p256("same"));
    let (first, second) =
        (Issuer::start(Mood::Keys(vec![a.jwk()])).await, Issuer::start(Mood::Keys(vec![b.jwk()])).await);
    let auth = AuthLayer::new().verifier(jwt(&first)).verifier(jwt(&second));
    let address = serve(auth).await;
    assert_eq!(call(address, &first.token(&a), "read").await.status, 200);
    assert_eq!(call(address, &second.token(&b), "read").await.status, 200);
    assert_eq!(call(address, &first.token(&b), "read").await.status, 401);
    assert_eq!(call(address, &second.token(&a), "read").await.status, 401);
}

#[tokio::test]
async fn unknown_keys_make_one_fetch_however_many_tokens_come() {
    let (old, new) = (SigningKey::p256("old"), SigningKey::ed25519("new"));
    let issuer = Issuer::start(Mood::Keys(vec![old.jwk()])).await;
    let jwt = jwt(&issuer);
    assert!(judged(&jwt, &issuer.token(&old)).await.is_ok());
    assert_eq!(issuer.count(), 1);
    // Rotation without overlap: within 30 seconds of the last attempt nothing is fetched, whoever asks.
    issuer.set(Mood::Keys(vec![new.jwk()]));
    let tokens: Vec<String> = (0..1000).map(|_| issuer.token(&new)).collect();
    for token in &tokens {
        assert_eq!(judged(&jwt, token).await, Err(Rejection::Invalid));
    }
    assert_eq!(issuer.count(), 1);
    assert!(judged(&jwt, &issuer.token(&old)).await.is_ok(), "known keys work meanwhile");
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    let all = tokens[..50].iter().map(|token| judged(&jwt, token));
    assert!(futures_util::future::join_all(all).await.iter().all(Result::is_ok));
    assert_eq!(issuer.count(), 2);
    assert_eq!(judged(&jwt, &issuer.token(&old)).await, Err(Rejection::Invalid), "it is no longer a key");
}

#[tokio::test]
async fn an_issuer_that_is_down_or_hostile_stops_nobody_whose_key_is_known() {
    let (key, other) = (SigningKey::p256("one"), SigningKey::p256("two"));
    for bad in [
        Mood::Status(500),
        Mood::Text("<html>".into()),
        Mood::Text("{\"keys\":[]}".into()),
        Mood::Endless,
        Mood::Silent,
        Mood::Redirect("http://169.254.169.254/latest/meta-data".into()),
    ] {
        let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
        let jwt = jwt(&issuer);
        assert!(judged(&jwt, &issuer.token(&key)).await.is_ok());
        issuer.set(bad.clone());
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(3600)).await;
        tokio::time::resume();
        let began = Instant::now();
        let (known, unknown) = (issuer.token(&key), issuer.token(&other));
        let waiting = tokio::spawn({
            let (jwt, unknown) = (jwt.clone(), unknown.clone());
            async move { judged(&jwt, &unknown).await }
        });
        tokio::task::yield_now().await;
        assert!(judged(&jwt, &known).await.is_ok(), "{bad:?}");
        assert!(began.elapsed() < Duration::from_secs(1), "{bad:?}: a known key waits for nothing");
        assert_eq!(waiting.await.unwrap(), Err(Rejection::Invalid), "{bad:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{bad:?}: an unknown one not for long");
        // For a day, and then no more.
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(22 * 3600)).await;
        assert!(judged(&jwt, &known).await.is_ok(), "{bad:?}");
        tokio::time::advance(Duration::from_secs(2 * 3600)).await;
        tokio::time::resume();
        assert_eq!(judged(&jwt, &known).await, Err(Rejection::Unavailable), "{bad:?}");
    }
}

#[tokio::test]
async fn who_shows_nothing_good_is_told_where_to_get_it() {
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(Mood::Keys(vec![key.jwk()])).await;
    let resource =
        ProtectedResource::new(AUDIENCE, [issuer.url("")]).unwrap().scopes(["mcp", "offline_access"]);
    let address = serve(AuthLayer::new().verifier(jwt(&issuer)).resource(resource)).await;
    let metadata =
        r#"resource_metadata="https://mcp.example/.well-known/oauth-protected-resource/mcp", scope="mcp""#;
    let list = message("tools/list", &json!({}));
    let good = bearer(&issuer.token(&key));

    for (headers, status, challenge) in [
        (vec![], 401, format!("Bearer {metadata}")),
        (vec!["authorization: Basic dTpw"], 401, format!("Bearer {metadata}")),
        (
            vec!["authorization: Bearer hunter2.hunter2.hunter2"],
            401,
            format!(r#"Bearer error="invalid_token", {metadata}"#),
        ),
        (vec![&good, &good], 400, String::new()),
        (vec!["authorization: Bearer"], 400, String::new()),
        (vec!["authorization: Bearer a b"], 400, String::new()),
    ] {
        let answer = send(address, "POST", "/mcp", &headers, &list).await;
        assert_eq!(
            (answer.status, answer.header("www-authenticate").unwrap_or("")),
            (status, &*challenge),
            "{headers:?}"
        );
        assert!(!answer.body.contains("hunter2"), "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.json()["error"]["message"].is_string());
    }
    // The token elsewhere is none.
    let token = issuer.token(&key);
    assert_eq!(send(address, "POST", &format!("/mcp?access_token={token}"), &[], &list).await.status, 401);
    assert_eq!(
        send(address, "POST", "/mcp", &[&format!("cookie: access_token={token}")], &list).await.status,
        401
    );
    let long = bearer(&"x".repeat(9000));
    assert_eq!(send(address, "POST", "/mcp", &[&long], &list).await.status, 401);
    // Every method and path is guarded, but for the metadata.
    for method in ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"] {
        for path in ["/mcp", "/", "/other", "/.well-known/other"] {
            let answer = send(address, method, path, &[], "").await;
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    for path in ["/.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource/mcp"] {
        let answer = send(address, "GET", path, &[], "").await;
        assert_eq!(answer.status, 200, "{path}");
        let expected = json!({"resource": AUDIENCE, "authorization_servers": [issuer.url("")],
            "scopes_supported": ["mcp"], "bearer_methods_supported": ["header"]});
        assert_eq!(answer.json(), expected);
    }
    // The scheme is written in any case.
    let lower = good.replace("Bearer", "bEARER");
    assert_eq!(send(address, "POST", "/mcp", &[&lower], &list).await.status, 200);
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_is_no_fault_of_the_token() {
    let key = SigningKey::p256("one");
    let issuer = Issuer::start(Mood::Status(503)).await;
    let address = serve(AuthLayer::new().verifier(jwt(&issuer))).await;
    let answer = call(address, &issuer.token(&key), "read").await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("2")));
}

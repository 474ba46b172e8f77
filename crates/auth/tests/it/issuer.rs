//! A local issuer: an HTTP server that gives out keys, well or badly, and the keys to sign tokens with.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub const AUDIENCE: &str = "https://mcp.example/mcp";

/// A key that signs with ES256 or EdDSA.
#[derive(Clone)]
pub struct SigningKey {
    pub id: &'static str,
    pair: Arc<Pair>,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

impl SigningKey {
    pub fn p256(id: &'static str) -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
        Self { id, pair: Arc::new(Pair::P256(pair)) }
    }

    pub fn ed25519(id: &'static str) -> Self {
        let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self { id, pair: Arc::new(Pair::Ed25519(Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap())) }
    }

    pub fn algorithm(&self) -> &'static str {
        match &*self.pair {
            Pair::P256(_) => "ES256",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// Its public half.
    pub fn jwk(&self) -> Value {
        match &*self.pair {
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": self.id, "use": "sig", "alg": "ES256",
                       "x": b64(&point[1..33]), "y": b64(&point[33..])})
            }
            Pair::Ed25519(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": self.id, "x": b64(pair.public_key())})
            }
        }
    }

    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let message = format!("{}.{}", b64(header.to_string()), b64(claims.to_string()));
        let signature = match &*self.pair {
            Pair::P256(pair) => {
                pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
            }
            Pair::Ed25519(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", b64(signature))
    }
}

pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// How the issuer answers.
#[derive(Clone, Debug)]
pub enum Mood {
    Keys(Vec<Value>),
    Status(u16),
    Text(String),
    Endless,
    Silent,
    Redirect(String),
}

#[derive(Clone)]
pub struct Issuer {
    pub address: SocketAddr,
    pub fetched: Arc<AtomicUsize>,
    mood: Arc<Mutex<Mood>>,
    /// The last request's body.
    pub asked: Arc<Mutex<String>>,
}

impl Issuer {
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = Self {
            address: listener.local_addr().unwrap(),
            fetched: Arc::default(),
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::default(),
        };
        let serving = issuer.clone();
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let issuer = serving.clone();
                tokio::spawn(async move {
                    let mut request = vec![0; 8192];
                    let n = stream.read(&mut request).await.unwrap_or(0);
                    *issuer.asked.lock().unwrap() = String::from_utf8_lossy(&request[..n]).into_owned();
                    issuer.fetched.fetch_add(1, Ordering::SeqCst);
                    let mood = issuer.mood.lock().unwrap().clone();
                    let whole = |text: String| {
                        let length = text.len();
                        format!(
                            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{text}"
                        )
                    };
                    let answer = match mood {
                        Mood::Keys(keys) => whole(json!({"keys": keys}).to_string()),
                        Mood::Text(text) => whole(text),
                        Mood::Status(status) => {
                            format!("HTTP/1.1 {status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
                        }
                        Mood::Redirect(to) => format!(
                            "HTTP/1.1 302 Found\r\nlocation: {to}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
                        ),
                        Mood::Silent => {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            return;
                        }
                        Mood::Endless => {
                            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                            while stream.write_all(&[b' '; 65536]).await.is_ok() {}
                            return;
                        }
                    };
                    let _ = stream.write_all(answer.as_bytes()).await;
                });
            }
        });
        issuer
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn count(&self) -> usize {
        self.fetched.load(Ordering::SeqCst)
    }

    /// Good claims, of which each test changes one.
    pub fn claims(&self) -> Value {
        json!({"iss": self.url(""), "sub": "ann", "aud": AUDIENCE, "iat": now(), "exp": now() + 600,
               "scope": "mcp db:read"})
    }

    pub fn token(&self, key: &SigningKey) -> String {
        key.sign(&json!({"alg": key.algorithm(), "kid": key.id, "typ": "at+jwt"}), &self.claims())
    }
}

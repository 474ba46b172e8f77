//! The dashboard in a real browser: figures move, sorting and buttons work, names stay text.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};
use towline_end_to_end::{Process, cargo_build};
use towline_scratch_postgres::Database;

/// A name that would be a picture, and run a script, if it were taken for HTML.
const NAME: &str = "<img src=x onerror=document.title='taken'>";

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Calls a tool of the server.
fn call(server: SocketAddr, tool: &str, arguments: &Value) {
    let params = json!({"name": tool, "arguments": arguments});
    let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let mut stream = TcpStream::connect(server).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /mcp HTTP/1.1\r\nHost: {server}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// chromedriver, which ends with the test.
struct Driver(Child, u16);

impl Driver {
    fn start() -> Self {
        let port = free().port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("chromedriver is installed"), port)
    }

    async fn browser(&self, profile: &str) -> Client {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1200,1000",
            profile,
        ];
        let options = json!({"args": arguments});
        let wanted = json!({"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}});
        let wanted: Map<String, Value> = wanted.as_object().unwrap().clone();
        let url = format!("http://127.0.0.1:{}", self.1);
        for _ in 0..100 {
            let mut builder = ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
            if let Ok(client) = builder.capabilities(wanted.clone()).connect(&url).await {
                return client;
            }
            sleep(Duration::from_millis(100)).await;
        }
        panic!("no browser starts");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn text(browser: &Client, css: &str) -> String {
    browser.find(Locator::Css(css)).await.unwrap().text().await.unwrap()
}

/// Waits until an element's text is as it should be.
async fn until(browser: &Client, css: &str, is_right: impl Fn(&str) -> bool) -> String {
    let look = async {
        loop {
            if let Ok(element) = browser.find(Locator::Css(css)).await
                && let Ok(text) = element.text().await
                && is_right(&text)
            {
                return text;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(Duration::from_secs(20), look).await.unwrap_or_else(|_| panic!("{css} never became that"))
}

async fn click(browser: &Client, css: &str) {
    // The page makes its rows anew each second: a click may miss one that is just gone.
    for _ in 0..20 {
        if let Ok(element) = browser.find(Locator::Css(css)).await
            && element.click().await.is_ok()
        {
            return;
        }
        sleep(Duration::from_millis(50)).await;
    }
    panic!("{css} cannot be clicked");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_what_is_going_on_and_acts() {
    let folder = tempfile::tempdir().unwrap();
    let admin = free();
    let settings = folder.path().join("apis.toml");
    fs::write(
        &settings,
        format!(
            "[admin]\nlisten = \"{admin}\"\n[apis.shop]\nbase_url = \"https://shop.invalid/v1\"\n\
             [[layers.server.rate_limit.policies]]\nname = \"{NAME}\"\nlimit = 1000\n"
        ),
    )
    .unwrap();
    let (_server, address) =
        Process::listen(Command::new(cargo_build("api-server")).arg("--config").arg(&settings));
    let driver = Driver::start();
    let profile = format!("--user-data-dir={}", folder.path().join("browser").display());
    let browser = driver.browser(&profile).await;

    browser.goto(&format!("http://{admin}/")).await.unwrap();
    until(&browser, "#live", |text| text == "yes").await;
    assert_eq!(text(&browser, "#name").await, "api-server");
    assert_eq!(text(&browser, "#ready").await, "yes");

    // Figures move.
    let calls = "#tools tr td:nth-child(9)";
    let ask = || call(address, "call_rest_api", &json!({"api": "shop", "path": "/x"}));
    for _ in 0..3 {
        ask();
    }
    until(&browser, calls, |text| text == "3").await;
    ask();
    until(&browser, calls, |text| text == "4").await;

    // Sorting, by mouse and by keyboard.
    click(&browser, "#columns th:nth-child(4) button").await;
    let sorted = "#columns th:nth-child(4)[aria-sort=descending]";
    browser.wait().for_element(Locator::Css(sorted)).await.unwrap();
    let head = browser.find(Locator::Css("#columns th:nth-child(4) button")).await.unwrap();
    head.send_keys("\u{e007}").await.unwrap();
    browser.wait().for_element(Locator::Css("#columns th:nth-child(4)[aria-sort=ascending]")).await.unwrap();

    // A name stays text.
    let names = browser.execute(
        "return [...document.querySelectorAll('#limits td:first-child')].map(e => e.textContent)",
        vec![],
    );
    assert!(names.await.unwrap().as_array().unwrap().iter().any(|name| name == NAME));
    let pictures = browser.execute("return document.querySelectorAll('img').length", vec![]).await.unwrap();
    assert_eq!((pictures, browser.title().await.unwrap().as_str()), (json!(0), "api-server"));

    // A breaker is opened, shows as what is wrong, and is reset.
    let of_shop = |title: &str| format!("#upstreams button[aria-label='{title} the breaker of shop']");
    click(&browser, &of_shop("Open")).await;
    until(&browser, "#wrong", |text| text.contains("shop: its circuit breaker is open")).await;
    click(&browser, &of_shop("Reset")).await;
    until(&browser, "#wrong", |text| !text.contains("shop: its circuit breaker")).await;

    // A tool's own view.
    click(&browser, "#tools button").await;
    until(&browser, "#detail-title", |text| text == "How long call_rest_api takes, since the start").await;
    browser.wait().for_element(Locator::Css("#histogram svg rect")).await.unwrap();

    let logged = browser
        .execute("return performance.getEntriesByType('resource').map(e => new URL(e.name).origin)", vec![]);
    let own = format!("http://{admin}");
    assert!(logged.await.unwrap().as_array().unwrap().iter().all(|origin| *origin == own));
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_the_connections_to_each_database() {
    let database = Database::fresh().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let admin = free();
    let settings = folder.path().join("databases.toml");
    let file = format!(
        "[admin]\nlisten = \"{admin}\"\n[databases.shop]\nurl = \"{}\"\npool_max_size = 3\n",
        database.url()
    );
    fs::write(&settings, file).unwrap();
    let (_server, address) =
        Process::listen(Command::new(cargo_build("database-server")).arg("--config").arg(&settings));
    let driver = Driver::start();
    let profile = format!("--user-data-dir={}", folder.path().join("browser").display());
    let browser = driver.browser(&profile).await;
    browser.goto(&format!("http://{admin}/")).await.unwrap();

    let column = |at: u8| format!("#pools tr td:nth-child({at})");
    until(&browser, &column(5), |text| text == "3").await;
    assert_eq!(text(&browser, &column(1)).await, "shop");
    assert_eq!(text(&browser, &column(2)).await, "0");
    // A statement that runs for seconds has one for itself.
    let query = "SELECT count(*) FROM generate_series(1, 4000) a, generate_series(1, 20000) b";
    let slow = tokio::task::spawn_blocking(move || call(address, "execute_query", &json!({"query": query})));
    until(&browser, &column(2), |text| text == "1").await;
    slow.await.unwrap();
    until(&browser, &column(2), |text| text == "0").await;
    browser.close().await.unwrap();
}

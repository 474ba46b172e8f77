//! What went over the wire.

use std::path::Path;

use serde_json::Value;

/// Messages that belong together: those of one process, or of one HTTP exchange.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    /// What the client said, message by message.
    pub client: Vec<String>,
    /// What the server said.
    pub server: Vec<String>,
}

impl Conversation {
    /// Reads what the `tap` has kept in a directory.
    pub(crate) fn read_all(directory: &Path) -> Vec<Self> {
        let files = std::fs::read_dir(directory).expect("the tap's directory is there");
        files.map(|file| Self::read(&file.expect("the tap's directory can be read").path())).collect()
    }

    fn read(path: &Path) -> Self {
        let mut conversation = Self::default();
        for line in std::fs::read_to_string(path).expect("messages are UTF-8").lines() {
            match line.split_at_checked(1) {
                Some((">", message)) => conversation.client.push(message.to_owned()),
                Some(("<", message)) => conversation.server.push(message.to_owned()),
                _ => panic!("the tap wrote {line:?}"),
            }
        }
        conversation
    }

    /// Of an HTTP exchange: the request's body, and the answer's with its media type.
    pub(crate) fn of_exchange(request: &[u8], media_type: &str, answer: &[u8]) -> Self {
        let text = |bytes| String::from_utf8(bytes).expect("messages are UTF-8");
        let answer = text(answer.to_vec());
        let server = match media_type.split(';').next().unwrap_or_default().trim() {
            "application/json" => vec![answer],
            "text/event-stream" => events(&answer),
            _ => vec![],
        };
        let client = if request.is_empty() { vec![] } else { vec![text(request.to_vec())] };
        Self { client, server }
    }

    /// The revision that a handshake in this conversation settled on.
    pub fn agreed(&self) -> Option<String> {
        self.server.iter().find_map(|message| {
            let message: Value = serde_json::from_str(message).ok()?;
            Some(message["result"]["protocolVersion"].as_str()?.to_owned())
        })
    }
}

/// The data of server-sent events.
fn events(stream: &str) -> Vec<String> {
    stream
        .split("\n\n")
        .map(|event| event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start))
        .map(|data| data.collect::<Vec<_>>().join("\n"))
        .filter(|data| !data.is_empty())
        .collect()
}

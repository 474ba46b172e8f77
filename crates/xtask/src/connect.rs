use std::path::Path;

/// How to connect MCP clients to the running server.
pub(crate) fn instructions(endpoint: &str, server: &Path, url: &str) -> String {
    let (program, url) = (json_string(&server.display().to_string()), json_string(url));
    format!(
        r#"
Serving on {endpoint} until Ctrl-C. Connect to it while it runs:

  Claude Desktop    Settings > Developer > Edit Config, then restart it. It starts a server of its own on the same
                    database, over standard input and output:
    {{
      "mcpServers": {{
        "shop": {{
          "command": {program},
          "args": ["--stdio"],
          "env": {{ "DATABASE_URL": {url} }}
        }}
      }}
    }}

  VS Code           in .vscode/mcp.json:
    {{
      "servers": {{
        "shop": {{ "type": "http", "url": "{endpoint}" }}
      }}
    }}

  MCP Inspector     npx @modelcontextprotocol/inspector --transport http --server-url {endpoint}
                    (needs Node.js 22.19 or newer)
"#
    )
}

fn json_string(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| match c {
            '"' | '\\' => vec!['\\', c],
            c => vec![c],
        })
        .collect();
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_name_the_endpoint_and_the_program() {
        let text =
            instructions("http://127.0.0.1:8081/mcp", Path::new("/a \"b\"/database-server"), "postgres://x");
        assert!(text.contains(r#""url": "http://127.0.0.1:8081/mcp""#), "{text}");
        assert!(text.contains(r#""command": "/a \"b\"/database-server""#), "{text}");
        assert!(text.contains(r#""DATABASE_URL": "postgres://x""#), "{text}");
    }
}

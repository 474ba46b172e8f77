use std::path::Path;

/// How to connect MCP clients to the running server, or to another process of `program` that they start themselves.
pub(crate) fn instructions(
    endpoint: &str,
    name: &str,
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> String {
    let program = json_string(&program.display().to_string());
    let arguments = arguments.iter().map(|argument| json_string(argument)).collect::<Vec<_>>().join(", ");
    let environment = environment
        .iter()
        .map(|(name, value)| format!("{}: {}", json_string(name), json_string(value)))
        .collect::<Vec<_>>()
        .join(",\n                   ");
    format!(
        r#"
Serving on {endpoint} until Ctrl-C. Connect to it while it runs:

  Claude Desktop    Settings > Developer > Edit Config, then restart it. It starts a server of its own on the same
                    data, over standard input and output:
    {{
      "mcpServers": {{
        "{name}": {{
          "command": {program},
          "args": [{arguments}],
          "env": {{ {environment} }}
        }}
      }}
    }}

  VS Code           in .vscode/mcp.json:
    {{
      "servers": {{
        "{name}": {{ "type": "http", "url": "{endpoint}" }}
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
        let text = instructions(
            "http://127.0.0.1:8081/mcp",
            "shop",
            Path::new("/a \"b\"/database-server"),
            &["--stdio"],
            &[("DATABASE_URL", "postgres://x")],
        );
        assert!(text.contains(r#""url": "http://127.0.0.1:8081/mcp""#), "{text}");
        assert!(text.contains(r#""command": "/a \"b\"/database-server""#), "{text}");
        assert!(text.contains(r#""DATABASE_URL": "postgres://x""#), "{text}");
    }
}

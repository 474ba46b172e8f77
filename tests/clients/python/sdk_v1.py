"""The first generation of the official Python SDK, which most applications still use. It knows the handshake alone."""

import os
from contextlib import asynccontextmanager

from mcp import ClientSession, McpError as MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import PromptReference, ResourceTemplateReference

__all__ = ["MCPError", "PromptReference", "ResourceTemplateReference", "connect"]


@asynccontextmanager
async def connect(plan, on_log):
    assert plan["era"] == "legacy", "this SDK is older than that"
    if "url" in plan:
        streams = streamable_http_client(plan["url"])
    else:
        command, *arguments = plan["command"]
        parameters = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
        streams = stdio_client(parameters)
    async with streams as (read, write, *_), ClientSession(read, write, logging_callback=on_log) as session:
        hello = await session.initialize()
        session.server_info, session.instructions = hello.serverInfo, hello.instructions
        yield session

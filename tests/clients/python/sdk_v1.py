"""The first generation of the official Python SDK, which most applications still use. It knows the handshake alone."""

import os
from contextlib import asynccontextmanager

from mcp import ClientSession, McpError as MCPError, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from pydantic import AnyUrl

__all__ = ["MCPError", "connect", "watch"]


@asynccontextmanager
async def connect(plan, application):
    assert plan["era"] == "legacy", "this SDK is older than that"
    if "url" in plan:
        streams = streamable_http_client(plan["url"])
    else:
        command, *arguments = plan["command"]
        parameters = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
        streams = stdio_client(parameters)
    handlers = {"logging_callback": application.on_log, "message_handler": application.on_message}
    if application.answers:
        handlers |= {
            "elicitation_callback": application.elicit,
            "sampling_callback": application.sample,
            "list_roots_callback": application.roots,
        }
    async with streams as (read, write, *_), ClientSession(read, write, **handlers) as session:
        hello = await session.initialize()
        session.server_info, session.instructions = hello.serverInfo, hello.instructions
        yield session


@asynccontextmanager
async def watch(session, plan):
    await session.subscribe_resource(AnyUrl(plan["watch"]))
    yield

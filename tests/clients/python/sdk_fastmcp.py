"""FastMCP's client, in the words of the official SDK."""

import os
from contextlib import asynccontextmanager

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp import MCPError
from mcp.client.subscriptions import listen

__all__ = ["MCPError", "connect", "watch"]


@asynccontextmanager
async def connect(plan, application):
    if "url" in plan:
        server = plan["url"]
    else:
        command, *arguments = plan["command"]
        server = StdioTransport(command, arguments, env=dict(os.environ), keep_alive=False)
    mode = "legacy" if plan["era"] == "legacy" else "auto"
    handlers = {"log_handler": application.on_log, "message_handler": application.on_message}
    if application.answers:

        async def elicit(message, response_type, params, context):
            return (await application.elicit(context, params)).content

        async def sample(messages, params, context):
            return (await application.sample(context, params)).content.text

        async def roots(context):
            return (await application.roots(context)).roots

        handlers |= {"elicitation_handler": elicit, "sampling_handler": sample, "roots": roots}
    async with Client(server, mode=mode, **handlers) as client:
        yield Renamed(client)


@asynccontextmanager
async def watch(client, plan):
    # FastMCP has no way of its own to watch a resource.
    if plan["era"] == "legacy":
        await client.session.subscribe_resource(plan["watch"])
        yield
        return
    async with listen(
        client.session,
        tools_list_changed=True,
        prompts_list_changed=True,
        resource_subscriptions=[plan["watch"]],
    ):
        yield


class Renamed:
    def __init__(self, client):
        self.server_info = client.server_info
        self.instructions = client.instructions
        self.session = client.session
        self.list_tools = client.list_tools_mcp
        self.list_resources = client.list_resources_mcp
        self.list_resource_templates = client.list_resource_templates_mcp
        self.list_prompts = client.list_prompts_mcp
        self.read_resource = client.read_resource_mcp
        self.get_prompt = client.get_prompt_mcp
        self.complete = client.complete_mcp
        self.send_ping = client.ping
        self.set_logging_level = client.set_logging_level
        self._client = client

    async def call_tool(self, name, arguments, progress_callback, meta):
        return await self._client.call_tool_mcp(
            name, arguments or {}, progress_handler=progress_callback, meta=meta
        )

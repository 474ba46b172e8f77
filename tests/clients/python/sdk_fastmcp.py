"""FastMCP's client, in the words of the official SDK."""

import os
from contextlib import asynccontextmanager

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from mcp import MCPError
from mcp.types import PromptReference, ResourceTemplateReference

__all__ = ["MCPError", "PromptReference", "ResourceTemplateReference", "connect"]


@asynccontextmanager
async def connect(plan, on_log):
    if "url" in plan:
        server = plan["url"]
    else:
        command, *arguments = plan["command"]
        server = StdioTransport(command, arguments, env=dict(os.environ), keep_alive=False)
    mode = "legacy" if plan["era"] == "legacy" else "auto"
    async with Client(server, mode=mode, log_handler=on_log) as client:
        yield Renamed(client)


class Renamed:
    def __init__(self, client):
        self.server_info = client.server_info
        self.instructions = client.instructions
        self.list_tools = client.list_tools_mcp
        self.list_resources = client.list_resources_mcp
        self.list_resource_templates = client.list_resource_templates_mcp
        self.list_prompts = client.list_prompts_mcp
        self.read_resource = client.read_resource_mcp
        self.get_prompt = client.get_prompt_mcp
        self.complete = client.complete_mcp
        self.send_ping = client.ping
        self._client = client

    async def call_tool(self, name, arguments, progress_callback, meta):
        return await self._client.call_tool_mcp(
            name, arguments or {}, progress_handler=progress_callback, meta=meta
        )

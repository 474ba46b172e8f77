"""The official Python SDK, which is already as the plan's driver wants it."""

import os
from contextlib import asynccontextmanager

from mcp import Client, MCPError, StdioServerParameters
from mcp.types import PromptReference, ResourceTemplateReference

__all__ = ["MCPError", "PromptReference", "ResourceTemplateReference", "connect"]


@asynccontextmanager
async def connect(plan, on_log):
    if "url" in plan:
        server = plan["url"]
    else:
        command, *arguments = plan["command"]
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    mode = "legacy" if plan["era"] == "legacy" else "auto"
    async with Client(server, mode=mode, logging_callback=on_log) as client:
        yield client

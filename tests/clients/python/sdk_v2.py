"""The official Python SDK, which is already as the plan's driver wants it."""

import os
from contextlib import asynccontextmanager

from mcp import Client, MCPError, StdioServerParameters

__all__ = ["MCPError", "connect", "watch"]


@asynccontextmanager
async def connect(plan, application):
    if "url" in plan:
        server = plan["url"]
    else:
        command, *arguments = plan["command"]
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    mode = "legacy" if plan["era"] == "legacy" else "auto"
    handlers = {"logging_callback": application.on_log, "message_handler": application.on_message}
    if application.answers:
        handlers |= {
            "elicitation_callback": application.elicit,
            "sampling_callback": application.sample,
            "list_roots_callback": application.roots,
        }
    async with Client(server, mode=mode, **handlers) as client:
        yield client


@asynccontextmanager
async def watch(client, plan):
    if plan["era"] == "legacy":
        await client.subscribe_resource(plan["watch"])
        yield
        return
    async with client.listen(
        tools_list_changed=True, prompts_list_changed=True, resource_subscriptions=[plan["watch"]]
    ):
        yield

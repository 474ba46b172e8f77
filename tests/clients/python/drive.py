"""Drives an MCP server with the official Python SDK: reads a plan from standard input, writes what came of it.

The plan is documented in tests/end-to-end/src/plan.rs.
"""

import json
import os
import sys

import anyio
from mcp import Client, MCPError, StdioServerParameters
from mcp.types import PromptReference, ResourceTemplateReference


def dump(model):
    return model.model_dump(by_alias=True, exclude_none=True, mode="json")


async def call(client, step, logs):
    progress = []

    async def on_progress(done, total, message):
        progress.append({"progress": done, "total": total, "message": message})

    logs.clear()
    meta = {"io.modelcontextprotocol/logLevel": step["log"]} if "log" in step else None
    outcome = {"progress": progress, "logs": []}
    with anyio.move_on_after(step.get("cancel_after")) as scope:
        try:
            result = await client.call_tool(
                step["tool"],
                step.get("arguments"),
                progress_callback=on_progress if step.get("progress") else None,
                meta=meta,
            )
            outcome["content"] = [dump(block) for block in result.content]
            outcome["structured"] = result.structured_content
            outcome["is_error"] = bool(result.is_error)
        except MCPError as error:
            outcome["error"] = {"code": error.code, "message": error.message}
    outcome["cancelled"] = scope.cancelled_caught
    outcome["logs"] = list(logs)
    return outcome


async def attempt(request):
    try:
        return dump(await request)
    except MCPError as error:
        return {"error": {"code": error.code, "message": error.message}}


async def browse(client, wanted):
    references = {"ref/prompt": PromptReference, "ref/resource": ResourceTemplateReference}
    completed = []
    for reference, name, value in wanted["complete"]:
        typed = references[reference["type"]].model_validate(reference)
        completed.append(await attempt(client.complete(typed, {"name": name, "value": value})))
    return {
        "resources": [dump(one) for one in (await client.list_resources()).resources],
        "templates": [dump(one) for one in (await client.list_resource_templates()).resource_templates],
        "prompts": [dump(one) for one in (await client.list_prompts()).prompts],
        "read": [await attempt(client.read_resource(uri)) for uri in wanted["read"]],
        "got": [await attempt(client.get_prompt(name, arguments)) for name, arguments in wanted["get"]],
        "completed": completed,
    }


async def main():
    plan = json.load(sys.stdin)
    if "url" in plan:
        server = plan["url"]
    else:
        command, *arguments = plan["command"]
        server = StdioServerParameters(command=command, args=arguments, env=dict(os.environ))
    logs = []

    async def on_log(params):
        logs.append(dump(params))

    mode = "legacy" if plan["era"] == "legacy" else "auto"
    async with Client(server, mode=mode, logging_callback=on_log) as client:
        tools = (await client.list_tools()).tools
        report = {
            "server": dump(client.server_info) if client.server_info else None,
            "instructions": client.instructions,
            "tools": [dump(tool) for tool in tools],
        }
        if mode == "legacy":
            await client.send_ping()
        if "browse" in plan:
            report["browsed"] = await browse(client, plan["browse"])
        report["calls"] = [await call(client, step, logs) for step in plan["calls"]]
    json.dump(report, sys.stdout)


anyio.run(main)

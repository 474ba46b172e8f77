"""Drives an MCP server with a Python client: reads a plan from standard input, writes what came of it.

The plan is documented in tests/end-to-end/src/plan.rs. The argument is the module that knows the client.
"""

import json
import sys
from importlib import import_module

import anyio

sdk = import_module(sys.argv[1])


def dump(model):
    return model.model_dump(by_alias=True, exclude_none=True, mode="json")


def told(error):
    return {"code": error.error.code, "message": error.error.message}


async def call(client, step, logs):
    progress = []

    async def on_progress(done, total, message):
        progress.append({"progress": done, "total": total, "message": message})

    logs.clear()
    meta = {"io.modelcontextprotocol/logLevel": step["log"]} if "log" in step else None
    outcome = {"progress": progress, "logs": []}
    with anyio.move_on_after(step.get("cancel_after")) as scope:
        try:
            result = dump(
                await client.call_tool(
                    step["tool"],
                    step.get("arguments"),
                    progress_callback=on_progress if step.get("progress") else None,
                    meta=meta,
                )
            )
            outcome["content"] = result["content"]
            outcome["structured"] = result.get("structuredContent")
            outcome["is_error"] = result.get("isError", False)
        except sdk.MCPError as error:
            outcome["error"] = told(error)
    outcome["cancelled"] = scope.cancelled_caught
    outcome["logs"] = list(logs)
    return outcome


async def attempt(request):
    try:
        return dump(await request)
    except sdk.MCPError as error:
        return {"error": told(error)}


async def browse(client, wanted):
    references = {"ref/prompt": sdk.PromptReference, "ref/resource": sdk.ResourceTemplateReference}
    completed = []
    for reference, name, value in wanted["complete"]:
        typed = references[reference["type"]].model_validate(reference)
        completed.append(await attempt(client.complete(typed, {"name": name, "value": value})))
    return {
        "resources": dump(await client.list_resources())["resources"],
        "templates": dump(await client.list_resource_templates())["resourceTemplates"],
        "prompts": dump(await client.list_prompts())["prompts"],
        "read": [await attempt(client.read_resource(uri)) for uri in wanted["read"]],
        "got": [await attempt(client.get_prompt(name, arguments)) for name, arguments in wanted["get"]],
        "completed": completed,
    }


async def main():
    plan = json.load(sys.stdin)
    logs = []

    async def on_log(params):
        logs.append(dump(params))

    async with sdk.connect(plan, on_log) as client:
        report = {
            "server": dump(client.server_info) if client.server_info else None,
            "instructions": client.instructions,
            "tools": dump(await client.list_tools())["tools"],
        }
        if plan["era"] == "legacy":
            await client.send_ping()
        if "browse" in plan:
            report["browsed"] = await browse(client, plan["browse"])
        report["calls"] = [await call(client, step, logs) for step in plan["calls"]]
    json.dump(report, sys.stdout)


anyio.run(main)

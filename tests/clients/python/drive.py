"""Drives an MCP server with a Python client: reads a plan from standard input, writes what came of it.

The plan is documented in tests/end-to-end/src/plan.rs. The argument is the module that knows the client.
"""

import json
import sys
from contextlib import AsyncExitStack
from importlib import import_module

import anyio
from mcp import types

sdk = import_module(sys.argv[1])


def dump(model):
    return model.model_dump(by_alias=True, exclude_none=True, mode="json")


def told(error):
    return {"code": error.error.code, "message": error.error.message}


class Application:
    """What an application does about what the server says and asks by itself."""

    def __init__(self, plan):
        self.answers = plan.get("answers")
        self.logs, self.asked, self.changed = [], [], []

    async def on_log(self, params):
        self.logs.append(dump(params))

    async def on_message(self, message):
        # The first generation wraps notifications.
        message = getattr(message, "root", message)
        method = getattr(message, "method", None) or ""
        if method == "notifications/resources/updated":
            self.changed.append(f"{method} {message.params.uri}")
        elif method.endswith("/list_changed"):
            self.changed.append(method)

    async def elicit(self, context, params):
        self.asked.append("elicitation/create")
        return types.ElicitResult(action="accept", content=self.answers["form"])

    async def sample(self, context, params):
        self.asked.append("sampling/createMessage")
        content = {"type": "text", "text": self.answers["text"]}
        return types.CreateMessageResult.model_validate({"role": "assistant", "model": "m", "content": content})

    async def roots(self, context):
        self.asked.append("roots/list")
        return types.ListRootsResult.model_validate({"roots": [{"uri": self.answers["root"]}]})

    def forget(self):
        for heard in (self.logs, self.asked, self.changed):
            heard.clear()

    async def hear(self, count):
        with anyio.fail_after(10):
            while len(self.changed) < count:
                await anyio.sleep(0.01)


async def call(client, step, application):
    progress = []

    async def on_progress(done, total, message):
        progress.append({"progress": done, "total": total, "message": message})

    application.forget()
    meta = {"io.modelcontextprotocol/logLevel": step["log"]} if "log" in step else None
    outcome = {"progress": progress}
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
    await application.hear(step.get("hears", 0))
    outcome["logs"] = list(application.logs)
    outcome["asked"] = list(application.asked)
    outcome["changed"] = list(application.changed)
    return outcome


async def attempt(request):
    try:
        return dump(await request)
    except sdk.MCPError as error:
        return {"error": told(error)}


async def browse(client, wanted):
    references = {"ref/prompt": types.PromptReference, "ref/resource": types.ResourceTemplateReference}
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
    application = Application(plan)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(sdk.connect(plan, application))
        report = {
            "server": dump(client.server_info) if client.server_info else None,
            "instructions": client.instructions,
            "tools": dump(await client.list_tools())["tools"],
        }
        if plan["era"] == "legacy":
            await client.send_ping()
            if "level" in plan:
                await client.set_logging_level(plan["level"])
        if "browse" in plan:
            report["browsed"] = await browse(client, plan["browse"])
        if "watch" in plan:
            await stack.enter_async_context(sdk.watch(client, plan))
        report["calls"] = [await call(client, step, application) for step in plan["calls"]]
    json.dump(report, sys.stdout)


anyio.run(main)

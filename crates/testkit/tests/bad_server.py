"""A server with a defect of every kind that the tests must find."""

import json
import sys
import time
import urllib.request

TEXT = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 9}}, "required": ["text"]}
HINTS = {"readOnlyHint": True}
TOOLS = ["fine", "accepts", "traces", "hangs", "dies", "mute", "reads", "fetches", "<b>named</b>"]


def call(tool, text):
    if tool == "accepts":
        return result("accepted")
    if tool == "hangs" and text == "":
        time.sleep(60)
    if tool == "dies" and text == "":
        sys.exit("out of cheese")
    if tool == "traces" and not isinstance(text, str):
        return result('Traceback (most recent call last):\n  File "/srv/app.py", line 7, in call', True)
    if tool == "mute" and not isinstance(text, str):
        return result("", True)
    if not isinstance(text, str) or len(text) > 9 and tool not in ("reads", "fetches"):
        return result("text must be a string of at most 9 letters", True)
    if tool == "reads" and text == "/etc/passwd":
        return result("root:x:0:0:root:/root:/bin/sh")
    if tool == "fetches" and "towline-canary" in text:
        try:
            urllib.request.urlopen(text, timeout=1)
        except Exception:
            pass
        time.sleep(0.1)
    return result("you said " + text[:9])


def result(text, error=False):
    return {"content": [{"type": "text", "text": text}], "isError": error}


def answer(message):
    method, params = message.get("method"), message.get("params") or {}
    if method == "initialize":
        info = {"name": "bad & <worse>", "version": "1"}
        return {"protocolVersion": "2025-06-18", "capabilities": {"tools": {}}, "serverInfo": info}
    if method == "tools/list":
        return {"tools": [{"name": name, "inputSchema": TEXT, "annotations": HINTS} for name in TOOLS]}
    if method == "tools/call":
        return call(params["name"], (params.get("arguments") or {}).get("text"))
    return None


for line in sys.stdin.buffer:
    # No care is taken of what is no JSON: that is one of the defects.
    message = json.loads(line)
    if not isinstance(message, dict) or "id" not in message:
        continue
    try:
        found = answer(message)
        reply = {"result": found} if found else {"error": {"code": -32601, "message": "there is no such method"}}
    except (AttributeError, KeyError, TypeError):
        reply = {"error": {"code": -32602, "message": "the parameters are wrong"}}
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], **reply}), flush=True)

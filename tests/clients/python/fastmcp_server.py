"""A server made with FastMCP, to be tested."""

from fastmcp import FastMCP

server = FastMCP("fast", version="1.0")
READ_ONLY = {"readOnlyHint": True}


@server.tool(annotations=READ_ONLY)
def add(a: int, b: int) -> int:
    """Adds two numbers."""
    return a + b


@server.tool(annotations=READ_ONLY)
def read(path: str) -> str:
    """Reads a file, without the care that it should take."""
    with open(path, encoding="utf-8") as file:
        return file.read()


server.run(show_banner=False)

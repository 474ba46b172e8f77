// Drives an MCP server with an official TypeScript SDK: reads a plan from standard input, writes what came of it.
//
// The plan is documented in tests/end-to-end/src/plan.rs. The argument says which SDK: `v2` is
// @modelcontextprotocol/client, `v1` is @modelcontextprotocol/sdk, which most clients still use.

import { text } from 'node:stream/consumers';

const sdks = {
    v1: async () => {
        const [{ Client }, { StdioClientTransport }, { StreamableHTTPClientTransport }, { LoggingMessageNotificationSchema }] =
            await Promise.all([
                import('@modelcontextprotocol/sdk/client/index.js'),
                import('@modelcontextprotocol/sdk/client/stdio.js'),
                import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
                import('@modelcontextprotocol/sdk/types.js'),
            ]);
        const onLog = (client, handler) =>
            client.setNotificationHandler(LoggingMessageNotificationSchema, handler);
        const call = (client, params, options) => client.callTool(params, undefined, options);
        return { Client, StdioClientTransport, StreamableHTTPClientTransport, onLog, call };
    },
    v2: async () => {
        const [{ Client, StreamableHTTPClientTransport }, { StdioClientTransport }] = await Promise.all([
            import('@modelcontextprotocol/client'),
            import('@modelcontextprotocol/client/stdio'),
        ]);
        const onLog = (client, handler) => client.setNotificationHandler('notifications/message', handler);
        const call = (client, params, options) => client.callTool(params, options);
        return { Client, StdioClientTransport, StreamableHTTPClientTransport, onLog, call };
    },
};

const version = process.argv[2];
const sdk = await sdks[version]();
const plan = JSON.parse(await text(process.stdin));
const legacy = plan.era === 'legacy';

const options = version === 'v2' ? { versionNegotiation: { mode: legacy ? 'legacy' : 'auto' } } : {};
const client = new sdk.Client({ name: 'end-to-end', version: '1.0.0' }, options);
const logs = [];
sdk.onLog(client, notification => {
    logs.push(notification.params);
});

let transport;
if (plan.url) {
    transport = new sdk.StreamableHTTPClientTransport(new URL(plan.url));
} else {
    const [command, ...args] = plan.command;
    transport = new sdk.StdioClientTransport({ command, args, env: process.env });
}
await client.connect(transport);

const { tools } = await client.listTools();
const report = {
    server: client.getServerVersion(),
    instructions: client.getInstructions(),
    tools,
    calls: [],
};
if (legacy) {
    await client.ping();
}
if (plan.browse) {
    report.browsed = await browse(plan.browse);
}
for (const step of plan.calls) {
    report.calls.push(await run(step));
}
await client.close();
process.stdout.write(JSON.stringify(report));

async function browse(wanted) {
    const each = async (list, ask) => {
        const results = [];
        for (const item of list) {
            results.push(await attempt(() => ask(item)));
        }
        return results;
    };
    return {
        resources: (await client.listResources()).resources,
        templates: (await client.listResourceTemplates()).resourceTemplates,
        prompts: (await client.listPrompts()).prompts,
        read: await each(wanted.read, uri => client.readResource({ uri })),
        got: await each(wanted.get, ([name, args]) => client.getPrompt({ name, arguments: args })),
        completed: await each(wanted.complete, ([ref, name, value]) =>
            client.complete({ ref, argument: { name, value } }),
        ),
    };
}

async function attempt(request) {
    try {
        return await request();
    } catch (error) {
        // The second generation takes a status of 500 for a failure of HTTP, with the protocol's error as its text.
        const told = error.data?.status === 500 ? JSON.parse(error.data.text).error : error;
        if (typeof told.code !== 'number') {
            throw error;
        }
        return { error: { code: told.code, message: told.message } };
    }
}

async function run(step) {
    logs.length = 0;
    const outcome = { progress: [], logs: [], cancelled: false };
    const params = { name: step.tool, arguments: step.arguments };
    if (step.log) {
        params._meta = { 'io.modelcontextprotocol/logLevel': step.log };
    }
    const options = {};
    if (step.progress) {
        options.onprogress = progress => outcome.progress.push(progress);
    }
    const abort = new AbortController();
    if (step.cancel_after) {
        options.signal = abort.signal;
        setTimeout(() => abort.abort(), step.cancel_after * 1000);
    }
    try {
        const result = await sdk.call(client, params, options);
        outcome.content = result.content;
        outcome.structured = result.structuredContent ?? null;
        outcome.is_error = result.isError ?? false;
    } catch (error) {
        if (abort.signal.aborted) {
            outcome.cancelled = true;
        } else if (typeof error.code === 'number') {
            outcome.error = { code: error.code, message: error.message };
        } else {
            throw error;
        }
    }
    outcome.logs = [...logs];
    return outcome;
}

// Drives an MCP server with an official TypeScript SDK: reads a plan from standard input, writes what came of it.
//
// The plan is documented in tests/end-to-end/src/plan.rs. The argument says which SDK: `v2` is
// @modelcontextprotocol/client, `v1` is @modelcontextprotocol/sdk, which most clients still use.

import { text } from 'node:stream/consumers';

const sdks = {
    v1: async () => {
        const [{ Client }, { StdioClientTransport }, { StreamableHTTPClientTransport }, types] = await Promise.all([
            import('@modelcontextprotocol/sdk/client/index.js'),
            import('@modelcontextprotocol/sdk/client/stdio.js'),
            import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
            import('@modelcontextprotocol/sdk/types.js'),
        ]);
        const schemas = {
            'elicitation/create': types.ElicitRequestSchema,
            'sampling/createMessage': types.CreateMessageRequestSchema,
            'roots/list': types.ListRootsRequestSchema,
            'notifications/message': types.LoggingMessageNotificationSchema,
            'notifications/tools/list_changed': types.ToolListChangedNotificationSchema,
            'notifications/prompts/list_changed': types.PromptListChangedNotificationSchema,
            'notifications/resources/updated': types.ResourceUpdatedNotificationSchema,
        };
        const onNotification = (client, method, handler) => client.setNotificationHandler(schemas[method], handler);
        const onRequest = (client, method, handler) => client.setRequestHandler(schemas[method], handler);
        const call = (client, params, options) => client.callTool(params, undefined, options);
        return { Client, StdioClientTransport, StreamableHTTPClientTransport, onNotification, onRequest, call };
    },
    v2: async () => {
        const [{ Client, StreamableHTTPClientTransport }, { StdioClientTransport }] = await Promise.all([
            import('@modelcontextprotocol/client'),
            import('@modelcontextprotocol/client/stdio'),
        ]);
        const onNotification = (client, method, handler) => client.setNotificationHandler(method, handler);
        const onRequest = (client, method, handler) => client.setRequestHandler(method, handler);
        const call = (client, params, options) => client.callTool(params, options);
        return { Client, StdioClientTransport, StreamableHTTPClientTransport, onNotification, onRequest, call };
    },
};

const version = process.argv[2];
const sdk = await sdks[version]();
const plan = JSON.parse(await text(process.stdin));
const legacy = plan.era === 'legacy';

const options = version === 'v2' ? { versionNegotiation: { mode: legacy ? 'legacy' : 'auto' } } : {};
if (plan.answers) {
    options.capabilities = { elicitation: {}, sampling: {}, roots: {} };
}
const client = new sdk.Client({ name: 'end-to-end', version: '1.0.0' }, options);
const logs = [];
const asked = [];
const changed = [];
sdk.onNotification(client, 'notifications/message', ({ params }) => {
    logs.push(params);
});
for (const what of ['tools/list_changed', 'prompts/list_changed', 'resources/updated']) {
    sdk.onNotification(client, `notifications/${what}`, ({ method, params }) => {
        changed.push(params?.uri ? `${method} ${params.uri}` : method);
    });
}
if (plan.answers) {
    const { form, text, root } = plan.answers;
    const results = {
        'elicitation/create': { action: 'accept', content: form },
        'sampling/createMessage': { role: 'assistant', model: 'm', content: { type: 'text', text } },
        'roots/list': { roots: [{ uri: root }] },
    };
    for (const [method, result] of Object.entries(results)) {
        sdk.onRequest(client, method, () => {
            asked.push(method);
            return result;
        });
    }
}

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
    if (plan.level) {
        await client.setLoggingLevel(plan.level);
    }
}
if (plan.browse) {
    report.browsed = await browse(plan.browse);
}
let subscription;
if (plan.watch && legacy) {
    await client.subscribeResource({ uri: plan.watch });
} else if (plan.watch) {
    subscription = await client.listen({
        toolsListChanged: true,
        promptsListChanged: true,
        resourceSubscriptions: [plan.watch],
    });
}
for (const step of plan.calls) {
    report.calls.push(await run(step));
}
await subscription?.close();
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
    for (const heard of [logs, asked, changed]) {
        heard.length = 0;
    }
    const outcome = { progress: [], cancelled: false };
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
    await hear(step.hears ?? 0);
    return { ...outcome, logs: [...logs], asked: [...asked], changed: [...changed] };
}

/** Waits until that much has changed. */
async function hear(count) {
    for (const end = Date.now() + 10_000; changed.length < count; ) {
        if (Date.now() > end) {
            throw new Error(`only ${changed.length} of ${count} changes were told`);
        }
        await new Promise(done => setTimeout(done, 10));
    }
}

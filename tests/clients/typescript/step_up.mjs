// Calls two tools with the official client, whose own provider gets tokens: reads from standard input what to call and where,
// writes what came of it. Nothing here reacts to a refusal: the client does that by itself.

import { text } from 'node:stream/consumers';

import { Client, ClientCredentialsProvider, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const { url, issuer, client_id, client_secret, calls, era } = JSON.parse(await text(process.stdin));

const exchanges = [];
const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: new ClientCredentialsProvider({
        clientId: client_id,
        clientSecret: client_secret,
        expectedIssuer: issuer,
    }),
    fetch: async (input, init) => {
        const response = await fetch(input, init);
        const { method, name } = init?.body?.startsWith?.('{"') ? JSON.parse(init.body).params ?? {} : {};
        exchanges.push({
            path: new URL(input.url ?? input).pathname,
            tool: name ?? method ?? null,
            status: response.status,
            challenge: response.headers.get('www-authenticate'),
        });
        return response;
    },
});
const client = new Client({ name: 'step-up', version: '1.0.0' }, { versionNegotiation: { mode: era } });
await client.connect(transport);
const before = (await client.listTools()).tools.map(tool => tool.name);
const results = [];
for (const call of calls) {
    const result = await client.callTool(call);
    results.push({ is_error: result.isError ?? false, structured: result.structuredContent ?? null });
}
const after = (await client.listTools()).tools.map(tool => tool.name);
await client.close();
process.stdout.write(JSON.stringify({ before, after, results, exchanges }));

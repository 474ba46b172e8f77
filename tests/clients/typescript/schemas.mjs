// Writes the protocol's JSON schemas, by revision, to standard output.
//
// No package has them as files. The conformance suite has them as object literals in its bundle, which
// the argument names.

import { readFileSync } from 'node:fs';
import vm from 'node:vm';

const bundle = readFileSync(process.argv[2], 'utf8');

// What only a revision and its successors define, newest first.
const marks = [
    ['2026-07-28', 'DiscoverResult'],
    ['2025-11-25', 'Icon'],
    ['2025-06-18', 'ResourceLink'],
    ['2025-03-26', 'AudioContent'],
    ['2024-11-05', 'CallToolResult'],
];

const schemas = {};
for (const { index } of bundle.matchAll(/\{\$schema:`[^`]*`,(\$defs|definitions):\{Annot/g)) {
    const schema = literalAt(index);
    const definitions = schema.$defs ?? schema.definitions;
    const [revision] = marks.find(([, mark]) => mark in definitions);
    // Fields for numbers have bounds and defaults that are integers, say the schemas of two revisions, which the next one
    // corrects: their generator took every `number` for an integer. Their prose, and the suite, know others.
    for (const property of Object.values(definitions.NumberSchema?.properties ?? {})) {
        if (property.type === 'integer') {
            property.type = 'number';
        }
    }
    schemas[revision] = schema;
}
process.stdout.write(JSON.stringify(schemas));

/** Evaluates the object literal that begins there: the shortest text up to a `}` that is one. */
function literalAt(start) {
    let depth = 0;
    for (let at = start; at < bundle.length; at++) {
        const character = bundle[at];
        if (character === '`' || character === '"' || character === "'") {
            at = endOfString(at, character);
        } else if (character === '{') {
            depth += 1;
        } else if (character === '}' && --depth === 0) {
            return vm.runInNewContext(`(${bundle.slice(start, at + 1)})`);
        }
    }
    throw new Error('a schema has no end');
}

function endOfString(start, quote) {
    for (let at = start + 1; at < bundle.length; at++) {
        if (bundle[at] === '\\') {
            at += 1;
        } else if (bundle[at] === quote) {
            return at;
        }
    }
    throw new Error('a string has no end');
}

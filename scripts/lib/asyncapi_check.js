// Checks an AsyncAPI 3 document, as JSON on the standard input, against AsyncAPI's own schema, and that every reference
// in it leads somewhere. Needs NODE_PATH to hold the packages of deploy/local/asyncapi.
const fs = require('fs');
const Ajv = require('ajv');
const addFormats = require('ajv-formats').default;

const document = JSON.parse(fs.readFileSync(0, 'utf8'));
const ajv = new Ajv({strict: false, allErrors: true});
addFormats(ajv);
const valid = ajv.compile(require('@asyncapi/specs/schemas/3.0.0-without-$id.json'));
const wrong = valid(document) ? [] : valid.errors.map(error => `${error.instancePath}: ${error.message}`);

function* references(node) {
  if (node === null || typeof node !== 'object') return;
  for (const [key, value] of Object.entries(node)) {
    if (key === '$ref' && typeof value === 'string') yield value;
    else yield* references(value);
  }
}

let count = 0;
for (const reference of references(document)) {
  count += 1;
  const target = reference.replace(/^#\//, '').split('/').reduce((node, key) => node && node[key], document);
  if (!reference.startsWith('#/') || target === undefined) wrong.push(`${reference} leads nowhere`);
}
if (wrong.length > 0) {
  console.error(wrong.slice(0, 20).join('\n'));
  process.exit(1);
}
const {messages, schemas} = document.components;
console.error(`lint: the AsyncAPI document is valid: ${Object.keys(document.channels).length} channels, ` +
              `${Object.keys(messages).length} messages, ${Object.keys(schemas).length} schemas, ${count} references`);

// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The API reference at /docs: Swagger UI on what this gateway says of itself.
"use strict";

// The gateway as this page was reached, perhaps behind a proxy that adds to its paths.
const here = new URL(".", location.href).href.replace(/\/$/, "");

// "Try it out" asks this gateway; the page's policy lets it ask no other.
function pointHere(item) {
  for (const server of item.servers ?? []) {
    // what --path-prefix has put there is part of the address already
    server.url = server.url.replace(/^\{origin\}.*?((\/hosts\/\{host\})?)$/, `${here}$1`);
    delete server.variables.origin;
  }
}

// An example says what a parameter may be like. Swagger UI would send it, asked or not.
function keepExamplesBack(parameters) {
  for (const parameter of parameters ?? []) {
    if (parameter.required || parameter.example === undefined)
      continue;
    parameter.description += `\n\nExample: \`${parameter.example}\``;
    delete parameter.example;
  }
}

// What the body may say, too, is not to be said twice.
function keepDefaultsBack(parameters) {
  for (const parameter of parameters ?? []) {
    if (parameter.required || parameter.schema?.default === undefined)
      continue;
    parameter.description += `\n\nDefault: \`${parameter.schema.default}\``;
    delete parameter.schema.default;
  }
}

// Who comes by a link to one operation would see its path's parameters without names.
function spreadParameters(item) {
  const shared = item.parameters ?? [];
  delete item.parameters;
  for (const operation of Object.values(item).filter((part) => part.operationId)) {
    operation.parameters = [...shared, ...(operation.parameters ?? [])];
    keepExamplesBack(operation.parameters);
    if (operation.requestBody)
      keepDefaultsBack(operation.parameters);
    lendXmlExample(operation);
  }
}

// A text whose schema says that it is XML gets a file picker; its example, which can be edited and
// sent, is of more use.
function showXmlExamples(part) {
  if (/xml/.test(part?.contentMediaType))
    delete part.contentMediaType;
  if (part && typeof part === "object")
    Object.values(part).forEach(showXmlExamples);
}

// The document in an example in JSON is one of the same body as XML.
function lendXmlExample(operation) {
  const xml = operation.requestBody?.content?.["application/xml"];
  const json = operation.requestBody?.content?.["application/json"];
  if (!xml || xml.example !== undefined || !json)
    return;
  const values = [json.example, ...Object.values(json.examples ?? {}).map((one) => one.value)];
  xml.example = values.flatMap((value) => Object.values(value ?? {}))
    .find((text) => /^\s*</.test(text));
}

// Swagger UI would put an example of a whole document into an element named after its schema.
const wholeDocuments = {
  fn: { jsonSchema202012: { getXmlSampleSchema: (schema, config, example) => example ?? "" } },
};

// What holds for all operations is long: it opens when it is wanted.
function foldDescription(info) {
  info.description = "<details><summary>What holds for all operations</summary>\n\n" +
    `${info.description}\n\n</details>\n\nAs a file: [openapi.yaml](openapi.yaml), ` +
    "[openapi.json](openapi.json).";
}

const STREAM_MS = 5000;

// Swagger UI shows an answer when it has all of it. Of a stream, which has no end, it gets the
// beginning.
async function fetchBeginning(url, options) {
  const answer = await fetch(url, options);
  if (!answer.headers.get("Content-Type")?.startsWith("text/event-stream"))
    return answer;
  const reader = answer.body.getReader();
  const pieces = [];
  setTimeout(() => reader.cancel(), STREAM_MS);
  for (let piece = await reader.read(); !piece.done; piece = await reader.read())
    pieces.push(piece.value);
  pieces.push(`: the stream goes on; these were its first ${STREAM_MS / 1000} seconds\n`);
  const { status, statusText, headers } = answer;
  const beginning = new Response(new Blob(pieces), { status, statusText, headers });
  return Object.defineProperty(beginning, "url", { value: answer.url });
}

function prepare(spec) {
  const items = Object.values(spec.paths);
  foldDescription(spec.info);
  showXmlExamples(spec);
  [spec, ...items].forEach(pointHere);
  keepExamplesBack(Object.values(spec.components.parameters));
  items.forEach(spreadParameters);
  return spec;
}

async function show() {
  const answer = await fetch("openapi.json");
  if (!answer.ok)
    throw new Error(`openapi.json: status ${answer.status}`);
  SwaggerUIBundle({
    spec: prepare(await answer.json()),
    dom_id: "#docs",
    deepLinking: true,
    displayRequestDuration: true,
    docExpansion: "none",
    filter: true,
    showExtensions: true, // x-virtgate-access: the role that is needed
    defaultModelsExpandDepth: 0,
    validatorUrl: null, // nothing leaves this origin
    plugins: [wholeDocuments],
    requestInterceptor: (request) => Object.assign(request, { userFetch: fetchBeginning }),
  });
}

show().catch((error) => {
  document.querySelector("#docs > p")?.append(` It cannot be: ${error.message}`);
});

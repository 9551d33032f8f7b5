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

// Who comes by a link to one operation would see its path's parameters without names.
function spreadParameters(item) {
  const shared = item.parameters ?? [];
  delete item.parameters;
  for (const operation of Object.values(item).filter((part) => part.operationId)) {
    operation.parameters = [...shared, ...(operation.parameters ?? [])];
    keepExamplesBack(operation.parameters);
  }
}

function prepare(spec) {
  const items = Object.values(spec.paths);
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
  });
}

show().catch((error) => {
  document.querySelector("#docs > p")?.append(` It cannot be: ${error.message}`);
});

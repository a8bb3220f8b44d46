/** The descriptions as one page to read: no script, nothing from elsewhere, so that it works under the strictest policy. */

import { createHash } from 'node:crypto';

/** As the descriptions are written; read here field by field. */
type Json = Readonly<Record<string, unknown>>;

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly security: readonly Json[];
  readonly parameters: readonly { name: string; in: string; required?: boolean; schema: Json; description?: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Json }>> };
  readonly responses: Readonly<Record<string, Response>>;
}
interface Response {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: Json }>>;
}
interface OpenApi {
  readonly info: { readonly title: string; readonly version: string; readonly description: string };
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Json>> };
}
interface AsyncApi {
  readonly info: { readonly title: string; readonly description: string };
  readonly channels: Readonly<Record<string, Channel>>;
  readonly components: { readonly messages: Readonly<Record<string, { readonly payload: Json }>> };
}
interface Channel {
  readonly address: string;
  readonly title: string;
  readonly description: string;
  readonly messages: Json;
}

/** @returns a page of HTML */
export function docsPage(http: Json, live: Json): string {
  const { info, tags, paths, components } = http as unknown as OpenApi;
  const socket = live as unknown as AsyncApi;
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
  );
  const sections = tags.map(({ name, description }) => {
    const own = routes.filter(({ operation }) => operation.tags.includes(name));
    const shown = own.map(({ path, method, operation }) => route(method, path, operation)).join('\n');
    return `<h2 id="${name}">${name}</h2>\n<p>${escaped(description)}</p>\n${shown}`;
  });
  const shapes = Object.entries(components.schemas).map(
    ([name, schema]) => `<details id="${name}"><summary><b>${name}</b></summary>${code(schema)}</details>`,
  );
  const channels = Object.values(socket.channels).map((channel) => described(channel, socket.components.messages));
  const title = `${escaped(info.title)} ${escaped(info.version)}`;
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title><style>${STYLE}</style></head>
<body>
<h1>${title}</h1>
<p>${escaped(info.description)}</p>
<p><a href="/openapi.json">openapi.json</a> · <a href="/asyncapi.json">asyncapi.json</a></p>
<nav>${tags.map(({ name }) => `<a href="#${name}">${name}</a>`).join(' ')} <a href="#shapes">shapes</a> <a href="#frames">frames</a></nav>
${sections.join('\n')}
<h2 id="shapes">shapes</h2>
${shapes.join('\n')}
<h2 id="frames">frames</h2>
<p>${escaped(socket.info.description)}</p>
${channels.join('\n')}
</body>
</html>
`;
}

function route(method: string, path: string, operation: Operation): string {
  const { summary, security, parameters, requestBody, responses } = operation;
  const body = Object.values(requestBody?.content ?? {}).map(({ schema }) => `<h4>body</h4>${code(schema)}`);
  return `<details><summary><b>${method.toUpperCase()}</b> <code>${escaped(path)}</code> ${escaped(summary)}</summary>
<p>${signIn(security)}</p>
${parameters.length === 0 ? '' : `<h4>parameters</h4><ul>${parameters.map(parameter).join('')}</ul>`}
${body.join('')}
<h4>answers</h4>
<ul>${Object.entries(responses).map(answer).join('')}</ul>
</details>`;
}

function signIn(security: readonly Json[]): string {
  if (security.length === 0) return 'No sign-in.';
  const optional = security.some((way) => Object.keys(way).length === 0);
  return `<code>Authorization: Bearer &lt;token&gt;</code>${optional ? '; in demo mode none is needed' : ''}.`;
}

function parameter({ name, in: place, required, schema, description }: Operation['parameters'][number]): string {
  const about = description === undefined ? '' : ` ${escaped(description)}`;
  return `<li><code>${escaped(name)}</code> (${place}${required === true ? ', required' : ''})${about} ${inline(schema)}</li>`;
}

function answer([status, { description, content }]: [string, Response]): string {
  const shapes = Object.entries(content).map(([type, { schema }]) => {
    const isProblem = type === 'application/problem+json';
    return isProblem || type === 'text/plain' ? `<i>${escaped(type)}</i>` : shape(type, schema);
  });
  return `<li><b>${status}</b> ${escaped(description)} ${shapes.join(' or ')}</li>`;
}

/** A named shape is a link; another one is shown where it stands. */
function shape(type: string, schema: Json): string {
  const named = /[^/]+$/.exec(String(schema['$ref'] ?? ''))?.[0];
  if (named !== undefined) return `<a href="#${named}">${named}</a>`;
  return type === 'application/json' ? code(schema) : `<i>${escaped(type)}</i>`;
}

function described(
  { address, title, description, messages }: Channel,
  all: AsyncApi['components']['messages'],
): string {
  const shown = Object.keys(messages).map(
    (name) => `<details><summary><code>${escaped(name)}</code></summary>${code(all[name]?.payload ?? {})}</details>`,
  );
  return `<h3>${escaped(title)} <code>${escaped(address)}</code></h3>\n<p>${escaped(description)}</p>\n${shown.join('\n')}`;
}

const code = (value: unknown): string => `<pre>${escaped(JSON.stringify(value, undefined, 2))}</pre>`;
const inline = (value: unknown): string => `<code>${escaped(JSON.stringify(value))}</code>`;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => ENTITIES[character] ?? character);

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
pre { background: #f4f4f4; padding: .5rem; overflow-x: auto; font-size: .85rem; }
code { font-size: .9rem; overflow-wrap: anywhere; }
details { margin: .3rem 0; } summary { cursor: pointer; } h4 { margin: .5rem 0 0; }
nav a { margin-right: .7rem; }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #1b1b1b; } pre { background: #262626; } a { color: #8ab4f8; } }
`;

/** What the page's content security policy lets through: its own style, as it stands here, and no other. */
export const STYLE_HASH = `sha256-${createHash('sha256').update(STYLE).digest('base64')}`;

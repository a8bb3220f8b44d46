/** The OpenAPI 3.1 description of every HTTP route, made of the contract. */
import { z } from 'zod';
import { inboxEntry, memberView, messageView, meView, roomView, userView } from '../views.js';
import { commandResult } from '../commands.js';
import { signedIn } from '../accounts.js';
import { channelMessage, healthReport } from '../answers.js';
import { HTTP_HEADERS, REFUSALS, type RefusalCode } from '../protocol.js';
import { idempotencyKey, messageIdText, roomId, userId } from '../schemas.js';
import { COMMAND_ROUTES } from './command-routes.js';
import { Components, type Json } from './json-schema.js';
import { QUERY_ROUTES } from './query-routes.js';
import { type MediaType, parametersOf, refusalsOf, type Route, TAGS } from './route.js';

/** Every route that `api` and `gateway` serve. */
export const ROUTES: readonly Route[] = [...QUERY_ROUTES, ...COMMAND_ROUTES];

/** The contract's own version: it rises when a client would notice. */
export const CONTRACT_VERSION = '1.0.0';

const NAMED = {
  Room: roomView,
  Member: memberView,
  Message: messageView,
  InboxEntry: inboxEntry,
  User: userView,
  Me: meView,
  CommandResult: commandResult,
  SignedIn: signedIn,
  ChannelMessage: channelMessage,
  HealthReport: healthReport,
};
/** The text of the problem, for whoever reads it; the code, for programs. */
const PROBLEM = 'application/problem+json';
const PATH_PARAMETERS: Readonly<Record<string, z.ZodType>> = { roomId, userId, messageId: messageIdText };

export function openApi(): Json {
  const components = new Components(NAMED, 'draft-2020-12');
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of ROUTES) {
    const path = (paths[templateOf(route.path)] ??= {});
    path[route.method.toLowerCase()] = operation(route, components);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version: CONTRACT_VERSION,
      description:
        'A command answers 202 with its position in the log; a query that is given that position answers with what includes it.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/' }],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    paths,
    components: {
      schemas: components.all(),
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        // For EventSource, which sets no headers.
        tokenInUrl: { type: 'apiKey', in: 'query', name: 'token' },
      },
    },
  };
}

export const templateOf = (path: string): string => path.replace(/:([A-Za-z]+)/g, '{$1}');

function operation(route: Route, components: Components): Json {
  const { method, path, tag, summary, body } = route;
  return {
    operationId: idOf(method, path),
    tags: [tag],
    summary,
    security: securityOf(route),
    parameters: parameters(route, components),
    ...(body === undefined
      ? {}
      : { requestBody: { required: true, content: { 'application/json': { schema: components.taken(body) } } } }),
    responses: { ...answers(route, components), ...refusals(route) },
  };
}

const idOf = (method: string, path: string): string =>
  [method.toLowerCase(), ...path.split(/[^A-Za-z]+/).filter((word) => word !== '')]
    .map((word, i) => (i === 0 ? word : word[0]?.toUpperCase() + word.slice(1)))
    .join('');

function securityOf({ signIn, path }: Route): Json[] {
  if (signIn === 'none') return [];
  const headerOrUrl = path === '/api/events' ? [{ token: [] }, { tokenInUrl: [] }] : [{ token: [] }];
  // An empty one: none is needed, here in demo mode.
  return signIn === 'guest' ? [...headerOrUrl, {}] : headerOrUrl;
}

function parameters({ path, query, keyed, positioned }: Route, components: Components): Json[] {
  const inPath = parametersOf(path).map((name) => ({
    name,
    in: 'path',
    required: true,
    schema: components.taken(PATH_PARAMETERS[name] ?? z.string()),
  }));
  const asked = query === undefined ? [] : queryParameters(query, components);
  const position = {
    schema: { type: 'string' },
    description: 'A position or a cursor that the answer has to include.',
  };
  return [
    ...inPath,
    ...asked.filter(({ name }) => name !== 'token'),
    ...(positioned === true ? [{ name: 'position', in: 'query', ...position }] : []),
    ...(positioned === true ? [{ name: HTTP_HEADERS.position, in: 'header', ...position }] : []),
    ...(keyed === true
      ? [{ name: HTTP_HEADERS.idempotencyKey, in: 'header', schema: components.taken(idempotencyKey) }]
      : []),
  ];
}

function queryParameters(query: z.ZodObject, components: Components): { name: string }[] {
  const { properties = {}, required = [] } = components.taken(query) as {
    readonly properties?: Readonly<Record<string, Json>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties)
    .filter(([, schema]) => !('not' in schema))
    .map(([name, schema]) => ({ name, in: 'query', required: required.includes(name), schema }));
}

function answers({ answers: given }: Route, components: Components): Json {
  const entries = Object.entries(given).map(([status, answer]): [string, Json] => {
    const description = STATUS_TEXT[status] ?? 'Done';
    if (typeof answer === 'string') return [status, { description, content: { [typeOf(answer)]: textSchema } }];
    return [status, { description, content: { 'application/json': { schema: components.written(answer) } } }];
  });
  return Object.fromEntries(entries);
}

const STATUS_TEXT: Readonly<Record<string, string>> = {
  200: 'As asked',
  201: 'Made',
  202: 'It is in the log; the views follow',
  426: 'Ask for an upgrade',
  503: 'Not now',
};
const textSchema = { schema: { type: 'string' } };
const typeOf = (answer: MediaType): string => answer;

/** Refusals by status: one shape, whose `code` is one of those that this route can give. */
function refusals(route: Route): Json {
  const byStatus = new Map<number, RefusalCode[]>();
  for (const code of refusalsOf(route)) {
    const { http } = REFUSALS[code];
    byStatus.set(http, [...(byStatus.get(http) ?? []), code]);
  }
  const entries = [...byStatus].map(([status, codes]): [string, Json] => {
    const own = route.answers[status];
    const problem = { [PROBLEM]: { schema: problemSchema(status, codes) } };
    // Readiness has an answer of its own for 503.
    const json =
      own instanceof z.ZodType
        ? { 'application/json': { schema: new Components({}, 'draft-2020-12').written(own) } }
        : {};
    const text = route.plainText === true ? { 'text/plain': textSchema } : {};
    const temporary = codes.some((code) => REFUSALS[code].temporary);
    const headers = temporary
      ? { headers: { [HTTP_HEADERS.retryAfter]: { schema: { type: 'integer' }, description: 'Seconds.' } } }
      : {};
    return [String(status), { description: codes.join(', '), ...headers, content: { ...problem, ...json, ...text } }];
  });
  return Object.fromEntries(entries);
}

function problemSchema(status: number, codes: readonly RefusalCode[]): Json {
  const schema = z.strictObject({ status: z.literal(status), code: z.enum(codes), detail: z.string() });
  return new Components({}, 'draft-2020-12').written(schema);
}

/** The descriptions are what they say that they are: documents of their formats, without a loose end. */
import { createRequire } from 'node:module';
import { describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv } from 'ajv';
import { clientFrame, COMMAND_NAMES, COMMANDS, REFUSALS, serverFrame } from '#contract';
import { asyncApi, CLIENT_FRAMES, openApi, ROUTES, SERVER_FRAMES } from '#contract/descriptions';
import { checkAnswer, Undescribed } from '../described.js';

const load = createRequire(import.meta.url);

/** Every `$ref` of a document, and what it points at. */
function references(document: unknown): [string, unknown][] {
  const found: [string, unknown][] = [];
  JSON.stringify(document, (name, value: unknown) => {
    if (name === '$ref' && typeof value === 'string') found.push([value, pointed(document, value)]);
    return value;
  });
  return found;
}

const pointed = (document: unknown, reference: string): unknown =>
  reference
    .replace(/^#\//, '')
    .split('/')
    .reduce((within: unknown, name) => (within as Record<string, unknown> | undefined)?.[name], document);

describe('openapi.json', () => {
  const document = openApi();

  test('is OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(document));
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
  });

  test('has no loose end, and no two operations of one name', () => {
    expect(references(document).length).toBeGreaterThan(10);
    expect(references(document).filter(([, target]) => target === undefined)).toEqual([]);
    const ids = operations().map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('names the parameters of every path, and no others', () => {
    for (const [path, methods] of Object.entries(document['paths'] as Record<string, Record<string, Operation>>))
      for (const { parameters } of Object.values(methods)) {
        const named = parameters.filter((each) => each.in === 'path').map(({ name }) => `{${name}}`);
        expect(named).toEqual(path.match(/\{[A-Za-z]+\}/g) ?? []);
      }
  });

  test('has every command that has a route, and every refusal with its own status', () => {
    const described = new Set(ROUTES.map(({ method, path }) => `${method} ${path}`));
    for (const name of COMMAND_NAMES) {
      const entry = COMMANDS[name];
      if ('http' in entry) expect(described).toContain(`${entry.http.method} ${entry.http.path}`);
    }
    for (const { responses } of operations())
      for (const [status, { description }] of Object.entries(responses)) {
        const codes = description.split(', ').filter((word): word is keyof typeof REFUSALS => word in REFUSALS);
        expect(codes.filter((code) => String(REFUSALS[code].http) !== status)).toEqual([]);
      }
  });

  interface Operation {
    readonly operationId: string;
    readonly parameters: readonly { readonly in: string; readonly name: string }[];
    readonly responses: Readonly<Record<string, { readonly description: string }>>;
  }
  const operations = (): Operation[] =>
    Object.values(document['paths'] as Record<string, Record<string, Operation>>).flatMap((methods) =>
      Object.values(methods),
    );
});

describe('asyncapi.json', () => {
  const document = asyncApi();

  test('is AsyncAPI 3', () => {
    const schema = load('@asyncapi/specs/schemas/3.0.0-without-$id.json') as object;
    const validate = new Ajv({ strict: false, validateFormats: false, allErrors: true }).compile(schema);
    validate(document);
    expect(validate.errors ?? []).toEqual([]);
  });

  test('has no loose end', () => {
    expect(references(document).length).toBeGreaterThan(20);
    expect(references(document).filter(([, target]) => target === undefined)).toEqual([]);
  });

  test('has every frame of the contract, both ways', () => {
    const op = (option: { shape: { op: { values: ReadonlySet<string> } } }) => [...option.shape.op.values][0] ?? '';
    expect(Object.keys(CLIENT_FRAMES).sort()).toEqual(clientFrame.options.map(op).sort());
    const ops = new Set(Object.keys(SERVER_FRAMES).map((name) => name.split('.')[0]));
    expect([...ops].sort()).toEqual(serverFrame.options.map(op).sort());
  });
});

describe('an answer that drifts', () => {
  const room = { id: 'r', kind: 'room', name: 'R', description: '', isPrivate: false, maxMembers: 5, memberCount: 1 };
  const whole = { ...room, settings: {}, createdBy: 'a', createdAt: '2026-01-01T00:00:00.000Z', archived: false };
  const given = (value: unknown, status = 200, type = 'application/json') => ({
    status,
    type: `${type}; charset=utf-8`,
    text: JSON.stringify(value),
  });
  const problem = (status: number, code: string) =>
    given({ status, code, detail: 'x' }, status, 'application/problem+json');

  test('is told from one that does not', () => {
    checkAnswer('GET', '/api/rooms/r?position=0-1', given(whole));
    checkAnswer('GET', '/api/rooms/r', problem(404, 'room_not_found'));
    checkAnswer('GET', '/api/nothing', problem(404, 'not_found'));
    checkAnswer('PUT', '/api/rooms/r', problem(405, 'method_not_allowed'));
  });

  test.each<[string, string, string, ReturnType<typeof given>]>([
    ['a field too many', 'GET', '/api/rooms/r', given({ ...whole, colour: 'red' })],
    ['a field too few', 'GET', '/api/rooms/r', given(room)],
    ['a time of another form', 'GET', '/api/rooms/r', given({ ...whole, createdAt: 'yesterday' })],
    ['another status', 'GET', '/api/rooms/r', given(whole, 201)],
    ['another type', 'GET', '/api/rooms/r', given(whole, 200, 'text/plain')],
    ['a code that this route does not have', 'GET', '/api/rooms/r', problem(404, 'message_not_found')],
    ['a status that is not the code’s', 'GET', '/api/rooms/r', problem(403, 'room_not_found')],
    ['an answer where there is no route', 'GET', '/api/nothing', given({})],
    ['an answer to a method that there is not', 'PUT', '/api/rooms/r', given(whole)],
  ])('has %s', (_, method, path, answer) => {
    expect(() => checkAnswer(method, path, answer)).toThrow(Undescribed);
  });
});

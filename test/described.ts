/**
 * Holds every answer and every frame against what the platform says of itself: a status, a code, a field or a frame that is not
 * described fails the test that met it. What is described stands in `libs/contract`; see docs/TESTING.md.
 */
import { Ajv, type ValidateFunction } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { asyncApi, nameOfFrame, openApi, ROUTES, templateOf, type Route } from '#contract/descriptions';

/** An answer that the platform's description does not have. */
export class Undescribed extends Error {
  override readonly name = 'Undescribed';
}

export interface GivenAnswer {
  readonly status: number;
  readonly type: string | null;
  readonly text: string;
}

/** Formats are patterns as well, in our descriptions; words that only describe are no keywords. */
const OPTIONS = { strict: false, validateFormats: false, allErrors: true } as const;
const http = new Ajv2020(OPTIONS).addSchema(openApi(), 'openapi');
const frames = new Ajv(OPTIONS).addSchema(asyncApi(), 'asyncapi');
const validators = new Map<string, ValidateFunction | undefined>();

const patterns = ROUTES.map((route) => ({
  route,
  pattern: new RegExp(`^${route.path.replace(/[.]/g, '\\.').replace(/:[A-Za-z]+/g, '[^/]+')}$`),
}));

/** @throws Undescribed */
export function checkAnswer(method: string, url: string, answer: GivenAnswer): void {
  const path = url.split('?', 1)[0] ?? '';
  if (method === 'HEAD' || (answer.status === 502 && answer.text === '')) return; // no body; and the proxy's own word
  const of = patterns.filter(({ pattern }) => pattern.test(path));
  // What is spelled out goes before a parameter, as in the router.
  const known = of.sort((a, b) => a.route.path.split(':').length - b.route.path.split(':').length);
  const route = known.find(({ route }) => route.method === method)?.route;
  if (route === undefined) return checkNowhere(method, path, of.length > 0, answer);
  checkRoute(route, path, answer);
}

/** A path that there is not, or not with this method; a path that is no URL is refused before that. */
function checkNowhere(method: string, path: string, exists: boolean, { status, type, text }: GivenAnswer): void {
  if (status === 400 && /%(?![0-9a-f]{2})/i.test(path)) return;
  const [expected, code] = exists ? [405, 'method_not_allowed'] : [404, 'not_found'];
  if (status !== expected) throw new Undescribed(`${method} ${path}: ${status}, but no route is described: ${text}`);
  if (mediaType(type) === 'application/problem+json' && !text.includes(`"code":"${code}"`))
    throw new Undescribed(`${method} ${path}: ${text}`);
}

function checkRoute({ method, path: template, plainText }: Route, path: string, answer: GivenAnswer): void {
  const media = mediaType(answer.type);
  const where = `${method} ${path}: ${answer.status} ${media}`;
  const pointer = ['paths', templateOf(template), method.toLowerCase(), 'responses', answer.status, 'content', media];
  const validate = validatorOf(http, 'openapi', [...pointer, 'schema']);
  if (validate === undefined) throw new Undescribed(`${where} is not described: ${answer.text}`);
  if (plainText === true && media === 'text/plain' && !/^[^\n]+\n$/.test(answer.text))
    throw new Undescribed(`${where} is no line of text: ${answer.text}`);
  const value: unknown = /json$/.test(media) ? JSON.parse(answer.text) : answer.text;
  if (!validate(value)) throw new Undescribed(`${where} is not as described: ${faults(validate)}\n${answer.text}`);
}

/** A frame from the server: it comes when nobody waits, so what is wrong with it fails the test that it came in. */
export function checkFrame(frame: { readonly op: string }): void {
  checkMessage(`server.${nameOfFrame(frame)}`, frame);
}

/** A message on a socket without a subprotocol. */
export function checkPlainMessage(message: unknown): void {
  checkMessage('server.plain', message);
}

/** A frame of a client that means to be understood. */
export function checkClientFrame(frame: { readonly op: string }): void {
  checkMessage(`client.${frame.op}`, frame);
}

/** As `fetch`, for clients that bring their own. @throws Undescribed */
export async function checkedFetch(url: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(url, init);
  const { status, headers } = response;
  const { pathname } = new URL(url);
  checkAnswer(init.method ?? 'GET', pathname, {
    status,
    type: headers.get('content-type'),
    text: await response.clone().text(),
  });
  return response;
}

const undescribed: string[] = [];

/** @throws Undescribed with every frame and event since the last call that the description does not have */
export function checkNothingUndescribed(): void {
  if (undescribed.length > 0) throw new Undescribed(undescribed.splice(0).join('\n'));
}

// Programs that are no spec (`npm run chaos`) ask when they end.
const jest = globalThis as { afterEach?: (check: () => void) => void };
jest.afterEach?.(checkNothingUndescribed);

function checkMessage(name: string, message: unknown): void {
  const validate = validatorOf(frames, 'asyncapi', ['components', 'messages', name, 'payload']);
  if (validate === undefined) undescribed.push(`no frame ${name} is described: ${JSON.stringify(message)}`);
  else if (!validate(message))
    undescribed.push(`${name} is not as described: ${faults(validate)}\n${JSON.stringify(message)}`);
}

function validatorOf(ajv: Ajv, document: string, path: readonly (string | number)[]): ValidateFunction | undefined {
  const pointer = path.map((part) => encodeURIComponent(String(part).replaceAll('~', '~0').replaceAll('/', '~1')));
  const key = `${document}#/${pointer.join('/')}`;
  if (!validators.has(key)) validators.set(key, ajv.getSchema(key));
  return validators.get(key);
}

const mediaType = (type: string | null): string => (type ?? '').split(';', 1)[0]?.trim() ?? '';

const faults = ({ errors }: ValidateFunction): string =>
  (errors ?? [])
    .map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`)
    .join('; ');

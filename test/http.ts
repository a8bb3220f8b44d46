/** Raw HTTP against a running platform: what came, as it came, once it has been held against the platform's own description. */
import { createHmac } from 'node:crypto';
import { checkAnswer } from './described.js';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The parsed body; empty when it is no JSON. */
  readonly json: Fields;
}

/** A JSON object nobody has checked: tests name the fields that they expect. */
export interface Fields {
  readonly [field: string]: unknown;
}

export interface CallOptions {
  readonly token?: string | undefined;
  /** Sent as JSON, or as it stands when it is a string. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  /** Gives up waiting. */
  readonly signal?: AbortSignal;
}

export class Http {
  constructor(
    readonly url: string,
    readonly token?: string,
  ) {}

  /** The same server, seen by another caller. */
  as(token: string | undefined): Http {
    return new Http(this.url, token);
  }

  get(path: string, options: CallOptions = {}): Promise<Answer> {
    return this.call('GET', path, options);
  }

  post(path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('POST', path, { ...options, body });
  }

  put(path: string, body?: unknown, options: CallOptions = {}): Promise<Answer> {
    return this.call('PUT', path, { ...options, body });
  }

  async call(
    method: string,
    path: string,
    { token = this.token, body, headers, signal }: CallOptions = {},
  ): Promise<Answer> {
    const response = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      redirect: 'manual',
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await response.text();
    const { status } = response;
    checkAnswer(method, path, { status, type: response.headers.get('content-type'), text });
    return { status, headers: response.headers, text, json: parsed(text) };
  }
}

function parsed(text: string): Fields {
  try {
    return JSON.parse(text) as Fields;
  } catch {
    return {};
  }
}

/** The string at a path such as `user.id`. */
export function textAt(value: unknown, path: string): string {
  const found = at(value, path);
  if (typeof found === 'string') return found;
  throw new Error(`no string at ${path} in ${JSON.stringify(value)}`);
}

/** The array at a path such as `items`; '' is the value itself. */
export function listAt(value: unknown, path = ''): Fields[] {
  const found = path === '' ? value : at(value, path);
  if (Array.isArray(found)) return found as Fields[];
  throw new Error(`no array at ${path} in ${JSON.stringify(value)}`);
}

export function at(value: unknown, path: string): unknown {
  return path.split('.').reduce((within, field) => (within as Fields | undefined)?.[field], value);
}

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A token under a shared secret, as somebody else's sign-in service would make it. */
export function hs256(secret: string, claims: Readonly<Record<string, unknown>>, header: object = {}): string {
  const exp = Math.floor(Date.now() / 1_000) + 3_600;
  const signed = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part({ exp, ...claims })}`;
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

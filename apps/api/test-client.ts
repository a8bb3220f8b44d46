/** One HTTP request of a spec, and everything of its answer that the contract speaks of. */
export interface Call {
  readonly method?: string;
  readonly url: string;
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON with its content type; a string or bytes are sent as they are, without any. */
  readonly body?: unknown;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly type: string | null;
  readonly text: string;
  // The shape is what the spec is about to check.
  readonly json: () => Record<string, unknown>;
}

export async function call(base: string, { method, url, token, headers, body }: Call): Promise<Answer> {
  const raw = typeof body === 'string' ? Buffer.from(body) : undefined;
  const response = await fetch(`${base}${url}`, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: {
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: raw ?? JSON.stringify(body) }),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    type: response.headers.get('content-type'),
    text,
    json: () => JSON.parse(text) as Record<string, unknown>,
  };
}

/** What a refusal looks like on the wire. */
export const problem = (status: number, code: string, detail: string) => ({
  status,
  type: 'application/problem+json',
  text: JSON.stringify({ status, code, detail }),
});

/** What it looks like on the routes of participant channels. */
export const plainText = (status: number, detail: string) => ({
  status,
  type: 'text/plain; charset=utf-8',
  text: `${detail}\n`,
});

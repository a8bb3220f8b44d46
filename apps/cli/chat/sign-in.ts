/** Signing in from a terminal, and staying signed in: the tokens of a session live for minutes, a conversation for days. */
import type { ChatOptions } from './options.js';

/** Gives the token for the next request; `refused` says that the last one was not taken. */
export type TokenSource = (refused: boolean) => Promise<string>;

/** Could not sign in; `message` says why, and what to do. */
export class SignInError extends Error {
  override readonly name = 'SignInError';
}

interface Tokens {
  readonly token: string;
  readonly refreshToken: string;
}

/** A token is renewed this long before it ends. */
const RENEW_BEFORE_MS = 60_000;

type Who = Pick<ChatOptions, 'url' | 'user' | 'password' | 'token'>;

/** @throws SignInError */
export async function signIn(who: Who): Promise<TokenSource> {
  if (who.token !== undefined) {
    const { token } = who;
    return () => Promise.resolve(token);
  }
  let tokens = await begin(who);
  let renewing: Promise<void> | undefined;
  const renew = async (): Promise<void> => {
    const answer = await post(who.url, '/api/auth/refresh', { refreshToken: tokens.refreshToken });
    // The session has ended, of old age or by an operator: whoever has a password, or is a demo user, begins another.
    tokens = answer.status === 200 ? tokensIn(answer) : await begin(who);
  };
  return async (refused) => {
    if (refused || endsSoon(tokens.token)) await (renewing ??= renew().finally(() => (renewing = undefined)));
    return tokens.token;
  };
}

async function begin({ url, user = '', password }: Who): Promise<Tokens> {
  const answer =
    password === undefined
      ? await post(url, '/api/auth/demo', { user })
      : await post(url, '/api/auth/login', { [user.includes('@') ? 'email' : 'username']: user, password });
  if (answer.status === 200) return tokensIn(answer);
  if (password === undefined && answer.status === 404 && answer.code === 'user_not_found')
    throw new SignInError(`there is no demo user ${user}: alice, bob and charlie are; give --password for an account`);
  if (password === undefined && answer.status === 404)
    throw new SignInError(`${url} is not in demo mode: give --password, or --token`);
  throw new SignInError(`${user} cannot sign in: ${answer.detail}`);
}

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly detail: string;
  readonly body: Readonly<Record<string, unknown>>;
}

async function post(url: string, path: string, body: object): Promise<Answer> {
  const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const response = await fetch(url + path, init).catch((cause: unknown) => {
    throw new SignInError(`no Parley answers at ${url}: start one with npm start, or give --url`, { cause });
  });
  const answer: unknown = await response.json().catch(() => undefined);
  const fields = (typeof answer === 'object' && answer !== null ? answer : {}) as Readonly<Record<string, unknown>>;
  const { code, detail } = fields;
  return {
    status: response.status,
    code: typeof code === 'string' ? code : undefined,
    detail: typeof detail === 'string' ? detail : `HTTP ${response.status}`,
    body: fields,
  };
}

function tokensIn({ body: { token, refreshToken } }: Answer): Tokens {
  if (typeof token === 'string' && typeof refreshToken === 'string') return { token, refreshToken };
  throw new SignInError('the answer to the sign-in holds no tokens: is this a Parley?');
}

function endsSoon(token: string): boolean {
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const endS = typeof claims === 'object' && claims !== null && 'exp' in claims ? Number(claims.exp) : Infinity;
    return endS * 1_000 - Date.now() < RENEW_BEFORE_MS;
  } catch {
    return false; // a token that cannot be read is for the server to judge
  }
}

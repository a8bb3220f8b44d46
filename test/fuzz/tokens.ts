/** Tokens that somebody might bring: a good one with something changed in it, and ones made by hand, rightly signed or not. */
import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { anything, change, changed, written, type Change } from './values.js';

export type Token =
  /** The good one with these changes. */
  | { readonly near: readonly Change[] }
  | { readonly header: string; readonly claims: string; readonly isSigned: boolean }
  | { readonly text: string };

/** Every way on which a token comes in. */
export const WAYS = ['header', 'hello', 'subprotocol', 'upgrade', 'query', 'grpc', 'grpc stream'] as const;

const FAR_S = 4_000_000_000;
const odd = <T>(right: T, ...wrong: unknown[]): fc.Arbitrary<unknown> =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant<unknown>(right) },
    { weight: 1, arbitrary: fc.oneof(fc.constantFrom<unknown>(...wrong), anything) },
  );
const header = fc.record(
  {
    alg: odd('HS256', 'none', 'NONE', 'hs256', 'EdDSA', 'RS256', '', null, ['HS256']),
    typ: odd('JWT', '', 'at+jwt', 1),
    kid: odd('x', '', '../../key', '__proto__', null, 'k'.repeat(3_000)),
    crit: odd(['exp'], [], 'exp', ['b64'], ['nothing']),
    b64: fc.constantFrom<unknown>(true, false, 'false'),
    jku: fc.constantFrom<unknown>('http://127.0.0.1:1/jwks', 1),
    jwk: fc.constantFrom<unknown>({ kty: 'oct', k: 'AA' }, 'jwk'),
    zip: fc.constant('DEF'),
  },
  { requiredKeys: ['alg'] },
);
const claims = fc.record(
  {
    sub: odd('ann', '', ' ', 'a b', '__proto__', '*', 'a.b', '\u0000', 'x'.repeat(5_000), 7, null),
    id: odd(7, 'bob', '', {}, -0, 1.5, true),
    exp: odd(FAR_S, 0, -1, 1, 1.5, 2 ** 53, 1e300, String(FAR_S), null),
    nbf: odd(0, FAR_S, 'now', -1),
    iat: odd(0, FAR_S, 'now'),
    iss: odd('parley', '', 7),
    aud: odd('parley', [], [7]),
    sid: odd('s', '', 7, {}, '*'),
    admin: odd(false, true, 'true', 1),
    username: odd('Ann', '', 7, '\u001b[2J', 'n'.repeat(5_000)),
  },
  { requiredKeys: ['sub', 'exp'] },
);
const text = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '.',
    '..',
    '...',
    'a.b.c',
    'null',
    'undefined',
    `${'a'.repeat(9_000)}.b.c`,
    '\u0000',
    'é.é.é',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
);

export const aToken: fc.Arbitrary<Token> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ near: fc.array(change, { maxLength: 3 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      header: fc.oneof({ weight: 8, arbitrary: header }, { weight: 1, arbitrary: anything }).map(written),
      claims: fc.oneof({ weight: 12, arbitrary: claims }, { weight: 1, arbitrary: anything }).map(written),
      isSigned: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ text }) },
);

const part = (said: string): string => Buffer.from(said).toString('base64url');

/** The token as it is sent. */
export function tokenText(token: Token, good: string, secret: string): string {
  if ('text' in token) return token.text;
  if ('near' in token) return token.near.reduce<Buffer>(changed, Buffer.from(good)).toString('latin1');
  const input = `${part(token.header)}.${part(token.claims)}`;
  const signature = createHmac('sha256', token.isSigned ? secret : 'another')
    .update(input)
    .digest('base64url');
  return `${input}.${signature}`;
}

/** Whether the deployment's secret has signed just this; what the claims are worth is another question. */
export function isSignedBy(secret: string, sent: string): boolean {
  const [head = '', body = '', signature = '', ...more] = sent.split('.');
  const right = createHmac('sha256', secret).update(`${head}.${body}`).digest();
  // A decoder of base64url passes over what is none: other letters, the same signature.
  return more.length === 0 && Buffer.from(signature, 'base64url').equals(right);
}

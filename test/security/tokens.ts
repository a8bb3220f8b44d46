/** Tokens that nobody may be let in with, each wrong in one way; signed with the platform's own key where that is not what is wrong. */
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID } from 'node:crypto';
import { exportSPKI, importJWK, type JWK, SignJWT } from 'jose';
import type { RefusalCode } from '#contract';
import { OWN_TOKENS } from '#service';

export interface OwnKey {
  readonly kid: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
}

export interface BadToken {
  readonly what: string;
  /** Undefined: none at all. */
  readonly token: string | undefined;
  readonly code: RefusalCode;
}

const HOUR_S = 3_600;
const nowS = (): number => Math.floor(Date.now() / 1_000);
const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

type Claims = Readonly<Record<string, unknown>>;
const good = (user: string): Claims => ({ sub: user, iss: OWN_TOKENS.issuer, exp: nowS() + HOUR_S });

/** A token as the platform itself makes them; what is undefined is left out. */
export async function signed(key: OwnKey, user: string, change: Claims = {}, header: object = {}): Promise<string> {
  const claims = Object.fromEntries(Object.entries({ ...good(user), ...change }).filter(([, v]) => v !== undefined));
  const privateKey = await importJWK(key.privateJwk, OWN_TOKENS.algorithm);
  return new SignJWT(claims)
    .setProtectedHeader({ alg: OWN_TOKENS.algorithm, kid: key.kid, ...header })
    .sign(privateKey);
}

/** A signature by a shared secret, whatever the secret is. */
export function hmac(secret: string | Buffer, user: string, header: object = {}): string {
  const input = `${part({ alg: 'HS256', typ: 'JWT', ...header })}.${part(good(user))}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

async function rs256(kid: string, user: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  return new SignJWT({ ...good(user) }).setProtectedHeader({ alg: 'RS256', kid }).sign(privateKey);
}

async function byAnotherKey(kid: string, user: string): Promise<string> {
  const { privateKey } = generateKeyPairSync('ed25519');
  return new SignJWT({ ...good(user) }).setProtectedHeader({ alg: 'EdDSA', kid }).sign(privateKey);
}

const unsigned = (alg: string, user: string, kid: string): string => `${part({ alg, kid })}.${part(good(user))}.`;

/** As `signed`, with other claims under the same signature. */
function tampered(token: string, user: string): string {
  const [header = '', , signature = ''] = token.split('.');
  return `${header}.${part(good(user))}.${signature}`;
}

/** @param revoked a token of a session that has ended */
export async function badTokens(key: OwnKey, user: string, revoked: string): Promise<BadToken[]> {
  const { kid, publicJwk } = key;
  const header = { kid };
  const spki = await exportSPKI(createPublicKey({ key: publicJwk as never, format: 'jwk' }) as never);
  const refused = (what: string, token: string | undefined): BadToken => ({ what, token, code: 'unauthenticated' });
  return [
    refused('no token', undefined),
    { what: 'expired', token: await signed(key, user, { exp: nowS() - HOUR_S }), code: 'token_expired' },
    refused('another key under the same kid', await byAnotherKey(kid, user)),
    refused('another key under a kid of its own', await byAnotherKey(randomUUID(), user)),
    refused('HS256 by the public key (bytes)', hmac(Buffer.from(publicJwk.x ?? '', 'base64url'), user, header)),
    refused('HS256 by the public key (PEM)', hmac(spki, user, header)),
    refused('HS256 by the public key (JWK)', hmac(JSON.stringify(publicJwk), user, header)),
    refused('HS256 by an empty secret', hmac('', user)),
    refused('RS256 by a key of its own', await rs256(kid, user)),
    refused('alg none', unsigned('none', user, kid)),
    refused('alg NONE', unsigned('NONE', user, kid)),
    refused('no end', await signed(key, user, { exp: undefined })),
    refused('no user', await signed(key, user, { sub: undefined })),
    refused('not yet', await signed(key, user, { nbf: nowS() + HOUR_S })),
    refused('another issuer', await signed(key, user, { iss: 'somebody' })),
    refused('another user under the signature', tampered(await signed(key, 'somebody-else'), user)),
    refused('a revoked session', revoked),
    refused('no token at all, but words', 'letmein'),
  ];
}

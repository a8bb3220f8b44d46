/**
 * Who is calling: verifies a token against the deployment's one source of identity. The algorithm belongs to the key, never
 * to the token: each source names the algorithms it takes, and `exp` is required.
 */
import { createRemoteJWKSet, errors, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import { type Actor, DomainError, fields } from '#contract';
import type { Config } from './config.js';

/** Shared clocks drift; a token this little past its end is still taken. */
const CLOCK_TOLERANCE_S = 5;
/** A good token is taken without a look at its signature for so long: a key that was taken back counts that much longer. */
const REMEMBERED_MS = 60_000;
/** Tokens of ours have some 400 bytes. */
const REMEMBERED_MAX = 10_000;
const OWN_ISSUER = 'parley';
const EXTERNAL_ALGORITHMS = ['EdDSA', 'ES256', 'ES384', 'RS256', 'PS256'];

export interface Identity extends Actor {
  /** The refresh-token family a Parley session belongs to; absent for foreign tokens. */
  readonly sessionId: string | undefined;
  readonly expiresAtMs: number;
}

export interface TokenVerifier {
  /** @throws DomainError `unauthenticated` or `token_expired` */
  verify(token: string): Promise<Identity>;
}

/** Claims and audience of Parley's own tokens, for the part that signs them. */
export const OWN_TOKENS = { issuer: OWN_ISSUER, algorithm: 'EdDSA' } as const;

/**
 * The verifier of a deployment.
 * @param ownKeys resolves Parley's own public keys by `kid`; needed where accounts are on
 */
export function createTokenVerifier(config: Config, ownKeys: JWTVerifyGetKey): TokenVerifier {
  const secrets = [config.jwtSecret, config.jwtSecretPrevious].flatMap((text) =>
    text === undefined ? [] : new TextEncoder().encode(text),
  );
  const remote = config.jwksUrl === undefined ? undefined : createRemoteJWKSet(new URL(config.jwksUrl));
  return remembering({
    async verify(token) {
      if (remote !== undefined) return check(() => jwtVerify(token, remote, options(EXTERNAL_ALGORITHMS)));
      if (config.identity === 'accounts') return check(() => jwtVerify(token, ownKeys, ownOptions()));
      if (secrets.length > 0 && (config.identity === 'secret' || !carriesKeyId(token)))
        return check(() => verifyByAny(token, secrets));
      return check(() => jwtVerify(token, ownKeys, ownOptions()));
    },
  });
}

/** The secret of now, else the one before it: what is wrong with a token is told by the last that was tried. */
async function verifyByAny(token: string, secrets: readonly Uint8Array[]): Promise<{ payload: JWTPayload }> {
  const [secret, ...rest] = secrets;
  try {
    return await jwtVerify(token, secret ?? new Uint8Array(), options(['HS256']));
  } catch (error) {
    if (rest.length > 0 && error instanceof errors.JWSSignatureVerificationFailed) return verifyByAny(token, rest);
    throw error;
  }
}

/** Clients send the same token again and again, and each signature costs more than a small query. */
function remembering(verifier: TokenVerifier): TokenVerifier {
  const good = new Map<string, { identity: Identity; untilMs: number }>();
  return {
    async verify(token) {
      const known = good.get(token);
      if (known !== undefined && Date.now() < known.untilMs) return known.identity;
      good.delete(token);
      const identity = await verifier.verify(token);
      // The oldest goes: it is the next to be asked for anew in any case.
      for (const oldest of good.keys()) {
        if (good.size < REMEMBERED_MAX) break;
        good.delete(oldest);
      }
      good.set(token, { identity, untilMs: Math.min(identity.expiresAtMs, Date.now() + REMEMBERED_MS) });
      return identity;
    },
  };
}

const options = (algorithms: string[]) => ({
  algorithms,
  requiredClaims: ['exp'],
  clockTolerance: CLOCK_TOLERANCE_S,
});
const ownOptions = () => ({ ...options([OWN_TOKENS.algorithm]), issuer: OWN_ISSUER });

/** In demo mode two sources stand side by side: ours sign with a key id, a shared secret has none. Only the key is chosen by it. */
function carriesKeyId(token: string): boolean {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());
    return typeof header === 'object' && header !== null && 'kid' in header;
  } catch {
    return false;
  }
}

async function check(verify: () => Promise<{ payload: JWTPayload }>): Promise<Identity> {
  try {
    return identityOf((await verify()).payload);
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new DomainError('token_expired', undefined, { cause: error });
    if (keysAreAway(error)) throw new DomainError('unavailable', undefined, { cause: error });
    if (error instanceof errors.JOSEError) throw new DomainError('unauthenticated', undefined, { cause: error });
    throw error;
  }
}

/** The token may be good, but the issuer that could tell does not answer: nobody is signed out by that. */
function keysAreAway(error: unknown): boolean {
  if (error instanceof errors.JWKSTimeout) return true;
  return error instanceof errors.JOSEError ? error.code === errors.JOSEError.code : isFetchFailure(error);
}

/** Node's fetch says so of every connection that fails; the reason is its cause. */
const isFetchFailure = (error: unknown): boolean =>
  typeof error === 'object' && error !== null && 'message' in error && error.message === 'fetch failed';

function identityOf(payload: JWTPayload): Identity {
  // `id` may be a number of somebody's table; `sub` is a text by RFC 7519.
  const id = payload['id'] ?? payload.sub;
  const claimed = fields.userId.safeParse(typeof payload['id'] === 'number' ? String(id) : id);
  if (!claimed.success) throw new DomainError('unauthenticated', undefined, { cause: claimed.error });
  const username = payload['username'] ?? payload['name'];
  return {
    userId: claimed.data,
    ...(typeof username === 'string' ? { username } : {}),
    sessionId: typeof payload['sid'] === 'string' ? payload['sid'] : undefined,
    expiresAtMs: Number(payload.exp) * 1000,
  };
}

/**
 * The token of an `Authorization` header.
 * @throws DomainError `unauthenticated` with the contract's texts
 */
export function bearerToken(header: string | undefined): string {
  if (header === undefined || header === '') throw new DomainError('unauthenticated', 'missing authorization header');
  const match = /^Bearer +([^\s]+)$/i.exec(header);
  if (!match?.[1]) throw new DomainError('unauthenticated', 'invalid authorization header format');
  return match[1];
}

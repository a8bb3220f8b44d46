/**
 * The keys that sign Parley's own tokens: Ed25519, in the table `signing_keys`. Exactly one key is active (a unique index on
 * the rows that are not retired sees to it), so whichever replica comes first makes it and the others take it. A key that is too
 * old is retired by whoever signs next. A retired key signs nothing new and is still shown and accepted until every token that it
 * can have signed has ended; a revoked one is gone, and its tokens with it.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  calculateJwkThumbprint,
  errors,
  exportJWK,
  generateKeyPair,
  importJWK,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose';
import { OWN_TOKENS } from './identity.js';

/** What runs a named statement; `Database` of `read-models` does. */
export interface Statements {
  query<R extends object>(name: string, sql: string, params?: readonly unknown[]): Promise<R[]>;
}

/** A replica may sign with a key for so long after another has retired it. */
const ACTIVE_KEY_CACHE_MS = 5_000;
/** The longest life of a token that we sign: `parley token`. Sessions' tokens live for minutes. */
export const OWN_TOKEN_LIFE_MAX_S = 24 * 60 * 60;
/** Longer than such a life, the cache above and the clocks' tolerance together. */
const RETIRED_KEY_KEPT_S = OWN_TOKEN_LIFE_MAX_S + 60 * 60;
/** A key that is older is retired by itself. */
const KEY_AGE_MAX_S = 90 * 24 * 60 * 60;
/** A token that names an unknown key makes the verifier read the table again, at most this often. */
const RELOAD_WAIT_MS = 1_000;
/** A key that was revoked is forgotten within this time; the tokens that a verifier remembers, within a minute more (`identity.ts`). */
const PUBLIC_KEYS_CACHE_MS = 60_000;

type PublicKey = Awaited<ReturnType<typeof importJWK>>;

interface KeyRow {
  readonly kid: string;
  readonly public_jwk: JWK;
}

/** A key as an operator sees it. */
export interface KeyView {
  readonly kid: string;
  readonly state: 'active' | 'retired' | 'ended';
  readonly createdAt: string;
  /** Until when its tokens are taken; null while it signs. */
  readonly acceptedUntil: string | null;
}

/**
 * Finds Parley's own public keys, for `createTokenVerifier`. Reads the table when it meets a key that it does not know; goes
 * on with what it knows while the database is away.
 */
export function ownKeys(database: Statements): JWTVerifyGetKey {
  let keys = new Map<string, PublicKey>();
  let triedAtMs = -Infinity;
  let loading: Promise<void> | undefined;

  const load = async (): Promise<void> => {
    await delay(Math.max(0, triedAtMs + RELOAD_WAIT_MS - performance.now()));
    triedAtMs = performance.now();
    const rows = await publicKeyRows(database);
    const imported = rows.map(async (row) => [row.kid, await importJWK(row.public_jwk, OWN_TOKENS.algorithm)] as const);
    keys = new Map(await Promise.all(imported));
  };
  const reload = (): Promise<void> => (loading ??= load().finally(() => (loading = undefined)));

  return async ({ kid }) => {
    if (kid === undefined) throw new errors.JWKSNoMatchingKey();
    const stale = performance.now() - triedAtMs > PUBLIC_KEYS_CACHE_MS;
    if (stale || !keys.has(kid)) {
      const underway = loading !== undefined;
      try {
        await reload();
        // What was read may have been read before the key was made.
        if (underway && !keys.has(kid)) await reload();
      } catch (error) {
        // The database is away: a key that was good is good still.
        if (!keys.has(kid)) throw error;
      }
    }
    const key = keys.get(kid);
    if (key === undefined) throw new errors.JWKSNoMatchingKey();
    return key;
  };
}

export interface SigningKey {
  readonly kid: string;
  readonly privateKey: PublicKey;
}

/** The signing side, for the part that issues tokens. */
export class SigningKeys {
  private cached: { key: SigningKey; readAtMs: number } | undefined;

  constructor(private readonly database: Statements) {}

  /** The key to sign with; made now when there is none. */
  async active(): Promise<SigningKey> {
    if (this.cached === undefined || performance.now() - this.cached.readAtMs > ACTIVE_KEY_CACHE_MS)
      this.cached = { key: await this.readOrMake(), readAtMs: performance.now() };
    return this.cached.key;
  }

  /** Retires the active key and makes another one. Tokens signed before stay good until they end. */
  async rotate(): Promise<string> {
    await this.database.query('retire-key', 'update signing_keys set retired_at = now() where retired_at is null');
    await this.database.query(
      'forget-ended-keys',
      'delete from signing_keys where retired_at <= now() - make_interval(secs => $1)',
      [RETIRED_KEY_KEPT_S],
    );
    this.cached = undefined;
    return (await this.active()).kid;
  }

  /**
   * For a key that somebody else may have: nothing that it has signed is taken any more, once every verifier has read the table again.
   * @returns whether there was such a key; if it was the active one, there is another now
   */
  async revoke(kid: string): Promise<boolean> {
    const gone = await this.database.query('revoke-key', 'delete from signing_keys where kid = $1 returning kid', [
      kid,
    ]);
    this.cached = undefined;
    await this.active();
    return gone.length > 0;
  }

  /** Every key that there is, the oldest first. */
  async list(): Promise<KeyView[]> {
    const rows = await this.database.query<{
      kid: string;
      created_at: Date;
      until: Date | null;
      ended: boolean | null;
    }>(
      'list-keys',
      `select kid, created_at, retired_at + make_interval(secs => $1) as until,
         retired_at + make_interval(secs => $1) <= now() as ended
       from signing_keys order by created_at`,
      [RETIRED_KEY_KEPT_S],
    );
    return rows.map(({ kid, created_at: createdAt, until, ended }) => ({
      kid,
      state: until === null ? 'active' : ended === true ? 'ended' : 'retired',
      createdAt: createdAt.toISOString(),
      acceptedUntil: until?.toISOString() ?? null,
    }));
  }

  /** The public keys as `/.well-known/jwks.json` shows them. */
  async jwks(): Promise<{ keys: JWK[] }> {
    await this.active();
    const rows = await publicKeyRows(this.database);
    return { keys: rows.map((row) => ({ ...row.public_jwk, kid: row.kid, alg: OWN_TOKENS.algorithm, use: 'sig' })) };
  }

  private async readOrMake(): Promise<SigningKey> {
    const found = await this.read();
    if (found !== undefined) return found;
    await this.make();
    const made = await this.read();
    if (made === undefined) throw new Error('the signing key was retired while it was being made: try again');
    return made;
  }

  private async read(): Promise<SigningKey | undefined> {
    const [row] = await this.database.query<{ kid: string; private_jwk: JWK; old: boolean }>(
      'active-key',
      `select kid, private_jwk, created_at < now() - make_interval(secs => $1) as old
       from signing_keys where retired_at is null`,
      [KEY_AGE_MAX_S],
    );
    if (row?.old === true) return this.retire(row.kid);
    return row && { kid: row.kid, privateKey: await importJWK(row.private_jwk, OWN_TOKENS.algorithm) };
  }

  /** By name: another replica may have come first, and its new key stays. */
  private async retire(kid: string): Promise<undefined> {
    await this.database.query(
      'retire-old-key',
      'update signing_keys set retired_at = now() where kid = $1 and retired_at is null',
      [kid],
    );
  }

  /** Two replicas may come here at once: the index on the active row lets one of them through. */
  private async make(): Promise<void> {
    const pair = await generateKeyPair(OWN_TOKENS.algorithm, { crv: 'Ed25519', extractable: true });
    const publicJwk = await exportJWK(pair.publicKey);
    await this.database.query(
      'make-key',
      'insert into signing_keys (kid, public_jwk, private_jwk) values ($1, $2, $3) on conflict do nothing',
      [
        await calculateJwkThumbprint(publicJwk),
        JSON.stringify(publicJwk),
        JSON.stringify(await exportJWK(pair.privateKey)),
      ],
    );
  }
}

const publicKeyRows = (database: Statements): Promise<KeyRow[]> =>
  database.query<KeyRow>(
    'public-keys',
    `select kid, public_jwk from signing_keys
     where retired_at is null or retired_at > now() - make_interval(secs => $1) order by created_at`,
    [RETIRED_KEY_KEPT_S],
  );

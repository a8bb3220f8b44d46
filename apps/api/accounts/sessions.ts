/**
 * Sessions: one for each sign-in. Its access tokens live 15 minutes; its refresh tokens are good for one use each, and a
 * second use of one tells that somebody else has it too: the session ends, for the thief and for its owner.
 *
 * An answer can be lost, and two tabs can ask at once. So a repeat within 30 s is given the same next token, as long as that
 * has not been used: there is never more than one token to go on with, and when a thief and the owner both have it, one of them
 * comes second. The next token is kept for that beside the used one, sealed by it: the database alone gives nobody a token.
 */
import { createHash, createHmac, randomBytes, randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { SignJWT } from 'jose';
import { DomainError, TRANSIENT } from '#contract';
import type { Database } from '#read-models';
import { type Config, CONFIG, DATABASE, NATS, OWN_TOKENS, SigningKeys } from '#service';

const REFRESH_TOKEN_BYTES = 32;
/** Whoever did not get the answer asks again within this time. */
const REPEAT_S = 30;
/** A user's oldest sessions end when there are more. */
const SESSIONS_MAX = 50;

export interface SessionTokens {
  readonly token: string;
  readonly refreshToken: string;
}

/** Whose session it is, as its tokens say. */
export interface SessionOwner {
  readonly userId: string;
  readonly username: string;
  readonly admin: boolean;
}

interface Presented {
  readonly session_id: string;
  readonly user_id: string;
  readonly username: string;
  readonly admin: boolean;
  /** `good`: unused. `repeated`: used a moment ago, and its successor not yet. `used`: stolen. `ended`: too old, or signed out. */
  readonly verdict: 'good' | 'repeated' | 'used' | 'ended';
  /** Of a repeated one. */
  readonly successor: Buffer | null;
}

@Injectable()
export class Sessions {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(NATS) private readonly nats: NatsConnection,
    private readonly keys: SigningKeys,
  ) {}

  /**
   * A new session of a user who has proved who they are.
   * @throws DomainError `forbidden` when the account is disabled meanwhile
   */
  async open(owner: SessionOwner): Promise<SessionTokens> {
    const sessionId = randomUUID();
    const refreshToken = newRefreshToken();
    await this.database.query('session-sweep', SWEEP, [owner.userId, SESSIONS_MAX - 1]);
    const opened = await this.database.query('session-open', OPEN, [
      sessionId,
      owner.userId,
      hashOf(refreshToken),
      this.config.refreshTokenMs / 1000,
    ]);
    if (opened.length === 0) throw new DomainError('forbidden', 'this account is disabled');
    return { token: await this.accessToken(owner, sessionId), refreshToken };
  }

  /**
   * Gives the next pair of tokens for a refresh token.
   * @throws DomainError `unauthenticated`; for a token that was used before, its whole session ends
   */
  async refresh(given: string): Promise<SessionTokens & { owner: SessionOwner }> {
    const made = newRefreshToken();
    const [presented] = await this.database.query<Presented>('session-refresh', REFRESH, [
      hashOf(given),
      hashOf(made),
      this.config.refreshTokenMs / 1000,
      sealed(Buffer.from(made, 'base64url'), given),
      REPEAT_S,
    ]);
    if (presented?.verdict === 'used') this.announceEnd(presented.user_id, presented.session_id);
    const refreshToken = presented && nextToken(presented, given, made);
    if (presented === undefined || refreshToken === undefined) throw new DomainError('unauthenticated');
    const { user_id: userId, username, admin } = presented;
    const owner = { userId, username, admin };
    return { token: await this.accessToken(owner, presented.session_id), refreshToken, owner };
  }

  /**
   * Ends the session of a refresh token, used or not.
   * @throws DomainError `unauthenticated` when it is none of ours
   */
  async endByRefreshToken(given: string): Promise<void> {
    const [ended] = await this.database.query<{ id: string; user_id: string }>('session-end-by-token', END_BY_TOKEN, [
      hashOf(given),
    ]);
    if (ended === undefined) throw new DomainError('unauthenticated');
    this.announceEnd(ended.user_id, ended.id);
  }

  /** Ends a session by its id, as an access token names it. */
  async end(userId: string, sessionId: string): Promise<void> {
    await this.database.query('session-end', END, [sessionId, userId]);
    this.announceEnd(userId, sessionId);
  }

  /** Gateways close the session's sockets. */
  private announceEnd(userId: string, sessionId: string): void {
    this.nats.publish(TRANSIENT.sessionRevoked(userId), JSON.stringify({ userId, sessionId }));
  }

  private async accessToken({ userId, username, admin }: SessionOwner, sessionId: string): Promise<string> {
    const { kid, privateKey } = await this.keys.active();
    const nowS = Math.floor(Date.now() / 1000);
    return new SignJWT({ username, sid: sessionId, ...(admin ? { admin } : {}) })
      .setProtectedHeader({ alg: OWN_TOKENS.algorithm, kid })
      .setSubject(userId)
      .setIssuer(OWN_TOKENS.issuer)
      .setIssuedAt(nowS)
      .setExpirationTime(nowS + this.config.accessTokenMs / 1000)
      .sign(privateKey);
  }
}

const newRefreshToken = (): string => randomBytes(REFRESH_TOKEN_BYTES).toString('base64url');
const hashOf = (token: string): Buffer => createHash('sha256').update(token, 'utf8').digest();

function nextToken({ verdict, successor }: Presented, given: string, made: string): string | undefined {
  if (verdict === 'good') return made;
  if (verdict === 'repeated' && successor !== null) return sealed(successor, given).toString('base64url');
  return undefined;
}

/** Seals a token by the one before it, and opens it again: a pad of its own for each, because each has one successor. */
function sealed(token: Buffer, by: string): Buffer {
  const pad = createHmac('sha256', by).update('the token after it').digest();
  return Buffer.from(token.map((byte, i) => byte ^ (pad[i] ?? 0)));
}

/** Sessions of a user that have ended, and the oldest beyond the limit. */
const SWEEP = `
  delete from sessions where user_id = $1 and (
    not exists (select from refresh_tokens t where t.session_id = sessions.id and t.expires_at > now())
    or id in (select id from sessions where user_id = $1 order by created_at desc offset $2))`;

/** The account's row is held meanwhile, so that whoever disables it finds this session or prevents it. */
const OPEN = `
  with owner as (select user_id from accounts where user_id = $2 and disabled_at is null for share),
  opened as (insert into sessions (id, user_id) select $1, user_id from owner returning id)
  insert into refresh_tokens (token_hash, session_id, expires_at)
  select $3, id, now() + make_interval(secs => $4) from opened returning session_id`;

/**
 * One statement, one answer: the token's row is locked, so of two that come with the same token one finds it used. Used
 * rows stay until they expire, because only they can tell a second use.
 */
const REFRESH = `
  with presented as materialized (
    select t.token_hash, t.session_id, s.user_id, t.successor,
      case
        when t.used_at is null and t.expires_at > now() and s.revoked_at is null then 'good'
        when t.used_at > now() - make_interval(secs => $5) and t.successor is not null and s.revoked_at is null
          and not exists (select from refresh_tokens n where n.token_hash = t.successor_hash and n.used_at is not null)
          then 'repeated'
        when t.used_at is not null then 'used'
        else 'ended'
      end as verdict
    from refresh_tokens t join sessions s on s.id = t.session_id where t.token_hash = $1 for update of t, s),
  used as (
    update refresh_tokens set used_at = now(), successor_hash = $2, successor = $4
    where token_hash in (select token_hash from presented where verdict = 'good')),
  issued as (
    insert into refresh_tokens (token_hash, session_id, expires_at)
    select $2, session_id, now() + make_interval(secs => $3) from presented where verdict = 'good'),
  forgotten as (
    delete from refresh_tokens where expires_at <= now()
      and session_id in (select session_id from presented where verdict = 'good')),
  stolen as (
    update sessions set revoked_at = now()
    where id in (select session_id from presented where verdict = 'used') and revoked_at is null)
  select p.session_id, p.user_id, a.username, a.admin, p.verdict, p.successor
  from presented p join accounts a using (user_id)`;

const END_BY_TOKEN = `
  update sessions set revoked_at = coalesce(revoked_at, now())
  where id = (select session_id from refresh_tokens where token_hash = $1) returning id, user_id`;

const END = `update sessions set revoked_at = coalesce(revoked_at, now()) where id = $1 and user_id = $2`;

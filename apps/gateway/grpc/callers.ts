/**
 * Who calls, and who acts. A token decides. In demo mode, which is only ever on loopback, a call without one acts as the user that
 * it names, and one that names nobody is a guest who sees public rooms.
 */
import type { Metadata } from '@grpc/grpc-js';
import { Inject, Injectable } from '@nestjs/common';
import { DomainError, fields, HTTP_HEADERS, parseOrRefuse } from '#contract';
import { bearerToken, type Config, CONFIG, type Identity, type TokenVerifier } from '#service';
import { TOKEN_VERIFIER } from '../tokens.js';

/** Undefined: a demo guest. */
export type Caller = Identity | undefined;

/** Who signed in, before it is known whom the request names. */
export interface SignIn {
  /** Undefined: there is no token, and none is needed. */
  readonly identity: Identity | undefined;
}

@Injectable()
export class Callers {
  constructor(
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
    @Inject(CONFIG) private readonly config: Config,
  ) {}

  /** @throws DomainError `unauthenticated`, `token_expired` */
  async signIn(metadata: Metadata): Promise<SignIn> {
    const authorization = textOf(metadata, 'authorization');
    if (authorization === undefined && this.config.demo) return { identity: undefined };
    return { identity: await this.verifier.verify(bearerToken(authorization)) };
  }
}

/**
 * Who a call is from.
 * @param named the user that the request names, empty for none
 * @throws DomainError `forbidden` when the token is another user's
 */
export function callerOf({ identity }: SignIn, named: string): Caller {
  if (identity !== undefined) {
    if (named !== '' && named !== identity.userId) throw new DomainError('forbidden');
    return identity;
  }
  return named === '' ? undefined : demoUser(named);
}

/**
 * Who acts, where somebody has to.
 * @param missing the text when nobody is named
 */
export function actorOf(signIn: SignIn, named: string, missing: string): Identity {
  const caller = callerOf(signIn, named);
  if (caller === undefined) throw new DomainError('invalid_body', missing);
  return caller;
}

const demoUser = (named: string): Identity => ({
  userId: parseOrRefuse(fields.userId, named),
  sessionId: undefined,
  expiresAtMs: Number.POSITIVE_INFINITY,
});

/** `idempotency-key`, as on HTTP. */
export function keyOf(metadata: Metadata): string | undefined {
  const key = textOf(metadata, HTTP_HEADERS.idempotencyKey);
  return key === undefined ? undefined : parseOrRefuse(fields.idempotencyKey, key);
}

export function textOf(metadata: Metadata, name: string): string | undefined {
  const [value] = metadata.get(name);
  return value === undefined ? undefined : String(value);
}

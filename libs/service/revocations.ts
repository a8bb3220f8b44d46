/**
 * Access tokens of sessions that have ended: a signature cannot be taken back, so every process that verifies one listens for
 * endings and refuses the session's tokens until they would have ended by themselves. A process that was not there to hear it
 * takes such a token for the rest of its 15 minutes; refresh tokens are looked up, so nobody goes on beyond that.
 */
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError, TRANSIENT } from '#contract';
import type { Config } from './config.js';
import type { TokenVerifier } from './identity.js';

/** Sessions that end within a token's life; above this many the oldest are forgotten. */
export const REVOCATIONS_MAX = 100_000;
/** A token is taken this long past its end (`identity.ts`), and then some. */
const MARGIN_MS = 60_000;

/** A verifier that refuses tokens of sessions whose end this process has heard of. */
export function refusingRevoked(verifier: TokenVerifier, nats: NatsConnection, config: Config): TokenVerifier {
  const ended = new Map<string, { untilMs: number }>();
  nats.subscribe(TRANSIENT.sessionsRevokedAll, {
    callback: (error, message) => {
      if (error !== null) return;
      const sessionId = sessionIn(message.string());
      if (sessionId === undefined) return;
      ended.delete(sessionId);
      ended.set(sessionId, { untilMs: Date.now() + config.accessTokenMs + MARGIN_MS });
      forgetOld(ended);
    },
  });
  return {
    async verify(token) {
      const identity = await verifier.verify(token);
      if (identity.sessionId !== undefined && ended.has(identity.sessionId)) throw new DomainError('unauthenticated');
      return identity;
    },
  };
}

/** Undefined for what cannot be read: an error thrown in a callback would end the connection's reader. */
function sessionIn(text: string): string | undefined {
  try {
    const said: unknown = JSON.parse(text);
    const sessionId = typeof said === 'object' && said !== null && 'sessionId' in said ? said.sessionId : undefined;
    return typeof sessionId === 'string' ? sessionId : undefined;
  } catch {
    return undefined;
  }
}

/** They stand in the order of their end, because each is remembered for as long. */
function forgetOld(ended: Map<string, { untilMs: number }>): void {
  const nowMs = Date.now();
  for (const [sessionId, { untilMs }] of ended) {
    if (untilMs > nowMs && ended.size <= REVOCATIONS_MAX) return;
    ended.delete(sessionId);
  }
}

/** The NATS connection of a service: one a process, which never gives up reconnecting. */
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { Config } from './config.js';

/** Doubled by the library's jitter; short, because a broker that restarts is back within a second. */
const RECONNECT_WAIT_MS = 100;
const RECONNECT_JITTER_MS = 200;
/** A server that is killed in the midst of a handshake costs as long as this before the next attempt. */
const CONNECT_TIMEOUT_MS = 2_000;
/** Two pings without a pong: a broker that is stopped, not closed, is noticed within 20 s. */
const PING_INTERVAL_MS = 10_000;

/**
 * Connects a service.
 * @param name shown in the broker's connection list
 * @throws Error with one line that names the address when no broker answers within 2 s
 */
export async function connectNats(config: Config, name: string): Promise<NatsConnection> {
  try {
    return await connect({
      servers: [...config.natsUrls],
      name,
      ...(config.natsUser === undefined ? {} : { user: config.natsUser }),
      ...(config.natsPassword === undefined ? {} : { pass: config.natsPassword }),
      ...(config.natsUser === undefined ? {} : { inboxPrefix: `_INBOX_${config.natsUser}` }),
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
    });
  } catch (cause) {
    const servers = config.natsUrls.map(withoutCredentials).join(', ') || '(NATS_URL is not set)';
    throw new Error(`no NATS server answers at ${servers}: start one or set NATS_URL (${String(cause)})`, { cause });
  }
}

/** For a message: whoever reads logs need not know the password. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z+]+:\/\/)?[^/]*@/i, '$1');

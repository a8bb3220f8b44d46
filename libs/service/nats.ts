/** The NATS connection of a service: one a process, which never gives up reconnecting. */
import { AuthorizationError, connect, type NatsConnection } from '@nats-io/transport-node';
import { type Config, ConfigError } from './config.js';

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
 * @throws Error with one line that names the address when no broker answers within 2 s, and the user when it is refused
 */
export async function connectNats(config: Config, name: string): Promise<NatsConnection> {
  const { servers, user, pass } = broker(config);
  try {
    return await connect({
      servers,
      name,
      ...(user === undefined ? {} : { user, inboxPrefix: `_INBOX_${user}` }),
      ...(pass === undefined ? {} : { pass }),
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_WAIT_MS,
      reconnectJitter: RECONNECT_JITTER_MS,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_INTERVAL_MS,
    });
  } catch (cause) {
    const where = servers.join(', ') || '(NATS_URL is not set)';
    if (cause instanceof AuthorizationError)
      throw new ConfigError(
        `NATS at ${where} refuses ${user ?? 'clients without a user'}: set NATS_USER and NATS_PASSWORD right`,
      );
    throw new Error(`no NATS server answers at ${where}: start one or set NATS_URL (${String(cause)})`, { cause });
  }
}

interface Broker {
  readonly servers: string[];
  readonly user: string | undefined;
  readonly pass: string | undefined;
}

/** The client reads no user out of a URL; here the first URL that has one counts, where NATS_USER is not set. */
function broker({ natsUrls, natsUser, natsPassword }: Config): Broker {
  const servers = natsUrls.map(withoutCredentials);
  const [, given] = natsUrls.map((url) => /^(?:\w+:\/\/)?([^/]*)@/.exec(url)).find((found) => found !== null) ?? [];
  if (natsUser !== undefined || given === undefined) return { servers, user: natsUser, pass: natsPassword };
  const [user = '', ...pass] = given.split(':');
  return { servers, user: decodeURIComponent(user), pass: decodeURIComponent(pass.join(':')) };
}

/** For the client and for messages: whoever reads logs need not know the password. */
const withoutCredentials = (url: string): string => url.replace(/^([a-z+]+:\/\/)?[^/]*@/i, '$1');

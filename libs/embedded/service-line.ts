import { startRelay, type Relay } from './relay.js';

/** What one process talks to, each by a relay that can be cut. */
export interface ServiceLine {
  /** One a broker. */
  readonly nats: readonly Relay[];
  readonly postgres: Relay;
  /** The process's environment, so that it goes by them. */
  readonly env: { readonly NATS_URL: string; readonly DATABASE_URL: string };
  stop(): Promise<void>;
}

/** @param natsUrls comma-separated */
export async function startServiceLine(natsUrls: string, databaseUrl: string): Promise<ServiceLine> {
  const started: Relay[] = [];
  const relayTo = async (url: URL): Promise<Relay> => {
    const relay = await startRelay(Number(url.port));
    started.push(relay);
    url.port = String(relay.port);
    return relay;
  };
  const stop = async (): Promise<void> => void (await Promise.all(started.map((relay) => relay.stop())));
  try {
    const brokers = natsUrls.split(',').map((url) => new URL(url));
    const database = new URL(databaseUrl);
    const nats = await Promise.all(brokers.map(relayTo));
    const postgres = await relayTo(database);
    const env = { NATS_URL: brokers.map(String).join(','), DATABASE_URL: database.href };
    return { nats, postgres, env, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

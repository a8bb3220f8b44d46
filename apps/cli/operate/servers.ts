/** Connections of a command to what runs, ended with it. */
import type { NatsConnection } from '@nats-io/transport-node';
import { type EventLog, openEventLog } from '#event-log';
import { type Database, openDatabase } from '#read-models';
import { type Config, ConfigError, connectNats } from '#service';

const HINT = 'start one here with npm start, or set it';

export async function withNats<T>(config: Config, work: (nats: NatsConnection) => Promise<T>): Promise<T> {
  if (config.natsUrls.length === 0) throw new ConfigError(`NATS_URL is not set, and nothing runs here: ${HINT}`);
  const nats = await connectNats(config, 'operate');
  try {
    return await work(nats);
  } finally {
    await nats.close();
  }
}

export function withLog<T>(config: Config, work: (log: EventLog) => Promise<T>): Promise<T> {
  return withNats(config, async (nats) => {
    const log = await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
    return work(log);
  });
}

export async function withDatabase<T>(config: Config, work: (database: Database) => Promise<T>): Promise<T> {
  if (config.databaseUrl === undefined)
    throw new ConfigError(`DATABASE_URL is not set, and nothing runs here: ${HINT}`);
  const database = await openDatabase(config.databaseUrl, { migrate: false, poolMax: 2 });
  try {
    return await work(database);
  } finally {
    await database.close();
  }
}

/** Where no disk can be filled, because nothing can be mounted: the broker's and the database's own quotas stand in for it. */
import type { NatsConnection } from '@nats-io/transport-node';
import pg from 'pg';
import type { Heal } from './faults.js';

interface StreamAnswer {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly state?: { readonly bytes: number };
  readonly error?: { readonly description: string };
}

const ANSWER_MS = 10_000;

/** Every partition of the log may hold what it holds now, and no byte more: what comes on top is refused. */
export async function fillStreams(nats: NatsConnection, partitions: number): Promise<Heal> {
  const ask = async (subject: string, body: unknown): Promise<StreamAnswer> => {
    const message = await nats.request(`$JS.API.STREAM.${subject}`, JSON.stringify(body), { timeout: ANSWER_MS });
    const answer = message.json<StreamAnswer>();
    if (answer.error) throw new Error(`${subject}: ${answer.error.description}`);
    return answer;
  };
  const names = Array.from({ length: partitions }, (_, partition) => `CHAT_${partition}`);
  const before = await Promise.all(names.map((name) => ask(`INFO.${name}`, {})));
  for (const [at, name] of names.entries()) {
    const { config, state } = before[at] ?? {};
    await ask(`UPDATE.${name}`, { ...config, max_bytes: Math.max(1, state?.bytes ?? 0), discard: 'new' });
  }
  return async () => {
    for (const [at, name] of names.entries()) await ask(`UPDATE.${name}`, before[at]?.config);
  };
}

/** Every transaction that would write is refused, as a hosted PostgreSQL does when its storage is full. */
export async function closeDatabase(databaseUrl: string): Promise<Heal> {
  const say = async (statement: string): Promise<void> => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    try {
      await client.query(statement);
      await client.query('select pg_reload_conf()');
    } finally {
      await client.end();
    }
  };
  await say('alter system set default_transaction_read_only = on');
  return () => say('alter system reset default_transaction_read_only');
}

/** `parley projections`: what an operator asks about the read models, and asks of them. */
import { createInbox, type NatsConnection } from '@nats-io/transport-node';
import { formatPosition, REQUESTS } from '#contract';
import { type EventLog, openEventLog } from '#event-log';
import {
  checkpointsOf,
  countDeadLetters,
  type Database,
  listDeadLetters,
  openDatabase,
  projections,
} from '#read-models';
import { type Config, ConfigError, connectNats } from '#service';

export type Print = (line: string) => void;

const DEAD_LETTERS_SHOWN = 20;
/** A projection that rebuilds says something every second. */
const SILENCE_MS = 15_000;

/** @returns the exit code */
export async function runProjections(args: readonly string[], config: Config, print: Print): Promise<number> {
  const [action = '', ...rest] = args;
  if (action === 'status' && rest.length === 0) return withViews(config, (log, views) => status(log, views, print));
  if (action === 'rebuild') return withNats(config, (nats) => ask(config, nats, { models: rest }, print));
  if (action === 'replay' && rest.length === 1)
    return withNats(config, (nats) => ask(config, nats, { replay: rest[0] }, print));
  print('usage: parley projections status | rebuild [model ...] | replay <position>');
  return 2;
}

async function withNats<T>(config: Config, work: (nats: NatsConnection) => Promise<T>): Promise<T> {
  const nats = await connectNats(config, 'operate');
  try {
    return await work(nats);
  } finally {
    await nats.close();
  }
}

async function withViews<T>(config: Config, work: (log: EventLog, views: Database) => Promise<T>): Promise<T> {
  if (config.databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set: it says where the read models are');
  const views = await openDatabase(config.databaseUrl, { migrate: false, poolMax: 2 });
  try {
    return await withNats(config, async (nats) => {
      const log = await openEventLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
      return work(log, views);
    });
  } finally {
    await views.close();
  }
}

/** One line a read model and partition; exit code 0 when nothing needs an operator. */
export async function status(log: EventLog, views: Database, print: Print): Promise<number> {
  print(row(['read model', 'partition', 'checkpoint', 'of', 'behind', 'last event', 'note']));
  let missing = 0;
  for (let partition = 0; partition < log.partitions; partition++) {
    const last = await log.lastSequence(partition);
    const stored = await checkpointsOf(views, partition);
    for (const { name } of projections) {
      const checkpoint = stored.find(({ model }) => model === name);
      if (checkpoint === undefined) missing++;
      const note = checkpoint === undefined ? 'not built yet' : checkpoint.epoch === log.epoch ? '' : 'of another log';
      const { seq = 0, at = 0 } = checkpoint ?? {};
      const time = at === 0 ? '-' : new Date(at).toISOString();
      print(row([name, `${partition}`, `${seq}`, `${last}`, `${Math.max(0, last - seq)}`, time, note]));
    }
  }
  const letters = await listDeadLetters(views, DEAD_LETTERS_SHOWN);
  const count = letters.length < DEAD_LETTERS_SHOWN ? letters.length : await countDeadLetters(views);
  print(`dead letters: ${count}`);
  for (const letter of letters) print(`  ${formatPosition(letter)} ${letter.subject}: ${letter.reason.split('\n')[0]}`);
  if (count > 0) print('once they can be read (a newer version, a mended table): parley projections replay <position>');
  return count === 0 && missing === 0 ? 0 : 1;
}

const WIDTHS = [12, 9, 12, 12, 8, 24];
const row = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join(' ')
    .trimEnd();

interface Report {
  readonly kind: 'progress' | 'done' | 'failed';
  readonly text: string;
}

/** Asks a running projection for a rebuild and prints what it reports; the rebuild goes on if we are stopped. */
async function ask({ natsUser }: Config, nats: NatsConnection, data: object, print: Print): Promise<number> {
  const inbox = createInbox(natsUser === undefined ? undefined : `_INBOX_${natsUser}`);
  const answers = nats.subscribe(inbox);
  nats.publish(REQUESTS.rebuild, JSON.stringify({ pattern: REQUESTS.rebuild, data, id: inbox }), { reply: inbox });
  const silence = setTimeout(() => answers.unsubscribe(), SILENCE_MS);
  let shown = '';
  for await (const message of answers) {
    silence.refresh();
    if (message.headers?.code === NO_RESPONDERS) throw new Error('no projection runs: start one, it does the work');
    const { response, err } = message.json<{ response?: Report; err?: unknown }>();
    if (err !== undefined) throw new Error(`projection failed: ${JSON.stringify(err)}`);
    if (response === undefined) continue;
    if (response.text !== shown) print(response.text);
    shown = response.text;
    if (response.kind === 'progress') continue;
    clearTimeout(silence);
    return response.kind === 'done' ? 0 : 1;
  }
  throw new Error('projection says nothing any more: the live read models are as they were; run it again');
}

const NO_RESPONDERS = 503;

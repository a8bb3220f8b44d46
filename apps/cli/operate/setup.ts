/**
 * `parley setup`: makes what the services stand on, before they start. It alone may make and change streams, as a user of its own
 * on the broker; a service that finds them missing waits a while, and then says so.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { NatsConnection } from '@nats-io/transport-node';
import { inspectLog, LOG_LIMITS, openEventLog } from '#event-log';
import { inspectDatabase, openDatabase } from '#read-models';
import { type Config, ConfigError, connectNats, makeBuckets } from '#service';
import { EXIT, type Invocation, type OperatorCommand, parsedArgs, positionals, wholeNumber } from './command.js';

const WAIT_S = 60;
const WAIT_S_MAX = 3_600;
const POLL_MS = 500;

export const setup: OperatorCommand = {
  usage: `parley setup [--wait 60]                   the streams of the log, of presence and of files, and the tables

  --wait <s>   how long to wait for a broker that does not answer yet
  --json       one JSON object for what was looked at: {"what", "names", "made": true | false}

Run it before the services start, at the first start and after each upgrade; again it changes nothing. PARTITIONS and NATS_REPLICAS
say how the log is made. On a broker with the users of deploy/nats it is the user setup; in compose and Kubernetes a job runs it.`,
  async run({ args, report, config: read, stop }) {
    const { values, positionals: rest } = parsedArgs(args, { wait: { type: 'string' } });
    positionals(rest, []);
    const waitS = wholeNumber('--wait', values.wait, { min: 0, max: WAIT_S_MAX }) ?? WAIT_S;
    const config = read();
    const { databaseUrl } = config;
    if (config.natsUrls.length === 0) throw new ConfigError('NATS_URL is not set: setup needs to know which broker');
    if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set: setup needs to know which database');
    const nats = await connectWithin(waitS * 1_000, config, stop, report.progress);
    try {
      const streams = await setUpStreams(nats, config);
      for (const each of [...streams, await setUpTables(databaseUrl)]) {
        report.line(`${each.what}: ${each.names.join(', ')}${each.made ? ' (made now)' : ' (there already)'}`);
        await report.item(each);
      }
      return EXIT.ok;
    } finally {
      await nats.close();
    }
  },
};

interface Made {
  readonly what: string;
  readonly names: readonly string[];
  /** Whether something of it was missing. */
  readonly made: boolean;
}

/**
 * Makes the streams that are not there.
 * @throws Error with one line when one that is there is not as configured; then nothing of it is changed
 */
export async function setUpStreams(nats: NatsConnection, config: Config): Promise<Made[]> {
  const shape = { partitions: config.partitions, replicas: config.natsReplicas };
  // A cluster that has just started may have no leader yet.
  const before = await inspectLog(nats, shape, LOG_LIMITS.openMs);
  const log = await openEventLog(nats, { ...shape, create: true });
  return [
    {
      what: `log of ${log.partitions} partitions, epoch ${log.epoch}`,
      names: before.streams.map(({ name }) => name),
      made: before.epoch === undefined,
    },
    { what: 'presence and files', ...(await makeBuckets(nats, config.natsReplicas)) },
  ];
}

async function setUpTables(url: string): Promise<Made> {
  const database = await openDatabase(url, { migrate: false, poolMax: 2 });
  await database.close();
  const { missing } = await inspectDatabase(url);
  await (await openDatabase(url, { poolMax: 2 })).close();
  return { what: 'tables', names: [new URL(url).pathname.slice(1)], made: missing.length > 0 };
}

/** A broker that is still starting is waited for; one that refuses us is not. */
async function connectWithin(
  waitMs: number,
  config: Config,
  stop: AbortSignal,
  progress: Invocation['report']['progress'],
): Promise<NatsConnection> {
  for (const until = performance.now() + waitMs; ;) {
    try {
      return await connectNats(config, 'setup');
    } catch (error) {
      const refused = error instanceof ConfigError;
      if (refused || stop.aborted || performance.now() >= until) throw error;
      progress(`waiting: ${error instanceof Error ? error.message : String(error)}`);
      await delay(POLL_MS);
    }
  }
}

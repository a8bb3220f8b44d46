/** `parley doctor`: looks at everything that a deployment stands on, and says what is wrong and what to do. Changes nothing. */
import type { NatsConnection } from '@nats-io/transport-node';
import { inspectLog, type LogFacts } from '#event-log';
import { checkpointsOf, countDeadLetters, inspectDatabase, projections } from '#read-models';
import { type Config, connectNats } from '#service';
import { EXIT, type OperatorCommand, parsedArgs, positionals, type Report } from './command.js';
import { withDatabase } from './servers.js';

export const doctor: OperatorCommand = {
  usage: `parley doctor                              configuration, broker, log, database, read models, clocks

  --json   one JSON object a finding: {"check", "state": "ok" | "warning" | "wrong", "what", "todo"}

Exit codes: 0 nothing is wrong (a warning is no fault); 1 something is; 2 wrong usage.`,
  async run({ args, report, config: read }) {
    positionals(parsedArgs(args, {}).positionals, []);
    const findings = new Findings(report);
    const config = await findings.about('configuration', async () => checkConfiguration(findings, read));
    if (config === undefined) return findings.end();
    const log = await findings.about('broker', () => checkBroker(findings, config));
    const hasTables = await findings.about('database', () => checkDatabase(findings, config));
    if (log?.epoch !== undefined && hasTables === true)
      await findings.about('read models', () => checkReadModels(findings, config, log));
    return findings.end();
  },
};

type State = 'ok' | 'warning' | 'wrong';

const NODE_MIN = [20, 19] as const;
/** Tokens are taken 5 s past their end, and keys that are younger than a minute go straight to the log. */
const CLOCK_WARNING_MS = 1_000;
const CLOCK_WRONG_MS = 5_000;
/** Projections are this far behind for a moment whenever much is written. */
const BEHIND_WARNING = 10_000;

class Findings {
  private readonly counts = { ok: 0, warning: 0, wrong: 0 };

  constructor(private readonly report: Report) {}

  async say(check: string, state: State, what: string, todo = ''): Promise<void> {
    this.counts[state]++;
    const mark = { ok: 'ok     ', warning: 'warning', wrong: 'WRONG  ' }[state];
    this.report.line(`${mark} ${check}: ${what}`);
    if (todo !== '') this.report.line(`        -> ${todo}`);
    await this.report.item({ check, state, what, todo });
  }

  /** Whatever a check throws is wrong; its message says what to do. */
  async about<T>(check: string, look: () => Promise<T>): Promise<T | undefined> {
    try {
      return await look();
    } catch (error) {
      const [what = ''] = (error instanceof Error ? error.message || String(error) : String(error)).split('\n');
      await this.say(check, 'wrong', what);
      return undefined;
    }
  }

  async end(): Promise<number> {
    const { wrong, warning } = this.counts;
    this.report.line(wrong + warning === 0 ? 'all is well' : `wrong: ${wrong}, warnings: ${warning}`);
    return wrong === 0 ? EXIT.ok : EXIT.failed;
  }
}

async function checkConfiguration(findings: Findings, read: () => Config): Promise<Config> {
  const config = read();
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const isOld = major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]);
  if (isOld) await findings.say('node', 'wrong', `Node ${process.versions.node}`, `use ${NODE_MIN.join('.')} or newer`);
  const source = {
    accounts: "Parley's own accounts",
    secret: 'tokens of JWT_SECRET',
    jwks: `tokens of ${config.jwksUrl ?? ''}`,
    demo: 'the demo',
  }[config.identity];
  await findings.say('configuration', 'ok', `${config.partitions} partitions, who may come in: ${source}`);
  if (!config.rateLimits)
    await findings.say(
      'rate limits',
      'warning',
      'RATE_LIMITS=off',
      'only for benchmarks: take it out of the environment',
    );
  if (config.sync !== 'always')
    await findings.say(
      'sync',
      'warning',
      `PARLEY_SYNC=${config.sync}: an acknowledgement comes before the disk has it`,
      'a power cut may lose what was acknowledged; set always unless that is meant',
    );
  return config;
}

async function checkBroker(findings: Findings, config: Config): Promise<LogFacts | undefined> {
  if (config.natsUrls.length === 0)
    return void (await findings.say(
      'broker',
      'wrong',
      'NATS_URL is not set, and nothing runs here',
      'npm start, or set it',
    ));
  const nats = await connectNats(config, 'operate');
  try {
    return await checkLog(findings, config, nats);
  } finally {
    await nats.close();
  }
}

async function checkLog(findings: Findings, config: Config, nats: NatsConnection): Promise<LogFacts> {
  const facts = await inspectLog(nats, { partitions: config.partitions, replicas: config.natsReplicas });
  const { server, version, streams, mismatch, epoch, clockAheadMs } = facts;
  await findings.say('broker', 'ok', `${server} at ${nats.getServer()}, nats-server ${version}, with JetStream`);
  const entries = streams.reduce((sum, stream) => sum + stream.entries, 0);
  const bytes = streams.reduce((sum, stream) => sum + stream.bytes, 0);
  if (mismatch !== undefined) await findings.say('log', 'wrong', mismatch);
  else if (epoch === undefined)
    await findings.say('log', 'wrong', 'there is none yet', 'run parley setup: it makes the streams');
  else
    await findings.say(
      'log',
      'ok',
      `${streams.length} streams, ${entries} entries, ${mebibytes(bytes)}, epoch ${epoch}`,
    );
  for (const { name, behind } of streams)
    if (behind.length > 0)
      await findings.say('replicas', 'warning', `${name}: ${behind.join(', ')} not up to date`, 'look at that node');
  if (clockAheadMs !== undefined) await checkClock(findings, 'clock of the broker', clockAheadMs);
  return facts;
}

async function checkClock(findings: Findings, which: string, aheadMs: number): Promise<void> {
  const offMs = Math.abs(aheadMs);
  const what = `${Math.round(offMs)} ms ${aheadMs < 0 ? 'behind' : 'ahead of'} this machine`;
  const state = offMs > CLOCK_WRONG_MS ? 'wrong' : offMs > CLOCK_WARNING_MS ? 'warning' : 'ok';
  await findings.say(which, state, what, state === 'ok' ? '' : 'set the clocks by NTP: tokens and keys carry times');
}

/** @returns whether the tables are there */
async function checkDatabase(findings: Findings, config: Config): Promise<boolean> {
  const { databaseUrl } = config;
  if (databaseUrl === undefined) {
    await findings.say('database', 'wrong', 'DATABASE_URL is not set, and nothing runs here', 'npm start, or set it');
    return false;
  }
  const askedAt = Date.now();
  const { host, pathname } = new URL(databaseUrl);
  const facts = await inspectDatabase(databaseUrl).catch((cause: unknown) => {
    const why = cause instanceof Error ? cause.message || ('code' in cause ? String(cause.code) : '') : String(cause);
    throw new Error(`PostgreSQL at ${host}${pathname} does not answer: start it, or set DATABASE_URL (${why})`, {
      cause,
    });
  });
  const aheadMs = facts.clockMs - (askedAt + Date.now()) / 2;
  await findings.say('database', 'ok', `PostgreSQL ${facts.version} at ${host}${pathname}`);
  const { missing, foreign } = facts;
  if (missing.length > 0)
    await findings.say(
      'migrations',
      'wrong',
      `not made: ${missing.join(', ')}`,
      'run parley setup of this version: it makes them',
    );
  if (foreign.length > 0)
    await findings.say(
      'migrations',
      'wrong',
      `of a newer version: ${foreign.join(', ')}`,
      'use a parley of that version',
    );
  if (missing.length + foreign.length === 0) await findings.say('migrations', 'ok', 'as in this version');
  await checkClock(findings, 'clock of the database', aheadMs);
  return missing.length === 0;
}

function checkReadModels(findings: Findings, config: Config, log: LogFacts): Promise<void> {
  return withDatabase(config, async (database) => {
    let [behind, missing, foreign] = [0, 0, 0];
    for (const [partition, { lastSeq }] of log.streams.entries()) {
      const stored = await checkpointsOf(database, partition);
      missing += projections.length - stored.length;
      foreign += stored.filter(({ epoch }) => epoch !== log.epoch).length;
      behind += Math.max(0, ...stored.map(({ seq }) => lastSeq - seq));
    }
    const letters = await countDeadLetters(database);
    const look = 'parley projections status says which';
    if (missing > 0)
      await findings.say('read models', 'wrong', `not built yet: ${missing}`, `start projection; ${look}`);
    if (foreign > 0)
      await findings.say(
        'read models',
        'wrong',
        `of another log: ${foreign}`,
        `start projection, which builds them anew; ${look}`,
      );
    const isFar = behind > BEHIND_WARNING;
    await findings.say('read models', isFar ? 'warning' : 'ok', `${behind} entries behind the log`, isFar ? look : '');
    if (letters > 0)
      await findings.say('dead letters', 'wrong', `${letters}`, 'parley projections status, then replay');
  });
}

const mebibytes = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`;

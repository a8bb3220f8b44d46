/** `parley backup`: the log, the files, the read marks and the accounts of a platform that goes on running. */
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { NatsConnection } from '@nats-io/transport-node';
import { backupStream, backupStreams, inspectLog, LOG_SCHEMA, type LogFacts } from '#event-log';
import {
  dumpTable,
  inspectDatabase,
  type KeptTable,
  migrationNames,
  TABLES_AFTER_LOG,
  TABLES_BEFORE_LOG,
} from '#read-models';
import { type Config, ConfigError } from '#service';
import { FORMAT, type Manifest, NewBackup, StoredBackup } from './backup-folder.js';
import {
  EXIT,
  type Invocation,
  type OperatorCommand,
  parsedArgs,
  positionals,
  type Report,
  UsageError,
} from './command.js';
import { withNats } from './servers.js';

export const backup: OperatorCommand = {
  usage: `parley backup --to <folder>               log, files, read marks and accounts, while everything runs
parley backup verify <folder>             whether a backup is whole and unchanged

  --to <folder>   made by this; there must be nothing of that name
  --json          one JSON object a line: {"stream" or "table", ...} and at the end {"backup", "bytes", ...}

It holds password hashes and everything that was said, and no key that signs tokens: its files are readable for their owner only.
docs/BACKUP.md says what is consistent with what. Exit codes: 0 it is whole; 1 it failed and left nothing, or verify has found
something; 2 wrong usage.`,
  run(invocation) {
    const [action, ...args] = invocation.args;
    return action === 'verify' ? verify({ ...invocation, args }) : take(invocation);
  },
};

async function verify({ args, report }: Invocation): Promise<number> {
  const [folder] = positionals(parsedArgs(args, {}).positionals, ['folder'] as const);
  const stored = await StoredBackup.open(folder);
  const wrong = await stored.check((text) => report.progress(text));
  for (const line of wrong) {
    report.line(line);
    await report.item({ wrong: line });
  }
  const { endedAt, epoch, streams } = stored.manifest;
  const what = `backup of ${endedAt}, epoch ${epoch}, ${streams.length} streams`;
  report.line(wrong.length === 0 ? `whole and unchanged: ${what}` : `wrong: ${wrong.length}; ${what}`);
  await report.item({ backup: stored.folder, endedAt, epoch, wrong: wrong.length });
  return wrong.length === 0 ? EXIT.ok : EXIT.failed;
}

async function take({ args, report, config: read, stop }: Invocation): Promise<number> {
  const { values, positionals: rest } = parsedArgs(args, { to: { type: 'string' } });
  positionals(rest, []);
  const { to } = values;
  if (to === undefined) throw new UsageError('takes --to <folder>, or verify <folder>');
  const config = read();
  const { databaseUrl } = config;
  if (databaseUrl === undefined)
    throw new ConfigError('DATABASE_URL is not set, and nothing runs here: start one here with npm start, or set it');
  return withNats(config, async (nats) => {
    const log = await logToTake(nats, config);
    await checkMigrations(databaseUrl);
    const folder = await NewBackup.create(to);
    try {
      const manifest = await new Taking(nats, databaseUrl, folder, report, stop).run(log);
      await sameLog(nats, config, log);
      stop.throwIfAborted();
      await folder.finish(manifest);
      const bytes = manifest.streams.reduce((sum, { state }) => sum + state.bytes, 0);
      report.line(
        `${to}: ${manifest.streams.length} streams, ${manifest.tables.length} tables, epoch ${manifest.epoch}`,
      );
      await report.item({ backup: to, id: manifest.id, epoch: manifest.epoch, bytes });
      return EXIT.ok;
    } catch (error) {
      await folder.discard();
      throw stop.aborted ? new Error('stopped: nothing is left of this backup', { cause: error }) : error;
    }
  });
}

async function logToTake(
  nats: NatsConnection,
  { partitions, natsReplicas }: Config,
): Promise<LogFacts & { epoch: string }> {
  const facts = await inspectLog(nats, { partitions, replicas: natsReplicas });
  if (facts.mismatch !== undefined) throw new Error(facts.mismatch);
  if (facts.epoch === undefined) throw new Error('there is no log to take: start the platform, it makes one');
  return { ...facts, epoch: facts.epoch };
}

/** A restore under a running backup would make one of two halves. */
async function sameLog(nats: NatsConnection, config: Config, { epoch }: LogFacts): Promise<void> {
  const now = await logToTake(nats, config);
  if (now.epoch !== epoch)
    throw new Error(`the log was replaced meanwhile (epoch ${now.epoch}): take the backup again`);
}

async function checkMigrations(databaseUrl: string): Promise<void> {
  const { missing, foreign } = await inspectDatabase(databaseUrl);
  if (missing.length + foreign.length > 0)
    throw new Error(
      'the tables are not those of this version (parley doctor says which): use the parley that runs there',
    );
}

class Taking {
  private readonly manifest: Pick<Manifest, 'streams' | 'tables'> = { streams: [], tables: [] };

  constructor(
    private readonly nats: NatsConnection,
    private readonly databaseUrl: string,
    private readonly folder: NewBackup,
    private readonly report: Report,
    private readonly stop: AbortSignal,
  ) {}

  /** The order matters: what names something else is taken before it. See libs/read-models/backup/kept-tables.ts. */
  async run({ epoch, streams, version }: LogFacts & { epoch: string }): Promise<Manifest> {
    const startedAt = new Date().toISOString();
    for (const table of TABLES_BEFORE_LOG) await this.table(table);
    for (const stream of backupStreams(streams.length)) await this.stream(stream);
    for (const table of TABLES_AFTER_LOG) await this.table(table);
    return {
      format: FORMAT,
      id: randomBytes(8).toString('hex'),
      parley: parleyVersion(),
      natsServer: version,
      startedAt,
      endedAt: new Date().toISOString(),
      epoch,
      partitions: streams.length,
      logSchema: LOG_SCHEMA,
      migrations: [...migrationNames()],
      ...this.manifest,
    };
  }

  private async table(name: KeptTable): Promise<void> {
    const file = `tables/${name}.jsonl`;
    const out = await this.folder.file(file);
    let rows = 0;
    await dumpTable(this.databaseUrl, name, async (lines, count) => {
      this.stop.throwIfAborted();
      await out.write(Buffer.from(lines));
      this.report.progress(`${name}: ${(rows += count)} rows`);
    });
    await out.close();
    this.manifest.tables.push({ name, file, rows });
    this.report.line(`${name}: ${rows} rows`);
    await this.report.item({ table: name, rows });
  }

  private async stream(name: string): Promise<void> {
    const file = `streams/${name}.tar.s2`;
    const out = await this.folder.file(file);
    const write = async (chunk: Uint8Array): Promise<void> => {
      await out.write(chunk);
      this.report.progress(`${name}: ${out.bytes} bytes`);
    };
    const taken = await backupStream(this.nats, name, { write, restart: () => out.restart() }, this.stop);
    await out.close();
    if (taken === undefined) return this.folder.remove(file);
    const { config, state, begunAt } = taken;
    this.manifest.streams.push({
      name,
      file,
      begunAt: new Date(begunAt).toISOString(),
      config: { ...config },
      state: { ...state },
    });
    this.report.line(`${name}: ${state.messages} entries, ${out.bytes} bytes`);
    await this.report.item({ stream: name, entries: state.messages, lastSeq: state.last_seq, bytes: out.bytes });
  }
}

/** Of the package, which stands above the program, wherever it was built to. */
function parleyVersion(): string {
  for (let folder = import.meta.dirname; folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'package.json');
    if (!existsSync(file)) continue;
    const { name, version } = JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>;
    if (name === 'parley' && version !== undefined) return version;
  }
  return 'unknown';
}

/** `parley restore`: a platform out of a backup, on a broker and a database that have none. */
import { randomBytes } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import { objectStream, BUCKETS, streamName } from '#contract';
import { LogRestore, LOG_SCHEMA, type RestoredPartition, sequenceAfterRestore } from '#event-log';
import {
  clampMarks,
  countRows,
  type KeptTable,
  loadTables,
  migrationNames,
  openDatabase,
  TABLES_AFTER_LOG,
  TABLES_BEFORE_LOG,
} from '#read-models';
import { type Config, ConfigError } from '#service';
import { BackupError, type Manifest, StoredBackup } from './backup-folder.js';
import { EXIT, type OperatorCommand, parsedArgs, positionals, type Report, UsageError } from './command.js';
import { withDatabase, withNats } from './servers.js';

export const restore: OperatorCommand = {
  usage: `parley restore --from <folder>            a backup into an empty broker and an empty database

  --from <folder>    as parley backup made it
  --keep-database    the database outlived the broker: its accounts stay, and marks on lost messages go back
  --json             one JSON object a line

Stop every service first. Sums are checked before anything is changed. The log gets a new epoch: clients fetch anew, and the read
models are built from it at the first start. A restore that was interrupted is seen by the services, which refuse to start; run it
again. Exit codes: 0 it stands; 1 it does not; 2 wrong usage.`,
  async run({ args, report, config: read }) {
    const { values, positionals: rest } = parsedArgs(args, {
      from: { type: 'string' },
      'keep-database': { type: 'boolean' },
    });
    positionals(rest, []);
    if (values.from === undefined) throw new UsageError('takes --from <folder>');
    const stored = await StoredBackup.open(values.from);
    await checkBackup(stored, read(), report);
    const keepsDatabase = values['keep-database'] === true;
    return withNats(read(), (nats) => new Restoring(nats, read(), stored, report, keepsDatabase).run());
  },
};

async function checkBackup(stored: StoredBackup, { partitions }: Config, report: Report): Promise<void> {
  const { manifest } = stored;
  if (manifest.partitions !== partitions)
    throw new ConfigError(
      `the backup's log has ${manifest.partitions} partitions, configured are ${partitions}: set PARTITIONS=${manifest.partitions}`,
    );
  const known = migrationNames();
  const foreign = manifest.migrations.filter((name) => !known.includes(name));
  if (manifest.logSchema !== LOG_SCHEMA || foreign.length > 0)
    throw new BackupError(
      `the backup was taken by parley ${manifest.parley}, whose log or tables this version does not know: restore it with that version`,
    );
  const wrong = await stored.check((text) => report.progress(text));
  if (wrong.length > 0) throw new BackupError(`the backup is damaged, and nothing was changed: ${wrong.join('; ')}`);
  report.line(`backup of ${manifest.endedAt}, epoch ${manifest.epoch}: sums are right`);
}

const TABLES: readonly KeptTable[] = [...TABLES_BEFORE_LOG, ...TABLES_AFTER_LOG];
const FILES = objectStream(BUCKETS.attachments);

class Restoring {
  private readonly log: LogRestore;
  private readonly manifest: Manifest;

  constructor(
    nats: NatsConnection,
    private readonly config: Config,
    private readonly stored: StoredBackup,
    private readonly report: Report,
    private readonly keepsDatabase: boolean,
  ) {
    this.manifest = stored.manifest;
    const { id: backupId, partitions } = this.manifest;
    this.log = new LogRestore(nats, { partitions, replicas: config.natsReplicas ?? 1, backupId });
  }

  async run(): Promise<number> {
    await this.prepareDatabase();
    const removed = await this.log.begin();
    if (removed.length > 0) this.report.line(`removed what an interrupted restore had left: ${removed.join(', ')}`);
    const epoch = randomBytes(8).toString('hex');
    const restoredAt = Date.now();
    const restored: RestoredPartition[] = [];
    // The first partition is the last one: a log without it is none.
    for (let partition = this.manifest.partitions - 1; partition >= 0; partition--)
      restored[partition] = await this.partition(partition, epoch, restoredAt);
    await this.files();
    await this.tables(restored);
    await this.log.finish(epoch, restoredAt);
    this.report.line(`the log has the epoch ${epoch} now: start the services, they build the read models from it`);
    await this.report.item({ restored: this.stored.folder, epoch, previousEpoch: this.manifest.epoch });
    return EXIT.ok;
  }

  private get databaseUrl(): string {
    const { databaseUrl } = this.config;
    if (databaseUrl === undefined) throw new ConfigError('DATABASE_URL is not set, and nothing runs here: set it');
    return databaseUrl;
  }

  /** Makes the tables where there are none. Whether rows may be put there is for the loading to say; this is to say it early. */
  private async prepareDatabase(): Promise<void> {
    const database = await openDatabase(this.databaseUrl, { migrate: true, poolMax: 2 });
    await database.close();
    if (this.keepsDatabase) return;
    const found = await countRows(this.databaseUrl, TABLES);
    for (const { name, rows } of this.manifest.tables)
      if ((found.get(name as KeptTable) ?? 0) > rows)
        throw new Error(
          `the database has rows in ${name} that are not in the backup: give it an empty database, or --keep-database where it is ` +
            "the platform's own and outlived the broker. Nothing was changed",
        );
  }

  private async partition(partition: number, epoch: string, restoredAt: number): Promise<RestoredPartition> {
    const taken = this.streamOf(streamName(partition));
    if (taken === undefined) throw new BackupError(`the backup has no ${streamName(partition)}`);
    const markSeq = sequenceAfterRestore(taken.state.last_seq, Date.parse(taken.begunAt), restoredAt);
    const entry = JSON.stringify({
      v: 1,
      type: 'LogRestored',
      actor: 'parley',
      data: { epoch, previousEpoch: this.manifest.epoch, backup: this.manifest.id, takenAt: taken.begunAt },
    });
    this.report.progress(`${taken.name}: restoring`);
    const restored = await this.log.partition(partition, taken, this.stored.bytesOf(taken.file), { markSeq, entry });
    this.report.line(`${taken.name}: up to ${restored.endSeq}; goes on at ${markSeq}`);
    await this.report.item({ stream: taken.name, ...restored });
    return restored;
  }

  private async files(): Promise<void> {
    const taken = this.streamOf(FILES);
    if (taken === undefined) return;
    await this.log.files(taken, this.stored.bytesOf(taken.file));
    this.report.line(`${taken.name}: ${taken.state.messages} pieces of files`);
  }

  private async tables(restored: readonly RestoredPartition[]): Promise<void> {
    if (this.keepsDatabase) return this.clampKeptMarks(restored);
    const tables = TABLES.map((table) => {
      const file = this.manifest.tables.find(({ name }) => name === table)?.file;
      if (file === undefined) throw new BackupError(`the backup has no table ${table}`);
      return { table, lines: () => this.stored.linesOf(file) };
    });
    for (const [table, rows] of await loadTables(this.databaseUrl, tables)) {
      this.report.line(`${table}: ${rows} rows`);
      await this.report.item({ table, rows });
    }
  }

  /** A mark on a message that is lost would count messages as read that are still to come. */
  private clampKeptMarks(restored: readonly RestoredPartition[]): Promise<void> {
    return withDatabase(this.config, async (database) => {
      for (const [partition, { endSeq }] of restored.entries()) await clampMarks(database, partition, endSeq);
      this.report.line('the database keeps its accounts; marks on lost messages have gone back');
    });
  }

  private streamOf(name: string): Manifest['streams'][number] | undefined {
    return this.manifest.streams.find((stream) => stream.name === name);
  }
}

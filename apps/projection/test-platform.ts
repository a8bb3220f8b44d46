/** A broker, a PostgreSQL and a log for one spec file of the projection, and as many projections on them as a test wants. */
import { afterAll, afterEach, beforeAll } from '@jest/globals';
import type { LoggerService } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { type ChatEvent, type MemberState, messageId, type Position, Subjects } from '#contract';
import { type NatsServer, type Postgres, startNatsServer, startPostgres, temporaryFolder, waitUntil } from '#embedded';
import { type EventLog, openEventLog, type StoredEntry } from '#event-log';
import { checkpointOf, type Database, openDatabase, PartitionWriter, projections } from '#read-models';
import { connectNats, Health, loadConfig } from '#service';
import { ProjectionRole } from './projection-role.js';
import { Rebuilds } from './rebuild/rebuilds.js';

export const PARTITIONS = 2;
export const subjects = new Subjects(PARTITIONS);
/** Enough for a loaded machine; nothing waits for it unless something is wrong. */
const DEADLINE_MS = 30_000;

export type NewEvent = ChatEvent extends infer E ? (E extends ChatEvent ? Omit<E, 'v' | 'actor'> : never) : never;

export const quiet: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };

export interface Projection {
  readonly role: ProjectionRole;
  readonly health: Health;
  readonly database: Database;
  readonly rebuilds: Rebuilds;
  stop(): Promise<void>;
}

/** One broker and one log a file; a new database, so new views, a test. */
export class TestPlatform {
  nats!: NatsServer;
  postgres!: Postgres;
  connection!: NatsConnection;
  log!: EventLog;
  private databaseUrl = '';
  private count = 0;
  private readonly stops: (() => Promise<void>)[] = [];

  async start(path: string): Promise<void> {
    [this.nats, this.postgres] = await Promise.all([
      startNatsServer({ storeDir: `${path}/nats`, sync: 'off' }),
      startPostgres({ dataDir: `${path}/postgres`, settings: { fsync: 'off' } }),
    ]);
    this.connection = await connectNats(loadConfig({ NATS_URL: this.nats.url }), 'test');
    this.log = await openEventLog(this.connection, { partitions: PARTITIONS, replicas: 1, create: true });
  }

  async stop(): Promise<void> {
    await this.connection.close();
    await Promise.all([this.nats.stop(), this.postgres.stop()]);
  }

  /** Views that begin at the log's beginning. */
  async freshViews(): Promise<Database> {
    this.databaseUrl = await this.postgres.createDatabase(`views_${++this.count}`);
    return this.openViews();
  }

  async openViews(): Promise<Database> {
    const database = await openDatabase(this.databaseUrl);
    this.stops.push(() => database.close());
    return database;
  }

  async projection(options: { log?: EventLog; retryAttempts?: number } = {}): Promise<Projection> {
    const { log = this.log, retryAttempts = 2 } = options;
    const database = await openDatabase(this.databaseUrl);
    const rebuilds = new Rebuilds({ database, log, retryAttempts, logger: quiet });
    const role = new ProjectionRole({ nats: this.connection, log, database, retryAttempts, logger: quiet, rebuilds });
    const health = new Health();
    role.addTo(health);
    role.start();
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> =>
      (stopped ??= Promise.all([role.stop(), rebuilds.stop()]).then(() => database.close()));
    this.stops.push(stop);
    return { role, health, database, rebuilds, stop };
  }

  async endTest(): Promise<void> {
    for (const stop of this.stops.splice(0).reverse()) await stop();
  }

  append(subject: string, actor: string, event: NewEvent): Promise<Position> {
    return this.log.append({ subject, event: { v: 1, actor, ...event } as ChatEvent });
  }

  async room(roomId: string, owner: string): Promise<void> {
    const room = {
      kind: 'room' as const,
      name: roomId,
      description: '',
      isPrivate: false,
      maxMembers: 100,
      settings: {},
    };
    await this.append(subjects.config(roomId), owner, {
      type: 'RoomCreated',
      data: { room: { ...room, createdBy: owner, archived: false } },
    });
    await this.member(roomId, owner, 'MemberJoined', { standing: 'member', role: 'owner' });
  }

  member(
    roomId: string,
    userId: string,
    type: 'MemberJoined' | 'MemberLeft',
    given: Partial<MemberState>,
  ): Promise<Position> {
    const member: MemberState = { userId, standing: 'member', role: 'member', muted: false, banned: false, ...given };
    return this.append(subjects.member(roomId, userId), userId, { type, data: { member } });
  }

  async say(
    roomId: string,
    userId: string,
    content: string,
    key?: string,
  ): Promise<Position & { readonly id: string }> {
    const keyed = key === undefined ? {} : { key: { id: key, body: 'body' } };
    const event = { type: 'MessageSent', ...keyed, data: { content, type: 'text' } } as const;
    const { partition, seq } = await this.append(subjects.timeline(roomId), userId, event);
    return { partition, seq, id: messageId({ partition, seq }) };
  }

  /** A payload that is no event, as a broken or malicious writer would leave it. */
  async garbage(roomId: string, payload: string): Promise<Position> {
    await this.connection.request(subjects.timeline(roomId), payload, { timeout: DEADLINE_MS });
    const partition = subjects.partitionOfRoom(roomId);
    return { partition, seq: await this.log.lastSequence(partition) };
  }

  /** Until the live views have everything that is in the log now. */
  async caughtUp(database: Database): Promise<void> {
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const last = await this.log.lastSequence(partition);
      await eventually(async () => ((await checkpointOf(database, partition))?.seq ?? 0) >= last);
    }
  }
}

/** Waits for a condition; a database that is away for the moment is no answer yet. */
export async function eventually(condition: () => Promise<boolean> | boolean): Promise<void> {
  await waitUntil('the views have what is expected', DEADLINE_MS, async () => {
    try {
      return await condition();
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'unavailable') return false;
      throw error;
    }
  });
}

export function usePlatform(): TestPlatform {
  const platform = new TestPlatform();
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeAll(async () => {
    folder = await temporaryFolder('projection');
    await platform.start(folder.path);
  }, 120_000);
  afterEach(() => platform.endTest());
  afterAll(async () => {
    await platform.stop();
    await folder.remove();
  });
  return platform;
}

/** Every row of every projected table. */
export async function allRows(database: Database): Promise<Record<string, string[]>> {
  const tables = projections.flatMap((model) => model.tables);
  const rows: Record<string, string[]> = {};
  for (const table of tables) {
    const found: { row: string }[] = await database.source.query(`select t::text as row from ${table} t order by 1`);
    rows[table] = found.map(({ row }) => row);
  }
  return rows;
}

/** The views as a plain fold of the log makes them: one writer, no leader, no faults, other batches. */
export async function fold(platform: TestPlatform, database: Database): Promise<Record<string, string[]>> {
  const { log } = platform;
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const writer = await database.writer('fold');
    const target = new PartitionWriter(writer, partition, projections);
    const upTo = await log.lastSequence(partition);
    await target.load({ epoch: log.epoch, last: upTo });
    const entries: StoredEntry[] = [];
    const all = new AbortController();
    await log.follow({ partition, after: 0, signal: all.signal }, async (batch) => {
      entries.push(...batch.filter(({ decoded }) => decoded.kind !== 'unreadable'));
      if ((batch.at(-1)?.seq ?? 0) >= upTo) all.abort();
    });
    for (let i = 0; i < entries.length; i += 7) await target.apply(entries.slice(i, i + 7));
    await writer.release();
  }
  return allRows(database);
}

/** Two processes, many users, few seats: the roster's fence gives away exactly the seats. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { projectRoot, startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { ContractRoom } from './contract-room.js';
import type { EventLog } from './log.js';
import { openEventLog } from './open.js';

const SEATS = 50;
const USERS_A_PROCESS = 100;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let connection: NatsConnection;
let log: EventLog;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-stampede');
  server = await startNatsServer({ storeDir: join(folder.path, 'nats'), sync: 'off' });
  connection = await connect({ servers: server.url });
  log = await openEventLog(connection, { partitions: 2, create: true });
  await compile(folder.path);
});

afterAll(async () => {
  await connection.close();
  await server.stop();
  await folder.remove();
});

/** A process has no test runner to translate TypeScript for it, so the two libraries are compiled as they stand now. */
async function compile(to: string): Promise<void> {
  const swc = join(projectRoot(), 'node_modules/.bin/swc');
  const options = { cwd: projectRoot() };
  await promisify(execFile)(swc, ['libs/event-log', 'libs/contract', '-d', to, '--config-file', '.swcrc'], options);
  await writeFile(join(to, 'package.json'), '{"type":"module","imports":{"#contract":"./libs/contract/index.js"}}');
  await symlink(join(projectRoot(), 'node_modules'), join(to, 'node_modules'));
}

interface Stampede {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
}

function start(room: ContractRoom, name: string): Stampede {
  const script = join(folder.path, 'libs/event-log/stampede-process.js');
  const args = [script, server.url, room.roomId, name, SEATS, USERS_A_PROCESS, log.partitions].map(String);
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

test('two processes give away exactly the seats of a room', async () => {
  const room = new ContractRoom(log.partitions);
  const both = [start(room, 'one'), start(room, 'two')];
  for (const { lines } of both) expect((await lines.next()).value).toBe('ready');
  for (const { child } of both) child.stdin?.write('go\n');
  const taken = await Promise.all(both.map(async ({ lines }) => Number((await lines.next()).value)));
  expect(taken.reduce((sum, count) => sum + count, 0)).toBe(SEATS);

  const upTo = await log.lastSequence(room.partition);
  const range = { after: 0, upTo, max: 1_000 };
  const joined = await log.readSubject(room.partition, room.members, range);
  expect(new Set(joined.entries.map(({ subject }) => subject)).size).toBe(SEATS);
  const rosters = await log.readSubject(room.partition, room.roster, range);
  const counts = rosters.entries.map(({ decoded }) =>
    decoded.kind === 'event' && decoded.event.type === 'RosterChanged' ? decoded.event.data.roster.members : -1,
  );
  expect(counts).toEqual(Array.from({ length: SEATS }, (_, i) => i + 1));
});

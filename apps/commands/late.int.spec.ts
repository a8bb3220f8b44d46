/** A request that the network holds back: it comes when its client has been refused elsewhere, and what refused it has ended. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { ConsoleLogger } from '@nestjs/common';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { CommandResult } from '#contract';
import {
  setUp,
  startNatsServer,
  startPostgres,
  startRelay,
  temporaryFolder,
  waitUntil,
  type NatsServer,
  type Postgres,
  type Relay,
} from '#embedded';
import { openEventLog, type EventLog } from '#event-log';
import { CommandBus, DECIDED_WITHIN_MS, loadConfig, type Running } from '#service';
import { accepted, ask, freshKey, handling, refusal, wholeLog } from './path/handler-fixture.js';
import { startCommands } from './start-commands.js';

const quiet = new ConsoleLogger('spec', { logLevels: ['fatal', 'error'] });
const WAIT_MS = 60_000;
const den = { roomId: 'den' };

let folder: { path: string; remove(): Promise<void> };
let server: NatsServer;
let postgres: Postgres;
let nats: NatsConnection;
let log: EventLog;
/** Between the broker and the command service. */
let relay: Relay;
let commands: Running;

beforeAll(async () => {
  folder = await temporaryFolder('late');
  [server, postgres] = await Promise.all([
    startNatsServer({ storeDir: `${folder.path}/nats` }),
    startPostgres({ dataDir: `${folder.path}/postgres` }),
  ]);
  const DATABASE_URL = await postgres.createDatabase('late');
  const servers = { NATS_URL: server.url, DATABASE_URL, PARTITIONS: '1' };
  await setUp(servers);
  nats = await connect({ servers: server.url });
  log = await openEventLog(nats, { partitions: 1, replicas: 1 });
  relay = await startRelay(Number(new URL(server.url).port));
  const NATS_URL = `nats://127.0.0.1:${relay.port}`;
  commands = await startCommands(loadConfig({ ...servers, NATS_URL, HEALTH_PORT: '0' }), quiet);
}, 120_000);

afterAll(async () => {
  relay?.heal();
  await commands?.stop();
  await relay?.stop();
  await nats?.close();
  await Promise.all([server?.stop(), postgres?.stop()]);
  await folder?.remove();
}, 60_000);

const heldBack = (sinceMs: number) =>
  waitUntil('it is late', WAIT_MS, () => performance.now() - sinceMs >= DECIDED_WITHIN_MS);

test('it is not stored; one of somebody for whom nothing has changed is asked again, and stored', async () => {
  const bus = new CommandBus(nats);
  const { handler } = handling(log);
  const send = (userId: string, key: string): Promise<CommandResult> =>
    bus.run('SendMessage', { userId }, { ...den, content: `of ${userId}` }, key);
  await bus.run('CreateRoom', { userId: 'olga' }, { ...den, name: 'Den' });
  await heldBack(performance.now());

  const [key, askedAtMs] = [freshKey(), performance.now()];
  relay.drop('back');
  const [bobs, olgas] = [send('bob', key).catch((error: unknown) => error), send('olga', freshKey())];
  const elsewhere = () => ask(handler, 'SendMessage', 'bob', { ...den, content: 'of bob' }, key);
  expect(await refusal(elsewhere())).toMatchObject({ code: 'not_member' });
  await accepted(ask(handler, 'JoinRoom', 'bob', den));
  await heldBack(askedAtMs);
  relay.heal();

  expect(await bobs).toMatchObject({ code: 'unavailable' });
  expect(await olgas).toMatchObject({ duplicate: false });
  const contents = (await wholeLog(log, 0)).flatMap(({ decoded }) =>
    decoded.kind === 'event' && decoded.event.type === 'MessageSent' ? [decoded.event.data.content] : [],
  );
  expect(contents).toEqual(['of olga']);
  expect(await send('bob', key)).toMatchObject({ duplicate: false });
}, 120_000);

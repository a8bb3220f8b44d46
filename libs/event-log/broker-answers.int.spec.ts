/**
 * Every answer of one nats-server that the rules of appending know, provoked, raw: what it says and what we make of it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, headers, type NatsConnection } from '@nats-io/transport-node';
import { HEADERS } from '#contract';
import { startNatsServer, temporaryFolder, type NatsServer } from '#embedded';
import { BROKER_CODES, judge } from './append-answer.js';
import type { OutgoingEntry } from './appending.js';
import { ConnectionWatch } from './connection.js';
import { ContractRoom } from './contract-room.js';
import { LOG_LIMITS } from './limits.js';
import { type EventLog, type Fence } from './log.js';
import { openEventLog } from './open.js';
import { Publisher } from './publisher.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let connection: NatsConnection;
let log: EventLog;
let publisher: Publisher;
let ids = 0;

beforeAll(async () => {
  folder = await temporaryFolder('event-log-answers');
  server = await startNatsServer({ storeDir: folder.path, sync: 'off' });
  connection = await connect({ servers: server.url, inboxPrefix: '_INBOX_commands' });
  log = await openEventLog(connection, { partitions: 2, create: true });
  publisher = new Publisher(new ConnectionWatch(connection));
});

afterAll(async () => {
  await connection.close();
  await server.stop();
  await folder.remove();
});

const entry = (subject: string, fence?: Fence): OutgoingEntry => ({ subject, payload: '{}', fence });
const newId = (): string => `id-${++ids}`;
const room = (): ContractRoom => new ContractRoom(log.partitions);

describe('a single append', () => {
  test('stored; the same id again: duplicate, with the first sequence', async () => {
    const { timeline } = room();
    const id = newId();
    const stored = await publisher.publish(entry(timeline), id);
    expect(stored).toEqual({ kind: 'stored', seq: expect.any(Number), duplicate: false });
    expect(await publisher.publish(entry(timeline), id)).toEqual({ ...stored, duplicate: true });
  });

  test('10071: the fence has moved; one server says so before it looks at the id', async () => {
    const { timeline } = room();
    const id = newId();
    await publisher.publish(entry(timeline, { subject: timeline, seq: 0 }), id);
    const answer = await publisher.publish(entry(timeline, { subject: timeline, seq: 0 }), id);
    expect(answer).toMatchObject({ kind: 'refused', status: 400, code: BROKER_CODES.wrongLastSequence });
    expect(judge(answer)).toBe('fence-moved');
  });

  test('no responders: no stream there, not stored', async () => {
    const answer = await publisher.publish(entry('chat.99.room.x.timeline'), newId());
    expect(answer).toEqual({ kind: 'nobody' });
    expect(judge(answer)).toBe('again');
  });

  test('10054: larger than an entry may be, for ever', async () => {
    const { timeline } = room();
    const payload = 'x'.repeat(LOG_LIMITS.entryBytesMax + 1);
    const answer = await publisher.publish({ subject: timeline, payload, fence: undefined }, newId());
    expect(answer).toMatchObject({ kind: 'refused', code: 10054 });
    expect(judge(answer)).toBe('refused');
  });

  test('larger than the server takes at all: the library throws, nothing is sent', async () => {
    const { timeline } = room();
    const payload = 'x'.repeat(2 * 1024 * 1024);
    const append = publisher.publish({ subject: timeline, payload, fence: undefined }, newId());
    expect(judge(await append)).toBe('refused');
  });

  test('more in flight than allowed: refused at once, and the others go through', async () => {
    const { timeline } = room();
    const fitting = Array.from({ length: LOG_LIMITS.inFlightMax }, () => publisher.publish(entry(timeline), newId()));
    expect(judge(await publisher.publish(entry(timeline), newId()))).toBe('overloaded');
    const answers = await Promise.all(fitting);
    expect(answers.every(({ kind }) => kind === 'stored')).toBe(true);
  });
});

describe('a batch', () => {
  test('stored: its parts are acknowledged with nothing, the last with the last sequence', async () => {
    const { timeline, roster } = room();
    const answer = await publisher.publishBatch([entry(roster), entry(timeline), entry(timeline)], newId());
    expect(answer).toEqual({ kind: 'stored', seq: expect.any(Number), duplicate: false });
  });

  test('10071: refused at its end for a fence anywhere in it', async () => {
    const { timeline, roster } = room();
    const wrong = { subject: roster, seq: 7 };
    for (const parts of [
      [entry(roster, wrong), entry(timeline)],
      [entry(timeline), entry(roster, wrong)],
      [entry(timeline, wrong)],
    ])
      expect(judge(await publisher.publishBatch(parts, newId()))).toBe('fence-moved');
  });

  test('10176: incomplete, when the broker did not see all of it', async () => {
    const { timeline } = room();
    const fields = headers();
    fields.append(HEADERS.batchId, newId());
    fields.append(HEADERS.batchSequence, '2');
    fields.append(HEADERS.batchCommit, '1');
    const message = await connection.request(timeline, '{}', { headers: fields, timeout: 5_000 });
    expect(message.json()).toMatchObject({ error: { err_code: BROKER_CODES.batchIncomplete } });
    expect(judge({ kind: 'refused', status: 400, code: BROKER_CODES.batchIncomplete, description: '' })).toBe('again');
  });

  test('10210: too many batches open; the commit would only have said "incomplete"', async () => {
    const { timeline } = room();
    for (let i = 0; i < 60; i++) {
      const fields = headers();
      fields.append(HEADERS.batchId, `left-open-${i}`);
      fields.append(HEADERS.batchSequence, '1');
      connection.publish(timeline, '{}', { headers: fields });
    }
    const answer = await publisher.publishBatch([entry(timeline), entry(timeline)], newId());
    expect(answer).toMatchObject({ kind: 'refused', code: BROKER_CODES.batchesInFlight });
    expect(judge(answer)).toBe('again');
  });
});

describe('a connection that breaks', () => {
  test('what was sent is silent at once, what comes then is not sent at all', async () => {
    const other = await connect({
      servers: server.url,
      reconnectTimeWait: 1_000,
      maxReconnectAttempts: -1,
      timeout: 1_000,
    });
    const watch = new ConnectionWatch(other);
    const lone = new Publisher(watch);
    const { timeline } = room();
    server.pause();
    const sent = lone.publish(entry(timeline), newId());
    await server.kill();
    expect(await sent).toEqual({ kind: 'silent' });
    expect(judge(await sent)).toBe('unknown');
    expect(await lone.publish(entry(timeline), newId())).toEqual({ kind: 'nobody' });
    await server.restart();
    await watch.untilUp(20_000);
    expect(await lone.publish(entry(timeline), newId())).toMatchObject({ kind: 'stored' });
    await other.close();
    expect(await lone.publish(entry(timeline), newId())).toEqual({ kind: 'nobody' });
  });
});

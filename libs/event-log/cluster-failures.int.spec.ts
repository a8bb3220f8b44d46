/** Three nats-servers: the answers that only a cluster gives, leaders that die, and routes that are cut. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { LIVE, streamName } from '#contract';
import { startNatsCluster, temporaryFolder, type NatsCluster } from '#embedded';
import { BROKER_CODES, judge, type Answer } from './append-answer.js';
import { BusyLog } from './busy-log.js';
import { ConnectionWatch } from './connection.js';
import { ContractRoom, contents, timelineOf, until } from './contract-room.js';
import { LogUnavailableError, type EventLog, type StoredEntry } from './log.js';
import { openEventLog } from './open.js';
import { Publisher } from './publisher.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let cluster: NatsCluster;
let connections: NatsConnection[];
let logs: EventLog[];

beforeAll(async () => {
  folder = await temporaryFolder('event-log-failures');
  cluster = await startNatsCluster({ dir: folder.path, sync: 'off', cuttable: true });
  // Each begins at a node of its own, and may go to any other.
  connections = await Promise.all(
    cluster.nodes.map(({ url }) => {
      const servers = [url, ...cluster.nodes.map((node) => node.url).filter((other) => other !== url)];
      const endless = { maxReconnectAttempts: -1, reconnectTimeWait: 50, reconnectJitter: 50 };
      return connect({ servers, noRandomize: true, timeout: 2_000, ...endless });
    }),
  );
  logs = await Promise.all(
    connections.map((connection) => openEventLog(connection, { partitions: 1, replicas: 3, create: true })),
  );
});

afterAll(async () => {
  await Promise.all(connections.map((connection) => connection.close()));
  await cluster.stop();
  await folder.remove();
});

/** The index of the node that leads the only stream. */
async function leader(): Promise<number> {
  for (;;) {
    const message = await connections[0]!.request(`$JS.API.STREAM.INFO.${streamName(0)}`, '', { timeout: 5_000 });
    const { cluster: group } = message.json<{ cluster?: { leader?: string } }>();
    const index = cluster.nodes.findIndex((_, node) => group?.leader === `node-${node}`);
    if (index >= 0) return index;
  }
}

describe('answers of a cluster', () => {
  test('10164 and 10158: something with this fence, or this id, is in flight; and nothing is stored twice', async () => {
    const publishers = connections.map((connection) => new Publisher(new ConnectionWatch(connection)));
    const seen = new Map<number, Answer>();
    let stored = 0;
    const room = new ContractRoom(1);
    const begun = Date.now();
    for (let round = 0; !(seen.has(10164) && seen.has(10158)) && Date.now() - begun < 20_000; round++) {
      const fence = { subject: room.timeline, seq: (await logs[0]!.last(room.timeline))?.seq ?? 0 };
      const entry = { subject: room.timeline, payload: JSON.stringify(room.says('ann', `${round}`).event) };
      const fenced = publishers.map((by, i) => by.publish({ ...entry, fence }, `fence-${round}-${i}`));
      const same = publishers.map((by) => by.publish({ ...entry, fence: undefined }, `id-${round}`));
      for (const answer of await Promise.all([...fenced, ...same])) {
        if (answer.kind === 'refused') seen.set(answer.code, answer);
        if (answer.kind === 'stored' && !answer.duplicate) stored++;
      }
    }
    expect([...seen.keys()]).toEqual(expect.arrayContaining([BROKER_CODES.fenceInFlight, BROKER_CODES.idInFlight]));
    for (const code of [BROKER_CODES.fenceInFlight, BROKER_CODES.idInFlight])
      expect(judge(seen.get(code)!)).toBe('again');
    expect(await timelineOf(logs[1]!, room)).toHaveLength(stored);
  });

  test('10164 is not shown to whoever appends: the same append is made again until it is clear', async () => {
    const room = new ContractRoom(1);
    const fence = await room.join(logs[0]!, 'ann');
    const sends = Array.from({ length: 60 }, (_, i) => logs[i % 3]!.append(room.says('ann', `${i}`, fence)));
    await Promise.all(sends);
    const said = contents(await timelineOf(logs[2]!, room));
    expect([...said].sort()).toEqual(Array.from({ length: 60 }, (_, i) => `${i}`).sort());
  });
});

describe('a leader that is killed between storing and republishing', () => {
  test('costs nothing that was acknowledged; followers and tails have all of it, live only what was stored', async () => {
    const live: StoredEntry[] = [];
    const subscription = await logs[2]!.live(LIVE.everything, (entry) => live.push(entry));
    const busy = new BusyLog(logs[0]!, logs[1]!);
    await busy.start();
    for (let round = 0; round < 2; round++) {
      await busy.more(300);
      const node = cluster.nodes[await leader()]!;
      await node.kill();
      await busy.more(50);
      await node.restart();
      await cluster.healthy();
    }
    await busy.more(200);
    await busy.settle();
    await subscription.stop();
    const seqs = live.map(({ seq }) => seq);
    expect(seqs.length).toBeGreaterThan(0);
    const upTo = await logs[0]!.lastSequence(0);
    const { entries } = await logs[0]!.readSubject(0, 'chat.0.>', { after: 0, upTo, max: 1_000_000 });
    const said = new Map(entries.map((entry) => [entry.seq, contents([entry])[0]]));
    for (const entry of live) expect([entry.seq, contents([entry])[0]]).toEqual([entry.seq, said.get(entry.seq)]);
  }, 120_000);
});

describe('a replica that is behind', () => {
  test('is not taken at its word: reads reach what was acknowledged', async () => {
    const leading = await leader();
    const away = (leading + 1) % 3;
    const [near, far] = await Promise.all(
      [leading, away].map((node) => connect({ servers: cluster.nodes[node]!.url })),
    );
    const [writer, reader] = await Promise.all([near!, far!].map((one) => openEventLog(one, { partitions: 1 })));
    for (let round = 0; round < 3; round++) {
      const room = new ContractRoom(1);
      const node = cluster.nodes[away]!;
      node.pause();
      const users = Array.from({ length: 300 }, (_, i) => `user-${i}`);
      const fences = await Promise.all(users.map((user) => room.join(writer!, user)));
      const { seq } = await writer!.append(room.says('ann', 'after all of them'));
      node.resume();
      const upTo = await reader!.lastSequence(0);
      const range = { after: fences[0]!.seq - 1, upTo, max: 1_000 };
      expect(upTo).toBe(seq);
      const [joined, last, entry, said] = await Promise.all([
        reader!.readSubject(0, room.members, range),
        reader!.lastOf(0, [room.members]),
        reader!.entry(0, seq),
        reader!.readSubject(0, room.timeline, { ...range, after: 0 }),
      ]);
      expect([joined.entries.length, last.length]).toEqual([users.length, users.length]);
      expect(entry).toMatchObject({ seq, subject: room.timeline });
      expect(said.entries.map((each) => each.seq)).toEqual([seq]);
    }
    await Promise.all([near!.close(), far!.close()]);
  }, 120_000);
});

describe('a route that is cut', () => {
  test('leaves no hole with who follows, whatever the live copies lack', async () => {
    const leading = await leader();
    const away = (leading + 1) % 3;
    // Whoever writes goes over the leader's node, whoever reads over the one that cannot reach it.
    const [near, far] = await Promise.all(
      [leading, away].map((node) => connect({ servers: cluster.nodes[node]!.url })),
    );
    const [writer, reader] = await Promise.all([near!, far!].map((one) => openEventLog(one, { partitions: 1 })));
    const live = new Set<number>();
    const subscription = await reader!.live(LIVE.everything, ({ seq }) => live.add(seq));
    const busy = new BusyLog(writer!, reader!);
    await busy.start();
    await busy.more(100);
    cluster.cut(leading, away);
    const before = busy.count;
    await until('something is appended behind the cut', () => busy.count > before + 100, 60_000);
    cluster.heal(leading, away);
    await busy.more(200);
    await busy.settle();
    await subscription.stop();
    await Promise.all([near!.close(), far!.close()]);
    // Otherwise nothing was cut and this test would prove nothing.
    expect(live.size).toBeGreaterThan(0);
    expect(live.size).toBeLessThan(busy.count);
  }, 120_000);
});

describe('a leader that is cut off', () => {
  test('is one to itself until it hears of the next one, and is not taken at its word: what was appended meanwhile is no hole', async () => {
    for (let wasStale = false; !wasStale;) {
      const leading = await leader();
      const others = [0, 1, 2].filter((node) => node !== leading);
      const [near, far] = await Promise.all(
        [others[0]!, leading].map((node) => connect({ servers: cluster.nodes[node]!.url })),
      );
      const [writer, reader] = await Promise.all([near!, far!].map((one) => openEventLog(one, { partitions: 1 })));
      const room = new ContractRoom(1);
      const before = await writer!.append(room.says('ann', 'before the cut'));
      for (const other of others) cluster.cut(leading, other);
      const seq = await behindTheCut(writer!, room);
      const read = (subject: string) => reader!.readSubject(0, subject, { after: before.seq - 1, upTo: seq, max: 100 });
      const end = await reader!.lastSequence(0).catch(() => seq);
      const reads = Promise.all([read(room.timeline), read(room.everything), read('chat.0.room.*.timeline')]);
      const outcome = reads.catch((error: unknown) => error);
      wasStale = end < seq;
      // Time for the answers of the one that was cut off.
      for (let i = 0; i < 20; i++) await reader!.lastSequence(0).catch(() => undefined);
      for (const other of others) cluster.heal(leading, other);
      const found = await outcome;
      if (!(found instanceof LogUnavailableError)) {
        expect((found as Awaited<typeof reads>).map(({ complete }) => complete)).toEqual([true, true, true]);
        for (const { entries } of found as Awaited<typeof reads>)
          expect(contents(entries)).toEqual(['before the cut', 'behind the cut']);
      }
      await cluster.healthy();
      await Promise.all([near!.close(), far!.close()]);
    }
  }, 180_000);
});

/** Until the others have a leader, nothing can be appended. */
async function behindTheCut(writer: EventLog, room: ContractRoom): Promise<number> {
  const deadline = Date.now() + 60_000;
  for (;;) {
    try {
      return (await writer.append(room.says('ann', 'behind the cut'))).seq;
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
  }
}

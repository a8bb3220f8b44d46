import { expect, test } from '@jest/globals';
import { checkHistory, describeViolations } from '#testing';
import { TestClient } from '../client.js';
import { logEnd, wholeLog, withLog } from '../log.js';
import { embeddedNats } from '../platform.js';
import { eventually, joined, receives, worldOf, type Person } from './world.js';

const world = worldOf({ RATE_LIMITS: 'off' });
const PARTITIONS = 4;
/** More than the 4 MB that a replay carries. */
const MESSAGES = 300;
const CONTENT_BYTES = 15_000;

/** Some 17 MB: more than a kernel buffers for one connection. */
const SLOW_BATCHES = 70;
const SLOW_BATCH = 16;

const client = ({ id, token }: Person): Promise<TestClient> =>
  new TestClient({ name: id, user: id, token, http: world.http.url, sockets: [world.socketUrl] }).start();

test('who was away for more than a replay carries is told so at once, reads the rooms again, and misses nothing', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = `room-${ann.id}`;
  const other = `other-${ann.id}`;
  for (const each of [room, other]) {
    await joined(ann, each);
    await joined(bob, each);
  }
  const [annClient, bobClient] = [await client(ann), await client(bob)];
  try {
    await annClient.send(room, 'before');
    await eventually('bob has it', () => bobClient.newest.has(room));
    bobClient.sleep();
    for (let i = 0; i < MESSAGES; i += 1) await annClient.send(room, `${i} ${'x'.repeat(CONTENT_BYTES)}`);
    await bob.http.post(`/api/rooms/${other}/leave`, {});
    await annClient.send(other, 'not for bob');
    bobClient.wake();
    await eventually('bob is back', () => bobClient.isUp);
    expect({ resumes: bobClient.resumes, restarts: bobClient.restarts }).toEqual({ resumes: 0, restarts: 1 });
    await annClient.send(room, 'after');
    await bobClient.send(room, 'thanks');
    const log = await withLog([embeddedNats(world.platform)], PARTITIONS, async (opened) => {
      const ends = await logEnd(opened);
      await eventually('both have the end', () => annClient.hasReached(ends) && bobClient.hasReached(ends));
      return wholeLog(opened);
    });
    const clients = [annClient, bobClient].map((each) => each.history(true));
    const violations = checkHistory({ log, clients, rooms: [], inboxes: [] });
    expect(describeViolations(violations)).toBe('');
    expect(bobClient.faults).toEqual([]);
  } finally {
    annClient.stop();
    bobClient.stop();
  }
}, 120_000);

test('who reads nothing is closed, and comes back to a feed that goes on', async () => {
  const [ann, bob] = [world.person('ann'), world.person('bob')];
  const room = `slow-${ann.id}`;
  await joined(ann, room);
  await joined(bob, room);
  const slow = await world.connect(bob);
  slow.pause();
  const sender = await client(ann);
  try {
    for (let batch = 0; batch < SLOW_BATCHES; batch += 1)
      await Promise.all(
        Array.from({ length: SLOW_BATCH }, (_, i) => sender.send(room, `${batch} ${i} ${'y'.repeat(CONTENT_BYTES)}`)),
      );
    slow.resume();
    // 4001 where it still gets through; who is cut because not even that does comes back as well.
    expect([4001, 1006]).toContain((await slow.closed()).code);
    const back = await world.connect(bob);
    await sender.send(room, 'the end');
    await receives(back, room, 'the end');
  } finally {
    sender.stop();
  }
}, 120_000);

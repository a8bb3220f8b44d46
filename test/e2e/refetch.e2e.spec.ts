import { expect, test } from '@jest/globals';
import { checkHistory, describeViolations } from '#testing';
import { TestClient } from '../client.js';
import { logEnd, wholeLog, withLog } from '../log.js';
import { embeddedNats } from '../platform.js';
import { eventually, joined, worldOf, type Person } from './world.js';

const world = worldOf({ RATE_LIMITS: 'off' });
const PARTITIONS = 4;
/** More than the 4 MB that a replay carries. */
const MESSAGES = 300;
const CONTENT_BYTES = 15_000;

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

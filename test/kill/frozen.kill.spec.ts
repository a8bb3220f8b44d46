import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKey } from '#contract';
import { waitUntil } from '#embedded';
import { randomBytes } from 'node:crypto';
import { startSplit, tokenFor, type Split } from '../platform.js';
import { connect, WAIT_MS } from '../socket.js';

/** Longer than a gateway may stand still unnoticed. */
const FROZEN_MS = 3_000;
let platform: Split;

beforeAll(async () => {
  platform = await startSplit({ replicas: { commands: 1, projection: 1, api: 1, gateway: 1 } });
}, 120_000);

afterAll(async () => {
  await platform?.stop();
}, 60_000);

test('a send that a frozen gateway reads when its repeat was refused elsewhere, and what refused it has ended, is not stored', async () => {
  const [ann, bob] = [platform.http.as(tokenFor('ann')), platform.http.as(tokenFor('bob'))];
  const messages = '/api/rooms/den/messages';
  const bobIs = (muted: boolean) => ann.put('/api/rooms/den/members/bob', { muted });
  expect((await ann.post('/api/rooms', { roomId: 'den', name: 'Den' })).status).toBe(202);
  expect((await bob.post('/api/rooms/den/join', {})).status).toBe(202);
  const socket = await connect(platform.sockets[0] ?? '', tokenFor('bob'));
  expect(await socket.request({ op: 'send', room: 'den', content: 'before' })).toMatchObject({ op: 'ack' });

  const key = newKey(Date.now(), randomBytes(10));
  const repeat = () => bob.post(messages, { content: 'held' }, { headers: { 'idempotency-key': key } });
  const gateway = platform.services.get('gateway-1');
  if (gateway === undefined) throw new Error(`no gateway-1 in ${[...platform.services.keys()].join(' ')}`);
  const frozenAtMs = performance.now();
  gateway.pause();
  socket.send({ op: 'send', room: 'den', content: 'held', key, id: 'held' });
  expect((await bobIs(true)).status).toBe(202);
  expect((await repeat()).status).toBe(403);
  expect((await bobIs(false)).status).toBe(202);
  await waitUntil('it was frozen for long', WAIT_MS, () => performance.now() - frozenAtMs >= FROZEN_MS);
  gateway.resume();

  const answer = await socket.frame('an answer', ({ id }) => id === 'held');
  expect(answer).toMatchObject({ op: 'error', code: 'unavailable', temporary: true });
  // When it has caught up it goes on, and this is the first time that the key is stored.
  const stored = await waitUntil('it goes on', WAIT_MS, async () => {
    const again = await socket.request({ op: 'send', room: 'den', content: 'held', key });
    return again.op === 'ack' && again;
  });
  expect(stored).toMatchObject({ duplicate: false });
  expect((await repeat()).json).toMatchObject({ duplicate: true });
  await socket.close();
}, 120_000);

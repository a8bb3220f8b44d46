import { randomUUID } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Client, usePlatform } from './test-platform.js';

const platform = usePlatform();
const newRoom = (): string => `r${randomUUID().slice(0, 8)}`;

test('hello, welcome, live, send, resume elsewhere', async () => {
  const [one, two] = [await platform.gateway(), await platform.gateway()];
  const roomId = newRoom();
  await platform.run('CreateRoom', 'ann', { roomId, name: 'Room' });
  const ann = await Client.open(one, 'ann');
  const bob = await Client.open(two, 'bob');
  expect(await bob.request({ op: 'join', room: roomId })).toMatchObject({ op: 'ack', changed: true });
  await bob.frame({ type: 'member.joined', room: roomId });
  await ann.frame({ type: 'member.joined', room: roomId, actor: 'bob' });
  const ack = await ann.request({ op: 'send', room: roomId, content: 'hello', key: 'k1' });
  expect(ack).toMatchObject({ op: 'ack', room: roomId, duplicate: false });
  expect(await bob.frame({ type: 'message.sent' })).toMatchObject({
    seq: ack['seq'],
    actor: 'ann',
    data: { id: ack['messageId'], content: 'hello', ordinal: 1, sender: 'ann' },
  });
  expect(await ann.frame({ op: 'skip' })).toMatchObject({ seq: ack['seq'], key: 'k1' });
  bob.send({ op: 'ping' });
  const { cursor } = await bob.frame({ op: 'pong' });
  await bob.cut();
  for (let i = 0; i < 5; i++) await ann.request({ op: 'send', room: roomId, content: `m${i}` });
  const back = await Client.open(one, 'bob', { since: cursor });
  expect(back.frames[0]).toMatchObject({ op: 'welcome', recovered: true });
  expect(back.contents(roomId).slice(-5)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4']);
});

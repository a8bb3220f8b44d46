/** The server itself: a port that is taken, TLS, sessions that end, and its own end. */
import { createServer, type Server } from 'node:net';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { credentials, status } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { freePort, projectRoot, waitUntil } from '#embedded';
import { Grpc } from '../grpc.js';
import { textAt } from '../http.js';
import { startStandalone, type Standalone } from '../platform.js';
import { WAIT_MS } from '../socket.js';

const pem = (name: string): string => join(projectRoot(), 'test', 'tls', `${name}.pem`);
const clients: Grpc[] = [];
let stranger: Server;
let platform: Standalone;
let grpc: Grpc;

beforeAll(async () => {
  const taken = await freePort();
  stranger = createServer();
  await new Promise<void>((resolve) => stranger.listen(taken, '127.0.0.1', resolve));
  platform = await startStandalone({
    GRPC_PORT: String(taken),
    GRPC_TLS_CERT: pem('cert'),
    GRPC_TLS_KEY: pem('key'),
  });
  const told = new RegExp(`port ${taken} is taken, using (\\d+) for gRPC`).exec(platform.process.output.join('\n'));
  grpc = new Grpc(`127.0.0.1:${told?.[1]}`, undefined, credentials.createSsl(readFileSync(pem('cert'))));
  clients.push(grpc);
}, 120_000);
afterAll(async () => {
  clients.forEach((client) => client.close());
  await platform?.stop();
  stranger?.close();
}, 60_000);

test('a port that is taken is stepped over, and TLS is spoken where there is a certificate', async () => {
  expect(await grpc.call('HealthCheck', {})).toMatchObject({ code: 0, value: { status: 'healthy' } });
  const plain = new Grpc(grpc.address);
  clients.push(plain);
  expect(await plain.call('HealthCheck', {}, { deadline: Date.now() + 2_000 })).toMatchObject({
    code: expect.any(Number),
    value: {},
  });
});

test('a stream whose session ends, ends with 16', async () => {
  const { json } = await platform.http.post('/api/auth/demo', { user: 'alice' });
  const client = grpc.as(textAt(json, 'token'));
  clients.push(client);
  const stream = client.stream('Chat');
  const answer = await stream.join('user1', 'room1');
  expect(answer).toMatchObject({ user: { id: 'user1', username: 'alice', display_name: 'Alice Johnson' } });
  await platform.http.post('/api/auth/logout', { refreshToken: textAt(json, 'refreshToken') });
  expect(await stream.ended()).toMatchObject({ code: status.UNAUTHENTICATED, details: 'session revoked' });
  expect(await client.call('GetRooms', {})).toMatchObject({ code: 16 });
});

test('whoever has too many streams is refused another, and nobody else is', async () => {
  const streams = Array.from({ length: 20 }, () => grpc.stream('ChatStream'));
  await Promise.all(streams.map((stream) => stream.join('user1', 'room1')));
  const one = grpc.stream('ChatStream');
  one.send({ user_id: 'user1', room_id: 'room1', action_type: 'join' });
  const refused = { code: status.RESOURCE_EXHAUSTED, details: 'at most 20 connections a user' };
  expect(await one.ended()).toMatchObject(refused);
  await grpc.stream('ChatStream').join('user2', 'room1');
  streams[0]?.call.cancel();
  await waitUntil('room for another', WAIT_MS, async () => {
    const again = grpc.stream('ChatStream');
    again.send({ user_id: 'user1', room_id: 'room1', action_type: 'join' });
    await waitUntil('an answer', WAIT_MS, () => again.came.length > 0 || again.status);
    return again.came.length > 0;
  });
});

test('events name their users on Chat', async () => {
  const stream = grpc.stream('Chat');
  await stream.join('user2', 'room2');
  await grpc.call('SendMessage', { message: { user_id: 'user1', room_id: 'room2', content: 'named' } });
  expect(await stream.action({ action_type: 'message' })).toMatchObject({
    user: { id: 'user1', username: 'alice', display_name: 'Alice Johnson' },
    timestamp: expect.stringMatching(/^\d{4}-/),
  });
  stream.call.cancel();
});

test('a server that goes says so: come back, and this is where you were', async () => {
  const stream = grpc.stream('ChatStream');
  await stream.join('user3', 'Sports');
  await platform.process.stop();
  const { code, details, metadata } = await stream.ended();
  expect({ code, details }).toEqual({ code: status.UNAVAILABLE, details: 'draining: reconnect and resume' });
  expect(metadata.get('parley-cursor')).toHaveLength(1);
});

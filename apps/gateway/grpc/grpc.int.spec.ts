/** gRPC of gateways that are processes of their own. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { afterAll, expect, test } from '@jest/globals';
import { freePort, projectRoot } from '#embedded';
import { Grpc } from '../../../test/grpc.js';
import { tokenFor, usePlatform } from '../test-platform.js';

const platform = usePlatform();

async function gateway(): Promise<Grpc> {
  const port = await freePort();
  await platform.gateway({ GRPC_PORT: String(port) });
  return new Grpc(`127.0.0.1:${port}`);
}

test('what is said on one gateway is heard on another', async () => {
  const [one, two] = [await gateway(), await gateway()];
  const room = `r${randomUUID().slice(0, 8)}`;
  await platform.run('CreateRoom', 'ann', { roomId: room, name: 'Room' });
  const [ann, ben] = [one.as(tokenFor('ann')), two.as(tokenFor('ben'))];
  const [hers, his] = [ann.stream('ChatStream'), ben.stream('Chat')];
  await hers.join('ann', room);
  await his.join('ben', room);
  await hers.action({ action_type: 'user_joined', user_id: 'ben' });
  hers.say('ann', room, 'hello over there');
  await his.hears(room, 'hello over there');
  his.send({ room_id: room, action_type: 'typing' });
  await hers.action({ action_type: 'user_typing', user_id: 'ben' });
  for (const client of [one, two, ann, ben]) client.close();
});

test.each<[what: string, env: () => Promise<Readonly<Record<string, string>>>, message: RegExp]>([
  ['the port is taken', async () => ({ GRPC_PORT: String(await takenPort()) }), /GRPC_PORT=\d+: nothing can listen at/],
  [
    'the certificate is not there',
    async () => ({ GRPC_TLS_CERT: '/nowhere/cert.pem', GRPC_TLS_KEY: '/nowhere/key.pem' }),
    /GRPC_TLS_(CERT|KEY)=\/nowhere\/(cert|key).pem: cannot be read/,
  ],
  [
    'the key is not given',
    async () => ({ GRPC_TLS_CERT: '/nowhere/cert.pem' }),
    /GRPC_TLS_CERT and GRPC_TLS_KEY go together/,
  ],
])('a gateway does not start when %s, and one line says so', async (_what, env, message) => {
  const { natsUrls, databaseUrl = '' } = platform.config;
  const main = join(projectRoot(), 'dist', 'apps', 'gateway', 'main.js');
  const given = { PORT: '0', NATS_URL: natsUrls.join(','), DATABASE_URL: databaseUrl, LOG_LEVEL: 'error' };
  const gateway = spawn(process.execPath, [main], { env: { ...given, ...(await env()) } });
  let said = '';
  gateway.stderr.on('data', (text: Buffer) => (said += text.toString()));
  const code = await new Promise((resolve) => gateway.on('close', resolve));
  expect({ code, lines: said.trim().split('\n') }).toEqual({ code: 1, lines: [expect.stringMatching(message)] });
});

const strangers: Server[] = [];
afterAll(() => strangers.forEach((server) => server.close()));

async function takenPort(): Promise<number> {
  const port = await freePort();
  const server = createServer();
  strangers.push(server);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return port;
}

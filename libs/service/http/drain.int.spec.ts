import { afterEach, expect, test } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { connect, type Socket } from 'node:net';
import { waitUntil } from '#embedded';
import { loadConfig } from '../config.js';
import { createLogger } from '../process.js';
import { createHttpApp } from './http-app.js';

const WITHIN_MS = 10_000;
let release: () => void;
const sockets: Socket[] = [];

@Controller()
class Answers {
  @Get('/slow')
  slow(): Promise<string> {
    return new Promise((resolve) => (release = () => resolve('slow')));
  }

  @Get('/fast')
  fast(): string {
    return 'fast';
  }
}

@Module({ controllers: [Answers] })
class AnswersModule {}

afterEach(() => sockets.splice(0).forEach((socket) => socket.destroy()));

function client(port: number): { socket: Socket; heard: () => string } {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let heard = '';
  socket.setEncoding('utf8').on('data', (text: string) => (heard += text));
  socket.on('error', () => undefined); // a refused connection is what is waited for
  return { socket, heard: () => heard };
}

test('a request that comes on an open connection while the process drains is answered like any other', async () => {
  const config = loadConfig({ NATS_URL: 'nats://127.0.0.1:1', DATABASE_URL: 'postgres://a:b@127.0.0.1:1/c' });
  const { app } = await createHttpApp(AnswersModule, config, createLogger(config, 'test'));
  await app.listen(0, '127.0.0.1');
  const port = Number(new URL(await app.getUrl()).port);
  const { socket, heard } = client(port);
  socket.write('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  await waitUntil('the first request is under way', WITHIN_MS, () => typeof release === 'function');
  const closed = app.close();
  await waitUntil('nobody new is taken', WITHIN_MS, async () => {
    const { socket: late } = client(port);
    return new Promise((resolve) => late.on('connect', () => resolve(false)).on('error', () => resolve(true)));
  });
  socket.write('GET /fast HTTP/1.1\r\nHost: a\r\n\r\n');
  release();
  await waitUntil('both are answered', WITHIN_MS, () => heard().split('HTTP/1.1 ').length === 3);
  expect(heard().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 200']);
  expect(heard()).toMatch(/fast$/);
  expect(heard().toLowerCase()).toContain('connection: close');
  await closed;
});

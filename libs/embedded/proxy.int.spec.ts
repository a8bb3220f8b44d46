import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { WebSocket, WebSocketServer } from 'ws';
import { freePort } from './ports.js';
import { startProxy, type Proxy } from './proxy.js';

/** An upstream that answers with its name and what it was asked; `/stream` answers in two parts, the second on demand. */
class Upstream {
  readonly server: Server;
  readonly sockets: WebSocketServer;
  finishStream: () => void = () => undefined;

  constructor(readonly name: string) {
    this.server = createServer((asked, answer) => {
      if (asked.url?.endsWith('/stream')) {
        answer.write('first');
        this.finishStream = () => answer.end('second');
        return;
      }
      let body = '';
      asked.on('data', (chunk: Buffer) => (body += String(chunk)));
      asked.on('end', () => {
        const { method, url, headers } = asked;
        answer.end(JSON.stringify({ name, method, url, body, host: headers.host, from: headers['x-forwarded-for'] }));
      });
    });
    this.sockets = new WebSocketServer({ server: this.server });
    this.sockets.on('connection', (socket, asked) => {
      socket.send(`${name} ${asked.url} ${asked.headers['x-forwarded-for']}`);
      socket.on('message', (data) => socket.send(String(data)));
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.sockets.clients.forEach((socket) => socket.terminate());
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

let upstreams: Upstream[];
let gateways: string[];
let apis: string[];
let proxy: Proxy;

beforeEach(async () => {
  upstreams = ['gateway-1', 'gateway-2', 'api-1', 'api-2'].map((name) => new Upstream(name));
  const urls = await Promise.all(upstreams.map((upstream) => upstream.listen()));
  gateways = urls.slice(0, 2);
  apis = urls.slice(2);
  proxy = await startProxy({ gateways: () => gateways, apis: () => apis });
});

afterEach(async () => {
  await proxy.stop();
  await Promise.all(upstreams.map((upstream) => upstream.close()));
});

interface Echo {
  name: string;
  method: string;
  url: string;
  body: string;
  host: string;
  from: string;
}

async function ask(path: string, init: RequestInit = {}): Promise<Echo> {
  return (await (await fetch(`${proxy.url}${path}`, init)).json()) as Echo;
}

function firstFrame(socket: WebSocket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('message', (data) => resolve(String(data)));
    socket.once('error', reject);
  });
}

describe('startProxy', () => {
  test.each([
    ['/ws', 'gateway'],
    ['/ws?echo=all', 'gateway'],
    ['/api/events', 'gateway'],
    ['/api/events?since=1', 'gateway'],
    ['/api/eventsource', 'api'],
    ['/wsx', 'api'],
    ['/api/rooms/ws', 'api'],
    ['/', 'api'],
  ])('%s goes to a %s', async (path, side) => {
    const echo = await ask(path);
    expect(echo.name.startsWith(side)).toBe(true);
    expect(echo.url).toBe(path);
  });

  test('how long a connection is kept is said by the proxy, not by what is behind it', async () => {
    for (const { server } of upstreams) server.keepAliveTimeout = 72_000;
    const { headers } = await fetch(`${proxy.url}/api/rooms`);
    expect(headers.get('keep-alive')).toBe('timeout=5');
  });

  test('upstreams take turns', async () => {
    const names = [await ask('/'), await ask('/'), await ask('/')].map((echo) => echo.name);
    expect(new Set(names).size).toBe(2);
    expect(names[0]).toBe(names[2]);
  });

  test('one that refuses the connection is skipped, bodies included', async () => {
    apis = [`http://127.0.0.1:${await freePort()}`, ...apis];
    for (let n = 0; n < 3; n += 1) {
      const echo = await ask('/api/rooms', { method: 'POST', body: 'a'.repeat(100_000) });
      expect(echo.body).toHaveLength(100_000);
      expect(echo.method).toBe('POST');
    }
  });

  test('none at all is a 503 that says when to come back', async () => {
    apis = [];
    const answer = await fetch(`${proxy.url}/`);
    expect(answer.status).toBe(503);
    expect(answer.headers.get('retry-after')).toBe('1');
    expect(await answer.json()).toMatchObject({ status: 503, code: 'unavailable' });
  });

  test('the upstream learns who asked, and what host was asked', async () => {
    const echo = await ask('/');
    expect(echo.from).toBe('127.0.0.1');
    expect(echo.host).toBe(`127.0.0.1:${proxy.port}`);
  });

  test('an answer streams: its first part arrives while the second is not written yet', async () => {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      request(`${proxy.url}/api/events/stream`, resolve).once('error', reject).end();
    });
    let text = '';
    await new Promise<void>((resolve) => answer.once('data', (chunk) => resolve(void (text += String(chunk)))));
    expect(text).toBe('first');
    upstreams.forEach((upstream) => upstream.finishStream());
    for await (const chunk of answer) text += String(chunk);
    expect(text).toBe('firstsecond');
  });

  test('sockets are passed on both ways, past a gateway that is down, and end with their upstream', async () => {
    gateways = [`http://127.0.0.1:${await freePort()}`, gateways[0] ?? ''];
    for (let n = 0; n < 2; n += 1) {
      const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/ws?echo=all`);
      expect(await firstFrame(socket)).toBe('gateway-1 /ws?echo=all 127.0.0.1');
      socket.send('there and back');
      expect(await firstFrame(socket)).toBe('there and back');
      const closed = new Promise((resolve) => socket.once('close', resolve));
      upstreams[0]?.sockets.clients.forEach((client) => client.terminate());
      await closed;
    }
  });

  test('a socket finds no gateway at all: 503 before the upgrade', async () => {
    gateways = [];
    const socket = new WebSocket(`${proxy.url.replace('http', 'ws')}/ws`);
    await expect(firstFrame(socket)).rejects.toThrow('503');
  });
});

/** What browsers are told and believed, what is too large or too slow, and what a flood comes to, on a platform with its limits on. */
import { connect as connectTcp, type Socket as TcpSocket } from 'node:net';
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { LIMITS } from '#contract';
import { ROUTES } from '#contract/descriptions';
import { waitUntil } from '#embedded';
import { connect, Socket } from '../socket.js';
import { startStandalone, type Standalone, tokenFor } from '../platform.js';

const ORIGIN = 'https://chat.example';
const FOREIGN = 'https://evil.example';
/** Longer than the longest of the server's own times. */
const SLOW_MS = 60_000;

let platform: Standalone;
/** Begun at the start, and looked at in the end: being slow takes its time. */
let slow: Record<'headers' | 'body' | 'hello', { readonly socket: TcpSocket; closed: boolean; answer: string }>;

beforeAll(async () => {
  platform = await startStandalone({ ORIGINS: ORIGIN, TRUST_PROXY_HOPS: '1', PARLEY_SYNC: 'off' });
  const head = (line: string, ...more: string[]): string =>
    [`${line} HTTP/1.1`, `Host: ${new URL(platform.url).host}`, ...more, ''].join('\r\n');
  const upgrade = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
  slow = {
    headers: slowClient(head('GET /api/me', 'X-A: b')),
    body: slowClient(`${head('POST /api/auth/login', 'Content-Type: application/json', 'Content-Length: 100')}\r\n{"a`),
    hello: slowClient(
      `${head('GET /ws', ...upgrade, 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==', 'Sec-WebSocket-Protocol: parley.v1')}\r\n`,
    ),
  };
}, 120_000);
afterAll(async () => {
  for (const { socket } of Object.values(slow ?? {})) socket.destroy();
  await platform?.stop();
}, 60_000);

/** Says this much, and then a byte now and then, or nothing more. */
function slowClient(said: string) {
  const { port, hostname } = new URL(platform.url);
  const client = { socket: connectTcp(Number(port), hostname), closed: false, answer: '' };
  client.socket.on('data', (bytes) => (client.answer += bytes.toString('latin1')));
  client.socket.on('error', () => undefined); // the close that follows is what counts
  client.socket.on('close', () => (client.closed = true));
  client.socket.write(said);
  return client;
}

/** As a browser would, from a page of another name. */
function asked(path: string, headers: Record<string, string>): Promise<number> {
  const { hostname, port } = new URL(platform.url);
  return new Promise((resolve, reject) => {
    request({ hostname, port, path, headers }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    })
      .on('error', reject)
      .end();
  });
}

describe('browsers', () => {
  const pages = ['/', '/page.js', '/page.css', '/docs', '/health', '/api/rooms', '/api/nothing', '/ws'];

  test.each(pages)('%s says what may be done with it', async (path) => {
    const { headers } = await fetch(`${platform.url}${path}`);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toMatch(/^default-src 'none';/);
    expect(policy).not.toMatch(/unsafe|\*|https?:|wss?:|data:/);
    for (const directive of ["script-src 'self'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"])
      expect(policy.split(';')).toContain(directive);
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
    });
    expect(headers.get('x-powered-by')).toBeNull();
  });

  test('the pages have nothing inline but a style with its hash', async () => {
    for (const path of ['/', '/docs']) {
      const response = await fetch(`${platform.url}${path}`);
      const html = await response.text();
      expect(html).not.toMatch(/<script(?![^>]*\ssrc=)|\son\w+=|\sstyle=|javascript:/i);
      const hashes = html.includes('<style>') ? 1 : 0;
      expect(response.headers.get('content-security-policy')?.match(/'sha256-/g) ?? []).toHaveLength(hashes);
    }
  });

  test('only listed origins may read answers, and none may with credentials', async () => {
    const preflight = (origin: string, path: string) =>
      fetch(`${platform.url}${path}`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization' },
      });
    for (const path of new Set(ROUTES.map((route) => route.path.replace(/:\w+/g, 'a')))) {
      const listed = await preflight(ORIGIN, path);
      expect({ path, origin: listed.headers.get('access-control-allow-origin') }).toEqual({ path, origin: ORIGIN });
      expect(listed.headers.get('access-control-allow-credentials')).toBeNull();
      for (const origin of [FOREIGN, 'null', `${ORIGIN}.evil.example`, `${ORIGIN}:8443`, 'http://chat.example']) {
        const other = await preflight(origin, path);
        expect({ path, origin, allowed: other.headers.get('access-control-allow-origin') }).toEqual({
          path,
          origin,
          allowed: null,
        });
      }
    }
  });

  test('a page from elsewhere opens no socket, whatever token it has', async () => {
    const url = platform.sockets[0] ?? '';
    const own = new URL(platform.url).origin;
    for (const origin of [FOREIGN, 'null', `${ORIGIN}.evil.example`, own.replace(/\d+$/, '1')]) {
      const socket = new Socket(url, { token: tokenFor('ann'), protocols: ['parley.v1'], headers: { origin } });
      expect({ origin, status: await socket.refused() }).toEqual({ origin, status: 403 });
    }
    for (const origin of [ORIGIN, own]) {
      const socket = await new Socket(url, { protocols: ['parley.v1'], headers: { origin } }).opened();
      await socket.close();
    }
  });

  test('a name that was made to lead to this machine finds no demo', async () => {
    const upgrade = { connection: 'upgrade', upgrade: 'websocket', 'sec-websocket-version': '13' };
    const socket = {
      ...upgrade,
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-protocol': 'parley.v1',
    };
    for (const host of ['evil.example', '127.0.0.1.evil.example:3000', 'localhost.evil.example']) {
      expect(await asked('/api/rooms', { host })).toBe(403);
      expect(await asked('/ws', { host, origin: `http://${host}`, ...socket })).toBe(403);
    }
    for (const host of ['localhost', '127.0.0.1:3000', '[::1]:3000', 'chat.example'])
      expect(await asked('/api/rooms', { host })).toBe(200);
  });
});

describe('what is too large', () => {
  test.each([
    ['with its length', (body: string) => body],
    ['in pieces, without one', (body: string) => new Blob([body]).stream()],
  ])('a body %s is refused, and nothing of it is kept', async (_how, bodyOf) => {
    const body = JSON.stringify({ content: 'x'.repeat(LIMITS.bodyBytes) });
    const response = await fetch(`${platform.url}/api/messages`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${tokenFor('ann')}` },
      body: bodyOf(body),
      duplex: 'half',
    } as RequestInit);
    expect(response.status).toBe(413);
  });

  test('headers and addresses that are too long are refused', async () => {
    expect((await fetch(`${platform.url}/api/me`, { headers: { 'x-a': 'x'.repeat(20_000) } })).status).toBe(431);
    expect([400, 404, 414, 431]).toContain((await fetch(`${platform.url}/api/rooms/${'x'.repeat(15_000)}`)).status);
  });

  test('a frame closes its socket with 4503, also before a hello', async () => {
    const url = platform.sockets[0] ?? '';
    const signedIn = await connect(url, tokenFor('ann'));
    const unsigned = await new Socket(url, { protocols: ['parley.v1'] }).opened();
    for (const socket of [signedIn, unsigned]) {
      socket.send(JSON.stringify({ op: 'ping', cursor: 'x'.repeat(LIMITS.frameBytes) }));
      expect((await socket.closed()).code).toBe(4503);
    }
  });
});

describe('a flood', () => {
  test('of frames that are none ends the socket, at once where nobody has said hello', async () => {
    const url = platform.sockets[0] ?? '';
    const unsigned = await new Socket(url, { protocols: ['parley.v1'] }).opened();
    unsigned.send('no frame');
    expect((await unsigned.closed()).code).toBe(4502);
    expect(unsigned.frames).toEqual([]);

    const ann = await connect(url, tokenFor('ann'));
    const before = ann.frames.length;
    for (let i = 0; i < 2 * LIMITS.unreadableFrames; i++) ann.send('no frame');
    expect((await ann.closed()).code).toBe(4502);
    const errors = ann.frames.slice(before).filter(({ op }) => op === 'error');
    expect(errors.length).toBeLessThanOrEqual(LIMITS.unreadableFrames);
  });

  test('of good frames is slowed down, the others are not, and the socket lives', async () => {
    const url = platform.sockets[0] ?? '';
    const [ann, bob] = [await connect(url, tokenFor('ann')), await connect(url, tokenFor('bob'))];
    for (let i = 0; i < 5_000; i++) ann.send({ op: 'ping' });
    await bob.pong();
    await ann.frame('a refusal', ({ op, code }) => op === 'error' && code === 'rate_limited');
    const refused = ann.frames.find(({ code }) => code === 'rate_limited');
    expect(refused).toMatchObject({ temporary: true, retryMs: expect.any(Number) });
    const answered = (): number => ann.frames.filter(({ op }) => op === 'pong' || op === 'error').length;
    await waitUntil('every frame has had its answer', SLOW_MS, () => answered() >= 5_000 || ann.isClosed);
    expect(ann.isClosed).toBe(false);
    for (const socket of [ann, bob]) socket.cut();
  }, 90_000);

  test('of sockets that say nothing is refused above 1,000 an address, and others come in', async () => {
    const url = platform.sockets[0] ?? '';
    const open = (from: string): Socket =>
      new Socket(url, { protocols: ['parley.v1'], headers: { 'x-forwarded-for': from } });
    const mob: Socket[] = [];
    // Addresses of one /64 are one; what the attacker makes up stands further left.
    for (let i = 0; i < LIMITS.socketsWithoutHelloPerAddress; i++)
      mob.push(open(`10.9.8.${i % 256}, 2001:db8::${i % 4096}`));
    await Promise.all(mob.map((socket) => socket.opened()));
    expect(await open('198.51.100.7, 2001:db8::ffff').refused()).toBe(429);
    const other = await open('2001:db8:0:1::1').opened();
    other.send({ op: 'hello', token: tokenFor('bob') });
    await other.frame('a welcome', ({ op }) => op === 'welcome');
    mob[0]?.send({ op: 'hello', token: tokenFor('ann') });
    await mob[0]?.frame('a welcome', ({ op }) => op === 'welcome');
    await open('2001:db8::ffff').opened();
    for (const socket of [...mob, other]) socket.cut();
  }, 60_000);

  test('of guesses is stopped by address, by account wherever they come from, and says when to come again', async () => {
    let from = 0;
    const guess = async (name: string, address: string) => {
      const response = await fetch(`${platform.url}/api/auth/login`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': `6.6.6.${(from += 1)}, ${address}` },
        body: JSON.stringify({ username: name, password: 'a guess' }),
      });
      return { status: response.status, retryAfter: Number(response.headers.get('retry-after')) };
    };
    // Names change, the address stays, whatever the client says before it: of an IPv6 network, any.
    const byAddress = [];
    for (let i = 0; i < 7; i++) byAddress.push(await guess(`nobody-${i}`, `2001:db8:a:b::${i}`));
    expect(byAddress.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401, 429, 429]);
    expect(byAddress[6]?.retryAfter).toBeGreaterThan(0);
    // Addresses change, the name stays.
    const byAccount = [];
    for (let i = 0; i < 12; i++) byAccount.push(await guess('somebody', `198.51.100.${i}`));
    expect(byAccount.map(({ status }) => status).slice(0, 10)).toEqual(Array.from({ length: 10 }, () => 401));
    expect(byAccount[11]).toEqual({ status: 429, retryAfter: expect.any(Number) });
    expect(byAccount[11]?.retryAfter).toBeGreaterThan(0);
  }, 60_000);

  test('of registrations is stopped by address', async () => {
    const register = (i: number) =>
      fetch(`${platform.url}/api/auth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.9' },
        body: JSON.stringify({ username: `mob-${i}`, email: `mob-${i}@example.org`, password: 'long enough for all' }),
      });
    const answers = await Promise.all(
      Array.from({ length: LIMITS.registrationsPerMinute + 10 }, (_, i) => register(i)),
    );
    const refused = answers.filter(({ status }) => status === 429);
    expect(refused.length).toBeGreaterThanOrEqual(1);
    expect(answers.filter(({ status }) => status === 201).length).toBeGreaterThanOrEqual(LIMITS.registrationsPerMinute);
    for (const { headers } of refused) expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }, 60_000);
});

describe('who is slow', () => {
  test.each(['headers', 'body'] as const)(
    'in its %s is told 408 and cut off',
    async (what) => {
      await waitUntil('it is cut off', SLOW_MS, () => slow[what].closed);
      expect(slow[what].answer).toMatch(/^HTTP\/1\.1 408 /);
    },
    90_000,
  );

  test('with its hello is closed with 4500', async () => {
    await waitUntil('it is cut off', SLOW_MS, () => slow.hello.closed);
    expect(slow.hello.answer).toMatch(/^HTTP\/1\.1 101 /);
    // A close frame: its code is 4500, and its reason says why.
    expect(slow.hello.answer).toContain('\x11\x94no hello in time');
  }, 90_000);
});

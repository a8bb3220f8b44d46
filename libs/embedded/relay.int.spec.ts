import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { startRelay, type Relay } from './relay.js';
import { waitUntil } from './wait-until.js';

const WITHIN_MS = 10_000;

/** One end of a connection: what it has heard, and whether it has seen the other one's end. */
class End {
  heard = '';
  isOver = false;

  constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => (this.heard += text));
    socket.on('error', () => undefined); // the close that follows is what counts
    socket.on('close', () => (this.isOver = true));
  }

  async hears(text: string): Promise<void> {
    await waitUntil(`"${text}" (heard: "${this.heard}")`, WITHIN_MS, () => this.heard === text);
  }

  async ends(): Promise<void> {
    await waitUntil('the end of the connection', WITHIN_MS, () => this.isOver);
  }
}

let server: Server;
let relay: Relay;
/** The server's ends, in the order in which they came. */
let served: End[];
const opened: Socket[] = [];

beforeAll(async () => {
  server = createServer((socket) => served.push(new End(socket)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(() => new Promise((resolve) => server.close(resolve)));

beforeEach(async () => {
  served = [];
  relay = await startRelay((server.address() as AddressInfo).port);
});

afterEach(async () => {
  await relay.stop();
  opened.splice(0).forEach((socket) => socket.destroy());
});

function client(): End {
  const socket = connect(relay.port, '127.0.0.1');
  opened.push(socket);
  return new End(socket);
}

/** Both ends of a connection that is known to stand. */
async function joined(): Promise<{ near: End; far: End }> {
  const before = served.length;
  const near = client();
  near.socket.write('hi');
  const far = await waitUntil('the server takes the connection', WITHIN_MS, () => served[before]);
  await far.hears('hi');
  far.heard = '';
  return { near, far };
}

/** Another connection through the same relay shows that time has passed there, without a sleep. */
async function aRoundTrip(): Promise<void> {
  const other = await startRelay((server.address() as AddressInfo).port);
  const before = served.length;
  const socket = connect(other.port, '127.0.0.1');
  socket.write('tick');
  const far = await waitUntil('a round trip', WITHIN_MS, () => served[before]);
  await far.hears('tick');
  socket.destroy();
  await other.stop();
  served.splice(before);
}

describe('a relay', () => {
  test('passes what is said, both ways, and the end', async () => {
    const { near, far } = await joined();
    near.socket.write('question');
    await far.hears('question');
    far.socket.write('answer');
    await near.hears('answer');
    near.socket.end();
    await far.ends();
  });

  test('that is cut resets what is open and takes nothing new, until it heals', async () => {
    const { near, far } = await joined();
    relay.cut();
    await Promise.all([near.ends(), far.ends()]);
    await client().ends();
    expect(served).toHaveLength(1);
    relay.heal();
    await joined();
  });

  test('that drops is silent without closing, and passes on what was held when it heals', async () => {
    const { near, far } = await joined();
    relay.drop();
    near.socket.write('one');
    far.socket.write('two');
    await aRoundTrip();
    expect([near, far].map(({ heard, isOver }) => [heard, isOver])).toEqual([
      ['', false],
      ['', false],
    ]);
    near.socket.write(' more');
    relay.heal();
    await Promise.all([far.hears('one more'), near.hears('two')]);
  });

  test('that drops takes new connections, of which the target hears when it heals', async () => {
    relay.drop();
    const near = client();
    await waitUntil('the relay takes the connection', WITHIN_MS, () => near.socket.readyState === 'open');
    near.socket.write('anybody there?');
    await aRoundTrip();
    expect([served.length, near.isOver]).toEqual([0, false]);
    relay.heal();
    await (await waitUntil('the target hears of it', WITHIN_MS, () => served[0])).hears('anybody there?');
  });

  test('that drops hides the end of a side from the other', async () => {
    const { near, far } = await joined();
    relay.drop();
    near.socket.destroy();
    await near.ends();
    await aRoundTrip();
    expect(far.isOver).toBe(false);
    relay.heal();
    await far.ends();
  });

  test.each([
    ['there', 'far', 'near'],
    ['back', 'near', 'far'],
  ] as const)('that drops what goes %s leaves the other way open', async (direction, deaf, hearing) => {
    const ends = await joined();
    relay.drop(direction);
    ends[hearing].socket.write('do you hear me?');
    ends[deaf].socket.write('I hear nothing');
    await ends[hearing].hears('I hear nothing');
    expect(ends[deaf].heard).toBe('');
    relay.heal();
    await ends[deaf].hears('do you hear me?');
  });

  test('that delays keeps the order', async () => {
    const { near, far } = await joined();
    relay.delay({ ms: 5, jitterMs: 40 });
    const words = Array.from({ length: 30 }, (_, i) => `${i} `);
    for (const word of words) {
      near.socket.write(word);
      await new Promise((resolve) => setImmediate(resolve));
    }
    near.socket.end();
    await far.ends();
    expect(far.heard).toBe(words.join(''));
  });

  test('that delays holds a piece for at least so long', async () => {
    const { near, far } = await joined();
    const since = performance.now();
    relay.delay({ ms: 60, jitterMs: 0 });
    near.socket.write('late');
    await far.hears('late');
    expect(performance.now() - since).toBeGreaterThanOrEqual(60);
  });

  test('holds a bounded amount for a side that reads nothing, and loses none of it', async () => {
    const { near, far } = await joined();
    const bytes = 24 * 1024 * 1024;
    relay.drop('there');
    const sent = new Promise((resolve) => near.socket.write('x'.repeat(bytes), resolve));
    await aRoundTrip();
    expect(near.socket.writableLength).toBeGreaterThan(0);
    relay.heal();
    await sent;
    await waitUntil('everything arrives', WITHIN_MS * 3, () => far.heard.length === bytes);
  });
});

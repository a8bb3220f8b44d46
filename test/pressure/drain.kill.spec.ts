/** Every service is told to stop, in its turn, while people talk: nobody loses anything that a retry does not mend. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKey } from '#contract';
import { randomBytes } from 'node:crypto';
import { type ServiceProcess, waitUntil } from '#embedded';
import { withLog } from '../log.js';
import { Http, textAt } from '../http.js';
import { startSplit, tokenFor, type Split } from '../platform.js';
import { connect, type Socket } from '../socket.js';
import { Crowd } from '../crowd/crowd.js';

const PARTITIONS = 4;
/** What a service gives itself, and a little for the machine. */
const DRAIN_WITHIN_MS = 25_000;
const SOCKETS = 40;
const BAD_GATEWAY = 502;
let platform: Split;

beforeAll(async () => {
  platform = await startSplit();
}, 240_000);

afterAll(async () => {
  await platform?.stop();
}, 120_000);

test('SIGTERM of each service in turn, while 20 people talk, breaks no promise, and each ends in order', async () => {
  const crowd = await Crowd.gather(platform, { prefix: 'drain-' });
  const ends: string[] = [];
  try {
    crowd.talk();
    await crowd.progress('before anything is stopped');
    for (const [name, service] of platform.services) {
      ends.push(`${name}: ${await drained(service)}`);
      await service.restart();
      await crowd.progress(`after ${name} was stopped`);
    }
    const summary = await withLog(platform.natsUrls(), PARTITIONS, (log) => crowd.judge(log));
    expect(ends).toEqual([...platform.services.keys()].map((name) => `${name}: exit code 0`));
    process.stdout.write(`drain: ${summary}\n`);
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : String(error)}\n${platform.logs()}`, { cause: error });
  } finally {
    crowd.stop();
  }
}, 600_000);

test('a gateway that stops tells every socket when to come back, answers what is under way, and spreads its closes', async () => {
  const gateway = serviceNamed('gateway-1');
  const url = platform.sockets[0] ?? '';
  const owner = new Http(platform.url, tokenFor('host'));
  expect((await owner.post('/api/rooms', { id: 'pier', name: 'Pier' })).status).toBe(202);
  const closedAt: number[] = [];
  const sockets = await Promise.all(Array.from({ length: SOCKETS }, (_, i) => connect(url, tokenFor(`sailor-${i}`))));
  const hosts = await connect(url, tokenFor('host'));
  const underWay = Array.from({ length: 20 }, (_, i) => {
    hosts.send({ op: 'send', id: `s${i}`, room: 'pier', content: `s${i}`, key: newKey(Date.now(), randomBytes(10)) });
    return `s${i}`;
  });
  const ended = drained(gateway);
  const closing = sockets.map(async (socket) => {
    const drain = await socket.frame('drain', ({ op }) => op === 'drain', DRAIN_WITHIN_MS);
    const { code } = await socket.closed(DRAIN_WITHIN_MS);
    closedAt.push(performance.now());
    return { code, retryMs: drain['retryMs'] };
  });
  for (const outcome of await Promise.all(closing))
    expect(outcome).toEqual({ code: 4000, retryMs: expect.any(Number) });
  expect(await hosts.closed(DRAIN_WITHIN_MS)).toMatchObject({ code: 4000 });
  expect(answeredIn(hosts, underWay)).toEqual(underWay);
  // One after the other, 2 ms apart, and not all in one moment.
  expect(Math.max(...closedAt) - Math.min(...closedAt)).toBeGreaterThan(SOCKETS);
  expect(await ended).toBe('exit code 0');
  await gateway.restart();
}, 120_000);

test('an api that stops answers the requests that it has', async () => {
  const api = serviceNamed('api-1');
  const http = new Http(api.url ?? '', tokenFor('host'));
  // A place that nobody has reached yet: it is waited for, and then refused.
  const waiting = Array.from({ length: 20 }, () => http.get('/api/rooms?position=0-999999'));
  const send = (i: number, to: Http) =>
    to.post('/api/rooms/pier/messages', { content: `a${i}` }, { headers: { 'idempotency-key': `drain ${i}` } });
  const before = await Promise.all(Array.from({ length: 20 }, (_, i) => send(i, http)));
  const through = new Http(platform.url, tokenFor('host'));
  // The proxy may not know yet that the door is closed; clients repeat that, too.
  const elsewhere = (i: number) =>
    waitUntil(`send ${i} is answered`, DRAIN_WITHIN_MS, async () => {
      const answer = await send(i, through);
      return answer.status === BAD_GATEWAY ? undefined : answer;
    });
  const sends = Array.from({ length: 20 }, (_, i) => send(20 + i, http).catch(() => elsewhere(20 + i)));
  const ended = drained(api);
  for (const { status, headers } of await Promise.all(waiting)) {
    expect(status).toBe(503);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
  }
  // One that met the closed door is repeated elsewhere with its key.
  for (const { status } of [...before, ...(await Promise.all(sends))]) expect(status).toBe(202);
  expect(await ended).toBe('exit code 0');
  await api.restart();
}, 120_000);

test('a command service that stops answers what it has, and takes nothing new', async () => {
  const http = new Http(platform.url, tokenFor('host'));
  const commands = serviceNamed('commands-1');
  const sends = Array.from({ length: 100 }, (_, i) => http.post('/api/rooms/pier/messages', { content: `c${i}` }));
  await Promise.race(sends);
  const ended = drained(commands);
  const later = Array.from({ length: 100 }, (_, i) => http.post('/api/rooms/pier/messages', { content: `d${i}` }));
  const answers = await Promise.all([...sends, ...later]);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
  expect(new Set(answers.map(({ json }) => textAt(json, 'id'))).size).toBe(200);
  expect(await ended).toBe('exit code 0');
  await commands.restart();
}, 120_000);

function serviceNamed(name: string): ServiceProcess {
  const service = platform.services.get(name);
  if (service === undefined) throw new Error(`there is no ${name}`);
  return service;
}

/** Tells a service to stop, as a supervisor does; how it ended. */
async function drained(service: ServiceProcess): Promise<string> {
  let ended: string | undefined;
  service.onExit((how) => (ended ??= how));
  process.kill(service.pid, 'SIGTERM');
  return waitUntil(`${service.name} ends`, DRAIN_WITHIN_MS, () => ended);
}

const answeredIn = (socket: Socket, ids: readonly string[]): string[] =>
  ids.filter((id) => socket.frames.some((frame) => frame.op === 'ack' && frame.id === id));

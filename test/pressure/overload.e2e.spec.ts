/**
 * A platform that is driven past what it can take: refusals come within a bounded time and say when to come again, memory stays
 * bounded, and afterwards everything goes on with nothing acknowledged lost.
 */
import { randomBytes } from 'node:crypto';
import { Agent, request } from 'node:http';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { newKey } from '#contract';
import { type Child, type ServiceProcess, waitUntil } from '#embedded';
import { logEnd, wholeLog, withLog } from '../log.js';
import { Http } from '../http.js';
import { startSplit, tokenFor, type Split } from '../platform.js';
import { connect, type Frame } from '../socket.js';
import { MIB, residentBytes } from './watched-process.js';

const PARTITIONS = 4;
const ROOM = 'flood';
/** More than an `api` answers at once. */
const FLOOD = 6_000;
/** An edge repeats a command for 15 s, the log an append for 10 s; the rest is for a machine that has other things to do. */
const ANSWERED_WITHIN_MS = 90_000;
const MEMORY_MAX = 512 * MIB;
let platform: Split;
let api: ServiceProcess;
let commands: ServiceProcess;

beforeAll(async () => {
  platform = await startSplit({
    replicas: { commands: 1, projection: 1, gateway: 1, api: 1 },
    env: { RATE_LIMITS: 'off' },
  });
  [api, commands] = [serviceNamed('api-1'), serviceNamed('commands-1')];
  const made = await new Http(platform.url, tokenFor('owner')).post('/api/rooms', { id: ROOM, name: 'Flood' });
  expect(made.status).toBe(202);
}, 240_000);

afterAll(async () => {
  await platform?.stop();
}, 120_000);

test('a command service that has stopped: an api refuses what is too much at once, and loses nothing', async () => {
  await floodWhile(commands, FLOOD, (outcomes) => outcomes.some(({ status }) => status === 503));
}, 300_000);

test('a broker that has stopped: every command is answered in a bounded time, and none is lost', async () => {
  await floodWhile(platform.nats as Child, 300, (outcomes) => outcomes.length === 300);
}, 300_000);

test('a socket whose commands are not answered is told to slow down, with a hint; a repeat mends it', async () => {
  const socket = await connect(platform.sockets[0] ?? '', tokenFor('owner'));
  const frames = Array.from({ length: 200 }, (_, i) => ({
    op: 'send',
    id: `f${i}`,
    room: ROOM,
    content: `frame ${i}`,
    key: newKey(Date.now(), randomBytes(10)),
  }));
  const answers = (op: string): Frame[] => socket.frames.filter((frame) => frame.op === op);
  commands.pause();
  try {
    for (const frame of frames) socket.send(frame);
    const refused = await waitUntil('refusals', ANSWERED_WITHIN_MS, () => {
      const errors = answers('error');
      return errors.length >= frames.length - 64 ? errors : undefined;
    });
    for (const frame of refused)
      expect(frame).toMatchObject({ code: 'rate_limited', temporary: true, retryMs: expect.any(Number) });
  } finally {
    commands.resume();
  }
  const acknowledged = (): Set<unknown> => new Set(answers('ack').map(({ id }) => id));
  await waitUntil('the others are answered', ANSWERED_WITHIN_MS, () => acknowledged().size >= 60);
  for (const frame of frames)
    while (!acknowledged().has(frame.id)) {
      const before = answers('error').length;
      socket.send(frame);
      await waitUntil(`an answer to ${frame.id}`, ANSWERED_WITHIN_MS, () => {
        return acknowledged().has(frame.id) || answers('error').length > before;
      });
    }
  expect(await contentsInLog('frame ')).toEqual(frames.map(({ content }) => content).sort());
}, 240_000);

interface Outcome {
  readonly content: string;
  readonly key: string;
  readonly status: number;
  readonly retryAfter: string | undefined;
}

/** Sends while a part stands still; `enough` says when it may go on. Whatever was refused is repeated with its key. */
async function floodWhile(
  part: Child,
  count: number,
  enough: (outcomes: readonly Outcome[]) => boolean,
): Promise<void> {
  const mark = randomBytes(3).toString('hex');
  const sends = Array.from({ length: count }, (_, i) => ({
    content: `${mark} ${i}`,
    key: newKey(Date.now(), randomBytes(10)),
  }));
  const outcomes: Outcome[] = [];
  const keep = (outcome: Outcome): Outcome => {
    outcomes.push(outcome);
    return outcome;
  };
  part.pause();
  let peak = 0;
  try {
    const answered = sends.map((send) => post(send).then(keep));
    await waitUntil('enough is answered', ANSWERED_WITHIN_MS, () => enough(outcomes));
    peak = Math.max(residentBytes(api.pid), residentBytes(commands.pid));
    part.resume();
    await within('every request is answered', Promise.all(answered));
  } finally {
    part.resume();
  }
  expect(outcomes.map(({ status }) => status).filter((status) => status !== 202 && status !== 503)).toEqual([]);
  for (const { status, retryAfter } of outcomes) if (status === 503) expect(Number(retryAfter)).toBeGreaterThan(0);
  expect(peak).toBeLessThan(MEMORY_MAX);
  await waitUntil('the platform goes on', ANSWERED_WITHIN_MS, async () => {
    return (await post({ content: 'on', key: newKey(Date.now(), randomBytes(10)) })).status === 202;
  });
  for (const { content, key, status } of [...outcomes]) if (status !== 202) await repeated({ content, key });
  // Each once: what was acknowledged, and what was refused and repeated with its key.
  expect(await contentsInLog(`${mark} `)).toEqual(sends.map(({ content }) => content).sort());
}

const agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY });

/** Straight to the api: as many connections as requests. */
function post({ content, key }: { readonly content: string; readonly key: string }): Promise<Outcome> {
  const body = JSON.stringify({ content });
  const headers = {
    authorization: `Bearer ${token}`,
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'idempotency-key': key,
  };
  return new Promise((resolve, reject) => {
    const sent = request(`${api.url}/api/rooms/${ROOM}/messages`, { method: 'POST', headers, agent }, (answer) => {
      answer.resume();
      const { statusCode: status = 0, headers: got } = answer;
      answer.on('end', () => resolve({ content, key, status, retryAfter: got['retry-after'] }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const token = tokenFor('owner');

async function repeated(send: { readonly content: string; readonly key: string }): Promise<void> {
  await waitUntil(`${send.content} is taken`, ANSWERED_WITHIN_MS, async () => (await post(send)).status === 202);
}

async function contentsInLog(prefix: string): Promise<string[]> {
  return withLog(platform.natsUrls(), PARTITIONS, async (log) => {
    await logEnd(log);
    const entries = await wholeLog(log);
    return entries
      .flatMap(({ decoded }) =>
        decoded.kind === 'event' && decoded.event.type === 'MessageSent' ? [decoded.event.data.content] : [],
      )
      .filter((content) => content.startsWith(prefix))
      .sort();
  });
}

async function within<T>(what: string, work: Promise<T>): Promise<T> {
  let done: { readonly value: T } | undefined;
  void work.then((value) => (done = { value }));
  return (await waitUntil(what, ANSWERED_WITHIN_MS, () => done)).value;
}

function serviceNamed(name: string): ServiceProcess {
  const service = platform.services.get(name);
  if (service === undefined) throw new Error(`there is no ${name}`);
  return service;
}

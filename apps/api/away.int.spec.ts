import { beforeAll, describe, expect, test } from '@jest/globals';
import { waitUntil } from '#embedded';
import { problem } from './test-client.js';
import { ANNA, People } from './test-people.js';
import { type Api, SECRET, usePlatform } from './test-platform.js';

const platform = usePlatform([]);
const RECOVERY_MS = 20_000;
const AWAY = problem(503, 'unavailable', 'temporarily unavailable');
let api: Api;
const people = new People(() => api);

beforeAll(async () => {
  api = await platform.api({ JWT_SECRET: SECRET });
});

const ready = async (): Promise<boolean> => (await api.ask({ url: '/health/ready' })).status === 200;

describe('what api stands on may be away', () => {
  test('without a command service commands are refused for now', async () => {
    const answer = await people.ask(ANNA, { url: '/api/rooms', body: { name: 'x' } });
    expect(answer).toMatchObject(AWAY);
    expect(answer.headers.get('retry-after')).toBe('1');
  });

  test('without PostgreSQL queries are refused for now, health names it, and it comes back', async () => {
    expect((await people.ask(ANNA, { url: '/api/rooms' })).status).toBe(200);
    await platform.postgres.kill();
    await waitUntil('queries are refused', RECOVERY_MS, async () => {
      const answer = await people.ask(ANNA, { url: '/api/rooms' });
      return answer.status === 503 && answer.text === AWAY.text;
    });
    const health = await api.ask({ url: '/health/ready' });
    expect({ status: health.status, body: health.json() }).toMatchObject({
      status: 503,
      body: { ready: false, parts: { nats: { ok: true }, database: { ok: false } } },
    });
    expect((await api.ask({ url: '/health' })).status).toBe(200);
    await platform.postgres.restart();
    await waitUntil('queries are answered', RECOVERY_MS, async () => {
      return (await people.ask(ANNA, { url: '/api/rooms' })).status === 200;
    });
    expect(await ready()).toBe(true);
  });

  test('without NATS queries go on, health names it, and it comes back', async () => {
    await platform.nats.kill();
    await waitUntil('health names it', RECOVERY_MS, async () => !(await ready()));
    expect((await people.ask(ANNA, { url: '/api/rooms' })).status).toBe(200);
    await platform.nats.restart();
    await waitUntil('it is ready', RECOVERY_MS, ready);
  });
});

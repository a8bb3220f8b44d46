import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './places.js';
import { startService, type ServiceOptions, type ServiceProcess } from './service-process.js';

/** Answers `/health` with what it got from its environment, and takes its time to end in order. */
const SERVICE = `
  import { createServer } from 'node:http';
  const server = createServer((asked, answer) => {
    answer.statusCode = asked.url === '/health' ? 200 : 404;
    answer.end(JSON.stringify({ greeting: process.env.GREETING, stranger: process.env.STRANGER, args: process.argv.slice(2) }));
  });
  server.listen(Number(process.env.PORT), '127.0.0.1', () => console.log('listening, ' + process.env.GREETING));
  process.on('SIGTERM', () => { console.log('drained'); process.exit(0); });
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let service: ServiceProcess | undefined;

beforeEach(async () => {
  folder = await temporaryFolder('service');
});

afterEach(async () => {
  await service?.stop();
  service = undefined;
  await folder.remove();
});

async function start(options: Partial<ServiceOptions> = {}, source = SERVICE): Promise<ServiceProcess> {
  const main = join(folder.path, 'main.mjs');
  writeFileSync(main, source);
  const env = { GREETING: 'hello' };
  service = await startService({
    name: 'test-1',
    app: 'test',
    main,
    env,
    ready: { healthPath: '/health' },
    ...options,
  });
  return service;
}

async function ask(url: string | undefined): Promise<unknown> {
  return (await fetch(`${url}/health`)).json();
}

describe('startService', () => {
  test('is ready when its health says so, and has the environment that it was given and no more', async () => {
    process.env.STRANGER = 'here';
    const { url } = await start({ args: ['--fresh'] });
    delete process.env.STRANGER;
    expect(await ask(url)).toEqual({ greeting: 'hello', args: ['--fresh'] });
  });

  test('comes back on the same port after kill -9', async () => {
    const started = await start();
    const { url, pid } = started;
    await started.kill();
    await expect(ask(url)).rejects.toThrow();
    await started.restart();
    expect(started.url).toBe(url);
    expect(started.pid).not.toBe(pid);
    expect(await ask(url)).toMatchObject({ greeting: 'hello' });
  });

  test('is ready when it says a line, and ends in order', async () => {
    const started = await start({ ready: { line: /^listening/ }, env: { GREETING: 'hi', PORT: '0' } });
    expect(started.output).toEqual(['listening, hi']);
    expect(started.url).toBeUndefined();
    await started.stop();
    expect(started.output).toEqual(['listening, hi', 'drained']);
  });

  test('an end before that is said with its last words', async () => {
    const failing = start({}, 'console.error("NATS_URL is missing: set it"); process.exit(2);');
    await expect(failing).rejects.toThrow('test-1 ended while starting (exit code 2): NATS_URL is missing: set it');
  });

  test('an app that was not built is said', async () => {
    const missing = startService({ name: 'x', app: 'no-such-app', env: {}, ready: { line: /./ } });
    await expect(missing).rejects.toThrow(/there is no .*no-such-app.*; run npm run build/);
  });
});

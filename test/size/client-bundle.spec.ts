import { spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { projectRoot, temporaryFolder } from '#embedded';

const script = join(import.meta.dirname, 'client-bundle.mjs');
const node = (...args: string[]) => spawnSync(process.execPath, args, { encoding: 'utf8' });

/** What a stranger writes: types and code come from the package alone. */
const PROGRAM = `
import { ChatClient, type Message } from '@parley/client';
import { MockServer } from '@parley/client/testing';

const server = new MockServer({ user: 'alice' });
server.room('tea', { messages: [] });
const client: ChatClient = server.client();
await client.connect();
const heard: Message[] = [];
client.messages.on((message) => heard.push(message));
server.say('tea', 'bob', 'Tea?');
const ack = await client.send('tea', 'Yes');
console.log(ack.messageId, heard.map(({ content }) => content).join(), client instanceof ChatClient);
client.close();
`;

test('the bundle for browsers stays under its limit, and brings nothing but itself', () => {
  const { status, stdout, stderr } = node(script);
  expect(stderr).toBe('');
  expect(stdout).toMatch(/^@parley\/client [\d.]+: \d+ bytes, \d+ gzipped \(at most 15000\)\n$/);
  expect(status).toBe(0);
});

test("a stranger's program compiles against the package, and runs on it", async () => {
  const root = projectRoot();
  const folder = await temporaryFolder('package');
  const modules = join(folder.path, 'node_modules');
  expect(node(script, join(modules, '@parley', 'client'))).toMatchObject({ status: 0, stderr: '' });
  mkdirSync(join(modules, '@types'));
  for (const name of ['zod', '@types/node', 'undici-types'])
    symlinkSync(join(root, 'node_modules', name), join(modules, name));
  writeFileSync(join(folder.path, 'package.json'), '{"type":"module"}');
  writeFileSync(join(folder.path, 'program.ts'), PROGRAM);
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const settings = [
    '--ignoreConfig',
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
    '--skipLibCheck',
  ];
  const compiled = node(compiler, ...settings, '--rootDir', folder.path, join(folder.path, 'program.ts'));
  expect(compiled).toMatchObject({ stdout: '', status: 0 });
  const ran = node(join(folder.path, 'program.js'));
  expect(ran).toMatchObject({ stderr: '', stdout: expect.stringMatching(/^msg_\d+ Tea\? true\n$/) });
  await folder.remove();
}, 180_000);

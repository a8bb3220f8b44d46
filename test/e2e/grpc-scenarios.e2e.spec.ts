/** The scenarios of `examples/grpc`, run by their runner as a reader would run it. */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { projectRoot, temporaryFolder } from '#embedded';
import { grpcWorldOf } from './grpc-world.js';

const { grpc } = await grpcWorldOf();

const scenarios = join(projectRoot(), 'examples', 'grpc');

function run(...paths: readonly string[]): Promise<{ code: number | null; output: string }> {
  const runner = spawn(process.execPath, [join(scenarios, 'run.mjs'), '--address', grpc.address, ...paths]);
  let output = '';
  for (const stream of [runner.stdout, runner.stderr]) stream.on('data', (text: Buffer) => (output += text.toString()));
  return new Promise((resolve) => runner.on('close', (code) => resolve({ code, output })));
}

test('pass, and can be run again', async () => {
  const files = readdirSync(scenarios).filter((name) => name.endsWith('.gctf'));
  for (let time = 0; time < 2; time++) {
    const { code, output } = await run();
    expect(output.trim().split('\n')).toEqual(files.sort().map((name) => `ok    ${join(scenarios, name)}`));
    expect(code).toBe(0);
  }
});

test.each([
  ['a field that is not so', '"status": "healthy"', '"status": "ill"', '.status is "healthy", not "ill"'],
  ['an assertion that does not hold', '^[0-9]{4}', '^[a-z]{4}', 'ASSERTS: .timestamp | test('],
  ['another section', 'ASSERTS', 'WISHES', 'WISHES is not known here'],
  ['a method that is not there', 'HealthCheck', 'Sickness', 'there is no chat.ChatService/Sickness'],
])('fail for %s', async (_what, text, instead, problem) => {
  const folder = await temporaryFolder('scenario');
  const file = join(folder.path, 'changed.gctf');
  const original = readFileSync(join(scenarios, '01-health.gctf'), 'utf8');
  expect(original).toContain(text);
  await writeFile(file, original.replace(text, instead));
  const { code, output } = await run(file);
  expect(output).toContain(`FAIL  ${file}`);
  expect(output).toContain(problem);
  expect(code).toBe(1);
  await folder.remove();
});

/** Runs a command of `parley` in this process, for specs, and gives what it wrote and its exit code. */
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { operate } from './operate.js';

export interface Operated {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export async function operated(
  [name = '', ...args]: readonly string[],
  env: Readonly<Record<string, string>>,
  input = '',
): Promise<Operated> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const written = Promise.all([text(stdout), text(stderr)]);
  const code = await operate(name, args, { env, stdin: Readable.from([input]), stdout, stderr });
  stdout.end();
  stderr.end();
  const [out, err] = await written;
  return { code, stdout: out, stderr: err };
}

export const recordsOf = ({ stdout }: Operated): Record<string, unknown>[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

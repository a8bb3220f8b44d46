/** The tour of the README, as a reader does it: its commands in one shell, block by block, and after each the answers that are shown. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { projectRoot, waitUntil } from '#embedded';
import { fencedBlocks } from '../docs/markdown.js';
import { startStandalone, type Standalone } from '../platform.js';

const ANSWER_WITHIN_MS = 20_000;
/** Where the README says that the platform is. */
const ADDRESS = 'http://127.0.0.1:3000';

interface Step {
  readonly commands: string;
  /** Lines that have to come; `…` stands for anything. */
  readonly answers: readonly string[];
}

let platform: Standalone;
beforeAll(async () => {
  platform = await startStandalone();
});
afterAll(() => platform.stop());

test('the tour does what it says', async () => {
  const steps = tour(readFileSync(join(projectRoot(), 'README.md'), 'utf8'));
  expect(steps.length).toBeGreaterThan(5);
  const shell = new Shell();
  try {
    for (const { commands, answers } of steps) {
      const output = await shell.run(commands.replaceAll(ADDRESS, platform.url), answers);
      for (const answer of answers) expect(output).toMatch(pattern(answer));
    }
  } finally {
    await shell.end();
  }
});

/** Each block of commands with the answers that stand between it and the next one. */
function tour(readme: string): Step[] {
  const steps: { commands: string; answers: string[] }[] = [];
  for (const { info, text } of fencedBlocks(readme)) {
    if (info === 'sh tour') steps.push({ commands: text, answers: [] });
    else if (info.endsWith(' answer')) steps.at(-1)?.answers.push(...text.trim().split('\n'));
  }
  return steps;
}

/** Anywhere in a line: what listens in the background may write between an answer and the end of its line. */
function pattern(answer: string): RegExp {
  const literals = answer.split('…').map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, String.raw`\$&`));
  return new RegExp(literals.join('.*'));
}

/** One bash for all blocks, so that variables, functions and background processes live on. */
class Shell {
  readonly #bash = spawn('bash', { cwd: projectRoot(), stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  readonly #ended = new Promise<void>((resolve) => this.#bash.once('close', () => resolve()));
  #output = '';
  #blocks = 0;

  constructor() {
    for (const stream of [this.#bash.stdout, this.#bash.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (this.#output += text));
  }

  /** Runs commands; what was written from then on, once they have ended and every answer has come, or time is up. */
  async run(commands: string, answers: readonly string[]): Promise<string> {
    const from = this.#output.length;
    const end = `end of block ${(this.#blocks += 1)}`;
    const fresh = (): string => this.#output.slice(from);
    this.#bash.stdin.write(`${commands}\necho '${end}'\n`);
    const done = (): boolean => fresh().includes(end) && answers.every((answer) => pattern(answer).test(fresh()));
    await waitUntil(end, ANSWER_WITHIN_MS, done).catch((cause: unknown) => {
      throw new Error(`after\n${commands}\ncame\n${fresh()}`, { cause });
    });
    return fresh();
  }

  /** Ends the shell and what it has left in the background, which are a process group of their own. */
  async end(): Promise<void> {
    if (this.#bash.exitCode === null && this.#bash.pid !== undefined) process.kill(-this.#bash.pid, 'SIGTERM');
    await this.#ended;
  }
}

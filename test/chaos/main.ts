/** `npm run chaos`: see `--help`, and docs/CHAOS.md. */
import { randomInt } from 'node:crypto';
import { cpSync, createWriteStream, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { describeViolations, type History } from '#testing';
import { HELP, list, Misused, parseOptions, type ChaosOptions } from './options.js';
import { isGood, markdown } from './report.js';
import { running, runSeed, type SeedReport } from './seed-run.js';

const LARGEST_SEED = 1_000_000;

async function main(args: readonly string[]): Promise<number> {
  const options = parseOptions(args, randomInt(1, LARGEST_SEED));
  if (options === 'help' || options === 'list') {
    process.stdout.write(`${options === 'help' ? HELP : list()}\n`);
    return 0;
  }
  const reports = await runSeeds(options);
  const text = markdown(reports, `npm run chaos -- ${args.join(' ')}`);
  process.stdout.write(`\n${text}`);
  if (options.report !== undefined) writeFileSync(options.report, text);
  const bad = reports.filter((report) => !isGood(report));
  for (const { seed } of bad) process.stdout.write(`again: ${commandFor(seed, options)}\n`);
  process.stdout.write(`chaos: ${reports.length} seeds, ${bad.length} with a violation\n`);
  return bad.length > 0 ? 1 : 0;
}

async function runSeeds(options: ChaosOptions): Promise<SeedReport[]> {
  const reports: SeedReport[] = [];
  const startedAt = performance.now();
  const isOver = (): boolean =>
    reports.length >= options.seeds && performance.now() - startedAt >= options.minutes * 60_000;
  for (let seed = options.seed; !isOver(); seed += 1) {
    const seedStartedAt = performance.now();
    const say = (text: string): void => {
      process.stdout.write(`[seed ${seed} ${((performance.now() - seedStartedAt) / 1_000).toFixed(1)} s] ${text}\n`);
    };
    const { rounds, faults, mounts } = options;
    const kept: Promise<void>[] = [];
    const afterwards = (report: SeedReport, history: History | undefined, folder: string): void => {
      if (options.keep || !isGood(report)) kept.push(keep(join(options.out, `seed-${seed}`), history, folder));
    };
    const report = await runSeed({ seed, rounds, faults, mounts, say, afterwards });
    await Promise.all(kept);
    reports.push(report);
    if (isGood(report)) say(`good: ${report.entries} entries, ${report.deliveries} deliveries`);
    else tell(report, options, say);
  }
  return reports;
}

function tell(report: SeedReport, options: ChaosOptions, say: (text: string) => void): void {
  const { seed, violations, shortest, failures } = report;
  say(`NOT GOOD: ${violations.length} violations, ${failures.length} failures`);
  if (violations.length > 0) process.stdout.write(`${describeViolations(violations)}\n`);
  if (shortest) process.stdout.write(`the shortest history that shows ${shortest.violation.what}:\n`);
  for (const line of shortest ? linesOf(shortest.history) : []) process.stdout.write(`    ${line}`);
  failures.forEach((failure) => process.stdout.write(`failure: ${failure}\n`));
  process.stdout.write(`the whole history and every log: ${join(options.out, `seed-${seed}`)}\n`);
  process.stdout.write(`again: ${commandFor(seed, options)}\n`);
}

const commandFor = (seed: number, { rounds, faults }: ChaosOptions): string =>
  `npm run chaos -- --seed ${seed} --rounds ${rounds} --faults ${faults.join(',')}`;

/** The logs at once, before their folder is removed; the history behind them, a record a line. */
async function keep(folder: string, history: History | undefined, logs: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  cpSync(logs, folder, { recursive: true, filter: (path) => path === logs || path.endsWith('.log') });
  if (!history) return;
  await pipeline(Readable.from(linesOf(history)), createGzip(), createWriteStream(join(folder, 'history.jsonl.gz')));
}

function* linesOf({ log, clients, ...rest }: History): Generator<string> {
  const line = (kind: string, value: object): string => `${JSON.stringify({ kind, ...value })}\n`;
  for (const entry of log) yield line('entry', entry);
  for (const { steps, sends, ...client } of clients) {
    yield line('client', client);
    for (const send of sends) yield line('send', { client: client.client, ...send });
    for (const step of steps) yield line('step', { client: client.client, step });
  }
  yield line('views', rest);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    // What is mounted would stay.
    void Promise.allSettled([...running].map((end) => end())).then(() => process.exit(1));
  });

main(process.argv.slice(2)).then(
  (code) => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`${error instanceof Misused ? `chaos: ${error.message}` : String((error as Error).stack)}\n`);
    process.exit(error instanceof Misused ? 2 : 1);
  },
);

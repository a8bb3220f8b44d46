/** `npm run bench`: what Parley does, beside the floor and peers. See options.ts for the command line, benchmark.ts for the terms. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Benchmark } from './benchmark.js';
import { catalogue, chosen } from './catalogue.js';
import { movesOf, moveText } from './check.js';
import { InterruptedError, untilInterrupted } from './endings.js';
import { presentCommit, thisMachine } from './machine.js';
import { type Options, readOptions, USAGE } from './options.js';
import { profilesText } from './profile.js';
import { readSections, writeSections } from './results.js';
import { runBenchmark } from './rounds.js';
import { scalePage, writeScalePage } from './scale/page.js';
import type { Machine, Section } from './section.js';
import { removeLeftFolders } from './stage.js';
import { sectionText } from './table.js';

const RESULTS_FILE = join(import.meta.dirname, 'RESULTS.md');

const say = (line: string): void => void process.stdout.write(`${line}\n`);

async function main(args: readonly string[], over: AbortSignal): Promise<number> {
  if (args.includes('--help')) return said(USAGE);
  const options = readOptions(args, RESULTS_FILE);
  const all = await catalogue();
  if (options.list) return said(all.map(({ name, sentence }) => `${name.padEnd(28)} ${sentence}`).join('\n'));
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  removeLeftFolders();
  const machine = await thisMachine();
  const kept = new Map(readSections(RESULTS_FILE).map((section) => [section.name, section]));
  let worse = 0;
  let failed = 0;
  for (const benchmark of chosen(all, options.names)) {
    try {
      const section = await measured(benchmark, { ...options, over }, machine);
      say(`\n${sectionText(section)}`);
      if (options.out !== undefined)
        writeSections(
          options.out,
          [section],
          all.map(({ name }) => name),
        );
      if (options.check) worse += compare(kept.get(section.name), section);
    } catch (error) {
      if (over.aborted) throw over.reason;
      // The other benchmarks can still be measured; what failed is said at once and by the exit code.
      failed += 1;
      say(`FAILED: ${benchmark.name}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    }
  }
  if (options.profile !== undefined) say(profilesText(options.profile));
  if (options.out !== undefined) say(`written: ${options.out}`);
  if (options.out === RESULTS_FILE) {
    // What a user costs is arithmetic over what was just measured.
    writeScalePage();
    say(`written: ${scalePage}`);
  }
  return failed > 0 || worse > 0 ? 1 : 0;
}

async function measured(
  benchmark: Benchmark,
  options: Options & { readonly over: AbortSignal },
  machine: Machine,
): Promise<Section> {
  const { name, sentence, figure, better, goals, notes = [] } = benchmark;
  say(`${name}: ${sentence}`);
  const { subjects, leftOut } = await runBenchmark(benchmark, { ...options, say });
  const at = new Date().toISOString();
  const command = `npm run bench -- ${options.full ? '--full ' : ''}${name}`;
  return {
    name,
    sentence,
    figure,
    better,
    goals,
    notes,
    at,
    command,
    commit: presentCommit(),
    machine,
    subjects,
    leftOut,
  };
}

/** @returns how many got worse */
function compare(before: Section | undefined, now: Section): number {
  if (before === undefined) say(`${now.name}: nothing is known of it yet`);
  const moves = before === undefined ? [] : movesOf(before, now);
  if (before !== undefined && moves.length === 0) say(`${now.name}: nothing moved by more than the noise`);
  for (const move of moves) say(moveText(move));
  return moves.filter(({ better }) => !better).length;
}

function said(text: string): number {
  say(text);
  return 0;
}

process.exitCode = await main(process.argv.slice(2), untilInterrupted()).catch((error: unknown) => {
  if (error instanceof InterruptedError) {
    say(error.message);
    // What was interrupted may still be waiting for something.
    process.exit(error.exitCode);
  }
  say(error instanceof Error ? (error.stack ?? error.message) : String(error));
  return 1;
});

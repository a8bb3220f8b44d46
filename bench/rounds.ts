/** Runs one benchmark: starts its subjects, measures them in turn, and ends them. */
import type { Benchmark, Round, Started } from './benchmark.js';
import { allEnded, unlessOver } from './endings.js';
import { LeftOutError } from './left-out.js';
import { coresBetween, sampleCpu, untilQuiet } from './cpu.js';
import type { RoundResult, SubjectResult } from './section.js';
import { Stage } from './stage.js';

export interface RunOptions {
  readonly rounds: number;
  readonly quick: boolean;
  readonly full?: boolean;
  /** How long each round waits for a quiet machine. */
  readonly patienceMs: number;
  readonly say: (line: string) => void;
  readonly profile?: string | undefined;
  /** Ends it, with everything that it has started. */
  readonly over?: AbortSignal;
}

export interface Measured {
  readonly subjects: readonly SubjectResult[];
  readonly leftOut: readonly string[];
}

interface Running {
  readonly name: string;
  readonly started: Started;
  readonly rounds: RoundResult[];
}

export async function runBenchmark(benchmark: Benchmark, options: RunOptions): Promise<Measured> {
  const { quick, full = false } = options;
  const stage = await Stage.open({ ...options, full, profile: options.profile });
  const rounds = Math.min(options.rounds, benchmark.rounds ?? options.rounds);
  const running: Running[] = [];
  const leftOut: string[] = [];
  try {
    for (const { name, start } of benchmark.subjects) {
      try {
        const started = await unlessOver(options.over, start(stage));
        running.push({ name: started.label ?? name, started, rounds: [] });
      } catch (error) {
        if (!(error instanceof LeftOutError)) throw error;
        leftOut.push(`${name}: ${error.message}`);
      }
    }
    for (const { started } of running)
      await unlessOver(options.over, Promise.resolve(started.warm?.({ number: 0, quick, full })));
    stage.toggleProfiles();
    for (let number = 1; number <= rounds; number += 1)
      for (const subject of running)
        await unlessOver(options.over, measureOne(benchmark, subject, { number, quick, full }, options));
    stage.toggleProfiles();
    return { subjects: running.map(({ name, rounds }) => ({ name, rounds })), leftOut };
  } finally {
    const stops = running.reverse().map(
      ({ started }) =>
        () =>
          started.stop(),
    );
    await allEnded([...stops, () => stage.close()]);
  }
}

async function measureOne(benchmark: Benchmark, subject: Running, round: Round, options: RunOptions): Promise<void> {
  const { name, started, rounds } = subject;
  await started.prepare?.(round);
  await untilQuiet(options.patienceMs);
  const before = sampleCpu(started.processes());
  const measured = await started.measure(round);
  const after = sampleCpu(started.processes());
  const value = measured[benchmark.figure];
  if (value === undefined || !Number.isFinite(value))
    throw new Error(`${benchmark.name}: ${name} measured no ${benchmark.figure} (${JSON.stringify(measured)})`);
  const cores = coresBetween(before, after);
  const perCore = started.worker === undefined ? undefined : value / (cores[started.worker] ?? NaN);
  const figures = { ...measured, ...(perCore !== undefined && Number.isFinite(perCore) && { [PER_CORE]: perCore }) };
  rounds.push({ figures, cores });
  options.say(`  round ${round.number}, ${name}: ${Math.round(value * 1_000) / 1_000} ${benchmark.figure}`);
}

/** What one core of the process that does the work would give. */
export const PER_CORE = 'per worker core';

/** The command line of `npm run chaos`. */
import { parseArgs } from 'node:util';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.js';

export interface ChaosOptions {
  /** Of the first run; the next ones have the numbers after it. */
  readonly seed: number;
  /** Runs of so many seeds, unless the time is longer. */
  readonly seeds: number;
  /** Seeds go on until so much time has passed. */
  readonly minutes: number;
  readonly rounds: number;
  readonly faults: readonly FaultName[];
  /** Where the report is written, as markdown. */
  readonly report?: string;
  /** Where histories and logs of failed runs are kept. */
  readonly out: string;
  /** Keeps them of every run. */
  readonly keep: boolean;
  readonly mounts: boolean;
}

/** What is wrong with the command line, in a line. */
export class Misused extends Error {
  override readonly name = 'Misused';
}

const ROUNDS = 6;

export const HELP = `npm run chaos -- [options]

Breaks the whole platform, three NATS nodes included, while more than 50 clients use it, and then decides from everything that
they sent and saw, the log and the read models whether every promise was kept (ARCHITECTURE.md, Guarantees).

  --seed N        what everything is drawn from; the same seed draws the same faults (default: drawn, and printed)
  --seeds K       runs K seeds, one after the other, each on a fresh cluster (default 1)
  --minutes M     runs seeds until M minutes have passed
  --rounds R      rounds of one or two faults for each seed (default ${ROUNDS})
  --faults a,b    only these faults
  --report FILE   writes the report, as markdown
  --out FOLDER    where the history and the logs of a failed run are kept (default .parley/chaos)
  --keep          keeps them of every run
  --no-mounts     fills no disk, but reaches quotas, as where nothing can be mounted
  --list          lists the faults
  --help

The exit code is 1 when a promise was broken, 2 when the command line is wrong.`;

export const list = (): string =>
  Object.entries(FAULTS)
    .map(([name, { how }]) => `${name.padEnd(20)}${how}`)
    .join('\n');

/** @throws Misused */
export function parseOptions(args: readonly string[], drawn: number): ChaosOptions | 'help' | 'list' {
  const { values } = parsed(args);
  if (values.help === true) return 'help';
  if (values.list === true) return 'list';
  const number = (name: 'seed' | 'seeds' | 'minutes' | 'rounds', fallback: number): number => {
    const text = values[name];
    const value = text === undefined ? fallback : Number(text);
    if (!Number.isFinite(value) || value < 0 || (name !== 'minutes' && !Number.isInteger(value)))
      throw new Misused(`--${name} is "${text}": it takes a number`);
    return value;
  };
  return {
    seed: number('seed', drawn),
    seeds: number('seeds', values.minutes === undefined ? 1 : 0),
    minutes: number('minutes', 0),
    rounds: Math.max(1, number('rounds', ROUNDS)),
    faults: values.faults === undefined ? FAULT_NAMES : values.faults.split(',').map(faultNamed),
    ...(values.report !== undefined && { report: values.report }),
    out: values.out ?? '.parley/chaos',
    keep: values.keep === true,
    mounts: values['no-mounts'] !== true,
  };
}

function parsed(args: readonly string[]) {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...args],
      options: {
        seed: text,
        seeds: text,
        minutes: text,
        rounds: text,
        faults: text,
        report: text,
        out: text,
        keep: flag,
        'no-mounts': flag,
        list: flag,
        help: flag,
      },
    });
  } catch (error) {
    throw new Misused(error instanceof Error ? error.message : String(error));
  }
}

function faultNamed(name: string): FaultName {
  const found = FAULT_NAMES.find((known) => known === name.trim());
  if (!found) throw new Misused(`there is no fault "${name}": --list names them`);
  return found;
}

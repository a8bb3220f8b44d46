/** The command line of `npm run bench`. */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';

export interface Options {
  /** Benchmarks whose name begins with one of these; none: all. */
  readonly names: readonly string[];
  readonly list: boolean;
  readonly quick: boolean;
  readonly full: boolean;
  readonly check: boolean;
  readonly rounds: number;
  /** How long a round waits for a quiet machine. */
  readonly patienceMs: number;
  /** A folder for CPU profiles of Parley's services; their most expensive functions are printed. */
  readonly profile: string | undefined;
  /** Undefined: nothing is written. */
  readonly out: string | undefined;
}

export const USAGE = `npm run bench -- [NAME...]   runs all benchmarks, or those whose names begin so, and writes bench/RESULTS.md
  --list          what there is
  --quick         short rounds, nothing kept: to see that everything works
  --full          the largest sizes and times, where the usual ones are smaller
  --check         compares with what RESULTS.md says, and says what moved by more than the noise; nothing is written
  --rounds N      3 by default
  --patience S    how long each round waits for a quiet machine, in seconds; 15 by default
  --profile DIR   writes CPU profiles of Parley's services there and prints what cost most; nothing else is kept
  --out FILE.md   writes there instead`;

const ROUNDS = 3;
const ROUNDS_QUICK = 2;
const PATIENCE_SECONDS = 15;
const PATIENCE_SECONDS_QUICK = 0.5;

/** @throws Error in a sentence */
export function readOptions(args: readonly string[], resultsFile: string): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      full: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      patience: { type: 'string' },
      profile: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const { list, quick, full, check, profile, out } = values;
  const rounds = Number(values.rounds ?? (quick ? ROUNDS_QUICK : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a number from 1: ${values.rounds}`);
  const patience = Number(values.patience ?? (quick ? PATIENCE_SECONDS_QUICK : PATIENCE_SECONDS));
  if (!(patience >= 0)) throw new Error(`--patience takes seconds: ${values.patience}`);
  if (out !== undefined && !out.endsWith('.md')) throw new Error(`--out takes the name of a .md file: ${out}`);
  const written = out ?? (quick || check || profile !== undefined ? undefined : resultsFile);
  return {
    names: positionals,
    list,
    quick,
    full,
    check,
    rounds,
    patienceMs: patience * 1_000,
    profile: profile && resolve(profile),
    out: written,
  };
}

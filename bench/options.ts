/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util';

export interface Options {
  /** Benchmarks whose name begins with one of these; none: all. */
  readonly names: readonly string[];
  readonly list: boolean;
  readonly quick: boolean;
  readonly check: boolean;
  readonly rounds: number;
  /** Undefined: nothing is written. */
  readonly out: string | undefined;
}

export const USAGE = `npm run bench -- [NAME...]   runs all benchmarks, or those whose names begin so, and writes bench/RESULTS.md
  --list          what there is
  --quick         short rounds, nothing kept: to see that everything works
  --check         compares with what RESULTS.md says, and says what moved by more than the noise; nothing is written
  --rounds N      3 by default
  --out FILE.md   writes there instead`;

const ROUNDS = 3;
const ROUNDS_QUICK = 2;

/** @throws Error in a sentence */
export function readOptions(args: readonly string[], resultsFile: string): Options {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      list: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      out: { type: 'string' },
    },
  });
  const { list, quick, check, out } = values;
  const rounds = Number(values.rounds ?? (quick ? ROUNDS_QUICK : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds takes a number from 1: ${values.rounds}`);
  if (out !== undefined && !out.endsWith('.md')) throw new Error(`--out takes the name of a .md file: ${out}`);
  const written = out ?? (quick || check ? undefined : resultsFile);
  return { names: positionals, list, quick, check, rounds, out: written };
}

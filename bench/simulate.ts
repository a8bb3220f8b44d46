/**
 * `npm run simulate`: the capacity model of docs/SCALE.md. `--users 250000` for another number of connected users, `--sendsPerHour 40`
 * and the like for another workload, `--write` to put the tables into docs/SCALE.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { projectRoot } from '#embedded';
import { plan, WORKLOAD, type Workload } from './scale/model.js';
import { scaleTables, withTables } from './scale/tables.js';

const USERS = [10_000, 1_000_000, 100_000_000];

const options = Object.fromEntries(Object.keys(WORKLOAD).map((name) => [name, { type: 'string' as const }]));
const { values } = parseArgs({
  options: { ...options, users: { type: 'string' }, write: { type: 'boolean' }, help: { type: 'boolean' } },
});

function numberOf(name: string, value: unknown): number {
  const number = Number(value);
  if (!(number > 0) || !Number.isFinite(number))
    throw new RangeError(`--${name} takes a number above 0, not ${String(value)}`);
  return number;
}

const page = join(projectRoot(), 'docs', 'SCALE.md');
if (values.help) {
  process.stdout.write(
    `npm run simulate -- [--users N] [--write] ${Object.keys(WORKLOAD)
      .map((name) => `[--${name} N]`)
      .join(' ')}\n`,
  );
} else {
  const changes = Object.entries(values).filter(([name]) => name in WORKLOAD);
  const workload = {
    ...WORKLOAD,
    ...Object.fromEntries(changes.map(([name, value]) => [name, numberOf(name, value)])),
  };
  const users = values.users === undefined ? USERS : [numberOf('users', values.users)];
  const plans = users.map((connected) => plan({ ...workload, connected } satisfies Workload));
  if (values.write) writeFileSync(page, withTables(readFileSync(page, 'utf8'), plans));
  process.stdout.write(scaleTables(plans));
}

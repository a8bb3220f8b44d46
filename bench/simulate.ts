/**
 * `npm run simulate`: the capacity model of docs/SCALE.md. `--users 250000` for another number of connected users, `--sendsPerHour 40`
 * and the like for another workload, `--write` to put the tables of the page's own workload into docs/SCALE.md.
 */
import { parseArgs } from 'node:util';
import { plan, WORKLOAD, type Workload } from './scale/model.js';
import { USERS, writeScalePage } from './scale/page.js';
import { scaleTables } from './scale/tables.js';
import { unitCosts } from './scale/unit-costs.js';

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

if (values.help) {
  process.stdout.write(
    `npm run simulate -- [--users N] [--write] ${Object.keys(WORKLOAD)
      .map((name) => `[--${name} N]`)
      .join(' ')}\n`,
  );
} else {
  const changes = Object.entries(values).filter(([name]) => name in WORKLOAD);
  if (values.write && (changes.length > 0 || values.users !== undefined))
    throw new Error('--write takes the page’s own workload: say nothing else with it');
  const workload = {
    ...WORKLOAD,
    ...Object.fromEntries(changes.map(([name, value]) => [name, numberOf(name, value)])),
  };
  const sourced = unitCosts();
  const users = values.users === undefined ? USERS : [numberOf('users', values.users)];
  const plans = users.map((connected) => plan({ ...workload, connected } satisfies Workload, sourced.costs));
  if (values.write) writeScalePage();
  process.stdout.write(scaleTables(plans, sourced));
}

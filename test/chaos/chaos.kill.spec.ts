import { expect, test } from '@jest/globals';
import { join } from 'node:path';
import { projectRoot } from '#embedded';
import type { FaultName } from './faults.js';
import { isGood } from './report.js';
import { runSeed } from './seed-run.js';

/** A crowd that two busy cores bear beside everything else. */
const PEOPLE = { socket: 12, http: 4, events: 4, grpc: 4 } as const;
const FAULTS: readonly FaultName[] = [
  'kill-service',
  'kill-broker',
  'kill-postgres',
  'step-down',
  'cut-broker',
  'restart-service',
  'vanish-clients',
];
/** Two rounds of faults that are over soon; `npm run chaos` has all of them, and as much time as one likes. */
const SEED = 11;
const ROUNDS = 2;

test('a seed of chaos breaks no promise', async () => {
  const said: string[] = [];
  const report = await runSeed({
    seed: SEED,
    rounds: ROUNDS,
    faults: FAULTS,
    people: PEOPLE,
    say: (text) => said.push(text),
  });
  const course = said.join('\n');
  expect({ violations: report.violations, failures: report.failures, course }).toEqual({
    violations: [],
    failures: [],
    course,
  });
  expect(report.rounds).toHaveLength(ROUNDS);
  expect(report.tally?.acknowledged ?? 0).toBeGreaterThan(PEOPLE.socket);
  process.stdout.write(`chaos, seed ${SEED}: ${report.entries} entries, ${report.deliveries} deliveries\n${course}\n`);
}, 600_000);

test('a service that stores twice what is repeated is found out', async () => {
  const planted = join(projectRoot(), 'test', 'planted', 'double-commands.ts');
  const report = await runSeed({
    seed: SEED,
    rounds: 1,
    faults: ['vanish-clients'],
    // On a socket the echo stands in for a lost answer, and nothing is repeated.
    people: { socket: 2, http: 8, events: 0, grpc: 0 },
    mainOf: { 'commands-1': planted, 'commands-2': planted },
    say: () => undefined,
  });
  expect(new Set(report.violations.map(({ kind }) => kind))).toContain('stored-twice');
  expect(isGood(report)).toBe(false);
}, 300_000);

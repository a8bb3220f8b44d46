/** docs/SCALE.md, whose tables are the model's answers for three sizes. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#embedded';
import { plan, type Plan, WORKLOAD } from './model.js';
import { scaleTables, withTables } from './tables.js';
import { type SourcedCosts, unitCosts } from './unit-costs.js';

export const USERS: readonly number[] = [10_000, 1_000_000, 100_000_000];

export const scalePage = join(projectRoot(), 'docs', 'SCALE.md');

/** What belongs between the marks of the page, by what has been measured until now. */
export const scalePageTables = (sourced = unitCosts()): string => scaleTables(plansFor(sourced), sourced);

export function writeScalePage(): void {
  const sourced = unitCosts();
  writeFileSync(scalePage, withTables(readFileSync(scalePage, 'utf8'), plansFor(sourced), sourced));
}

const plansFor = ({ costs }: SourcedCosts): readonly Plan[] =>
  USERS.map((connected) => plan({ ...WORKLOAD, connected }, costs));

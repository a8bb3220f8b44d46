/** Storms and unit costs in their short form, on the whole platform: every answer and delivery is counted there too. */
import { describe, expect, test } from '@jest/globals';
import { catalogue, chosen } from './catalogue.js';
import { runBenchmark } from './rounds.js';
import { ESTIMATES, PLACES } from './scale/unit-costs.js';
import type { Section } from './section.js';

const WITHIN_MS = 300_000;

/** Before any test: some rows load what registers hooks. */
const all = await catalogue();

async function measured(name: string): Promise<Section> {
  const benchmark = all.find((each) => each.name === name);
  if (benchmark === undefined) throw new Error(`there is no ${name}`);
  const run = await runBenchmark(benchmark, { rounds: 1, quick: true, patienceMs: 0, say: () => undefined });
  const machine = { cpu: '', cores: 0, memory: '', system: '', versions: {} };
  return { ...benchmark, notes: [], ...run, machine, at: '2026-01-01', commit: '', command: '' };
}

describe('a storm', () => {
  test.each(chosen(all, ['storm-']).map(({ name }) => name))(
    '%s comes to its end with every subject measured',
    async (name) => {
      const { subjects, figure } = await measured(name);
      expect(subjects.map(({ name }) => name)).toEqual(
        all.find((each) => each.name === name)?.subjects.map(({ name }) => name),
      );
      for (const { rounds } of subjects) expect(rounds[0]?.figures[figure]).toBeGreaterThan(0);
    },
    WITHIN_MS,
  );
});

test(
  'the rows of unit costs measure all that the capacity model takes from them',
  async () => {
    const sections: Section[] = [];
    for (const { name } of chosen(all, ['unit-costs-'])) sections.push(await measured(name));
    const theirs = Object.entries(PLACES).filter(([, { benchmark }]) => benchmark.startsWith('unit-costs-'));
    expect(theirs.length).toBeGreaterThan(Object.keys(ESTIMATES).length / 2);
    // In the short form some are lost in the noise; that they are measured at all is what counts here.
    for (const [cost, { benchmark, subject, figure }] of theirs) {
      const found = sections.find(({ name }) => name === benchmark)?.subjects.find(({ name }) => name === subject);
      expect({ cost, figure: found?.rounds[0]?.figures[figure] }).toEqual({ cost, figure: expect.any(Number) });
    }
  },
  WITHIN_MS,
);

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { projectRoot } from '#embedded';
import { MACHINES, plan, WORKLOAD } from './model.js';
import { scaleTables, withTables } from './tables.js';
import { UNIT_COSTS } from './unit-costs.js';

const planFor = (connected: number, costs = UNIT_COSTS) => plan({ ...WORKLOAD, connected }, MACHINES, costs);

describe('the capacity model', () => {
  test('ten users stand on the smallest platform that outlives the loss of any machine', () => {
    expect(planFor(10)).toMatchObject({
      cells: 1,
      gateways: 2,
      commandMachines: 2,
      brokerNodes: 3,
      databaseMachines: 2,
    });
  });

  test('what happens a second grows with the users, and with nothing else', () => {
    const [one, ten] = [planFor(50_000).rates, planFor(500_000).rates];
    for (const rate of ['sends', 'deliveries', 'pages', 'opens'] as const)
      expect(ten[rate] / one[rate]).toBeCloseTo(10, 6);
  });

  test('more users never take fewer machines', () => {
    const machines = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8].map((connected) => planFor(connected).machines);
    expect(machines).toEqual([...machines].sort((a, b) => a - b));
  });

  test('no cell is larger than what one cluster is planned with', () => {
    const { brokerNodes, gateways, databaseMachines, partitions } = planFor(1e8);
    expect(brokerNodes).toBeLessThanOrEqual(15);
    expect(gateways).toBeLessThanOrEqual(64);
    expect(databaseMachines).toBeLessThanOrEqual(8);
    expect(partitions).toBeLessThanOrEqual(1_024);
  });

  test('dearer subjects take more broker nodes, and the plan says that they decide', () => {
    const dear = planFor(1e6, { ...UNIT_COSTS, subjectBytes: UNIT_COSTS.subjectBytes * 4 });
    expect(dear.cells * dear.brokerNodes).toBeGreaterThan(planFor(1e6).cells * planFor(1e6).brokerNodes);
    expect(dear.walls).toContainEqual(expect.objectContaining({ part: 'broker', of: 'memory of subjects' }));
  });
});

describe('docs/SCALE.md', () => {
  const page = readFileSync(join(projectRoot(), 'docs', 'SCALE.md'), 'utf8');

  test('shows what the model says today: else run npm run simulate -- --write', () => {
    expect(page).toContain(scaleTables([1e4, 1e6, 1e8].map((connected) => planFor(connected))));
  });

  test('a page without a place for the tables is refused', () => {
    expect(() => withTables('# Scale', [])).toThrow('has no');
  });
});

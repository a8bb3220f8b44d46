import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { Section } from '../section.js';
import { plan, WORKLOAD } from './model.js';
import { scalePage, scalePageTables } from './page.js';
import { withTables } from './tables.js';
import { costsFrom, ESTIMATES } from './unit-costs.js';

/** Of figures that stay the same whatever is measured. */
const planFor = (connected: number, costs = ESTIMATES) => plan({ ...WORKLOAD, connected }, costs);

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
    const dear = planFor(1e6, { ...ESTIMATES, subjectBytes: ESTIMATES.subjectBytes * 4 });
    expect(dear.cells * dear.brokerNodes).toBeGreaterThan(planFor(1e6).cells * planFor(1e6).brokerNodes);
    expect(dear.walls).toContainEqual(expect.objectContaining({ part: 'broker', of: 'memory of subjects' }));
  });
});

describe('unit costs', () => {
  const section = (name: string, subject: string, figures: Record<string, number>): Section => ({
    name,
    sentence: '',
    figure: '',
    better: 'lower',
    goals: [],
    notes: [],
    at: '2026-01-02T03:04:05.000Z',
    command: `npm run bench -- ${name}`,
    commit: 'abc1234',
    machine: { cpu: '', cores: 2, memory: '', system: '', versions: {} },
    subjects: [{ name: subject, rounds: [{ figures, cores: {} }] }],
    leftOut: [],
  });

  test('are estimates where nothing was measured, and say so', () => {
    const { costs, sources } = costsFrom([]);
    expect(costs).toEqual(ESTIMATES);
    expect(Object.values(sources).every((source) => source.startsWith('an estimate'))).toBe(true);
    expect(Object.keys(sources)).toEqual(expect.arrayContaining(Object.keys(ESTIMATES)));
  });

  test('come from what the benchmarks have kept, and say from which', () => {
    const { costs, sources } = costsFrom([
      section('idle-memory', 'parley', { 'KB/connection': 8 }),
      section('unit-costs-gateway', 'gateway', { 'us/delivery': 4, 'us/live event': 10 }),
      section('unit-costs-sends', 'sends', { 'us/send and its event, gateway': 50 }),
      section('curve-partitions', '4', { 'appends/s': 12_345 }),
    ]);
    expect(costs).toMatchObject({ connectionBytes: 8_190, deliverySeconds: 4e-6, edgeSendSeconds: 40e-6 });
    expect(costs.syncedAppendsPerSecond).toEqual([[4, 12_300]]);
    expect(sources.deliverySeconds).toBe('`npm run bench -- unit-costs-gateway`, 2026-01-02, abc1234');
    expect(sources.pageSeconds).toContain('an estimate');
  });
});

describe('docs/SCALE.md', () => {
  test('shows what the model says today: else run npm run simulate -- --write', () => {
    expect(readFileSync(scalePage, 'utf8')).toContain(scalePageTables());
  });

  test('a page without a place for the tables is refused', () => {
    expect(() => withTables('# Scale', [], costsFrom([]))).toThrow('has no');
  });
});

import { describe, expect, test } from '@jest/globals';
import { Random } from '../random.js';
import { FAULT_NAMES, FAULTS, type FaultName } from './faults.js';
import { Misused, parseOptions } from './options.js';
import { describeBlow, schedule, type Round } from './schedule.js';
import { BROKERS, POSTGRES, worldOf } from './world.js';

const ROUNDS = 40;
const SEEDS = Array.from({ length: 50 }, (_, seed) => seed);

function planned(seed: number, faults: readonly FaultName[] = FAULT_NAMES): Round[] {
  const random = new Random(seed);
  return schedule(random.fork('schedule'), worldOf(random.fork('world')), { rounds: ROUNDS, faults });
}

describe('the schedule of a seed', () => {
  test('is the same every time', () => {
    for (const seed of SEEDS) expect(planned(seed)).toEqual(planned(seed));
  });

  test('is another one than that of the next seed', () => {
    const all = new Set(SEEDS.map((seed) => JSON.stringify(planned(seed))));
    expect(all.size).toBe(SEEDS.length);
  });

  test('is not changed by what is done while it is carried out', () => {
    const [random, again] = [new Random(7), new Random(7)];
    random.next();
    random.fork('person-1').next();
    expect(random.fork('schedule').next()).toBe(again.fork('schedule').next());
  });

  test('has one fault or two at a time, and nobody is the victim of both', () => {
    for (const round of SEEDS.flatMap((seed) => planned(seed))) {
      expect([1, 2]).toContain(round.length);
      const victims = round.flatMap((blow) => blow.victims);
      expect(new Set(victims).size).toBe(victims.length);
    }
  });

  test('lets the second fault fall while the first lasts', () => {
    for (const [first, second] of SEEDS.flatMap((seed) => planned(seed)))
      if (second) expect(second.afterMs).toBeLessThanOrEqual(first?.holdMs ?? 0);
  });

  test('has every fault before long', () => {
    const drawn = new Set(
      SEEDS.slice(0, 5).flatMap((seed) =>
        planned(seed)
          .flat()
          .map(({ fault }) => fault),
      ),
    );
    expect([...drawn].sort()).toEqual([...FAULT_NAMES].sort());
  });

  test('fills disks only that are small, and slows only those that are not', () => {
    for (const seed of SEEDS) {
      const { smallDisks } = worldOf(new Random(seed).fork('world'));
      for (const { fault, victims } of planned(seed).flat()) {
        if (fault.startsWith('full-disk')) expect(smallDisks).toEqual(expect.arrayContaining([...victims]));
        if (fault.startsWith('slow-disk')) for (const victim of victims) expect(smallDisks).not.toContain(victim);
      }
    }
  });

  test('holds some faults for longer than the leases that matter, and some for less', () => {
    const holds = SEEDS.flatMap((seed) =>
      planned(seed, ['freeze-service'])
        .flat()
        .map(({ holdMs }) => holdMs),
    );
    expect(Math.min(...holds)).toBeLessThan(3_000);
    expect(Math.max(...holds)).toBeGreaterThan(20_000);
  });

  test('keeps to the faults that were asked for', () => {
    const drawn = new Set(
      planned(3, ['cut-broker', 'step-down'])
        .flat()
        .map(({ fault }) => fault),
    );
    expect([...drawn].sort()).toEqual(['cut-broker', 'step-down']);
  });

  test('can be told in a line', () => {
    const blow = { fault: 'kill-broker', victims: ['node-1'], holdMs: 2_340, afterMs: 0 } as const;
    expect(describeBlow(blow)).toBe('kill-broker node-1 for 2.3 s');
  });
});

test('every fault says how it is made, and strikes what there is', () => {
  const random = new Random(1);
  const everything = { ...worldOf(random), smallDisks: [BROKERS[0]] };
  const known = new Set([...everything.services, ...BROKERS, POSTGRES, 'routes', 'clients', 'leaders']);
  for (const name of FAULT_NAMES) {
    expect(FAULTS[name].how.length).toBeGreaterThan(20);
    const draft = FAULTS[name].draw(random, everything);
    for (const victim of draft?.victims ?? []) expect(known).toContain(victim);
  }
});

describe('the command line', () => {
  test('without anything is one seed, which is drawn, and every fault', () => {
    expect(parseOptions([], 42)).toMatchObject({ seed: 42, seeds: 1, minutes: 0, faults: FAULT_NAMES });
  });

  test('with minutes goes through seeds until they have passed', () => {
    expect(parseOptions(['--minutes', '35', '--seed', '7'], 42)).toMatchObject({ seed: 7, seeds: 0, minutes: 35 });
  });

  test.each([[['--seed', 'x']], [['--faults', 'kill-everybody']], [['--sed', '1']], [['--seeds', '-1']]])(
    'refuses %j',
    (args) => {
      expect(() => parseOptions(args, 1)).toThrow(Misused);
    },
  );
});

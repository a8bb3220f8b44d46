import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { chosen, catalogue } from './catalogue.js';
import { movesOf, moveText } from './check.js';
import { allEnded, unlessOver } from './endings.js';
import { parseGoal, verdicts } from './goal.js';
import { readOptions } from './options.js';
import { profileText } from './profile.js';
import { merge, readSections, writeSections } from './results.js';
import { PLACES } from './scale/unit-costs.js';
import type { Section } from './section.js';
import { removeLeftFolders } from './stage.js';
import { apart, quantile, ratios, spread } from './statistics.js';
import { number, sectionText, table } from './table.js';

/** Before any test: some rows load what registers hooks. */
const all = await catalogue();

const round = (rate: number, p50 = 1) => ({
  figures: { 'sends/s': rate, 'p50 ms': p50 },
  cores: { gateway: 0.5, other: 0.001 },
});

const section = (ours: readonly number[], theirs: readonly number[], more: Partial<Section> = {}): Section => ({
  name: 'sends',
  sentence: 'Sends.',
  figure: 'sends/s',
  better: 'higher',
  goals: ['>= 0.5 of floor'],
  notes: [],
  at: '2026-01-01T00:00:00.000Z',
  command: 'npm run bench -- sends',
  commit: 'abc1234',
  machine: { cpu: 'a cpu', cores: 2, memory: '24 GB', system: 'Linux 6', versions: { node: '20.20.2' } },
  subjects: [
    { name: 'parley', rounds: ours.map((rate) => round(rate)) },
    { name: 'floor', rounds: theirs.map((rate) => round(rate)) },
  ],
  leftOut: [],
  ...more,
});

describe('statistics', () => {
  test('a spread has the middle value and both ends', () => {
    expect(spread([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 });
    expect(spread([4, 1, 2, 3]).median).toBe(2.5);
    expect(() => spread([])).toThrow('nothing');
  });

  test('a quantile between two values is between them', () => {
    expect(quantile([0, 10], 0.25)).toBe(2.5);
    expect(quantile([7], 0.99)).toBe(7);
  });

  test('ratios are taken round by round, so that a slow round of both changes nothing', () => {
    expect(ratios([50, 5, 100], [100, 10, 200])).toEqual({ median: 0.5, min: 0.5, max: 0.5 });
  });

  test('two spreads are apart when they share nothing', () => {
    expect(apart(spread([1, 2]), spread([3, 4]))).toBe(true);
    expect(apart(spread([1, 3]), spread([3, 4]))).toBe(false);
  });
});

describe('goals', () => {
  test.each([
    ['>= 0.9 of bare', { atLeast: true, bound: 0.9, against: 'bare', figure: undefined }],
    ['<= 1.1 x bare', { atLeast: false, bound: 1.1, against: 'bare', figure: undefined }],
    ['>= 3 x socket.io, 2 nodes', { atLeast: true, bound: 3, against: 'socket.io, 2 nodes', figure: undefined }],
    ['<= 9 KB', { atLeast: false, bound: 9, against: undefined, figure: undefined }],
    ['p50 ms <= 2.5 x floor', { atLeast: false, bound: 2.5, against: 'floor', figure: 'p50 ms' }],
  ])('%s is read', (text, expected) => {
    expect(parseGoal(text)).toEqual({ text, ...expected });
  });

  test.each(['fast', '> 3 of bare', '>= x of bare', '>= 0.9'])('%s is none', (text) => {
    expect(() => parseGoal(text)).toThrow('not a goal');
  });

  test('a goal is met or missed by the median', () => {
    const met = (ours: number[], goals: string[]) => verdicts(section(ours, [100, 100, 100], { goals }))[0]?.met;
    expect(met([40, 60, 60], ['>= 0.5 of floor'])).toBe(true);
    expect(met([40, 40, 60], ['>= 0.5 of floor'])).toBe(false);
    expect(met([40, 40, 60], ['<= 0.5 x floor'])).toBe(true);
    expect(met([40, 40, 60], ['<= 39 sends/s'])).toBe(false);
    expect(met([40, 40, 60], ['p50 ms <= 1 x floor'])).toBe(true);
  });

  test('where the other subject was left out there is no verdict', () => {
    expect(verdicts(section([1], [1], { goals: ['>= 1 of peer'] }))[0]).toMatchObject({
      value: undefined,
      met: undefined,
    });
  });

  test('a figure that nobody measured is an error, not a pass', () => {
    expect(() => verdicts(section([1], [1], { goals: ['p99 ms <= 1 x floor'] }))).toThrow('no figure "p99 ms"');
  });
});

describe('what is printed', () => {
  test('numbers have three digits that count', () => {
    expect([0, 0.0123, 0.5, 12.34, 1_234, 25_600, 3_450_000].map(number)).toEqual([
      '0.00',
      '0.0123',
      '0.50',
      '12.3',
      '1234',
      '25.6k',
      '3.45M',
    ]);
  });

  test('tables are aligned', () => {
    expect(
      table([
        ['a', 'figure'],
        ['parley', '1'],
      ]),
    ).toBe(['| a      | figure |', '| ------ | ------ |', '| parley | 1      |'].join('\n'));
  });

  test('a section says figure, spread, CPU, goal and command', () => {
    const text = sectionText(
      section([10_000, 12_000, 14_000], [20_000, 20_000, 20_000], { leftOut: ['peer: not here'] }),
    );
    expect(text).toContain('| parley | 12.0k');
    expect(text).toContain('10.0k .. 14.0k');
    expect(text).toContain('gateway 0.50');
    expect(text).not.toContain('other');
    expect(text).toMatch(/>= 0\.5 of floor \| 0\.60 +\| 0\.50 \.\. 0\.70 \| met/);
    expect(text).toContain('Left out: peer: not here.');
    expect(text).toContain('commit abc1234: `npm run bench -- sends`');
  });
});

describe('results', () => {
  test('a run replaces its own section only, and a benchmark that is gone takes its section along', () => {
    const [a, b, fresh] = [section([1], [1]), section([1], [1], { name: 'pages' }), section([2], [1])];
    const gone = section([1], [1], { name: 'gone' });
    expect(merge([a, b, gone], [fresh], ['pages', 'sends', 'new'])).toEqual([b, fresh]);
  });

  test('what was written is read again, and the page has it all', () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-bench-spec-'));
    try {
      const file = join(folder, 'RESULTS.md');
      expect(readSections(file)).toEqual([]);
      const both = [section([1], [1]), section([1], [1], { name: 'pages' })];
      writeSections(file, both, ['sends', 'pages']);
      writeSections(file, [section([7], [1])], ['sends', 'pages']);
      expect(readSections(file)).toEqual([section([7], [1]), both[1]]);
      const page = readFileSync(file, 'utf8');
      expect(page).toContain('Machine: 2 x a cpu, 24 GB, Linux 6; node 20.20.2.');
      expect(page).toContain('## sends');
      expect(page).toMatch(/\[pages\]\(#pages\) \| >= 0\.5 of floor \| 1\.00/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('--check', () => {
  const before = section([50, 55, 60], [100, 100, 100]);

  test('within the noise nothing moved', () => {
    expect(movesOf(before, section([58, 62, 66], [100, 100, 100]))).toEqual([]);
  });

  test('beyond it, it says which way', () => {
    const [worse] = movesOf(before, section([40, 41, 42], [100, 100, 100]));
    expect(worse).toMatchObject({ goal: '>= 0.5 of floor', better: false });
    expect(worse && moveText(worse)).toBe(
      'WORSE: sends, >= 0.5 of floor: 0.55 [0.50 .. 0.60] before, 0.41 [0.40 .. 0.42] now',
    );
    expect(movesOf(before, section([80, 81, 82], [100, 100, 100]))).toMatchObject([{ better: true }]);
  });

  test('where less is better, less is better', () => {
    const goals = ['<= 0.5 x floor'];
    const moves = movesOf(section([50], [100], { goals }), section([40], [100], { goals }));
    expect(moves).toMatchObject([{ better: true }]);
  });
});

test('a profile shows where the time went, idle time left out', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 9 });
  const nodes = [frame('(idle)'), frame('write', 'file:///a/b/c/d.js'), frame('')];
  const text = profileText({
    nodes: nodes.map((callFrame, i) => ({ id: i + 1, callFrame })),
    samples: [1, 2, 2, 3],
    timeDeltas: [90_000, 1_000, 2_000, 1_000],
  });
  expect(text.split('\n').slice(2)).toEqual([
    '| 75.0 % | 3 ms | write b/c/d.js:10 |',
    '| 25.0 % | 1 ms | (anonymous)       |',
  ]);
});

describe('the command line', () => {
  test('takes names and flags', () => {
    expect(readOptions(['fan-out', '--rounds', '5'], 'R.md')).toEqual({
      names: ['fan-out'],
      list: false,
      quick: false,
      full: false,
      check: false,
      rounds: 5,
      patienceMs: 15_000,
      profile: undefined,
      out: 'R.md',
    });
  });

  test('short rounds and comparisons are kept only where somebody says where', () => {
    expect(readOptions(['--quick'], 'R.md').out).toBeUndefined();
    expect(readOptions(['--check'], 'R.md').out).toBeUndefined();
    expect(readOptions(['--quick', '--out', 'mine.md'], 'R.md').out).toBe('mine.md');
  });

  test('says what is wrong with it', () => {
    expect(() => readOptions(['--rounds', 'many'], 'R.md')).toThrow('--rounds takes a number');
    expect(() => readOptions(['--out', 'x.txt'], 'R.md')).toThrow('.md');
    expect(() => readOptions(['--fast'], 'R.md')).toThrow('--fast');
  });
});

describe('a folder of a harness', () => {
  test('that was killed is removed by the next one, and no other is', async () => {
    const within = mkdtempSync(join(tmpdir(), 'parley-bench-spec-'));
    try {
      const gone = spawn(process.execPath, ['-e', '']);
      await once(gone, 'exit');
      const names = [
        `parley-bench-${gone.pid}-abc`,
        `parley-bench-${process.pid}-abc`,
        'parley-bench-smoke-abc',
        'other',
      ];
      for (const name of names) mkdirSync(join(within, name));
      expect(removeLeftFolders(within)).toEqual(names.slice(0, 1));
      expect(readdirSync(within).sort()).toEqual(names.slice(1).sort());
    } finally {
      rmSync(within, { recursive: true });
    }
  });
});

describe('the end of a harness', () => {
  test('ends everything, whatever fails, and tells of the failure', async () => {
    const ended: number[] = [];
    const ends = [1, 2, 3].map((number) => async () => {
      ended.push(number);
      if (number === 1) throw new Error('the first one fails');
    });
    await expect(allEnded(ends)).rejects.toThrow('the first one fails');
    expect(ended).toEqual([1, 2, 3]);
  });

  test('is the end of what it waits for', async () => {
    const over = new AbortController();
    const waiting = unlessOver(over.signal, new Promise(() => undefined));
    over.abort(new Error('interrupted'));
    await expect(waiting).rejects.toThrow('interrupted');
    await expect(unlessOver(over.signal, new Promise(() => undefined))).rejects.toThrow('interrupted');
    await expect(unlessOver(undefined, Promise.resolve(1))).resolves.toBe(1);
  });
});

describe('the catalogue', () => {
  test('every benchmark there is has a name, goals that can be read, and subjects that they name', () => {
    expect(all.length).toBeGreaterThan(0);
    expect(chosen(all, [])).toBe(all);
    expect(chosen(all, ['fan-out']).every(({ name }) => name.startsWith('fan-out'))).toBe(true);
    expect(() => chosen(all, ['nothing-of-this-name'])).toThrow('no benchmark begins with');
  });

  test('what the capacity model multiplies is measured by a benchmark and a subject that there are', () => {
    for (const { benchmark, subject } of Object.values(PLACES)) {
      const subjects = all.find(({ name }) => name === benchmark)?.subjects.map(({ name }) => name);
      expect({ benchmark, subjects }).toEqual({ benchmark, subjects: expect.arrayContaining([subject]) });
    }
  });
});

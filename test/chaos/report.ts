/** What the runs came to, as markdown: for people, and for docs. */
import { describeViolations } from '#testing';
import type { RoundReport } from './nemesis.js';
import type { SeedReport } from './seed-run.js';

export const isGood = ({ violations, failures }: SeedReport): boolean =>
  violations.length === 0 && failures.length === 0;

export function markdown(reports: readonly SeedReport[], command: string): string {
  const good = reports.filter(isGood).length;
  const minutes = reports.reduce((sum, { tookMs }) => sum + tookMs, 0) / 60_000;
  return [
    `\`${command}\`: ${reports.length} seeds, ${minutes.toFixed(1)} minutes, ${good} without a violation.`,
    '',
    perSeed(reports),
    '',
    'How long clients were without an acknowledgement while a fault lasted and after it, and until everybody went on once it was healed',
    '(two faults of one round count for both):',
    '',
    perFault(reports.flatMap(({ rounds }) => rounds)),
    '',
    ...reports.flatMap((report) => ['', ...course(report)]),
    '',
  ].join('\n');
}

function perSeed(reports: readonly SeedReport[]): string {
  const rows = reports.map((report) => {
    const { seed, tookMs, rounds, clients, entries, deliveries, notRecovered, tally } = report;
    const faults = rounds.reduce((sum, { blows }) => sum + blows.length, 0);
    const cells = [
      seed,
      `${(tookMs / 1_000).toFixed(0)} s`,
      faults,
      clients,
      entries,
      tally?.acknowledged ?? 0,
      tally?.refused ?? 0,
      tally?.unknown ?? 0,
      deliveries,
      tally?.resumes ?? 0,
      notRecovered,
      report.violations.length + report.failures.length,
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| seed | time | faults | clients | log entries | acknowledged | refused | unknown | deliveries | resumes | `recovered: false` | violations |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function perFault(rounds: readonly RoundReport[]): string {
  const of = new Map<string, RoundReport[]>();
  for (const round of rounds) for (const { fault } of round.blows) of.set(fault, [...(of.get(fault) ?? []), round]);
  const worst = (some: readonly number[]): string => `${(Math.max(...some) / 1_000).toFixed(1)} s`;
  const median = (some: readonly number[]): string =>
    `${((some.toSorted((a, b) => a - b)[Math.floor(some.length / 2)] ?? 0) / 1_000).toFixed(1)} s`;
  const rows = [...of].sort().map(([fault, within]) => {
    const outages = within.map(({ outageMs }) => outageMs);
    const wentOn = within.map(({ wentOnMs }) => wentOnMs);
    return `| ${fault} | ${within.length} | ${median(outages)} | ${worst(outages)} | ${median(wentOn)} | ${worst(wentOn)} |`;
  });
  return [
    '| fault | times | longest outage, median | worst | going on, median | worst |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function course({ seed, startedAt, rounds, notes, disks, refusals, violations, failures }: SeedReport): string[] {
  const at = (moment: number): string => `${((moment - startedAt) / 1_000).toFixed(1)} s`;
  const refused = Object.entries(refusals).map(([code, times]) => `${times} ${code}`);
  return [
    `Seed ${seed} (disks: ${disks}; refused: ${refused.join(', ') || 'nothing'}):`,
    '',
    ...rounds.map(
      ({ blows, wentOnMs, outageMs }) =>
        `- ${blows.map((blow) => `at ${at(blow.at)} ${blow.what}`).join('; ')}. Longest outage ${(outageMs / 1_000).toFixed(1)} s, ` +
        `everybody went on within ${(wentOnMs / 1_000).toFixed(1)} s.`,
    ),
    ...notes.map((note) => `- ${note}`),
    ...failures.map((failure) => `- **failure**: ${failure.split('\n', 1)[0] ?? ''}`),
    ...(violations.length === 0 ? [] : ['', '```', describeViolations(violations), '```']),
  ];
}

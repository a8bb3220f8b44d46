/** A section as Markdown, which reads well in a terminal too. */
import { verdicts, type Verdict } from './goal.js';
import type { Machine, Section, SubjectResult } from './section.js';
import { spread, type Spread } from './statistics.js';

/** A whole section of RESULTS.md, without the machine, which stands above all of one machine. */
export function sectionText(section: Section): string {
  const blocks = [
    `## ${section.name}`,
    section.sentence,
    subjectsTable(section),
    goalsTable(verdicts(section)),
    ...section.leftOut.map((what) => `Left out: ${what}.`),
    ...section.notes,
    `${section.subjects[0]?.rounds.length ?? 0} rounds, ${section.at.slice(0, 16).replace('T', ' ')} UTC, commit ${section.commit}: \`${section.command}\``,
  ];
  return `${blocks.filter((block) => block !== '').join('\n\n')}\n`;
}

/** One line a subject: the figure, its spread, further figures, and the cores that each process used. */
function subjectsTable({ figure, subjects }: Section): string {
  const names = [...new Set(subjects.flatMap(({ rounds }) => rounds.flatMap(({ figures }) => Object.keys(figures))))];
  const further = names.filter((name) => name !== figure);
  const rows = subjects.map((subject) => [
    subject.name,
    figureText(subject, figure, (each) => each.median),
    rangeText(subject, figure),
    ...further.map((name) => figureText(subject, name, (each) => each.median)),
    coresText(subject),
  ]);
  return table([['', figure, 'spread', ...further, 'CPU (cores)'], ...rows]);
}

function goalsTable(all: readonly Verdict[]): string {
  const rows = all.map(({ goal, value, met }) => [
    goal.text,
    value === undefined ? '-' : number(value.median),
    value === undefined ? '-' : `${number(value.min)} .. ${number(value.max)}`,
    met === undefined ? 'left out' : met ? 'met' : 'missed',
  ]);
  return rows.length === 0 ? '' : table([['goal', 'measured', 'spread', ''], ...rows]);
}

/** The first goals of all sections, so that the page can be read at a glance. */
export function summaryText(sections: readonly Section[]): string {
  const rows = sections.flatMap((section) =>
    verdicts(section).map(({ goal, value, met }) => [
      `[${section.name}](#${section.name})`,
      goal.text,
      value === undefined ? '-' : number(value.median),
      met === undefined ? 'left out' : met ? 'met' : '**missed**',
    ]),
  );
  return table([['benchmark', 'goal', 'measured', ''], ...rows]);
}

export function machineText({ cpu, cores, memory, system, versions }: Machine): string {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return `${cores} x ${cpu}, ${memory}, ${system}; ${list.join(', ')}.`;
}

function spreadOf(subject: SubjectResult, figure: string): Spread | undefined {
  const values = subject.rounds.flatMap(({ figures }) => figures[figure] ?? []);
  return values.length === 0 ? undefined : spread(values);
}

function figureText(subject: SubjectResult, figure: string, pick: (of: Spread) => number): string {
  const values = spreadOf(subject, figure);
  return values === undefined ? '' : number(pick(values));
}

function rangeText(subject: SubjectResult, figure: string): string {
  const values = spreadOf(subject, figure);
  return values === undefined ? '' : `${number(values.min)} .. ${number(values.max)}`;
}

/** Medians over the rounds, what used nothing left out. */
function coresText({ rounds }: SubjectResult): string {
  const names = [...new Set(rounds.flatMap(({ cores }) => Object.keys(cores)))];
  const medians = names.map((name) => [name, spread(rounds.map(({ cores }) => cores[name] ?? 0)).median] as const);
  return medians
    .filter(([, cores]) => cores >= 0.005)
    .map(([name, cores]) => `${name} ${cores.toFixed(2)}`)
    .join(', ');
}

/** Three digits that count. */
export function number(value: number): string {
  const size = Math.abs(value);
  if (size >= 1_000_000) return `${trimmed(value / 1_000_000)}M`;
  if (size >= 10_000) return `${trimmed(value / 1_000)}k`;
  return trimmed(value);
}

const trimmed = (value: number): string => {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4);
};

/** Aligned, so that it is a table in a terminal as well. */
export function table(rows: readonly (readonly string[])[]): string {
  const [head = []] = rows;
  const widths = head.map((_, column) => Math.max(3, ...rows.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`;
  return [line(head), rule, ...rows.slice(1).map(line)].join('\n');
}

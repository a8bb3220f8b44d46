/**
 * RESULTS.md and what it is made from: `results.json` beside it has every figure of every round. A run replaces the sections
 * of the benchmarks that it ran and leaves the others as they are, each with its own date, commit and machine.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Section } from './section.js';
import { machineText, sectionText, summaryText } from './table.js';

const VERSION = 1;

interface Kept {
  readonly version: typeof VERSION;
  readonly sections: readonly Section[];
}

const HEAD = `# Results

What Parley does, and what it is held against: the floor (the same work with no platform around it) and peers, measured in
turn, round by round, on one machine and over loopback. Ratios should hold on other machines; absolute figures do not.

Made by \`npm run bench\`; every figure can be had again with the command below it. A ratio is the median of the rounds' ratios, a
spread their least and greatest. CPU is in cores, by process, the load included; \`rest\` is what else the benchmark runs,
\`other\` what does not belong to it.`;

export const jsonOf = (markdownFile: string): string =>
  join(dirname(markdownFile), `${basename(markdownFile, '.md').toLowerCase()}.json`);

/** Of a RESULTS.md; none where there is none. */
export function readSections(markdownFile: string): readonly Section[] {
  const file = jsonOf(markdownFile);
  if (!existsSync(file)) return [];
  const kept = JSON.parse(readFileSync(file, 'utf8')) as Kept;
  if (kept.version !== VERSION) throw new Error(`${file} has another form (${kept.version}): remove it`);
  return kept.sections;
}

/** Replaces these sections, in the order that the benchmarks have, and writes both files. */
export function writeSections(markdownFile: string, fresh: readonly Section[], order: readonly string[]): void {
  const sections = merge(readSections(markdownFile), fresh, order);
  writeFileSync(jsonOf(markdownFile), `${JSON.stringify({ version: VERSION, sections } satisfies Kept)}\n`);
  writeFileSync(markdownFile, resultsText(sections));
}

export function merge(
  kept: readonly Section[],
  fresh: readonly Section[],
  order: readonly string[],
): readonly Section[] {
  const byName = new Map([...kept, ...fresh].map((section) => [section.name, section]));
  // A benchmark that is gone takes its section along.
  return order.flatMap((name) => byName.get(name) ?? []);
}

export function resultsText(sections: readonly Section[]): string {
  const byMachine = new Map<string, Section[]>();
  for (const section of sections) {
    const machine = machineText(section.machine);
    byMachine.set(machine, [...(byMachine.get(machine) ?? []), section]);
  }
  const machines = [...byMachine].map(([machine, theirs], i) =>
    byMachine.size === 1
      ? `Machine: ${machine}`
      : `Machine ${i + 1}: ${machine} (${theirs.map(({ name }) => name).join(', ')})`,
  );
  const blocks = [
    HEAD,
    ...machines,
    summaryText(sections),
    ...sections.map((section) => sectionText(section).trimEnd()),
  ];
  return `${blocks.join('\n\n')}\n`;
}

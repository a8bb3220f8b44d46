/** `--check`: what moved by more than the noise since RESULTS.md was written. Ratios move less from machine to machine than figures do. */
import { verdicts } from './goal.js';
import type { Section } from './section.js';
import { apart, type Spread } from './statistics.js';
import { number } from './table.js';

export interface Move {
  readonly benchmark: string;
  readonly goal: string;
  readonly before: Spread;
  readonly now: Spread;
  readonly better: boolean;
}

/** Compares what the goals are about. Something has moved when the two spreads lie apart. */
export function movesOf(before: Section, now: Section): Move[] {
  const old = new Map(verdicts(before).map((verdict) => [verdict.goal.text, verdict]));
  return verdicts(now).flatMap(({ goal, value }) => {
    const known = old.get(goal.text)?.value;
    if (known === undefined || value === undefined || !apart(known, value)) return [];
    const better = goal.atLeast === value.median > known.median;
    return [{ benchmark: now.name, goal: goal.text, before: known, now: value, better }];
  });
}

export function moveText({ benchmark, goal, before, now, better }: Move): string {
  const word = better ? 'better' : 'WORSE';
  const of = ({ median, min, max }: Spread): string => `${number(median)} [${number(min)} .. ${number(max)}]`;
  return `${word}: ${benchmark}, ${goal}: ${of(before)} before, ${of(now)} now`;
}

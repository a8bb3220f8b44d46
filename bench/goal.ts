/** Goals as `limits.md` writes them, read and held against what was measured. */
import { ratios, spread, type Spread } from './statistics.js';
import type { Section, SubjectResult } from './section.js';

export interface Goal {
  readonly text: string;
  /** Undefined: the benchmark's own. */
  readonly figure: string | undefined;
  readonly atLeast: boolean;
  readonly bound: number;
  /** The subject that the bound is a multiple of; undefined for a bound in the figure's own unit. */
  readonly against: string | undefined;
}

export interface Verdict {
  readonly goal: Goal;
  /** The ratio, or the figure itself; undefined where the other subject was left out. */
  readonly value: Spread | undefined;
  readonly met: boolean | undefined;
}

const GOAL = /^(?:(?<figure>.+) )?(?<sign>>=|<=) (?<bound>\d+(?:\.\d+)?) (?:(?:of|x) (?<against>.+)|(?<unit>\S+))$/;

/** @throws Error when it is none */
export function parseGoal(text: string): Goal {
  const { figure, sign, bound, against } = GOAL.exec(text)?.groups ?? {};
  if (sign === undefined) throw new Error(`not a goal: "${text}"`);
  return { text, figure, atLeast: sign === '>=', bound: Number(bound), against };
}

export function verdicts(section: Section): Verdict[] {
  return section.goals.map((text) => verdictOn(section, parseGoal(text)));
}

function verdictOn(section: Section, goal: Goal): Verdict {
  const [ours] = section.subjects;
  const figure = goal.figure ?? section.figure;
  if (ours === undefined) throw new Error(`${section.name} measured nothing`);
  const value = goal.against === undefined ? spread(valuesOf(ours, figure)) : against(section, ours, figure, goal);
  if (value === undefined) return { goal, value, met: undefined };
  return { goal, value, met: goal.atLeast ? value.median >= goal.bound : value.median <= goal.bound };
}

function against(section: Section, ours: SubjectResult, figure: string, goal: Goal): Spread | undefined {
  const theirs = section.subjects.find(({ name }) => name === goal.against);
  return theirs === undefined ? undefined : ratios(valuesOf(ours, figure), valuesOf(theirs, figure));
}

/** Of every round. */
export function valuesOf(subject: SubjectResult, figure: string): number[] {
  return subject.rounds.map(({ figures }) => {
    const value = figures[figure];
    if (value === undefined) throw new Error(`${subject.name} has no figure "${figure}"`);
    return value;
  });
}

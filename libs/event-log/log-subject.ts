import { streamSubjects } from '#contract';

/** What every subject of the log begins with. */
const ROOT = streamSubjects(0).replace(/0.*/, '');

/** The partition's token of a subject of the log. A subject without one is a programmer's error. */
export function partitionOfSubject(subject: string): number {
  const end = subject.indexOf('.', ROOT.length);
  const partition =
    subject.startsWith(ROOT) && end > ROOT.length ? Number(subject.slice(ROOT.length, end)) : Number.NaN;
  if (!Number.isInteger(partition)) throw new RangeError(`not a subject of the log: ${subject}`);
  return partition;
}

/** Whether a subject matches a filter of NATS: `*` is one token, `>` one or more at the end. */
export function matches(filter: string, subject: string): boolean {
  if (filter === subject) return true;
  const wanted = filter.split('.');
  const tokens = subject.split('.');
  for (const [i, token] of wanted.entries()) {
    if (token === '>') return tokens.length > i;
    if (tokens[i] === undefined || (token !== '*' && token !== tokens[i])) return false;
  }
  return wanted.length === tokens.length;
}

export const isLiteral = (subject: string): boolean => !subject.includes('*') && !subject.includes('>');

/**
 * Subjects of which one moves whenever anything that a filter matches does. A room's roster is written with every change of its members
 * and its config.
 */
export function movingWith(filter: string): readonly string[] {
  const room = /^(chat\.\d+\.room\.[^.*]+)\.>$/.exec(filter)?.[1];
  return room === undefined ? [filter] : [`${room}.roster`, `${room}.timeline`];
}

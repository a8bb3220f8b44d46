/** The partition's token of a subject of the log. A subject without one is a programmer's error. */
export function partitionOfSubject(subject: string): number {
  const end = subject.indexOf('.', 5);
  const partition = subject.startsWith('chat.') && end > 5 ? Number(subject.slice(5, end)) : Number.NaN;
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

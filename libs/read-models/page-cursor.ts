/** Cursors of pages: where the next page begins, opaque to clients. (A cursor of the log is another thing: `#contract`.) */
import { DomainError, type Page } from '#contract';

const CHARACTERS_MAX = 1_024;

export const encodeCursor = (values: readonly (string | number)[]): string =>
  Buffer.from(JSON.stringify(values), 'utf8').toString('base64url');

/**
 * The values of a cursor that was made for a page of this shape.
 * @param shape one example value each
 * @throws DomainError `invalid_cursor`
 */
export function decodeCursor<const S extends readonly (string | number)[]>(
  cursor: string,
  shape: S,
): { [I in keyof S]: S[I] extends number ? number : string } {
  const values = parse(cursor);
  const fits =
    Array.isArray(values) &&
    values.length === shape.length &&
    values.every((value, i) => typeof value === typeof shape[i] && isSound(value));
  if (!fits) throw new DomainError('invalid_cursor');
  return values as unknown as { [I in keyof S]: S[I] extends number ? number : string };
}

/** PostgreSQL takes no U+0000, and no number that is not whole for a sequence. */
const isSound = (value: unknown): boolean =>
  typeof value === 'string' ? value.isWellFormed() && !value.includes('\0') : Number.isSafeInteger(value);

function parse(cursor: string): unknown {
  if (cursor.length > CHARACTERS_MAX) return undefined;
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    return undefined;
  }
}

/** A page from one row more than it holds: whether there is a next one is known without counting. */
export function pageOf<R, T>(
  rows: readonly R[],
  limit: number,
  view: (row: R) => T,
  cursor: (row: R) => string,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return { items: shown.map(view), next: rows.length > limit && last !== undefined ? cursor(last) : null };
}

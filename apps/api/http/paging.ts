/** Parameters that no schema reads: numbers of the participant contract, which takes the nearest value, and ids in paths. */
import { DomainError, fields, parseOrRefuse } from '#contract';

/**
 * A number as the participant contract reads it: the default where it is none, else the nearest allowed integer.
 */
export function clamped(text: unknown, range: { min: number; max: number; otherwise: number }): number {
  const number = typeof text === 'string' && text.trim() !== '' ? Number(text) : NaN;
  if (Number.isNaN(number)) return range.otherwise;
  return Math.trunc(Math.min(range.max, Math.max(range.min, number)));
}

/**
 * An id of a path, so that what cannot be one never reaches a query.
 * @throws DomainError `invalid_body` naming the parameter
 */
export function pathId(kind: 'roomId' | 'userId' | 'messageId', value: string): string {
  const schema = kind === 'messageId' ? fields.messageIdText : fields[kind];
  try {
    return parseOrRefuse(schema, value);
  } catch (error) {
    if (error instanceof DomainError) throw new DomainError(error.code, `${kind}: ${error.message}`, { cause: error });
    throw error;
  }
}

/** Paging parameters: out of range they are refused, but for the participant contract, which takes the nearest value. */
import { z } from 'zod';
import { DomainError, fields, LIMITS, parseOrRefuse } from '#contract';

const limit = z.coerce.number().int().min(1).max(LIMITS.page).default(LIMITS.pageDefault);
const cursor = z.string().min(1).max(1_024).optional();

export const listQuery = z.object({ limit, cursor, q: fields.description.optional() });
export const messagesQuery = z.object({
  limit,
  cursor,
  before: fields.messageIdText.optional(),
  after: fields.messageIdText.optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  thread: z.undefined({ error: 'is not served' }).optional(),
});

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

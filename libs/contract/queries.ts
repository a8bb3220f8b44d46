/** What queries can be asked with: the parameters behind the `?` of a path. */
import { z } from 'zod';
import { ECHO_MODES, LIMITS } from './protocol.js';
import { description, messageIdText } from './schemas.js';

const limit = z.coerce.number().int().min(1).max(LIMITS.page).default(LIMITS.pageDefault);
/** A page's `next`; it means nothing to anybody else. */
const pageCursor = z.string().min(1).max(LIMITS.pageCursorCharacters).optional();

export const listQuery = z.object({ limit, cursor: pageCursor, q: description.optional() });

export const messagesQuery = z.object({
  limit,
  cursor: pageCursor,
  before: messageIdText.optional(),
  after: messageIdText.optional(),
  order: z.enum(['asc', 'desc']).default('desc'),
  thread: z.never({ error: 'is not served' }).optional(),
});

/** Of `GET /api/events`: what a browser's EventSource cannot put into headers. */
export const eventsQuery = z.object({
  /** An access token, where there is no `Authorization` header. */
  token: z.string().optional(),
  /** A cursor to resume from, where there is no `Last-Event-ID` header. */
  since: z.string().optional(),
  echo: z.enum(ECHO_MODES).default('all'),
});

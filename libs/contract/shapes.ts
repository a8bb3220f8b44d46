/** Fields of answers and frames: what the platform writes, in the form in which it writes it. */
import { z } from 'zod';

/** RFC 3339 in UTC, to the millisecond. */
const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  .meta({ format: 'date-time' });
/** Of a room; a participant channel's begins with `dm_`. */
const id = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/);
/** `<partition>-<sequence>`. */
const position = z.string().regex(/^\d+-\d+$/);
/** Opaque: whoever gives it takes it back. */
const cursor = z.string().min(1);
const texts = z.record(z.string(), z.string()).readonly();

export const written = { time, id, position, cursor, texts } as const;

/**
 * The schema of every field that more than one body, frame or event has, and the one way to turn a value that does not
 * fit into a refusal. Text is normalised to NFC here and nowhere else; it is stored as sent, never escaped.
 */
import { z } from 'zod';
import { DomainError, isRefusalCode, LIMITS, MEMBER_ROLES, MESSAGE_TYPES } from './protocol.js';

const CONTROL = /[^\P{Cc}\t\n]/u;
const bytes = (text: string): number => Buffer.byteLength(text, 'utf8');

/** Well-formed Unicode in NFC, no control characters but tab and line feed. */
const text = z
  .string()
  .refine((value) => value.isWellFormed() && !CONTROL.test(value), {
    error: 'must be well-formed Unicode without control characters',
    params: { code: 'invalid_text' },
  })
  .normalize('NFC');

const sized = (bytesMax: number) =>
  text.refine((value) => bytes(value) <= bytesMax, {
    error: `must be at most ${bytesMax} bytes`,
    params: { code: 'too_large' },
  });

const charactersUpTo = (max: number, of = text) =>
  of.refine((value) => value.length <= max || [...value].length <= max, {
    error: `must be at most ${max} characters`,
    params: { code: 'too_large' },
  });

/** What the descriptions say of a limit that only a function can check. */
const characters = (max: number) => ({ maxLength: max, description: `At most ${max} characters.` });

export const name = charactersUpTo(LIMITS.nameCharacters, text.trim())
  .refine((value) => value.length > 0, { error: 'must not be empty' })
  .meta({ minLength: 1, ...characters(LIMITS.nameCharacters) });
export const description = charactersUpTo(LIMITS.descriptionCharacters).meta(characters(LIMITS.descriptionCharacters));
export const url = charactersUpTo(LIMITS.urlCharacters).meta(characters(LIMITS.urlCharacters));

export const roomId = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -');
export const userId = charactersUpTo(LIMITS.userIdCharacters, text.trim()).refine((value) => value.length > 0, {
  error: 'must not be empty',
});
/** A user name becomes the id of the account, lower-cased, so it has the alphabet of a subject token. */
export const username = z
  .string()
  .trim()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ -');
export const messageIdText = z.string().regex(/^msg_[1-9][0-9]{0,15}$/, 'must be a message id, msg_<digits>');
/** `Idempotency-Key` on HTTP, `key` on sockets: printable ASCII, so that a UUID as well as a client's own number fits. */
export const idempotencyKey = z
  .string()
  .regex(
    new RegExp(`^[\\x20-\\x7e]{1,${LIMITS.keyCharacters}}$`),
    `must be 1 to ${LIMITS.keyCharacters} printable ASCII characters`,
  );

export const content = sized(LIMITS.contentBytes)
  .refine((value) => value.length > 0, { error: 'must not be empty' })
  .meta({ minLength: 1, description: `At most ${LIMITS.contentBytes} bytes of UTF-8.` });

const map = (entriesMax: number, fits: (entries: [string, string][]) => boolean, tooLarge: string) =>
  z
    .record(text, text)
    .refine((value) => Object.keys(value).length <= entriesMax, {
      error: `must have at most ${entriesMax} entries`,
      params: { code: 'too_large' },
    })
    .refine((value) => fits(Object.entries(value)), { error: tooLarge, params: { code: 'too_large' } });

export const metadata = map(
  LIMITS.metadataEntries,
  (entries) => entries.reduce((sum, [key, value]) => sum + bytes(key) + bytes(value), 0) <= LIMITS.metadataBytes,
  `must be at most ${LIMITS.metadataBytes} bytes`,
).meta({ maxProperties: LIMITS.metadataEntries, description: `At most ${LIMITS.metadataBytes} bytes in all.` });
export const settings = map(
  LIMITS.settingsEntries,
  (entries) => entries.every(([key, value]) => bytes(key) + bytes(value) <= LIMITS.settingsEntryBytes),
  `entries must be at most ${LIMITS.settingsEntryBytes} bytes each`,
).meta({
  maxProperties: LIMITS.settingsEntries,
  description: `An entry has at most ${LIMITS.settingsEntryBytes} bytes, name and value together.`,
});
/** A user's explicit status: mood, message, away, do not disturb, whatever an application shows. */
export const statusMap = settings;

export const messageType = z.enum(MESSAGE_TYPES);
/** What users may send: `system` is the platform's. */
export const sendableType = z.enum(MESSAGE_TYPES).exclude(['system']);
export const memberRole = z.enum(MEMBER_ROLES);
export const maxMembers = z.int().min(1).max(LIMITS.membersMax);
export const mentions = z.array(userId).max(LIMITS.mentions);
export const participants = z.array(userId).min(1, 'participants array is required').max(LIMITS.participants);

/**
 * The value as the schema's type, or a `DomainError` that names the first field that does not fit and why.
 * @throws DomainError `invalid_body`, or what the field's schema says (`invalid_text`, `too_large`).
 */
export function parseOrRefuse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  const code: unknown = issue?.code === 'custom' ? issue.params?.['code'] : undefined;
  const where = issue?.path.join('.');
  const why = issue?.message ?? 'does not fit';
  throw new DomainError(isRefusalCode(code) ? code : 'invalid_body', where ? `${where}: ${why}` : why, {
    cause: parsed.error,
  });
}

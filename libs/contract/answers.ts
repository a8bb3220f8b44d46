/** What routes answer with that are neither a view nor a command's bare result: one definition each, for code and descriptions. */
import { z } from 'zod';
import { commandResult } from './commands.js';
import { messageIdText } from './schemas.js';
import { written } from './shapes.js';

const result = commandResult.unwrap().shape;
const success = { success: z.literal(true) };
const historyKind = z.enum(['message', 'join', 'leave']);

/** Both spellings, because both kinds of client exist. */
export const historyItem = z.strictObject({
  eventType: historyKind,
  event_type: historyKind,
  /** The entry's `seq`. */
  offset: z.int().min(0),
  data: z.strictObject({
    userId: z.string(),
    username: z.string(),
    text: z.string(),
    /** ms since 1970. */
    timestamp: z.number(),
  }),
});

/** Of joining, once the room's view has it. */
export const joinedAnswer = z
  .strictObject({ ...result, ...success, history: z.array(historyItem).readonly() })
  .readonly();
export const leftAnswer = z.strictObject({ ...result, ...success }).readonly();
export const sentAnswer = z
  .strictObject({ ...result, ...success, eventId: messageIdText, offset: z.int().min(1) })
  .readonly();
export const invitedAnswer = z.strictObject({ ...result, code: z.string() }).readonly();
export const queuedAnswer = z.strictObject({ ...result, status: z.literal('message queued') }).readonly();
export type HistoryAnswer = z.output<typeof historyItem>;
export type JoinedAnswer = z.output<typeof joinedAnswer>;
export type LeftAnswer = z.output<typeof leftAnswer>;
export type SentAnswer = z.output<typeof sentAnswer>;
export type QueuedAnswer = z.output<typeof queuedAnswer>;

/** Of a mark: up to which message, by its number in the room. */
export const markedAnswer = z
  .strictObject({ roomId: written.id, messageId: messageIdText, ordinal: z.int().min(0) })
  .readonly();
export type MarkedAnswer = z.output<typeof markedAnswer>;

/** A message of a participant channel, over HTTP as on a socket without a subprotocol. */
export const channelMessage = z
  .strictObject({
    id: messageIdText,
    sender: z.string(),
    content: z.string(),
    /** Sorted. */
    participants: z.array(z.string()).readonly(),
    created_at: written.time,
  })
  .readonly();
export type ChannelMessage = z.output<typeof channelMessage>;

export const running = z.strictObject({ status: z.literal('ok'), time: written.time }).readonly();

const partHealth = z
  .strictObject({
    ok: z.boolean(),
    /** False for what an operator must look at although users are served. */
    required: z.boolean(),
    detail: z.string().exactOptional(),
  })
  .readonly();
export type PartHealth = z.output<typeof partHealth>;

export const healthReport = z
  .strictObject({ ready: z.boolean(), parts: z.record(z.string(), partHealth).readonly() })
  .readonly();
export type HealthReport = z.output<typeof healthReport>;

/**
 * What a read model is, and what it is fed with. A new one is a folder (its tables, `apply`, its queries) and one line in
 * `projections.ts`.
 */
import { type ChatEvent, type DecodedEvent, type LogSubject, type LogSubjectKind, parseLogSubject } from '#contract';
import type { Db } from './database.js';

export interface ReadModel {
  readonly name: string;
  /** Only this model writes them; they are rebuilt and swapped together. */
  readonly tables: readonly string[];
  /** Models that have to be rebuilt with this one: ordinals are counted by `rooms`. */
  readonly needs?: readonly string[];
  /**
   * Changes the tables as the batch says, with a fixed number of statements for any size of batch. They are sent in order and at
   * once, none waits for the answer of another: a batch of all models is one round trip. Table names are not qualified: where
   * they lead (the live tables or those of a rebuild) is for the connection to say.
   */
  apply(db: Db, batch: Batch): Promise<unknown>;
}

/** An entry of the log as this library needs it; `StoredEntry` of the log has this shape. */
export interface LogEntry {
  readonly partition: number;
  readonly seq: number;
  readonly subject: string;
  readonly at: number;
  readonly decoded: DecodedEvent;
}

/** The subject that events of a kind stand on. */
type SubjectOf<K extends LogSubjectKind, S = LogSubject> = S extends { readonly kind: infer Kinds }
  ? K extends Kinds
    ? S
    : never
  : never;

interface Place<K extends LogSubjectKind> {
  readonly seq: number;
  /** ms since 1970 */
  readonly at: number;
  readonly subject: SubjectOf<K>;
  /** Messages in its room up to this event and with it; 0 for what is about no room. */
  readonly ordinal: number;
}

type EventIn<K extends LogSubjectKind> = Extract<ChatEvent, { type: (typeof TYPES)[K][number] }>;

/** An event at its place: the kind of its subject says which events can stand there. */
export type Placed<K extends LogSubjectKind = LogSubjectKind> = {
  [Kind in K]: Place<Kind> & { readonly kind: Kind; readonly event: EventIn<Kind> };
}[K];

/** Events of one partition, in the log's order. */
export interface Batch {
  readonly partition: number;
  readonly events: readonly Placed[];
}

const TYPES = {
  config: ['RoomCreated', 'RoomChanged', 'RoomArchived'],
  roster: ['RosterChanged'],
  member: ['MemberJoined', 'MemberLeft', 'MemberRemoved', 'MemberInvited', 'MemberChanged'],
  timeline: ['MessageSent'],
  status: ['StatusChanged'],
  profile: ['ProfileChanged'],
} as const satisfies Record<LogSubjectKind, readonly ChatEvent['type'][]>;

const KIND_OF = new Map<string, LogSubjectKind>(
  Object.entries(TYPES).flatMap(([kind, types]) => types.map((type) => [type, kind as LogSubjectKind] as const)),
);

/** An event that has not been counted in its room yet. */
export type Uncounted = Omit<Placed, 'ordinal'>;

/** Undefined for what no read model takes: types and subjects of a newer version, and events where they do not belong. */
export function place(entry: LogEntry): Uncounted | undefined {
  if (entry.decoded.kind !== 'event') return undefined;
  const { event } = entry.decoded;
  const subject = parseLogSubject(entry.subject);
  const kind = KIND_OF.get(event.type);
  if (subject === undefined || subject.kind !== kind) return undefined;
  return { kind, seq: entry.seq, at: entry.at, subject, event } as Uncounted;
}

/** The events of one kind. */
export function eventsOf<K extends LogSubjectKind>(batch: Batch, kind: K): Placed<K>[] {
  return batch.events.filter((placed) => placed.kind === kind) as Placed[] as Placed<K>[];
}

/** The last of each, in the log's order: what a table that holds the present state takes. */
export function lastOfEach<T>(items: readonly T[], key: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [key(item), item])).values()];
}

/** The faults, each a part that lies where an honest one is wired. None of them is known to any production code. */
import { formatCursor, parseCursor, type CommandReply } from '#contract';
import { AppendUnknownError, type StoredEntry } from '#event-log';
import type { Database, Writer } from '#read-models';
import { withParts } from '#testing';
import { CommandPath, CommandPathModule } from '../../apps/commands/path/command-path.module.js';
import { Feed } from '../../apps/gateway/feed/feed.js';
import { FeedModule } from '../../apps/gateway/feed/feed.module.js';
import type { Reader } from '../../apps/gateway/feed/reader.js';
import { MARKED } from './story.js';
import type { Plant, Replaced } from './world.js';

const isMarked = ({ decoded }: StoredEntry): boolean =>
  decoded.kind === 'event' && decoded.event.type === 'MessageSent' && decoded.event.data.content.startsWith(MARKED);

// --- the write side

/** The membership fence lies: a send stands on whatever its process remembers. */
export const unfencedSends: Plant = {
  log: (honest) =>
    withParts(honest, { append: ({ subject, event }, options) => honest.append({ subject, event }, options) }),
};

/** The seat fence lies: rosters come from a cache that nobody refreshes, and nothing is fenced. */
export const unfencedSeats: Plant = {
  log: (honest) => {
    const remembered = new Map<string, StoredEntry>();
    return withParts(honest, {
      appendBatch: (appends) => honest.appendBatch(appends.map(({ subject, event }) => ({ subject, event }))),
      last: async (subject) => {
        const known = remembered.get(subject);
        if (known) return known;
        const entry = await honest.last(subject);
        if (entry && subject.endsWith('.roster')) remembered.set(subject, entry);
        return entry;
      },
    });
  },
};

/** Keys are taken for the same whatever room they were used in. */
export const keysOfAllRooms: Plant = {
  provider: {
    module: CommandPathModule,
    provide: CommandPath,
    by: () =>
      class extends CommandPath {
        readonly #first = new Map<string, CommandReply>();

        override async answer(...[name, request]: Parameters<CommandPath['answer']>): Promise<CommandReply> {
          const { actor, key } = request as { readonly actor: { readonly userId: string }; readonly key?: string };
          const known = this.#first.get(`${actor.userId} ${name} ${key}`);
          if (key !== undefined && known && 'ok' in known) return { ok: { ...known.ok, duplicate: true } };
          const reply = await super.answer(name, request);
          if (key !== undefined) this.#first.set(`${actor.userId} ${name} ${key}`, reply);
          return reply;
        }
      },
  },
};

/** The id of a keyed send is dropped on the way to the broker, and the answer to one of them is lost. */
export function droppedIds(): Plant {
  let lost = false;
  return {
    log: (honest) =>
      withParts(honest, {
        append: async (append) => {
          const stored = await honest.append(append);
          const { event } = append;
          if (lost || event.type !== 'MessageSent' || !event.data.content.startsWith(MARKED)) return stored;
          lost = true;
          throw new AppendUnknownError('the answer is lost');
        },
      }),
  };
}

/** A send is acknowledged before it is stored, at the place where it is expected to come to stand. */
export const answersFirst: Plant = {
  log: (honest) => {
    const answered: Promise<unknown>[] = [];
    return withParts(honest, {
      append: async (append, options) => {
        if (append.event.type !== 'MessageSent') return honest.append(append, options);
        await Promise.all(answered);
        const partition = Number(append.subject.split('.')[1]);
        const seq = (await honest.lastSequence(partition)) + 1;
        answered.push(Promise.allSettled([honest.append(append, options)]));
        return { partition, seq, duplicate: false };
      },
    });
  },
};

// --- live delivery

/** A message is lost on the way to the gateway, and whatever would show that it is missing is blind to it. */
export const dropsLive: Plant = {
  log: (honest) =>
    withParts(honest, {
      live: (subject, onEntry) => honest.live(subject, (entry) => void (isMarked(entry) || onEntry(entry))),
      readSubject: async (...range) => {
        const { entries, complete } = await honest.readSubject(...range);
        return { entries: entries.filter((entry) => !isMarked(entry)), complete };
      },
    }),
};

/** A part of the feed itself is replaced, after it has been made and started. */
const inFeed = (by: (feed: Feed) => Feed): { readonly provider: Replaced } => ({
  provider: { module: FeedModule, provide: Feed, by: (honest) => by(honest as Feed) },
});

const inReaders = (replace: (reader: Reader) => void): Plant =>
  inFeed((feed) => {
    const enter = feed.enter.bind(feed);
    feed.enter = (userId, reader) => {
      replace(reader);
      return enter(userId, reader);
    };
    return feed;
  });

/** Everything is written twice. */
export const repeats: Plant = inReaders((reader) => {
  const write = reader.write.bind(reader);
  reader.write = (bytes) => {
    write(bytes);
    write(bytes);
  };
});

/** The marked message changes places with what is written after it. */
export const reorders: Plant = inReaders((reader) => {
  const write = reader.write.bind(reader);
  let held: Buffer | undefined;
  reader.write = (bytes) => {
    if (held === undefined && bytes.includes(MARKED)) return void (held = bytes);
    write(bytes);
    if (held !== undefined && held.length > 0) {
      write(held);
      held = Buffer.alloc(0);
    }
  };
});

/** Whoever leaves goes on reading. */
export const leaks: Plant = inFeed((feed) => {
  const onMember = feed.onMember.bind(feed);
  feed.onMember = (room, event, member) => (member.standing === 'member' ? onMember(room, event, member) : undefined);
  return feed;
});

/** A cursor covers one entry more than was delivered. */
export const cursorsAhead: Plant = inFeed((feed) => {
  const cursor = feed.cursor.bind(feed);
  feed.cursor = () => {
    const { epoch, seqs } = parseCursor(cursor()) ?? { epoch: '', seqs: [] };
    return formatCursor({ epoch, seqs: seqs.map((seq) => seq + 1) });
  };
  return feed;
});

const isWholeRoom = (subject: string): boolean => subject.endsWith('.>') && subject.includes('.room.');

/** A replay begins one entry too late. */
export const resumesLate: Plant = {
  log: (honest) =>
    withParts(honest, {
      readSubject: (partition, subject, range) =>
        honest.readSubject(partition, subject, isWholeRoom(subject) ? { ...range, after: range.after + 1 } : range),
    }),
};

/** What happened while somebody was away is said to be recovered, and is not there. */
export const recoversNothing: Plant = {
  log: (honest) =>
    withParts(honest, {
      readSubject: async (partition, subject, range) =>
        isWholeRoom(subject) ? { entries: [], complete: true } : honest.readSubject(partition, subject, range),
    }),
};

// --- the read side

/** A fault in the first transaction after it has been armed. */
export interface Armed extends Plant {
  arm(): void;
}

type Parts = Partial<Pick<Writer, 'query' | 'transaction'>>;

const inWriters = (parts: (honest: Writer) => Parts): Plant => ({
  database: (honest) =>
    withParts<Database>(honest, {
      writer: async (name) => {
        const writer = await honest.writer(name);
        return withParts<Writer>(writer, parts(writer));
      },
    }),
});

/** The checkpoint is written before the rows, and between the two the process is killed. */
export function checkpointFirst(): Armed {
  let isArmed = false;
  let onlyCheckpoint = false;
  const plant = inWriters((honest) => ({
    query: async (name, sql, params) =>
      onlyCheckpoint && name !== 'checkpoints-move' && name !== 'room-counts' ? [] : honest.query(name, sql, params),
    transaction: async (work) => {
      if (!isArmed) return honest.transaction(work);
      isArmed = false;
      onlyCheckpoint = true;
      await honest.transaction(work).finally(() => (onlyCheckpoint = false));
      throw new Error('killed between the checkpoint and the rows');
    },
  }));
  return { ...plant, arm: () => void (isArmed = true) };
}

/** A batch is applied twice, and the checkpoint that would tell is not asked. */
export function appliedTwice(): Armed {
  let isArmed = false;
  let isSecond = false;
  const plant = inWriters((honest) => ({
    query: async <R extends object>(name: string, sql: string, params: readonly unknown[] = []): Promise<R[]> => {
      if (!isSecond || name !== 'checkpoints-move') return honest.query<R>(name, sql, params);
      return (params[0] as string[]).map((model) => ({ model }) as unknown as R);
    },
    transaction: async (work) => {
      if (!isArmed) return honest.transaction(work);
      isArmed = false;
      return honest.transaction(async () => {
        await work();
        isSecond = true;
        return work().finally(() => (isSecond = false));
      });
    },
  }));
  return { ...plant, arm: () => void (isArmed = true) };
}

/** Everybody has one more message to read than there is. */
export const unreadOff: Plant = {
  database: (honest) =>
    withParts<Database>(honest, {
      query: async <R extends object>(name: string, sql: string, params?: readonly unknown[]): Promise<R[]> => {
        const rows = await honest.query<R>(name, sql, params);
        return name === 'inbox'
          ? rows.map((row) => ({ ...row, unread: Number((row as { unread?: unknown }).unread) + 1 }))
          : rows;
      },
    }),
};

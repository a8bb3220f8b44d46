/** The views against an independent fold of the log: the history checker's, which shares nothing with the statements here. */
import { beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type InboxEntry, type MessageView, type Page, parseMessageId } from '#contract';
import { checkHistory, type InboxRecord, type RoomViewRecord } from '#testing';
import type { Database } from './database.js';
import { inboxOf } from './inbox/queries.js';
import { writeMarks } from './marks/marks.js';
import { getMember, listMembers, membershipPeriods } from './members/queries.js';
import { getRoom } from './rooms/queries.js';
import { project, useDatabases } from './test-database.js';
import { TestLog } from './test-log.js';
import { pageMessages, pageMessagesByOffset } from './timeline/queries.js';

const databases = useDatabases();
const ROOMS = ['r1', 'r2', 'r3'];
const USERS = ['ann', 'bob', 'cid', 'dan'];

interface Step {
  readonly do: 'join' | 'leave' | 'remove' | 'promote' | 'say' | 'read';
  readonly user: string;
  readonly room: string;
}

const step: fc.Arbitrary<Step> = fc.record({
  do: fc.constantFrom('join', 'leave', 'remove', 'promote', 'say', 'say', 'say', 'read'),
  user: fc.constantFrom(...USERS),
  room: fc.constantFrom(...ROOMS),
});

/** What commands would have accepted: seats are counted, and only members leave, speak and read. */
class Story {
  readonly log = new TestLog(2);
  readonly seats = new Map(ROOMS.map((room) => [room, new Set<string>()]));
  private lines = 0;

  constructor() {
    for (const room of ROOMS) {
      this.log.room(room, 'ann');
      this.log.roster(room, 1);
      this.seats.get(room)?.add('ann');
    }
  }

  take({ do: what, user, room }: Step): void {
    const seats = this.seats.get(room) ?? new Set();
    if ((what === 'join') === seats.has(user)) return;
    if (what === 'say') return void this.log.say(room, user, `line ${++this.lines}`);
    if (what === 'promote')
      return void this.log.member(room, user, 'MemberChanged', { standing: 'member', role: 'moderator' });
    if (what === 'read') return;
    if (what === 'join') seats.add(user);
    else seats.delete(user);
    this.log.roster(room, seats.size);
    if (what === 'join') this.log.join(room, user);
    else if (what === 'leave') this.log.leave(room, user);
    else this.log.member(room, user, 'MemberRemoved', { standing: 'removed' });
  }
}

/** All items of a query that is paged. */
async function all<T>(page: (cursor: string | undefined) => Promise<Page<T>>): Promise<T[]> {
  const items: T[] = [];
  for (let cursor: string | undefined; ;) {
    const { items: more, next } = await page(cursor);
    items.push(...more);
    if (next === null) return items;
    cursor = next;
  }
}

async function roomRecord(database: Database, room: string): Promise<RoomViewRecord> {
  const messages = await all<MessageView>((cursor) => pageMessages(database, room, { order: 'asc', limit: 3, cursor }));
  for (const offset of [0, 1, messages.length >> 1, messages.length]) {
    const page = await pageMessagesByOffset(database, room, { offset, limit: 2, order: 'asc' });
    expect(page).toEqual(messages.slice(offset, offset + 2));
    const back = await pageMessagesByOffset(database, room, { offset, limit: 2, order: 'desc' });
    expect(back).toEqual(messages.toReversed().slice(offset, offset + 2));
  }
  const memberCount = (await getRoom(database, room))?.memberCount ?? -1;
  return { room, memberCount, members: await listMembers(database, room), messages };
}

async function inboxRecord(database: Database, user: string): Promise<InboxRecord> {
  const entries = await all<InboxEntry>((cursor) => inboxOf(database, user, { limit: 2, cursor }));
  return {
    user,
    entries: entries.map(({ room, unread, lastMessage, readUpTo }) => ({
      room: room.id,
      unread,
      lastMessageId: lastMessage?.id ?? null,
      readUpTo,
    })),
  };
}

let database: Database;
beforeAll(async () => {
  database = await databases.fresh();
});

test('queries answer what a fold of the log says', async () => {
  let runs = 0;
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60 }),
    fc.integer({ min: 1, max: 40 }),
    async (steps, batch) => {
      const story = new Story();
      const epoch = `epoch ${++runs}`;
      await database.source.query('truncate marks');
      const half = steps.length >> 1;
      for (const each of steps.slice(0, half)) story.take(each);
      await project(database, story.log, { batch, epoch });
      for (const { do: what, user, room } of steps) {
        const last = (await pageMessages(database, room, { order: 'desc', limit: 1 })).items[0];
        const position = last === undefined ? undefined : parseMessageId(last.id);
        if (what !== 'read' || position === undefined) continue;
        await writeMarks(database, [{ userId: user, roomId: room, ...position, kind: 'read' }]);
      }
      for (const each of steps.slice(half)) story.take(each);
      await project(database, story.log, { batch, epoch });

      const rooms = await Promise.all(ROOMS.map((room) => roomRecord(database, room)));
      const inboxes = await Promise.all(USERS.map((user) => inboxRecord(database, user)));
      const log = story.log.entries.flat().map((entry) => ({ ...entry, prev: undefined }));
      expect(checkHistory({ log, clients: [], rooms, inboxes })).toEqual([]);
      for (const [room, seats] of story.seats)
        for (const user of USERS) {
          const periods = await membershipPeriods(database, room, user);
          expect(periods.filter(({ to }) => to === undefined)).toHaveLength(seats.has(user) ? 1 : 0);
          expect((await getMember(database, room, user))?.standing === 'member').toBe(seats.has(user));
        }
    },
  );
  await fc.assert(property, { numRuns: 20 });
}, 120_000);

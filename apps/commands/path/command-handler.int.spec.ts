/** Two command services over one real log: together they give the guarantees of one. */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { formatPosition, parsePosition, Subjects, type CommandReply } from '#contract';
import { startNatsCluster, startNatsServer, temporaryFolder } from '#embedded';
import { openEventLog, type EventLog } from '#event-log';
import { accepted, ask, freshKey, handling, refusal, wholeLog, type Handling } from './handler-fixture.js';

const PARTITIONS = 2;
const subjects = new Subjects(PARTITIONS);

let logs: EventLog[] = [];
let here: Handling;
let there: Handling;

/** Two handlers, each on a connection of its own; returns what ends it all. */
async function openTwo(url: string, replicas: 1 | 3): Promise<() => Promise<void>> {
  const connections: NatsConnection[] = [];
  logs = [];
  for (let i = 0; i < 2; i++) {
    const connection = await connect({ servers: url.split(','), maxReconnectAttempts: -1 });
    connections.push(connection);
    logs.push(await openEventLog(connection, { partitions: PARTITIONS, replicas, create: true }));
  }
  here = handling(logs[0]!);
  there = handling(logs[1]!);
  await Promise.all([here.handler.follow(), there.handler.follow()]);
  return async () => void (await Promise.all(connections.map((connection) => connection.close())));
}

const either = (i: number): Handling => (i % 2 ? here : there);
const log = (): EventLog => logs[0]!;
const inRoom = async (roomId: string) =>
  (await wholeLog(log(), subjects.partitionOfRoom(roomId))).filter(({ subject }) => subject.includes(`.${roomId}.`));

describe.each([1, 3] as const)('on %i nodes', (nodes) => {
  let stop: () => Promise<void>;

  beforeAll(async () => {
    const folder = await temporaryFolder('commands');
    const broker =
      nodes === 1
        ? await startNatsServer({ storeDir: folder.path })
        : await startNatsCluster({ dir: folder.path, size: nodes });
    const disconnect = await openTwo(broker.url, nodes);
    stop = async () => {
      await disconnect();
      await broker.stop();
      await folder.remove();
    };
  });

  afterAll(() => stop());

  describe('every command, on a real broker', () => {
    test('is taken in the shape that its batch has', async () => {
      const { handler } = here;
      const roomId = 'workshop';
      await accepted(ask(handler, 'CreateRoom', 'olga', { roomId, name: 'Workshop' }));
      await accepted(ask(handler, 'JoinRoom', 'mo', { roomId }));
      await accepted(ask(handler, 'ChangeMember', 'olga', { roomId, userId: 'mo', role: 'moderator' }));
      await accepted(ask(handler, 'ChangeRoom', 'mo', { roomId, isPrivate: true, maxMembers: 10 }));
      await accepted(ask(handler, 'InviteMember', 'mo', { roomId, userId: 'bob' }));
      await accepted(ask(handler, 'JoinRoom', 'bob', { roomId }));
      await accepted(ask(handler, 'ChangeMember', 'mo', { roomId, userId: 'bob', muted: true }));
      await accepted(ask(handler, 'RemoveMember', 'mo', { roomId, userId: 'bob' }));
      await accepted(ask(handler, 'ChangeMember', 'olga', { roomId, userId: 'mo', role: 'owner' }));
      await accepted(ask(handler, 'ChangeMember', 'mo', { roomId, userId: 'zoe', banned: true }));
      await accepted(ask(handler, 'LeaveRoom', 'mo', { roomId }));
      await accepted(ask(handler, 'ArchiveRoom', 'olga', { roomId }));
      await accepted(ask(handler, 'SetStatus', 'olga', { online: true }));
      await accepted(ask(handler, 'ChangeProfile', 'olga', { displayName: 'Olga' }));
      const participants = Array.from({ length: 64 }, (_, i) => `guest${i}`);
      await accepted(ask(handler, 'SendMessage', 'guest7', { participants, content: 'hello, all of you' }));
      const roster = await log().last(subjects.roster(roomId));
      expect(roster?.decoded).toMatchObject({
        event: { data: { roster: { members: 1, owner: 'olga', moderators: [] } } },
      });
      expect(here.faults).toEqual([]);
    });
  });

  describe('a stampede', () => {
    test('for 25 seats by 120 users over two services fills exactly 25', async () => {
      const roomId = 'popular';
      await accepted(ask(here.handler, 'CreateRoom', 'olga', { roomId, name: 'Popular', maxMembers: 26 }));
      const joins = Array.from({ length: 120 }, (_, i) =>
        ask(either(i).handler, 'JoinRoom', `user${i}`, { roomId }, freshKey()),
      );
      const replies = await Promise.all(joins);
      expect(replies.filter((reply) => 'ok' in reply && reply.ok.changed)).toHaveLength(25);
      for (const reply of replies) if ('refused' in reply) expect(reply.refused.code).toBe('room_full');
      const stored = await inRoom(roomId);
      expect(
        stored.filter(({ decoded }) => decoded.kind === 'event' && decoded.event.type === 'MemberJoined'),
      ).toHaveLength(26);
      expect(await refusal(ask(there.handler, 'JoinRoom', 'late', { roomId }))).toMatchObject({ code: 'room_full' });
    });

    test('of joins and leaves leaves a roster that equals the members', async () => {
      const roomId = 'hallway';
      await accepted(ask(here.handler, 'CreateRoom', 'olga', { roomId, name: 'Hallway', maxMembers: 9 }));
      const users = Array.from({ length: 16 }, (_, i) => `user${i}`);
      await Promise.all(
        users.map(async (user, i) => {
          for (let round = 0; round < 6; round++) {
            await ask(either(i + round).handler, 'JoinRoom', user, { roomId });
            await ask(either(i + round + 1).handler, 'LeaveRoom', user, { roomId });
          }
        }),
      );
      const members = new Set<string>();
      for (const { decoded } of await inRoom(roomId)) {
        if (decoded.kind !== 'event' || !('member' in decoded.event.data)) continue;
        const { userId, standing } = decoded.event.data.member;
        if (standing === 'member') members.add(userId);
        else members.delete(userId);
        expect(members.size).toBeLessThanOrEqual(9);
      }
      const roster = await log().last(subjects.roster(roomId));
      expect(roster?.decoded).toMatchObject({ event: { data: { roster: { members: members.size } } } });
    });
  });

  describe('sending and leaving at once', () => {
    test('no message of a user stands after their leaving, and every acknowledged one stands', async () => {
      const roomId = 'exit';
      await accepted(ask(here.handler, 'CreateRoom', 'olga', { roomId, name: 'Exit' }));
      const users = Array.from({ length: 10 }, (_, i) => `user${i}`);
      await Promise.all(users.map((user) => accepted(ask(here.handler, 'JoinRoom', user, { roomId }))));
      const acknowledged: number[] = [];
      const talk = async (user: string, at: Handling): Promise<CommandReply> => {
        for (;;) {
          const reply = await ask(
            at.handler,
            'SendMessage',
            user,
            { roomId, content: 'and another thing' },
            freshKey(),
          );
          if ('refused' in reply) return reply;
          acknowledged.push(reply.ok.seq);
        }
      };
      const last = await Promise.all(
        users.map(async (user, i) => {
          const talking = [talk(user, here), talk(user, there)];
          while (acknowledged.length < (i + 1) * 5) await new Promise(setImmediate);
          await accepted(ask(either(i).handler, 'LeaveRoom', user, { roomId }));
          return Promise.all(talking);
        }),
      );
      for (const reply of last.flat()) expect(reply).toMatchObject({ refused: { code: 'not_member' } });
      const gone = new Set<string>();
      const stored = new Set<number>();
      for (const { seq, decoded } of await inRoom(roomId)) {
        if (decoded.kind !== 'event') continue;
        if (decoded.event.type === 'MemberLeft') gone.add(decoded.event.actor);
        if (decoded.event.type !== 'MessageSent') continue;
        stored.add(seq);
        expect(gone).not.toContain(decoded.event.actor);
      }
      expect(gone.size).toBe(10);
      for (const seq of acknowledged) expect(stored).toContain(seq);
    });
  });

  describe('a key, on a real broker', () => {
    test('repeated at another service, after leaving: the first result', async () => {
      const roomId = 'once';
      await accepted(ask(here.handler, 'CreateRoom', 'olga', { roomId, name: 'Once' }));
      await accepted(ask(here.handler, 'JoinRoom', 'bob', { roomId }));
      const key = freshKey();
      const send = (at: Handling) => accepted(ask(at.handler, 'SendMessage', 'bob', { roomId, content: 'x' }, key));
      const first = await send(here);
      expect(await send(there)).toEqual({ ...first, duplicate: true });
      await accepted(ask(here.handler, 'LeaveRoom', 'bob', { roomId }));
      expect(await send(there)).toEqual({ ...first, duplicate: true });
      expect(await refusal(ask(here.handler, 'SendMessage', 'bob', { roomId, content: 'y' }, key))).toMatchObject({
        code: 'key_reused',
      });
      expect(formatPosition(parsePosition(first.position)!)).toBe(first.position);
    });

    test('of the message that opens a channel, sent by many at once: stored once', async () => {
      const key = freshKey();
      const open = (i: number) =>
        accepted(ask(either(i).handler, 'SendMessage', 'ann', { participants: ['ann', 'ben'], content: 'hi' }, key));
      const results = await Promise.all(Array.from({ length: 8 }, (_, i) => open(i)));
      expect(new Set(results.map(({ id }) => id)).size).toBe(1);
      const stored = await inRoom(results[0]!.roomId!);
      expect(stored.filter(({ subject }) => subject.endsWith('.timeline'))).toHaveLength(1);
    });
  });
});

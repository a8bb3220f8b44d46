import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  channelParticipants,
  channelRoomId,
  chatEvent,
  clientFrame,
  COMMAND_NAMES,
  COMMANDS,
  decodeEvent,
  DomainError,
  encodeEvent,
  fields,
  formatCursor,
  formatPosition,
  keyTimeMs,
  LIMITS,
  LIVE,
  liveSubject,
  mayReconnect,
  messageId,
  newKey,
  parseCursor,
  parseLogSubject,
  parseMessageId,
  parseOrRefuse,
  parsePosition,
  partitionOf,
  REFUSALS,
  Subjects,
  userToken,
} from '#contract';

const place = fc.record({ partition: fc.integer({ min: 0, max: 1023 }), seq: fc.integer({ min: 1, max: 2 ** 42 }) });

function refusal(act: () => unknown): { code: string; detail: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return { code: error.code, detail: error.message };
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('ids, positions and cursors', () => {
  test('a message id names its place in the log, and only that one', () => {
    fc.assert(fc.property(place, (at) => expect(parseMessageId(messageId(at))).toEqual(at)));
    expect(messageId({ partition: 3, seq: 2 })).toBe('msg_2051');
  });

  test.each(['', 'msg_', 'msg_0', 'msg_01', 'msg_1x', 'msg_-1', 'msg_99999999999999999', 'msg_1023', 'MSG_2051'])(
    '%p is no message id',
    (text) => expect(parseMessageId(text)).toBeUndefined(),
  );

  test('a position is read back as it was written', () => {
    fc.assert(fc.property(place, (at) => expect(parsePosition(formatPosition(at))).toEqual(at)));
  });

  test.each(['', '1', '-', '1-', '-1', '01-1', '1-01', '1-1-1', ' 1-1', '99999-1'])('%p is no position', (text) =>
    expect(parsePosition(text)).toBeUndefined(),
  );

  test('a cursor is read back as it was written', () => {
    const seqs = fc.array(fc.integer({ min: 0, max: 2 ** 40 }), { minLength: 1, maxLength: 16 });
    fc.assert(
      fc.property(seqs, (given) => {
        const cursor = { epoch: 'e_1-x', seqs: given };
        expect(parseCursor(formatCursor(cursor))).toEqual(cursor);
      }),
    );
  });

  test.each(['', '.', 'e', 'e.', 'e.x', 'e.1.', 'e.01', 'é.1'])('%p is no cursor', (text) =>
    expect(parseCursor(text)).toBeUndefined(),
  );

  test('a channel is the set of its participants', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 8 }), (users) => {
        expect(channelRoomId([...users, ...users].reverse())).toBe(channelRoomId(users));
        expect(fields.roomId.safeParse(channelRoomId(users)).success).toBe(true);
      }),
    );
    expect(channelRoomId(['a,b'])).not.toBe(channelRoomId(['a', 'b']));
    expect(channelParticipants(['bob', 'alice', 'bob'])).toEqual(['alice', 'bob']);
  });
});

describe('keys', () => {
  test('a new key carries its time', () => {
    const bytes = fc.uint8Array({ minLength: 10, maxLength: 10 });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 48 - 1 }), bytes, (nowMs, random) => {
        const key = newKey(nowMs, random);
        expect(keyTimeMs(key)).toBe(nowMs);
        expect(fields.idempotencyKey.safeParse(key).success).toBe(true);
      }),
    );
  });

  test('another kind of key has no time', () => {
    expect(keyTimeMs('6b0f3f3e-0000-4000-8000-000000000000')).toBeUndefined();
    expect(keyTimeMs('order 17')).toBeUndefined();
  });
});

describe('subjects', () => {
  const subjects = new Subjects(4);

  test('a room lives whole in one partition, and its subjects are read back', () => {
    const partition = subjects.partitionOfRoom('room1');
    expect(parseLogSubject(subjects.timeline('room1'))).toEqual({ kind: 'timeline', partition, roomId: 'room1' });
    expect(parseLogSubject(subjects.config('room1'))).toEqual({ kind: 'config', partition, roomId: 'room1' });
    expect(parseLogSubject(subjects.roster('room1'))).toEqual({ kind: 'roster', partition, roomId: 'room1' });
    const member = { kind: 'member', partition, roomId: 'room1', userToken: 'alice' };
    expect(parseLogSubject(subjects.member('room1', 'alice'))).toEqual(member);
  });

  test('the layout of the log never changes: these partitions are written in every log there is', () => {
    expect(['room1', 'room2', 'General', 'alice'].map((token) => partitionOf(token, 1_024))).toEqual([
      574, 646, 38, 542,
    ]);
  });

  test('rooms spread evenly over the partitions', () => {
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4_000; i++) counts[partitionOf(`room${i}`, 4)]! += 1;
    for (const count of counts) expect(count).toBeGreaterThan(850);
  });

  test('a foreign user id stands hashed in subjects, and cannot forge another subject', () => {
    for (const id of ['a.b', 'x>', '*', 'a b', 'auth0|1', 'ü', '~alice'])
      expect(subjects.member('r', id)).toMatch(/^chat\.\d\.room\.r\.member\.~[A-Za-z0-9_-]{43}$/);
    expect(userToken('alice')).toBe('alice');
  });

  test('what the broker republishes is found below the room and below the user', () => {
    expect(liveSubject(subjects.timeline('room1'))).toBe('live.room.room1.timeline');
    expect(LIVE.room('room1')).toBe('live.room.room1.>');
    expect(liveSubject(subjects.member('room1', 'alice'))).toBe(LIVE.memberships('alice').replace('*', 'room1'));
  });

  test.each(['', 'chat', 'chat.x.room.r.config', 'chat.0.room.r', 'chat.0.room.r.other', 'chat.0.room.r.member.a.b'])(
    '%p is no subject of this version',
    (subject) => expect(parseLogSubject(subject)).toBeUndefined(),
  );
});

describe('text', () => {
  test('what cannot be stored in PostgreSQL, or is no text, is refused as invalid_text', () => {
    for (const text of ['a\u0000b', 'a\u0007', 'a\r\nb', '\ud800', 'x\u0085'])
      expect(refusal(() => parseOrRefuse(fields.content, text)).code).toBe('invalid_text');
  });

  test('text is stored in NFC and otherwise as sent', () => {
    expect(parseOrRefuse(fields.content, 'e\u0301 <b>\t\n&amp;')).toBe('é <b>\t\n&amp;');
  });

  test('content is limited in bytes, a name in characters', () => {
    expect(parseOrRefuse(fields.content, 'ü'.repeat(LIMITS.contentBytes / 2))).toHaveLength(LIMITS.contentBytes / 2);
    expect(refusal(() => parseOrRefuse(fields.content, 'ü'.repeat(LIMITS.contentBytes / 2 + 1))).code).toBe(
      'too_large',
    );
    expect(parseOrRefuse(fields.name, `  ${'👍'.repeat(80)} `)).toBe('👍'.repeat(80));
    expect(refusal(() => parseOrRefuse(fields.name, 'x'.repeat(81))).code).toBe('too_large');
    expect(refusal(() => parseOrRefuse(fields.name, '  ')).code).toBe('invalid_body');
  });
});

describe('commands and events', () => {
  test('a refusal names the field and what is wrong with it', () => {
    const schema = COMMANDS.SendMessage.schema;
    expect(refusal(() => parseOrRefuse(schema, { roomId: 'r', content: 7 })).detail).toMatch(/^content: /);
    expect(refusal(() => parseOrRefuse(schema, { content: 'x' })).detail).toBe(
      'either roomId or participants is required',
    );
    expect(refusal(() => parseOrRefuse(schema, { roomId: 'r', content: 'x', sendAt: 1 })).code).toBe('invalid_body');
    expect(refusal(() => parseOrRefuse(schema, { roomId: 'r', content: 'x', type: 'system' })).code).toBe(
      'invalid_body',
    );
  });

  test('no command takes what is no object', () => {
    for (const name of COMMAND_NAMES)
      for (const body of [null, [], 'x', 1, undefined])
        expect(refusal(() => parseOrRefuse(COMMANDS[name].schema, body)).code).toBe('invalid_body');
  });

  test('an event is read back as it was written', () => {
    const event = chatEvent.parse({
      v: 1,
      type: 'MessageSent',
      actor: 'alice',
      key: { id: 'k', body: 'b' },
      data: { content: 'hi', type: 'text' },
    });
    expect(decodeEvent(encodeEvent(event))).toEqual({ kind: 'event', event });
  });

  test('a newer type is unknown, a broken or newer version of a known one is unreadable', () => {
    expect(decodeEvent('{"v":1,"type":"PollOpened","data":{}}')).toEqual({ kind: 'unknown', type: 'PollOpened' });
    for (const payload of [
      '',
      '{',
      'null',
      '{}',
      '{"v":2,"type":"MessageSent","actor":"a","data":{"content":"x","type":"text"}}',
    ])
      expect(decodeEvent(payload).kind).toBe('unreadable');
  });

  test('reading the log never throws', () => {
    fc.assert(fc.property(fc.string(), (payload) => expect(decodeEvent(payload).kind).not.toBe('event')));
    fc.assert(fc.property(fc.json(), (payload) => expect(decodeEvent(payload).kind).not.toBe('event')));
  });
});

describe('frames and refusals', () => {
  test('a frame without a known op, or with a field of the wrong type, does not fit', () => {
    for (const frame of [
      null,
      [],
      {},
      { op: 'x' },
      { op: 'typing', room: 'r' },
      { op: 'read', id: 1, room: 'r', messageId: 'm' },
    ])
      expect(clientFrame.safeParse(frame).success).toBe(false);
    expect(clientFrame.safeParse({ op: 'send', id: 1, room: 'r', content: 'x' }).success).toBe(true);
  });

  test('the range of a close code says whether to come back', () => {
    expect([1006, 4000, 4499, 4500, 4999].map(mayReconnect)).toEqual([true, true, true, false, false]);
  });

  test('exactly the temporary refusals say when to try again', () => {
    const temporary = Object.entries(REFUSALS).filter(([, row]) => row.temporary);
    expect(temporary.map(([code]) => code).sort()).toEqual(['behind', 'rate_limited', 'unavailable']);
    expect(new DomainError('behind').toRefusal().retryMs).toBeGreaterThan(0);
    expect(new DomainError('forbidden').toRefusal()).toEqual({ code: 'forbidden', detail: 'forbidden' });
  });
});

/** What clients are shown of entries as every version wrote them. */
import { expect, test } from '@jest/globals';
import { decodeEvent, parseLogSubject, serverFrame } from '#contract';
import { fixtureEntries } from '#testing';
import { eventFrame } from './event-frames.js';
import { roomEvent } from './room-event.js';

test.each([...fixtureEntries()])('entries of version %i become frames', (_, entries) => {
  const shown = entries.flatMap(({ subject, data }, i) => {
    const parsed = parseLogSubject(subject);
    if (parsed === undefined || !('roomId' in parsed)) return [];
    const { partition } = parsed;
    const entry = { partition, seq: i + 1, subject, prev: 0, at: 1, decoded: decodeEvent(data) };
    const frame = eventFrame(
      roomEvent(entry, parsed, { prev: 0, ordinal: 1, announced: true, participants: undefined }),
    );
    serverFrame.parse(frame);
    return frame?.op === 'event' ? [frame.type] : [];
  });
  expect(shown).toEqual([
    'room.created',
    'members.changed',
    'member.joined',
    'members.changed',
    'member.joined',
    'message.sent',
    'message.sent',
    'member.updated',
    'member.updated',
    'room.updated',
    'members.changed',
    'member.left',
    'member.left',
    'room.updated',
  ]);
});

/** What an event of the log looks like on `parley.v1` and its siblings: the one place that turns events into frames. */
import {
  type ChatEvent,
  type EventFrameType,
  messageId,
  type MemberState,
  type RoomState,
  type ServerFrameOf,
} from '#contract';
import type { RoomEvent } from './room-event.js';

type Shown = { readonly type: EventFrameType; readonly data: Record<string, unknown> };

/**
 * The frame of an event; undefined where clients are shown nothing. An entry of the timeline that this version cannot read
 * becomes a `skip`, so that no client sees a hole.
 */
export function eventFrame(event: RoomEvent): ServerFrameOf<'event'> | ServerFrameOf<'skip'> | undefined {
  const { roomId: room, seq, prev } = event;
  if (event.event === undefined) return event.kind === 'timeline' ? skipFrame(event, undefined) : undefined;
  if (!event.announced) return undefined;
  const shown = show(event, event.event);
  if (shown === undefined) return undefined;
  return {
    op: 'event',
    type: shown.type,
    room,
    seq,
    ...(prev === undefined ? {} : { prev }),
    actor: event.event.actor,
    at: isoTime(event.at),
    data: shown.data,
  };
}

let lastAt = 0;
let lastIsoTime = new Date(lastAt).toISOString();

/** Events that come together have the same millisecond mostly. */
function isoTime(at: number): string {
  if (at !== lastAt) {
    lastIsoTime = new Date(at).toISOString();
    lastAt = at;
  }
  return lastIsoTime;
}

export function skipFrame(event: RoomEvent, key: string | undefined): ServerFrameOf<'skip'> {
  return {
    op: 'skip',
    room: event.roomId,
    seq: event.seq,
    prev: event.prev ?? 0,
    ...(key === undefined ? {} : { key }),
  };
}

function show(place: RoomEvent, event: ChatEvent): Shown | undefined {
  switch (event.type) {
    case 'MessageSent':
      return { type: 'message.sent', data: messageData(place, event) };
    case 'RoomCreated':
      return { type: 'room.created', data: roomData(event.data.room, place.at) };
    case 'RoomChanged':
    case 'RoomArchived':
      return { type: 'room.updated', data: roomData(event.data.room, place.at) };
    case 'MemberJoined':
      return { type: 'member.joined', data: memberData(event.data.member) };
    case 'MemberLeft':
    case 'MemberRemoved':
      return {
        type: 'member.left',
        data: { ...memberData(event.data.member), removed: event.type === 'MemberRemoved' },
      };
    case 'MemberChanged':
    case 'MemberInvited':
      return { type: 'member.updated', data: memberData(event.data.member) };
    case 'RosterChanged':
      return { type: 'members.changed', data: { count: event.data.roster.members } };
    case 'StatusChanged':
    case 'ProfileChanged':
      return undefined; // a user's own, never in a room
  }
}

function messageData(place: RoomEvent, event: Extract<ChatEvent, { type: 'MessageSent' }>): Record<string, unknown> {
  const { content, type, metadata, mentions, replyTo } = event.data;
  return {
    id: messageId(place),
    sender: event.actor,
    content,
    type,
    metadata: metadata ?? {},
    mentions: mentions ?? [],
    replyTo: replyTo ?? null,
    ordinal: place.ordinal,
  };
}

const memberData = ({ userId, standing, role, muted, banned }: MemberState): Record<string, unknown> => ({
  userId,
  standing,
  role,
  muted,
  banned,
});

function roomData(room: RoomState, at: number): Record<string, unknown> {
  const { createdAt, ...rest } = room;
  return { ...rest, createdAt: new Date(createdAt ?? at).toISOString() };
}

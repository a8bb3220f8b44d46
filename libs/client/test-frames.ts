/** For specs: what a server tells alice of the room `tea`, in which bob talks. */
import type { MessageView, ServerFrameOf } from '#contract';

const AT = '2026-01-01T00:00:00.000Z';

export const tea = (seq = 0) => ({ room: 'tea', kind: 'room' as const, name: 'Tea', role: 'member', seq, ordinal: 0 });

export const welcome = (recovered: boolean, seq = 0): ServerFrameOf<'welcome'> => ({
  op: 'welcome',
  session: 's',
  user: 'alice',
  cursor: 'e.0',
  recovered,
  heartbeatMs: 1_000,
  time: AT,
  rooms: [tea(seq)],
});

/** Of state, without `prev`; in its place on the timeline with one. */
export const told = (
  type: ServerFrameOf<'event'>['type'],
  seq: number,
  data: Record<string, unknown>,
  prev?: number,
): ServerFrameOf<'event'> => ({
  op: 'event',
  type,
  room: 'tea',
  seq,
  ...(prev !== undefined && { prev }),
  actor: 'bob',
  at: AT,
  data,
});

export const message = (seq: number, prev: number): ServerFrameOf<'event'> =>
  told('message.sent', seq, { ...said(seq), replyTo: null }, prev);

export const view = (seq: number): MessageView => ({
  ...said(seq),
  roomId: 'tea',
  seq,
  ordinal: seq,
  replyTo: null,
  reactions: {},
  editedAt: null,
  deletedAt: null,
  createdAt: AT,
});

const said = (seq: number) => ({
  id: `msg_${seq}`,
  sender: 'bob',
  content: `${seq}`,
  type: 'text' as const,
  metadata: {},
  mentions: [],
});

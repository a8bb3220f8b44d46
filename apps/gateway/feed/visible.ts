/** What of a room's events a user may see: the membership as of each event's sequence decides. */
import { memberOf, type RoomEvent } from './room-event.js';
import type { Period } from './views.js';

export const wasMemberAt = (periods: readonly Period[], seq: number): boolean =>
  periods.some(({ from, to }) => from <= seq && (to === undefined || to > seq));

export interface Visible {
  readonly visible: RoomEvent[];
  /** After the last of the events. */
  readonly member: boolean;
  /** Of the joining among the events with which a stay began that has not ended in them. */
  readonly since: number | undefined;
}

/**
 * The events of one room, in order, cut by the periods of membership. Both ends of a period are visible, and, to whoever made
 * the room, its making. A user's own comings and goings are shown to them in large rooms, too.
 */
export function visibleTo(userId: string, events: readonly RoomEvent[], memberBefore: boolean): Visible {
  const visible: RoomEvent[] = [];
  let member = memberBefore;
  let since: number | undefined;
  for (const event of events) {
    const own = memberOf(event);
    if (own?.userId === userId) {
      const was = member;
      member = own.standing === 'member';
      if (was !== member) since = member ? event.seq : undefined;
      if (was || member) visible.push(announcedToSelf(event));
    } else if (member || madeBy(userId, event)) visible.push(event);
  }
  return { visible, member, since };
}

/** Only the stays that have ended: one that goes on is for whoever attaches the reader. */
export const endedStays = ({ visible, since }: Visible): RoomEvent[] =>
  since === undefined ? visible : visible.filter(({ seq }) => seq < since);

/** A room's member event as the member sees it, however large the room. */
export const announcedToSelf = (event: RoomEvent): RoomEvent =>
  event.announced ? event : { ...event, announced: true, encoded: [] };

const madeBy = (userId: string, { event }: RoomEvent): boolean =>
  event?.type === 'RoomCreated' && event.actor === userId;

/** What of a room's events a user may see: the membership as of each event's sequence decides. */
import { memberOf, type RoomEvent } from './room-event.js';
import type { Period } from './views.js';

export const wasMemberAt = (periods: readonly Period[], seq: number): boolean =>
  periods.some(({ from, to }) => from <= seq && (to === undefined || to > seq));

/**
 * The events of one room, in order, cut by the periods of membership. Both ends of a period are visible, and, to whoever made
 * the room, its making. A user's own comings and goings are shown to them in large rooms, too.
 */
export function visibleTo(userId: string, events: readonly RoomEvent[], memberBefore: boolean): RoomEvent[] {
  const visible: RoomEvent[] = [];
  let member = memberBefore;
  for (const event of events) {
    const own = memberOf(event);
    if (own?.userId === userId) {
      const was = member;
      member = own.standing === 'member';
      if (was || member) visible.push(announcedToSelf(event));
    } else if (member || madeBy(userId, event)) visible.push(event);
  }
  return visible;
}

/** Of a user's own changes: the event that began the stay that goes on after them, where it began in them. */
export function openStay(changes: readonly RoomEvent[], memberBefore: boolean): RoomEvent | undefined {
  let member = memberBefore;
  let open: RoomEvent | undefined;
  for (const change of changes) {
    const is = memberOf(change)?.standing === 'member';
    if (is !== member) open = is ? change : undefined;
    member = is;
  }
  return open;
}

/** Whether a user went, in these events after a sequence. */
export const hasLeft = (events: readonly RoomEvent[], userId: string, after: number): boolean =>
  events.some((event) => {
    const own = event.seq > after ? memberOf(event) : undefined;
    return own?.userId === userId && own.standing !== 'member';
  });

/** A room's member event as the member sees it, however large the room. */
export const announcedToSelf = (event: RoomEvent): RoomEvent =>
  event.announced ? event : { ...event, announced: true, encoded: [] };

const madeBy = (userId: string, { event }: RoomEvent): boolean =>
  event?.type === 'RoomCreated' && event.actor === userId;

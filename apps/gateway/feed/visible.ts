/** What of a room's events a user may see: the membership as of each event's sequence decides. */
import { memberOf, type RoomEvent } from './room-event.js';
import type { Period } from './views.js';

/** Standings that tell, seen for the first time, that the user was no member before. */
const ENTRANCES: ReadonlySet<string> = new Set(['MemberJoined', 'MemberInvited']);

/** Whether a user was a member before the first of these events; undefined where they do not tell. */
export function wasMemberBefore(events: readonly RoomEvent[], userId: string): boolean | undefined {
  const first = events.find((event) => memberOf(event)?.userId === userId)?.event;
  if (first === undefined) return undefined;
  return ENTRANCES.has(first.type) ? false : undefined;
}

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

/** A room's member event as the member sees it, however large the room. */
export const announcedToSelf = (event: RoomEvent): RoomEvent =>
  event.announced ? event : { ...event, announced: true, encoded: [] };

const madeBy = (userId: string, { event }: RoomEvent): boolean =>
  event?.type === 'RoomCreated' && event.actor === userId;

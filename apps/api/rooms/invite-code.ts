/**
 * An invitation's code names the room and nothing else. It is no secret: what lets its user in is the invitation in the log.
 * The dot keeps codes apart from room ids, which have none.
 */
import { DomainError, fields } from '#contract';

const PREFIX = 'r.';

export const inviteCode = (roomId: string): string => `${PREFIX}${roomId}`;

/** @throws DomainError `room_not_found` for what is no code: whoever guesses learns nothing */
export function roomOfCode(code: string): string {
  const parsed = fields.roomId.safeParse(code.startsWith(PREFIX) ? code.slice(PREFIX.length) : undefined);
  if (!parsed.success) throw new DomainError('room_not_found');
  return parsed.data;
}

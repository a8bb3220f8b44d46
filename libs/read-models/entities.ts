/** Every table there is, for TypeORM. */
import { Account, RefreshToken, Session, StoredSigningKey } from './accounts/entities.js';
import { DeadLetter } from './dead-letters/entities.js';
import { StoredMessageKey } from './keys/entities.js';
import { Mark } from './marks/entities.js';
import { MemberPeriod, StoredMember } from './members/entities.js';
import { StoredCheckpoint } from './positions/entities.js';
import { RoomTail, StoredRoom } from './rooms/entities.js';
import { StoredMessage } from './timeline/entities.js';
import { StoredProfile, StoredStatus } from './users/entities.js';

export const ENTITIES = [
  StoredRoom,
  RoomTail,
  StoredMember,
  MemberPeriod,
  StoredMessage,
  StoredMessageKey,
  StoredStatus,
  StoredProfile,
  StoredCheckpoint,
  DeadLetter,
  Mark,
  Account,
  Session,
  RefreshToken,
  StoredSigningKey,
] as const;

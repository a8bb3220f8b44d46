/** The read side in PostgreSQL: what the log's events look like as tables, and the queries on them. */
export {
  type AccountView,
  createAccount,
  disableAccount,
  enableAccount,
  getAccount,
  listAccounts,
  type NewAccount,
} from './accounts/accounts.js';
export { Account, RefreshToken, Session, StoredSigningKey } from './accounts/entities.js';
export {
  countRows,
  dumpTable,
  type KeptTable,
  loadTables,
  migrationNames,
  type TableLines,
  TableNotEmptyError,
  TABLES_AFTER_LOG,
  TABLES_BEFORE_LOG,
} from './backup/kept-tables.js';
export { type Database, type DatabaseOptions, type Db, openDatabase } from './database.js';
export { type DatabaseFacts, inspectDatabase } from './inspect.js';
export { countDeadLetters, type DeadLetterRow, listDeadLetters } from './dead-letters/dead-letters.js';
export { isAway, isDataError, sqlState } from './failures.js';
export { inboxOf } from './inbox/queries.js';
export { findKey, type StoredKey } from './keys/queries.js';
export { clampMarks, type MarkInput, type MarkOutcome, writeMarks } from './marks/marks.js';
export { getMember, listMembers, memberIdsOf, type Membership, membershipPeriods } from './members/queries.js';
export { type LogIdentity, PartitionWriter } from './partition-writer.js';
export {
  type Checkpoint,
  checkpointOf,
  CheckpointMovedError,
  checkpointsOf,
  type ModelCheckpoint,
} from './positions/checkpoints.js';
export { PositionWaiter } from './positions/position-waiter.js';
export { projections, withNeeds } from './projections.js';
export type { Batch, LogEntry, Placed, ReadModel } from './read-model.js';
export { readableRoom, visibleRoom } from './rooms/access.js';
export {
  countRooms,
  getRoom,
  getRoomFor,
  listRooms,
  roomAnchor,
  roomsOfUser,
  type UserRoom,
  type UserRooms,
} from './rooms/queries.js';
export {
  countMessages,
  getMessage,
  type HistoryItem,
  type MessagePageOptions,
  pageMessages,
  pageMessagesByOffset,
  roomHistory,
} from './timeline/queries.js';
export { searchRoom, searchRoomsOf } from './timeline/search.js';
export { getUser, getUsers, type StoredUser } from './users/queries.js';
export type { Writer } from './writer.js';

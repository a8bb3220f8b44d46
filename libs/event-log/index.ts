export { LOG_SCHEMA } from './streams.js';
export { openEventLog, type OpenOptions } from './open.js';
export { inspectLog, type LogFacts, type StreamFacts } from './inspect.js';
export { backupStream, backupStreams, type ChunkFile, type TakenStream } from './backup/backup-log.js';
export { sequenceAfterRestore } from './backup/ids-ahead.js';
export { LogRestore, type RestoredPartition, type RestoreOptions } from './backup/restore-log.js';
export { type StreamDescription } from './backup/snapshots.js';
export { LOG_LIMITS } from './limits.js';
export { parseNotice } from './tails.js';
export {
  AppendRefusedError,
  AppendUnknownError,
  FenceMovedError,
  LogMismatchError,
  LogUnavailableError,
  type Append,
  type Appended,
  type AppendOptions,
  type EventLog,
  type Fence,
  type FollowOptions,
  type StoredEntry,
  type SubjectRange,
  type SubjectRead,
  type Subscription,
  type TailsNotice,
} from './log.js';

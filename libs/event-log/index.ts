export { openEventLog, type OpenOptions } from './open.js';
export { inspectLog, type LogFacts, type StreamFacts } from './inspect.js';
export { LOG_LIMITS } from './limits.js';
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

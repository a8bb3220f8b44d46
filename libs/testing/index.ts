export { decideOn, given, Outcome, refused, type Asked, type Refused } from './given-when-then.js';
export { aMember, aRoom, nowIs, roomWith } from './happenings.js';
export * from './history.js';
export { shortestHistory, type Shortest } from './history-shrink.js';
export {
  describeFailure,
  explore,
  replay,
  type Explored,
  type Exploring,
  type Failure,
  type World,
} from './interleavings.js';
export { Schedule, type Step } from './schedule.js';
export { dependent, ScheduledWire, type Touch } from './scheduled-wire.js';
export { FIXTURES, fixtureEntries, type FixtureEntry } from './stored-entries.js';
export { withParts } from './with-parts.js';

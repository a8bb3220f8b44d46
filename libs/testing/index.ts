export { decideOn, given, Outcome, refused, type Asked, type Refused } from './given-when-then.js';
export { aMember, aRoom, nowIs, roomWith } from './happenings.js';
export * from './history.js';
export { shortestHistory, type Shortest } from './history-shrink.js';

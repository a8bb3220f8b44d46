/** The read models, as the feed asks them. */
import { membershipPeriods, roomAnchor, roomsOfUser, type Database } from '#read-models';
import type { FeedViews } from './views.js';

export const databaseViews = (database: Database): FeedViews => ({
  roomsOfUser: (userId) => roomsOfUser(database, userId),
  anchor: (roomId, seq) => roomAnchor(database, roomId, seq),
  periods: (roomId, userId) => membershipPeriods(database, roomId, userId),
});

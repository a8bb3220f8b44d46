/** In order of their time stamps; a migration that has been released is never changed. */
import { ReadModels1763600000000 } from './1763600000000-read-models.js';
import { Accounts1763600001000 } from './1763600001000-accounts.js';
import { AccountStanding1763600002000 } from './1763600002000-account-standing.js';
import { RefreshSuccessors1763600003000 } from './1763600003000-refresh-successors.js';

export const MIGRATIONS = [
  ReadModels1763600000000,
  Accounts1763600001000,
  AccountStanding1763600002000,
  RefreshSuccessors1763600003000,
] as const;

/** In order of their time stamps; a migration that has been released is never changed. */
import { ReadModels1763600000000 } from './1763600000000-read-models.js';
import { Accounts1763600001000 } from './1763600001000-accounts.js';

export const MIGRATIONS = [ReadModels1763600000000, Accounts1763600001000] as const;

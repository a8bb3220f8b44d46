/** What there is to break, as far as a seed decides it: everything is drawn from this before anything is started. */
import type { Random } from '../random.js';

const SERVICES = [
  'commands-1',
  'commands-2',
  'projection-1',
  'projection-2',
  'gateway-1',
  'gateway-2',
  'api-1',
  'api-2',
];
export const BROKERS = ['node-0', 'node-1', 'node-2'] as const;
export const POSTGRES = 'postgres';
const SMALL_POSTGRES_CHANCE = 0.5;

export interface World {
  readonly services: readonly string[];
  /** Services whose connections run through relays. */
  readonly relayed: readonly string[];
  /** Whose disk is small enough to be filled, where one can be mounted; the others' can be slowed. */
  readonly smallDisks: readonly string[];
}

export function worldOf(random: Random): World {
  const smallDisks = [random.pick(BROKERS), ...(random.chance(SMALL_POSTGRES_CHANCE) ? [POSTGRES] : [])];
  const oneOf = (app: string): string => `${app}-${random.between(1, 3)}`;
  return {
    services: SERVICES,
    relayed: ['commands', 'projection', 'gateway', 'api'].map(oneOf),
    smallDisks,
  };
}

export { RULES } from './rules.js';
export { evolve, initialState, type Happened, type State } from './state.js';
export type { Command, Decision, NewEvent, PlannedEvent, Rule, StateRef } from './decision.js';
export { MODERATORS_MAX } from './seats.js';

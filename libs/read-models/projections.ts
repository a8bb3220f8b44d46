/** The read models that are built from the log. A new one is its folder and one line here; `rooms` counts, so it stands first. */
import { keys } from './keys/projection.js';
import { members } from './members/projection.js';
import type { ReadModel } from './read-model.js';
import { rooms } from './rooms/projection.js';
import { timeline } from './timeline/projection.js';
import { users } from './users/projection.js';

export const projections: readonly ReadModel[] = [rooms, timeline, members, users, keys];

/** The named models with all that they need, in the order of the list. */
export function withNeeds(names: readonly string[]): readonly ReadModel[] {
  const wanted = new Set(names);
  for (const model of projections) if (wanted.has(model.name)) for (const need of model.needs ?? []) wanted.add(need);
  const unknown = [...wanted].filter((name) => !projections.some((model) => model.name === name));
  if (unknown.length > 0)
    throw new Error(`no read model ${unknown.join(', ')}: there are ${projections.map(({ name }) => name).join(', ')}`);
  return projections.filter((model) => wanted.has(model.name));
}

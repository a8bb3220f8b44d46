/** The rules' state, folded from entries as every version wrote them. */
import { expect, test } from '@jest/globals';
import { decodeEvent } from '#contract';
import { fixtureEntries } from '#testing';
import { evolve, initialState } from './state.js';

test.each([...fixtureEntries()])('entries of version %i lead to the state that they tell', (_, entries) => {
  let state = initialState();
  for (const { data } of entries) {
    const decoded = decodeEvent(data);
    if (decoded.kind !== 'event') throw new Error(`${decoded.kind}: ${data}`);
    state = evolve(state, decoded.event, 1);
  }
  expect(state).toMatchObject({
    room: { name: 'The den', archived: true, settings: { color: 'red' } },
    roster: { members: 1, limit: 10, owner: 'olga' },
    status: { online: true, status: { mood: 'good' } },
    profile: { displayName: 'Bob Smith' },
  });
  const standings = [...state.members].map(([userId, { standing }]) => [userId, standing]);
  expect(Object.fromEntries(standings)).toEqual({ olga: 'member', bob: 'left', cyd: 'removed' });
});

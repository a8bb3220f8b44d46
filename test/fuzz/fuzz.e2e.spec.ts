/** A short siege, the same in every run; `npm run fuzz` is the long one. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { startSiege, type Siege } from './siege.js';

const ATTACKS = 400;
const WITHIN_MS = 300_000;

let siege: Siege;
beforeAll(async () => {
  siege = await startSiege();
}, WITHIN_MS);
afterAll(() => siege.stop());

test(
  'whatever is sent to it, the platform refuses clearly, goes on, and gives back what it held',
  async () => {
    expect(await siege.round({ seed: 1, attacks: ATTACKS })).toBe('');
    expect(await siege.calm()).toBe('');
  },
  WITHIN_MS,
);

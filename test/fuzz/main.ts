/**
 * `npm run fuzz -- [--minutes M] [--seed S] [--path P]`: attacks on a running platform, seed after seed. A finding prints its seed, the
 * smallest attack that shows it, and the command that makes it again.
 */
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { startSiege } from './siege.js';

const ATTACKS_A_ROUND = 1_000;

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, seed: { type: 'string' }, path: { type: 'string' } },
});
const first = values.seed === undefined ? randomInt(2 ** 30) : Number(values.seed);
const until = Date.now() + Number(values.minutes) * 60_000;
const siege = await startSiege();
let wrong = '';
let rounds = 0;
try {
  do {
    const seed = first + rounds++;
    const path = values.path === undefined ? {} : { path: values.path };
    wrong = (await siege.round({ seed, attacks: ATTACKS_A_ROUND, ...path })) || (await siege.calm());
    const counts = [...siege.counts].map(([by, count]) => `${by} ${count}`).join(', ');
    console.log(
      `${new Date().toISOString()} seed ${seed}: ${wrong === '' ? 'nothing wrong' : 'FOUND'}; attacks so far: ${counts}`,
    );
    if (wrong !== '') console.log(wrong);
  } while (wrong === '' && values.path === undefined && Date.now() < until);
} finally {
  await siege.stop();
}
if (wrong === '') console.log(`nothing found: ${rounds} seeds from ${first} on`);
process.exitCode = wrong === '' ? 0 : 1;

/** `npm run mutation [-- domain|resume]`: Stryker over one part, or one after the other. The score and what survived are printed. */
import { spawnSync } from 'node:child_process';
import process from 'node:process';
import { PARTS } from './parts.mjs';

const asked = process.argv.slice(2);
const unknown = asked.filter((part) => !(part in PARTS));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; these are: ${Object.keys(PARTS).join(', ')}`);
  process.exit(1);
}
for (const part of asked.length > 0 ? asked : Object.keys(PARTS)) {
  const env = { ...process.env, MUTATED_PART: part };
  const { status } = spawnSync('npx', ['stryker', 'run', 'test/mutation/stryker.config.mjs'], {
    env,
    stdio: 'inherit',
  });
  if (status !== 0) process.exitCode = status ?? 1;
}

/** What a CPU profile says: the functions in which most of the time was spent, themselves alone. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { table } from './table.js';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** us */
  readonly timeDeltas: readonly number[];
}

const FUNCTIONS_SHOWN = 30;
const NOT_WORK = new Set(['(idle)', '(program)', '(root)']);

/** Of every profile in a folder. */
export function profilesText(folder: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  const texts = files.map((name) => {
    const profile = JSON.parse(readFileSync(join(folder, name), 'utf8')) as Profile;
    return `${join(folder, name)}\n\n${profileText(profile)}\n`;
  });
  return texts.join('\n');
}

/** Shares are of the time in which the process did something. */
export function profileText({ nodes, samples, timeDeltas }: Profile): string {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const place = url === '' ? '' : ` ${url.split('/').slice(-3).join('/')}:${lineNumber + 1}`;
      return [id, `${functionName || '(anonymous)'}${place}`];
    }),
  );
  const spent = new Map<string, number>();
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '?';
    spent.set(name, (spent.get(name) ?? 0) + (timeDeltas[i] ?? 0));
  }
  const busy = [...spent].reduce((sum, [name, us]) => (name === '(idle)' ? sum : sum + us), 0);
  const rows = [...spent]
    .filter(([name]) => !NOT_WORK.has(name) || name === '(program)')
    .sort((a, b) => b[1] - a[1])
    .slice(0, FUNCTIONS_SHOWN)
    .map(([name, us]) => [`${((100 * us) / busy).toFixed(1)} %`, `${(us / 1_000).toFixed(0)} ms`, name]);
  return table([['share', 'self', 'function'], ...rows]);
}

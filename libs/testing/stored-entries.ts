/** For specs: entries of every version that was ever written, as the broker hands them out. They stay as they are. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export const FIXTURES = join(import.meta.dirname, 'fixtures');

export interface FixtureEntry {
  readonly subject: string;
  /** The header block, as bytes go over the wire. */
  readonly headers: string;
  /** The payload, byte for byte. */
  readonly data: string;
}

/** By version, its entries. */
export const fixtureEntries = (): ReadonlyMap<number, readonly FixtureEntry[]> =>
  new Map(
    readdirSync(FIXTURES).flatMap((name) => {
      const version = /^entries-v(\d+)\.json$/.exec(name)?.[1];
      if (version === undefined) return [];
      return [[Number(version), JSON.parse(readFileSync(join(FIXTURES, name), 'utf8')) as FixtureEntry[]] as const];
    }),
  );

/** Quantiles of what is done again and again. */
import { quantile } from '../statistics.js';

export interface Took {
  readonly p50: number;
  readonly p99: number;
}

export const tookOf = (values: readonly number[]): Took => {
  const sorted = [...values].sort((a, b) => a - b);
  return { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
};

/** One after the other. @param one says how long it took, ms */
export async function repeated(times: number, one: (index: number) => Promise<number>): Promise<Took> {
  const all: number[] = [];
  for (let i = 0; i < times; i += 1) all.push(await one(i));
  return tookOf(all);
}

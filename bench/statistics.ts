/** Medians and spreads: what is said of several rounds. */

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('a spread of nothing');
  const sorted = [...values].sort((a, b) => a - b);
  return { median: quantile(sorted, 0.5), min: sorted[0] ?? NaN, max: sorted[sorted.length - 1] ?? NaN };
}

/** Of sorted values; between two of them in proportion. */
export function quantile(sorted: readonly number[], share: number): number {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? NaN;
  const above = sorted[Math.ceil(at)] ?? NaN;
  return below + (above - below) * (at - Math.floor(at));
}

/** Round by round, because what disturbs a machine disturbs neighbours alike. */
export function ratios(ours: readonly number[], theirs: readonly number[]): Spread {
  const rounds = Math.min(ours.length, theirs.length);
  return spread(ours.slice(0, rounds).map((value, i) => value / (theirs[i] ?? NaN)));
}

/** Whether two spreads lie apart: then something moved by more than the noise of either. */
export const apart = (a: Spread, b: Spread): boolean => a.max < b.min || b.max < a.min;

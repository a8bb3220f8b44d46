/**
 * Whether a quantity that was sampled over time stays where it is: a straight line through the second half of the samples (least
 * squares), because what fills up once, caches and pools, does so in the first.
 */

/** One measurement: when, in ms since the soak began, and how much. */
export interface Sample {
  readonly atMs: number;
  readonly value: number;
}

export interface Trend {
  /** Means of the first and of the last tenth of the samples. */
  readonly start: number;
  readonly end: number;
  readonly max: number;
  /** Of the second half. */
  readonly perHour: number;
  /** What the line rises by over the second half; negative where it falls. */
  readonly growth: number;
  /** The second half's mean. */
  readonly mean: number;
}

const HOUR_MS = 3_600_000;
const TENTH = 10;

/** @throws RangeError for fewer than four samples: no line says anything then */
export function trendOf(samples: readonly Sample[]): Trend {
  if (samples.length < 4) throw new RangeError(`a trend needs four samples, not ${samples.length}`);
  const late = samples.slice(samples.length >> 1);
  const slope = slopeOf(late);
  const tenth = Math.max(1, Math.floor(samples.length / TENTH));
  const lastsMs = (late.at(-1)?.atMs ?? 0) - (late[0]?.atMs ?? 0);
  return {
    start: meanOf(samples.slice(0, tenth)),
    end: meanOf(samples.slice(-tenth)),
    max: Math.max(...samples.map(({ value }) => value)),
    perHour: slope * HOUR_MS,
    growth: slope * lastsMs,
    mean: meanOf(late),
  };
}

/** @param noise what counts as standing still: an amount, or a share of the mean, whichever is more */
export const isFlat = ({ growth, mean }: Trend, noise: { readonly amount: number; readonly share: number }): boolean =>
  growth <= Math.max(noise.amount, noise.share * mean);

const meanOf = (samples: readonly Sample[]): number =>
  samples.reduce((sum, { value }) => sum + value, 0) / samples.length;

/** Per ms. */
function slopeOf(samples: readonly Sample[]): number {
  const atMs = samples.reduce((sum, sample) => sum + sample.atMs, 0) / samples.length;
  const value = meanOf(samples);
  let covariance = 0;
  let variance = 0;
  for (const sample of samples) {
    covariance += (sample.atMs - atMs) * (sample.value - value);
    variance += (sample.atMs - atMs) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}

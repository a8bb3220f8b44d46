import { expect, test } from '@jest/globals';
import { Health } from './health.js';

test('whoever asks while an answer is being made gets that one', async () => {
  const health = new Health();
  let looks = 0;
  let answer: () => void = () => undefined;
  health.add('slow', () => {
    looks += 1;
    return new Promise<string>((resolve) => (answer = () => resolve('well')));
  });
  const asked = Array.from({ length: 1_000 }, () => health.report());
  await Promise.resolve();
  answer();
  const reports = await Promise.all(asked);
  expect(looks).toBe(1);
  expect(new Set(reports).size).toBe(1);
  const later = health.report();
  await Promise.resolve();
  answer();
  expect(await later).toMatchObject({ ready: true });
  expect(looks).toBe(2);
});

import { expect, test } from '@jest/globals';
import { FrameRefusedError, readClientFrame } from './client-frames.js';

const refusalOf = (frame: string): unknown => {
  try {
    return readClientFrame(Buffer.from(frame));
  } catch (error) {
    return error;
  }
};

test.each([
  ['"7"', '7'],
  ['7', 7],
  [`"${'x'.repeat(65)}"`, undefined],
  ['1e400', undefined],
  ['{}', undefined],
])('a refused frame with the id %s is answered with the id %s', (id, given) => {
  const refused = refusalOf(`{"op":"join","id":${id},"key":""}`);
  expect(refused).toBeInstanceOf(FrameRefusedError);
  expect(refused).toHaveProperty('id', given);
});

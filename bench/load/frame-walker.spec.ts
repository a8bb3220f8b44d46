import { describe, expect, test } from '@jest/globals';
import { FrameWalker } from './frame-walker.js';
import { MarkReader, markedContent } from './marked-frames.js';

const frame = (text: string, opcode = 1): Buffer => {
  const payload = Buffer.from(text);
  const { length } = payload;
  const head =
    length < 126
      ? [length]
      : length < 65_536
        ? [126, length >> 8, length & 255]
        : [127, 0, 0, 0, 0, 0, length >> 16, (length >> 8) & 255, length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), payload]);
};

const walked = (chunks: readonly Buffer[]): string[] => {
  const found: string[] = [];
  const walker = new FrameWalker((chunk, from, to, opcode) =>
    found.push(`${opcode}:${chunk.toString('utf8', from, to)}`),
  );
  for (const chunk of chunks) walker.walk(chunk);
  return found;
};

describe('the frame walker', () => {
  const texts = ['', 'a', 'x'.repeat(125), 'y'.repeat(126), 'z'.repeat(70_000)];

  test('finds every frame of one chunk', () => {
    expect(walked([Buffer.concat(texts.map((text) => frame(text)))])).toEqual(texts.map((text) => `1:${text}`));
  });

  test('finds them wherever the stream is cut', () => {
    const bytes = Buffer.concat([frame('one'), frame('', 9), frame('two'.repeat(60))]);
    const whole = walked([bytes]);
    expect(whole).toHaveLength(3);
    for (let at = 0; at <= bytes.length; at += 1)
      expect(walked([bytes.subarray(0, at), bytes.subarray(at)])).toEqual(whole);
    expect(walked([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole);
  });

  test('refuses what it does not know', () => {
    expect(() => walked([Buffer.from([0x81, 0x80, 0, 0, 0, 0])])).toThrow('masked');
    expect(() => walked([Buffer.from([0xc1, 0x01, 0x00])])).toThrow('compressed');
    expect(() => walked([Buffer.from([0x01, 0x01, 0x00])])).toThrow('fragmented');
  });
});

describe('marks', () => {
  test('are read at whatever place a frame has them', () => {
    const marks = new MarkReader();
    const read = (text: string): number => marks.read(Buffer.from(text), 0, text.length);
    expect(read(`{"content":"${markedContent(12_345_678, 40)}"}`)).toBe(12_345_678);
    expect(read(`{"content":"${markedContent(7, 40)}"}`)).toBe(7);
    expect(read(`{"c":"${markedContent(42, 40)}","more":1}`.padEnd(54))).toBe(42);
    expect(read('{"op":"cursor"}')).toBe(-1);
    expect(markedContent(1, 40)).toHaveLength(40);
  });
});

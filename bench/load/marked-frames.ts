/**
 * Messages that carry their number, and the reading of it out of a frame in a few nanoseconds: `#` and eight digits somewhere in
 * the frame, for frames of one length mostly at one place.
 */
const MARK = 0x23;
const DIGITS = 8;
const ZERO = 0x30;
const FRAME_BYTES_MAX = 65_536;

/** @param bytes of the whole content */
export const markedContent = (index: number, bytes: number): string =>
  `#${String(index).padStart(DIGITS, '0')}`.padEnd(bytes, 'x');

export class MarkReader {
  /** By length of the frame, 0 for not known yet: no frame begins with its mark. */
  private readonly places = new Uint16Array(FRAME_BYTES_MAX);

  /** The message's number; -1 for a frame that carries none. */
  read(chunk: Buffer, from: number, to: number): number {
    const length = to - from;
    let at = from + (this.places[length] ?? 0);
    if (chunk[at] !== MARK) {
      at = chunk.subarray(from, to).indexOf(MARK) + from;
      if (at < from) return -1;
      this.places[length] = at - from;
    }
    let number = 0;
    for (let i = at + 1; i <= at + DIGITS; i += 1) number = number * 10 + ((chunk[i] ?? 0) - ZERO);
    return number;
  }
}

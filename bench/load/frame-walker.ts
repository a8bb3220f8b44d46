/**
 * Walks over the frames of a server's byte stream by their headers (RFC 6455, section 5.2), with next to no work a frame: a
 * load has to cost less than what it measures. Server frames are not masked; compression and fragments are refused.
 */

/** Takes the payload's place in the chunk, which is valid during the call only. */
export type OnFrame = (chunk: Buffer, from: number, to: number, opcode: number) => void;

const FINAL = 0x80;
const LONG = 126;
const VERY_LONG = 127;

export class FrameWalker {
  private rest: Buffer | undefined;

  constructor(private readonly onFrame: OnFrame) {}

  /** @throws Error for a frame that this walker does not know */
  walk(bytes: Buffer): void {
    const chunk = this.rest === undefined ? bytes : Buffer.concat([this.rest, bytes]);
    const end = chunk.length;
    let at = 0;
    for (;;) {
      if (end - at < 2) break;
      const head = chunk[at] ?? 0;
      let length = chunk[at + 1] ?? 0;
      let from = at + 2;
      if (length === LONG) {
        if (end - at < 4) break;
        length = chunk.readUInt16BE(from);
        from = at + 4;
      } else if (length === VERY_LONG) {
        if (end - at < 10) break;
        length = Number(chunk.readBigUInt64BE(from));
        from = at + 10;
      } else if (length > VERY_LONG) throw new Error('a masked frame from a server');
      if ((head & 0xf0) !== FINAL) throw new Error(`a frame that is fragmented or compressed (0x${head.toString(16)})`);
      const to = from + length;
      if (to > end) break;
      this.onFrame(chunk, from, to, head & 0x0f);
      at = to;
    }
    // What is left belongs to a buffer that will be written over.
    this.rest = at === end ? undefined : Buffer.from(chunk.subarray(at));
  }
}

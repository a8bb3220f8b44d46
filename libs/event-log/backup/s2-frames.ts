/**
 * Whether a stream of s2 (Snappy's framing: one byte of type, three of length, then as many bytes) ends where a frame does. The last
 * chunk of a snapshot is the only one without a number; if it were lost on the way, a frame would be cut.
 */
const HEADER_BYTES = 4;

export class S2Frames {
  #header: number[] = [];
  #left = 0;
  #frames = 0;

  take(bytes: Uint8Array): void {
    for (let place = 0; place < bytes.length;) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, bytes.length - place);
        this.#left -= passed;
        place += passed;
        continue;
      }
      this.#header.push(bytes[place++] ?? 0);
      if (this.#header.length < HEADER_BYTES) continue;
      const [, low = 0, middle = 0, high = 0] = this.#header;
      this.#left = low + (middle << 8) + (high << 16);
      this.#header = [];
      this.#frames++;
    }
  }

  /** There is something, and none of it is cut. */
  get whole(): boolean {
    return this.#frames > 0 && this.#left === 0 && this.#header.length === 0;
  }
}

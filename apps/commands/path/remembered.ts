/**
 * A bounded memory: at most about `entriesMax`, the least recently used go first. Two generations instead of a linked list:
 * what is used is in the young one; when that is full it becomes the old one, and the old one is forgotten.
 */
export class Remembered<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();
  private youngBytes = 0;

  /** @param bytes where entries differ much in size: how many all of them may have, and what one has */
  constructor(
    private readonly entriesMax: number,
    private readonly bytes: { readonly max: number; readonly of: (value: V) => number } = {
      max: Infinity,
      of: () => 0,
    },
  ) {}

  get(key: string): V | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: V): void {
    this.dropYoung(key);
    const bytes = this.bytes.of(value);
    if (this.young.size >= this.entriesMax / 2 || this.youngBytes + bytes > this.bytes.max / 2) {
      this.old = this.young;
      this.young = new Map();
      this.youngBytes = 0;
    }
    this.young.set(key, value);
    this.youngBytes += bytes;
  }

  delete(key: string): void {
    this.dropYoung(key);
    this.old.delete(key);
  }

  private dropYoung(key: string): void {
    const value = this.young.get(key);
    if (value === undefined) return;
    this.youngBytes -= this.bytes.of(value);
    this.young.delete(key);
  }
}

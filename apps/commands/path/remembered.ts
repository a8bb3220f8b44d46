/**
 * A bounded memory: at most about `entriesMax`, the least recently used go first. Two generations instead of a linked list:
 * what is used is in the young one; when that is full it becomes the old one, and the old one is forgotten.
 */
export class Remembered<V> {
  private young = new Map<string, V>();
  private old = new Map<string, V>();

  constructor(private readonly entriesMax: number) {}

  get(key: string): V | undefined {
    const value = this.young.get(key);
    if (value !== undefined) return value;
    const older = this.old.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: string, value: V): void {
    if (this.young.size >= this.entriesMax / 2 && !this.young.has(key)) {
      this.old = this.young;
      this.young = new Map();
    }
    this.young.set(key, value);
  }

  delete(key: string): void {
    this.young.delete(key);
    this.old.delete(key);
  }
}

/** The books of a load: every delivery is counted, and has to be the next one of its socket. */

/** More than any loop has outstanding. */
const RING = 1_024;

export class Room {
  size = 0;
  sent = 0;
  completed = 0;
  /** By message number modulo RING. */
  private readonly received = new Uint32Array(RING);
  private readonly sentAtMs = new Float64Array(RING);

  constructor(
    readonly id: string,
    private readonly books: Books,
  ) {}

  /** @returns the number that the next message carries */
  send(nowMs: number): number {
    const index = this.sent++;
    this.received[index % RING] = 0;
    this.sentAtMs[index % RING] = nowMs;
    return index;
  }

  /** A socket comes in. @returns what takes the numbers that it receives */
  enter(): (index: number) => void {
    let next = this.sent;
    this.size += 1;
    return (index) => {
      if (index !== next) this.books.onFault(`${this.id}: message ${index} came where ${next} was due`);
      next = index + 1;
      const count = (this.received[index % RING] ?? 0) + 1;
      this.received[index % RING] = count;
      if (count < this.size) return;
      this.completed += 1;
      this.books.onComplete(this, this.sentAtMs[index % RING] ?? 0);
    };
  }

  get isWaiting(): boolean {
    return this.completed < this.sent;
  }

  /** What the first message lacks that has not reached every socket. */
  get missing(): string {
    const count = this.received[this.completed % RING];
    return `${this.id} has ${count} of ${this.size} deliveries of message ${this.completed}`;
  }
}

export interface Books {
  /** A message has reached the last socket of its room. */
  onComplete(room: Room, sentAtMs: number): void;
  /** A loss, a repeat, or a wrong order. */
  onFault(what: string): void;
}

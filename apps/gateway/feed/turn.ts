/**
 * A turn of the event loop: what rooms received in it is flushed at its end, and after that whatever else ends with it. Nothing waits
 * for a timer.
 *
 * States: *none*, *begun* (its end is due), *ending* (rooms are being flushed; what comes now still belongs to it).
 */
interface Flushing {
  /** @param isLast nothing comes from other rooms in this turn */
  flush(isLast: boolean): void;
}

export class Turn {
  private rooms: Flushing[] = [];
  private state: 'none' | 'begun' | 'ending' = 'none';
  private readonly works: (() => void)[] = [];

  /** Has it called at the end of each turn that was begun, when all rooms have been flushed. */
  atEnd(work: () => void): void {
    this.works.push(work);
  }

  begin(): void {
    if (this.state !== 'none') return;
    this.state = 'begun';
    setImmediate(() => this.end());
  }

  dirty(room: Flushing): void {
    this.rooms.push(room);
    this.begin();
  }

  flush(): void {
    const rooms = this.rooms;
    this.rooms = [];
    const last = rooms.length - 1;
    for (const [i, room] of rooms.entries()) room.flush(i === last);
  }

  private end(): void {
    this.state = 'ending';
    while (this.rooms.length > 0) this.flush();
    // What these begin belongs to the next one.
    this.state = 'none';
    for (const work of this.works) work();
  }
}

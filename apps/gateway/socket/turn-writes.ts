/**
 * One write a socket and turn of the event loop. A socket in many rooms receives from each of them in a turn, and a sender its
 * acknowledgement beside that: each write is a call into the system, which costs more than all the rest of a delivery. So what is
 * written waits until the feed has flushed its rooms, in the same turn (`Turn`): no timer, and nothing waits at rest.
 */
import type { Turn } from '../feed/turn.js';

export interface Writing {
  /** Writes what has been put aside. */
  writeAside(): void;
}

export class TurnWrites {
  private writing: Writing[] = [];

  constructor(private readonly turn: Turn) {
    turn.atEnd(() => this.end());
  }

  add(connection: Writing): void {
    this.writing.push(connection);
    this.turn.begin();
  }

  private end(): void {
    const now = this.writing;
    this.writing = [];
    for (const connection of now) connection.writeAside();
  }
}

/**
 * What every log must do, whichever it is: the memory twin in both orders of the broker, JetStream on one server, and
 * on three. Each test has a room of its own, so they can share one log.
 */
import { describe } from '@jest/globals';
import { appendsContract } from './contract-appends.js';
import { deliveryContract } from './contract-delivery.js';
import { readsContract } from './contract-reads.js';
import type { EventLog } from './log.js';
import type { CheckOrder } from './memory-broker.js';

export interface LogUnderTest {
  readonly log: EventLog;
  /** The same log over another connection (of the memory twin: the same one). */
  readonly second: EventLog;
  readonly order: CheckOrder;
  /** Secure delete, as the eraser does it. */
  erase(partition: number, seq: number): Promise<void>;
}

/** `current` is called inside tests only, so the log may be opened in a `beforeAll`. */
export function logContract(name: string, current: () => LogUnderTest): void {
  describe(`the log's contract: ${name}`, () => {
    appendsContract(current);
    readsContract(current);
    deliveryContract(current);
  });
}

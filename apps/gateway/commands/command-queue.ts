/** Commands of one user go on one after the other, so that what a client sends in order is stored in order, and no two sends of one sender meet at the broker. */
import { DomainError } from '#contract';

/** Of one user; a client that sends more before it has answers is told to slow down. */
export const COMMANDS_OF_USER_MAX = 64;
const RETRY_MS = 500;

interface Line {
  last: Promise<void>;
  length: number;
}

export class CommandQueue {
  private readonly lines = new Map<string, Line>();

  /** @throws DomainError `rate_limited` when too many wait */
  async run<T>(userId: string, command: () => Promise<T>): Promise<T> {
    const line = this.lines.get(userId) ?? { last: Promise.resolve(), length: 0 };
    if (line.length >= COMMANDS_OF_USER_MAX)
      throw new DomainError('rate_limited', 'too many commands are waiting', { retryMs: RETRY_MS });
    this.lines.set(userId, line);
    line.length += 1;
    const result = line.last.then(command);
    line.last = result.then(ended, ended);
    try {
      return await result;
    } finally {
      line.length -= 1;
      if (line.length === 0) this.lines.delete(userId);
    }
  }
}

/** The next one begins however this one ended; its caller hears how. */
const ended = (): void => undefined;

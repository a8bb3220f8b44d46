/**
 * Passwords: each hash takes 19 MiB and about 25 ms here.
 * Few are computed at once and few wait, so that a rush of sign-ins can take neither the memory nor the thread pool.
 */
import { Injectable } from '@nestjs/common';
import { DomainError } from '#contract';
import { hashPassword, verifyPassword } from '#service';

/** libuv has four threads, and files and names are looked up on them too. */
const AT_ONCE = 2;
/** Whoever comes when so many wait is asked to come again: they would wait for seconds. */
const WAITING_MAX = 128;

@Injectable()
export class Passwords {
  private running = 0;
  private readonly waiting: (() => void)[] = [];
  /** What an unknown user's password is compared with, so that the answer takes as long as for a known one. */
  private readonly nobody = hashPassword('nobody has this password');

  /** @throws DomainError `unavailable` when too many wait */
  hash(password: string): Promise<string> {
    return this.inTurn(() => hashPassword(password));
  }

  /**
   * Whether the password is the one of the hash; never without a hash.
   * @param mayTry called when its turn has come: throws to refuse the attempt
   * @throws DomainError `unavailable` when too many wait
   */
  verify(stored: string | null | undefined, password: string, mayTry: () => void): Promise<boolean> {
    return this.inTurn(async () => {
      mayTry();
      const matches = await verifyPassword(stored ?? (await this.nobody), password);
      return matches && typeof stored === 'string';
    });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.running >= AT_ONCE) await this.turn();
    else this.running += 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.running -= 1;
    }
  }

  private turn(): Promise<void> {
    if (this.waiting.length >= WAITING_MAX) throw new DomainError('unavailable');
    return new Promise((resolve) => this.waiting.push(resolve));
  }
}

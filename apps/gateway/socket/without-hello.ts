/**
 * Sockets that have not said who they are. Anybody can open one, so there are so many and no more: of one address, and on this
 * gateway. A crowd that comes back at once is let in, because each waits only for the moment until its hello.
 */
import { DomainError, LIMITS } from '#contract';

export class SocketsWithoutHello {
  private readonly byAddress = new Map<string, number>();
  private total = 0;

  constructor(private readonly isOn: boolean) {}

  /** @throws DomainError `rate_limited` */
  check(address: string): void {
    if (!this.isOn) return;
    const own = this.byAddress.get(address) ?? 0;
    if (this.total >= LIMITS.socketsWithoutHello || own >= LIMITS.socketsWithoutHelloPerAddress)
      throw new DomainError('rate_limited', 'too many connections wait for their hello');
  }

  /** @returns to be called once it has said hello, or is gone; a second call does nothing */
  enter(address: string): () => void {
    this.count(address, 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.count(address, -1);
    };
  }

  private count(address: string, change: 1 | -1): void {
    const own = (this.byAddress.get(address) ?? 0) + change;
    this.total += change;
    if (own === 0) this.byAddress.delete(address);
    else this.byAddress.set(address, own);
  }
}

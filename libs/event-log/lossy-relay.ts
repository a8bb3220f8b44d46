/** For tests: a TCP relay between a client and nats-server on which answers, or requests, can be lost. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export class LossyRelay {
  readonly #open = new Set<Socket>();
  #losing: 'answers' | 'requests' | undefined;
  #lostBytes = 0;

  private constructor(
    private readonly target: number,
    private readonly server = createServer((near) => this.#join(near)),
  ) {}

  static async start(target: number): Promise<LossyRelay> {
    const relay = new LossyRelay(target);
    await new Promise<void>((resolve) => relay.server.listen(0, '127.0.0.1', resolve));
    return relay;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on what comes from the server, or goes to it, is swallowed. */
  lose(what: 'answers' | 'requests'): void {
    this.#losing = what;
    this.#lostBytes = 0;
  }

  get lostBytes(): number {
    return this.#lostBytes;
  }

  /** Ends the connections; the next ones lose nothing. */
  cut(): void {
    this.#losing = undefined;
    for (const socket of this.#open) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.server.close(resolve));
    this.cut();
    await closed;
  }

  #join(near: Socket): void {
    const far = connect(this.target, '127.0.0.1');
    this.#pass(far, near, 'answers');
    this.#pass(near, far, 'requests');
  }

  #pass(from: Socket, to: Socket, what: 'answers' | 'requests'): void {
    this.#open.add(from);
    from.on('data', (chunk) => {
      if (this.#losing === what) this.#lostBytes += chunk.length;
      else to.write(chunk);
    });
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#open.delete(from);
      to.destroy();
    });
  }
}

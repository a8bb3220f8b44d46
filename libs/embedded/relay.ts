import { randomInt } from 'node:crypto';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** `there` is from whoever connected to the relay to its target, `back` the other way. */
export type Direction = 'there' | 'back';

export interface Delay {
  readonly ms: number;
  /** Up to so much more, drawn anew for every piece; the order stays. */
  readonly jitterMs: number;
}

/**
 * A TCP relay to one port of this machine that fails as a network does.
 *
 * - *cut*: open connections are reset, new ones refused.
 * - *dropping*: a black hole. Connections stay, and new ones are taken, but nothing comes through, ends included: each side only sees
 *   that the other is silent. What was held flows on when it heals, as TCP would send it again.
 * - *delayed*: everything takes longer.
 */
export interface Relay {
  readonly port: number;
  cut(): void;
  /** Both ways, or one: then the other side is still heard, and hears nothing. */
  drop(direction?: Direction): void;
  delay(delay: Delay): void;
  /** Ends all of them. */
  heal(): void;
  stop(): Promise<void>;
}

/** @param target a port, or how to find it out at each connection, for relays that stand before their target does */
export async function startRelay(target: number | (() => number)): Promise<Relay> {
  const line = new Line(typeof target === 'number' ? () => target : target);
  const server = createServer({ allowHalfOpen: true }, (near) => line.accept(near));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    cut: () => line.cut(),
    drop: (direction) => line.drop(direction),
    delay: (delay) => line.delay(delay),
    heal: () => line.heal(),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        line.cut();
      }),
  };
}

/** All connections of one relay, and what is wrong with it now. */
class Line {
  private readonly open = new Set<Socket>();
  private readonly passages = new Set<Passage>();
  /** Taken while what they say could not have arrived: the target hears of them later. */
  private readonly unheard = new Set<Socket>();
  private isCut = false;
  private readonly dropped = new Set<Direction>();
  private delayed: Delay | undefined;

  constructor(private readonly target: () => number) {}

  accept(near: Socket): void {
    this.keep(near);
    if (this.isCut) return void near.destroy();
    if (!this.dropped.has('there')) return this.join(near);
    this.unheard.add(near);
    near.on('close', () => this.unheard.delete(near));
  }

  cut(): void {
    this.isCut = true;
    this.open.forEach((socket) => void socket.destroy());
  }

  drop(direction?: Direction): void {
    for (const each of direction ? [direction] : (['there', 'back'] as const)) this.dropped.add(each);
  }

  delay(delay: Delay): void {
    this.delayed = delay;
  }

  heal(): void {
    this.isCut = false;
    this.dropped.clear();
    this.delayed = undefined;
    const late = [...this.unheard];
    this.unheard.clear();
    late.forEach((near) => this.join(near));
    this.passages.forEach((passage) => passage.flow());
  }

  dueMs(): number {
    if (!this.delayed) return 0;
    const { ms, jitterMs } = this.delayed;
    return performance.now() + ms + (jitterMs > 0 ? randomInt(Math.ceil(jitterMs) + 1) : 0);
  }

  holds(direction: Direction): boolean {
    return this.dropped.has(direction);
  }

  private join(near: Socket): void {
    const far = connect({ port: this.target(), host: '127.0.0.1', allowHalfOpen: true });
    this.keep(far);
    for (const [from, to, direction] of [
      [near, far, 'there'],
      [far, near, 'back'],
    ] as const) {
      const passage = new Passage(this, from, to, direction);
      this.passages.add(passage);
      to.on('close', () => this.passages.delete(passage));
    }
  }

  private keep(socket: Socket): void {
    this.open.add(socket);
    socket.setNoDelay(true);
    // An error is followed by the close, which is what counts.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.open.delete(socket));
  }
}

type Piece = { readonly dueMs: number; readonly what: Buffer | 'end' | 'close' };

const HELD_BYTES_MAX = 4 * 1024 * 1024;

/** One way of one connection. Its end, and its close, travel like the bytes before them. */
class Passage {
  private readonly pieces: Piece[] = [];
  private heldBytes = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly line: Line,
    private readonly from: Socket,
    private readonly to: Socket,
    private readonly direction: Direction,
  ) {
    from.on('data', (bytes: Buffer) => {
      this.heldBytes += bytes.length;
      if (this.heldBytes > HELD_BYTES_MAX) from.pause();
      this.push(bytes);
    });
    from.on('end', () => this.push('end'));
    from.on('close', () => this.push('close'));
    to.on('drain', () => this.flow());
    to.on('close', () => clearTimeout(this.timer));
  }

  /** Hands on what is due, while the way is open and the other side takes it. */
  flow(): void {
    clearTimeout(this.timer);
    for (let piece = this.pieces[0]; piece && !this.line.holds(this.direction); piece = this.pieces[0]) {
      const restMs = piece.dueMs - performance.now();
      if (restMs > 0) {
        this.timer = setTimeout(() => this.flow(), restMs);
        return;
      }
      if (piece.what !== 'close' && this.to.writableNeedDrain) return;
      this.pieces.shift();
      this.hand(piece.what);
    }
  }

  private push(what: Piece['what']): void {
    this.pieces.push({ dueMs: Math.max(this.line.dueMs(), this.pieces.at(-1)?.dueMs ?? 0), what });
    this.flow();
  }

  private hand(what: Piece['what']): void {
    if (what === 'close') return void this.to.destroy();
    if (what === 'end') return void this.to.end();
    this.to.write(what);
    this.heldBytes -= what.length;
    if (this.heldBytes <= HELD_BYTES_MAX) this.from.resume();
  }
}

/** A WebSocket client with nothing in it: an upgrade as text, masked text frames out, walked frames in. */
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { FrameWalker, type OnFrame } from './frame-walker.js';

export interface Door {
  readonly host: string;
  readonly port: number;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** The address that this end has, where one address has too few ports. */
  readonly localAddress?: string;
}

const HEAD_END = '\r\n\r\n';
const TEXT = 0x1;
const PING = 0x9;
const PONG = 0xa;
const FINAL = 0x80;
const MASKED = 0x80;
const SHORT_MAX = 125;

/** All sockets of a process read into it, one after the other: a load makes no garbage. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1024);

export class RawSocket {
  /** When it ends without having been asked to. */
  onEnd: (why: string) => void = () => undefined;
  /** Of all sockets of this process, since it began: how often the kernel had something, and how much. */
  static reads = 0;
  static bytes = 0;
  private upgraded = false;
  private head = '';
  private asked = false;
  private readonly walker = new FrameWalker((chunk, from, to, opcode) => {
    if (opcode === PING) return this.frame(PONG, chunk.toString('latin1', from, to));
    if (opcode !== PONG) this.onFrame(chunk, from, to, opcode);
  });
  private readonly socket: Socket;

  private constructor(
    door: Door,
    /** Frames that come with the answer to the upgrade are taken too, so there is a reader from the first moment. */
    public onFrame: OnFrame,
    opened: (error?: Error) => void,
  ) {
    const onread = {
      buffer: readBuffer,
      callback: (count: number): boolean => {
        this.take(readBuffer.subarray(0, count), opened);
        return true;
      },
    };
    const { host, port, localAddress } = door;
    this.socket = connect({ host, port, noDelay: true, onread, ...(localAddress && { localAddress }) }, () =>
      this.socket.write(upgradeRequest(door)),
    );
    const end = (why: string): void => {
      if (!this.upgraded) opened(new Error(`${host}:${port}${door.path}: ${why}`));
      else if (!this.asked) this.onEnd(why);
    };
    this.socket.on('error', (error) => end(String(error)));
    this.socket.on('close', () => end('the server has closed the connection'));
  }

  /** Resolves after the upgrade. */
  static open(door: Door, onFrame: OnFrame): Promise<RawSocket> {
    return new Promise((resolve, reject) => {
      const socket = new RawSocket(door, onFrame, (error) => (error === undefined ? resolve(socket) : reject(error)));
    });
  }

  send(text: string): void {
    this.frame(TEXT, text);
  }

  /** Nothing is read any more: what comes fills the kernel's buffers, then the server's. */
  pause(): void {
    this.socket.pause();
  }

  readOn(): void {
    this.socket.resume();
  }

  /** Cut, not closed in order. */
  destroy(): void {
    this.asked = true;
    this.socket.destroy();
  }

  private take(bytes: Buffer, opened: (error?: Error) => void): void {
    RawSocket.reads += 1;
    RawSocket.bytes += bytes.length;
    if (this.upgraded) return this.walker.walk(bytes);
    this.head += bytes.toString('latin1');
    const end = this.head.indexOf(HEAD_END);
    if (end < 0) return;
    if (!this.head.startsWith('HTTP/1.1 101')) return opened(new Error(`refused: ${this.head.slice(0, 300)}`));
    this.upgraded = true;
    const early = Buffer.from(this.head.slice(end + HEAD_END.length), 'latin1');
    this.head = '';
    opened();
    if (early.length > 0) this.walker.walk(early);
  }

  private frame(opcode: number, text: string): void {
    const payload = Buffer.from(text);
    const mask = randomBytes(4);
    for (let i = 0; i < payload.length; i += 1) payload[i] = (payload[i] ?? 0) ^ (mask[i % 4] ?? 0);
    const long = payload.length > SHORT_MAX;
    const head = Buffer.from([FINAL | opcode, MASKED | (long ? 126 : payload.length), ...(long ? [0, 0] : [])]);
    if (long) head.writeUInt16BE(payload.length, 2);
    this.socket.write(Buffer.concat([head, mask, payload]));
  }
}

function upgradeRequest({ host, port, path, headers }: Door): string {
  const all = {
    Host: `${host}:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}

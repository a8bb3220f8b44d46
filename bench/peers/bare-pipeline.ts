/**
 * The floor of a send, without a framework and without a membership: `node:http` takes a POST, a publisher of a few lines appends to one
 * JetStream stream with a message id, the broker republishes, and `ws` writes it to whoever listens. As one process, or as two:
 * the same program twice, of which one is asked to `serve` HTTP and the other to `listen`.
 */
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { jetstreamManager, StorageType } from '@nats-io/jetstream';
import { connect, createInbox, headers, type NatsConnection } from '@nats-io/transport-node';
import * as ws from 'ws';
import { natsOptions } from '#embedded';
import { serve } from '../program.js';

const STREAM = 'FLOOR';
const HEADER = 'Nats-Msg-Id';

let nats: NatsConnection;

/** One inbox, one map, no timer. */
function publisher(): (subject: string, payload: Uint8Array) => Promise<void> {
  const inbox = createInbox();
  const waiting = new Map<string, { resolve: () => void; reject: (error: Error) => void }>();
  let sent = 0;
  nats.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      const token = message.subject.slice(inbox.length + 1);
      const own = waiting.get(token);
      waiting.delete(token);
      const answer = JSON.parse(Buffer.from(message.data).toString()) as { error?: { description: string } };
      if (error || answer.error) own?.reject(error ?? new Error(answer.error?.description));
      else own?.resolve();
    },
  });
  return (subject, payload) =>
    new Promise((resolve, reject) => {
      const token = String((sent += 1));
      waiting.set(token, { resolve, reject });
      const head = headers();
      head.set(HEADER, randomUUID());
      nats.publish(subject, payload, { reply: `${inbox}.${token}`, headers: head });
    });
}

const listening = new Set<ws.WebSocket>();

function pushLive(): void {
  nats.subscribe('flive.>', {
    callback: (_, message) => listening.forEach((socket) => socket.send(Buffer.from(message.data), { binary: false })),
  });
}

function takePosts(): (request: IncomingMessage, response: ServerResponse) => void {
  const publish = publisher();
  return (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { room, content } = JSON.parse(Buffer.concat(chunks).toString()) as { room?: unknown; content?: unknown };
      if (typeof room !== 'string' || typeof content !== 'string') return void response.writeHead(400).end();
      const stored = JSON.stringify({ id: randomUUID(), sender: 'somebody', at: Date.now(), room, content });
      publish(`floor.${room}`, Buffer.from(stored)).then(
        () => response.writeHead(202, { 'Content-Type': 'application/json', 'Content-Length': 11 }).end('{"ok":true}'),
        () => response.writeHead(503, { 'Content-Length': 0 }).end(),
      );
    });
  };
}

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

interface Part {
  readonly natsUrls: readonly string[];
  readonly posts: boolean;
  readonly sockets: boolean;
}

serve({
  /** @returns the port for both */
  serve: async ({ natsUrls, posts, sockets }: Part): Promise<number> => {
    nats = await connect({ ...natsOptions(natsUrls), name: 'floor' });
    const { streams } = await jetstreamManager(nats);
    const republish = { src: 'floor.>', dest: 'flive.>' };
    const storage = StorageType.File;
    if (posts) await streams.add({ name: STREAM, subjects: ['floor.>'], storage, republish });
    const server = posts ? createServer(takePosts()) : createServer();
    if (sockets) {
      pushLive();
      const upgrades = new ws.WebSocketServer({ server, perMessageDeflate: false });
      upgrades.on('connection', (socket: ws.WebSocket) => {
        listening.add(socket);
        socket.on('close', () => listening.delete(socket));
      });
    }
    await nats.flush();
    return portOf(server);
  },
});

import { Agent, createServer, request, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

/**
 * One port in front of separate services, with the two rules that compose has too: `/ws` and `/api/events` go to the gateways,
 * the rest to the apis. Upstreams take turns; one that refuses the connection is skipped. Nothing is buffered.
 */
export interface Proxy {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

export interface ProxyOptions {
  /** A free one by default. */
  port?: number;
  /** Base URLs (`http://127.0.0.1:4001`), asked for at each request, so that they may change. */
  gateways: () => string[];
  apis: () => string[];
}

const TO_GATEWAYS = /^\/(ws|api\/events)(?=[/?]|$)/;
const NO_UPSTREAM = JSON.stringify({ status: 503, code: 'unavailable', detail: 'no upstream takes connections' });

export async function startProxy(options: ProxyOptions): Promise<Proxy> {
  const agent = new Agent({ keepAlive: true });
  const tunnels = new Set<Socket>();
  const inTurn = takeTurns(options);
  const server = createServer((asked, answer) => forward(asked, answer, inTurn(asked.url ?? '/'), agent));
  server.on('upgrade', (asked: IncomingMessage, socket: Socket, head: Buffer) => {
    tunnels.add(socket);
    socket.on('close', () => tunnels.delete(socket));
    tunnel(asked, socket, head, inTurn(asked.url ?? '/'));
  });
  // Streams are silent for as long as nothing happens, and uploads take as long as they take.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port ?? 0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        tunnels.forEach((socket) => socket.destroy());
        agent.destroy();
      }),
  };
}

const OF_ONE_CONNECTION = ['connection', 'keep-alive'];

/** Every upstream once, beginning with the one after the last time's first. */
function takeTurns({ gateways, apis }: ProxyOptions): (path: string) => URL[] {
  const turns = { gateways: 0, apis: 0 };
  return (path) => {
    const side = TO_GATEWAYS.test(path) ? 'gateways' : 'apis';
    const all = side === 'gateways' ? gateways() : apis();
    const first = (turns[side] += 1) % Math.max(1, all.length);
    return [...all.slice(first), ...all.slice(0, first)].map((url) => new URL(url));
  };
}

function forward(asked: IncomingMessage, answer: ServerResponse, upstreams: URL[], agent: Agent): void {
  const [upstream, ...others] = upstreams;
  if (!upstream) return refuse(answer);
  const { hostname, port } = upstream;
  const headers = { ...asked.headers, 'x-forwarded-for': forwardedFor(asked) };
  const passed = request({ hostname, port, agent, method: asked.method ?? 'GET', path: asked.url ?? '/', headers });
  const hasNoBody = !asked.headers['content-length'] && !asked.headers['transfer-encoding'];
  passed.on('socket', (socket) => {
    // The body is kept back until the connection stands, so that another upstream can still have it.
    if (socket.connecting) socket.once('connect', () => asked.pipe(passed));
    else asked.pipe(passed);
  });
  passed.on('response', (given) => {
    // How long a connection is kept is said of each by its own server: a client that believed the upstream's would meet a closed one.
    const headers = { ...given.headers };
    for (const name of OF_ONE_CONNECTION) delete headers[name];
    answer.writeHead(given.statusCode ?? 502, given.statusMessage, headers);
    answer.flushHeaders();
    given.on('error', () => answer.destroy());
    given.pipe(answer);
  });
  passed.on('error', (error: NodeJS.ErrnoException) => {
    // A kept connection that its upstream has closed in the meantime is no refusal, but safe to repeat only without a body.
    const wasStale = passed.reusedSocket && hasNoBody && asked.method === 'GET';
    if (answer.headersSent) answer.destroy();
    else if (error.code === 'ECONNREFUSED') forward(asked, answer, others, agent);
    else if (wasStale) forward(asked, answer, [upstream, ...others], agent);
    else answer.writeHead(502).end();
  });
  answer.on('close', () => passed.destroy());
}

function refuse(answer: ServerResponse): void {
  answer.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' }).end(NO_UPSTREAM);
}

/** Once upgraded, bytes are bytes: the head is written again, and the two sockets are joined. */
function tunnel(asked: IncomingMessage, near: Socket, head: Buffer, upstreams: URL[]): void {
  const [upstream, ...others] = upstreams;
  if (!upstream) {
    near.end('HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    return;
  }
  const far = connect(Number(upstream.port), upstream.hostname);
  let isOpen = false;
  far.once('connect', () => {
    isOpen = true;
    far.setNoDelay(true);
    near.setNoDelay(true);
    far.write(requestHead(asked));
    if (head.length > 0) far.write(head);
    far.pipe(near).pipe(far);
  });
  far.on('error', (error: NodeJS.ErrnoException) => {
    if (!isOpen && error.code === 'ECONNREFUSED') tunnel(asked, near, head, others);
    else near.destroy();
  });
  far.on('close', () => isOpen && near.destroy());
  near.on('error', () => far.destroy());
  near.on('close', () => far.destroy());
}

function requestHead(asked: IncomingMessage): string {
  const lines = [`${asked.method} ${asked.url} HTTP/${asked.httpVersion}`];
  for (let at = 0; at < asked.rawHeaders.length; at += 2) {
    const name = asked.rawHeaders[at] ?? '';
    if (name.toLowerCase() !== 'x-forwarded-for') lines.push(`${name}: ${asked.rawHeaders[at + 1]}`);
  }
  lines.push(`X-Forwarded-For: ${forwardedFor(asked)}`);
  return `${lines.join('\r\n')}\r\n\r\n`;
}

function forwardedFor(asked: IncomingMessage): string {
  const before = asked.headers['x-forwarded-for'];
  const address = asked.socket.remoteAddress ?? '';
  return before ? `${String(before)}, ${address}` : address;
}

/** A raw gRPC client made of the .proto itself: what came, as it came, and waiting for what is to come with a deadline. */
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  credentials as channelCredentials,
  type ClientDuplexStream,
  Metadata,
  type MethodDefinition,
  type ServiceDefinition,
  type StatusObject,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { CHAT_PROTO } from '#contract';
import { waitUntil } from '#embedded';
import type { Fields } from './http.js';
import { WAIT_MS } from './socket.js';

const loaded = loadSync(CHAT_PROTO.file, {
  keepCase: true,
  longs: Number,
  defaults: true,
  objects: true,
  arrays: true,
});
export const chatService = loaded[CHAT_PROTO.service] as ServiceDefinition;

type Method = MethodDefinition<Fields, Fields>;

export interface GrpcAnswer {
  /** 0 for an answer, else the status. */
  readonly code: number;
  readonly details: string;
  readonly trailers: Readonly<Record<string, unknown>>;
  readonly value: Fields;
  /** Of a list. */
  readonly values: readonly Fields[];
}

export interface GrpcOptions extends CallOptions {
  readonly metadata?: Readonly<Record<string, string>>;
}

export class Grpc {
  private readonly client: Client;

  constructor(
    readonly address: string,
    private readonly token?: string,
    private readonly secure: ChannelCredentials = channelCredentials.createInsecure(),
    channel: ChannelOptions = {},
  ) {
    this.client = new Client(address, secure, { 'grpc.max_receive_message_length': -1, ...channel });
  }

  as(token: string): Grpc {
    return new Grpc(this.address, token, this.secure);
  }

  close(): void {
    this.client.close();
  }

  /** Unary RPCs, and those that answer with a list. */
  call(name: string, request: object, options: GrpcOptions = {}): Promise<GrpcAnswer> {
    const method = methodOf(name);
    if (method.responseStream) return this.list(method, request, options);
    return new Promise((resolve) => {
      const ended: { status?: StatusObject; value?: Fields; error?: StatusObject } = {};
      const settle = (): void => {
        const status = ended.error ?? ended.status;
        if (status !== undefined && (ended.error ?? ended.value) !== undefined) resolve(answer(status, ended.value));
      };
      const call = this.client.makeUnaryRequest(
        method.path,
        method.requestSerialize,
        method.responseDeserialize,
        request as Fields,
        this.metadata(options),
        options,
        (error, value) => {
          if (error !== null) ended.error = error;
          else ended.value = value ?? {};
          settle();
        },
      );
      call.on('status', (status) => {
        ended.status = status;
        settle();
      });
    });
  }

  private list(method: Method, request: object, options: GrpcOptions): Promise<GrpcAnswer> {
    const { path, requestSerialize, responseDeserialize } = method;
    const meta = this.metadata(options);
    const call = this.client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request as Fields,
      meta,
      options,
    );
    const values: Fields[] = [];
    call.on('data', (value: Fields) => values.push(value));
    call.on('error', () => undefined); // its status is what counts
    return new Promise((resolve) => call.on('status', (status) => resolve(answer(status, undefined, values))));
  }

  /** Uploads in pieces; each is written when the network has taken the one before. */
  upload(pieces: readonly object[], options: GrpcOptions = {}): Promise<GrpcAnswer> {
    const { path, requestSerialize, responseDeserialize } = methodOf('ShareFile');
    return new Promise((resolve) => {
      const call = this.client.makeClientStreamRequest<Fields, Fields>(
        path,
        requestSerialize,
        responseDeserialize,
        this.metadata(options),
        options,
        (error, value) => resolve(error === null ? answer({ code: 0, details: '' }, value) : answer(error, undefined)),
      );
      const rest = pieces.values();
      const next = (): void => {
        const { value, done } = rest.next();
        if (done === true) call.end();
        else if (call.writable) call.write(value as Fields, () => setImmediate(next));
      };
      next();
    });
  }

  /** Begins an upload and leaves it open. */
  begin(pieces: readonly object[]): { cancel(): void } {
    const { path, requestSerialize, responseDeserialize } = methodOf('ShareFile');
    const meta = this.metadata({});
    const call = this.client.makeClientStreamRequest<Fields, Fields>(
      path,
      requestSerialize,
      responseDeserialize,
      meta,
      () => undefined,
    );
    for (const piece of pieces) call.write(piece as Fields);
    return call;
  }

  stream(name: 'ChatStream' | 'Chat', metadata: Readonly<Record<string, string>> = {}): GrpcStream {
    return new GrpcStream(this.openStream(name, metadata));
  }

  /** For who reads it in a way of their own. */
  openStream(
    name: 'ChatStream' | 'Chat',
    metadata: Readonly<Record<string, string>> = {},
  ): ClientDuplexStream<Fields, Fields> {
    const { path, requestSerialize, responseDeserialize } = methodOf(name);
    const meta = this.metadata({ metadata });
    return this.client.makeBidiStreamRequest<Fields, Fields>(path, requestSerialize, responseDeserialize, meta);
  }

  private metadata({ metadata = {} }: GrpcOptions): Metadata {
    const made = new Metadata();
    if (this.token !== undefined) made.set('authorization', `Bearer ${this.token}`);
    for (const [name, value] of Object.entries(metadata)) made.set(name, value);
    return made;
  }
}

/** Either stream; every action that came, in order. */
export class GrpcStream {
  readonly came: Fields[] = [];
  status: StatusObject | undefined;

  constructor(readonly call: ClientDuplexStream<Fields, Fields>) {
    call.on('data', (action: Fields) => this.came.push(action));
    call.on('status', (status) => (this.status = status));
    call.on('error', () => undefined); // its status is what counts
  }

  send(action: object): void {
    this.call.write(action as Fields);
  }

  /** The first that fits, of those already there or to come. */
  async action(like: Fields): Promise<Fields> {
    try {
      return await waitUntil(`an action like ${JSON.stringify(like)}`, WAIT_MS, () => this.find(like)[0]);
    } catch (error) {
      const last = this.came.slice(-5).map((each) => JSON.stringify(each));
      const ended = JSON.stringify(this.status);
      throw new Error(`${String(error)}; ended: ${ended}; last actions:\n${last.join('\n')}`, { cause: error });
    }
  }

  find(like: Fields): Fields[] {
    return this.came.filter((each) => Object.entries(like).every(([name, value]) => each[name] === value));
  }

  /** Joins a room, and is answered. */
  async join(user: string, room: string): Promise<Fields> {
    this.send({ user_id: user, room_id: room, action_type: 'join' });
    return this.action({ action_type: 'joined', room_id: room });
  }

  say(user: string, room: string, content: string): void {
    this.send({
      user_id: user,
      room_id: room,
      action_type: 'send',
      message: { user_id: user, room_id: room, content },
    });
  }

  contents(room: string): unknown[] {
    return this.find({ action_type: 'message', room_id: room }).map(({ message }) => (message as Fields)['content']);
  }

  /** Waits until a message has come. */
  async hears(room: string, content: string): Promise<void> {
    await waitUntil(`${content} in ${room}`, WAIT_MS, () => this.contents(room).includes(content));
  }

  ended(withinMs = WAIT_MS): Promise<StatusObject> {
    return waitUntil('the stream to end', withinMs, () => this.status);
  }
}

export function methodOf(name: string): Method {
  const method = chatService[name];
  if (method === undefined) throw new Error(`${CHAT_PROTO.file} has no ${name}`);
  return method as Method;
}

function answer(
  status: Pick<StatusObject, 'code' | 'details'> & { readonly metadata?: Metadata },
  value: Fields | undefined,
  values: readonly Fields[] = [],
): GrpcAnswer {
  const trailers = status.metadata?.getMap() ?? {};
  return { code: status.code, details: status.details, trailers, value: value ?? {}, values };
}

/**
 * The gRPC server of this process: the contract's service, the standard health service and reflection, on one port, with TLS where
 * a certificate is configured. It begins when the feed runs, and ends before it.
 */
import { readFile } from 'node:fs/promises';
import { logVerbosity, Server, ServerCredentials, setLogVerbosity } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { type Config, CONFIG, ConfigError } from '#service';
import { chatPackage, chatService } from './chat-proto.js';
import { FileRpcs } from './file-rpcs.js';
import { HealthRpcs } from './health-rpcs.js';
import { MessageRpcs } from './message-rpcs.js';
import { RoomRpcs } from './room-rpcs.js';
import { StreamRpcs } from './stream-rpcs.js';
import { UserRpcs } from './user-rpcs.js';

/** What one client may have under way on one connection. */
const CALLS_PER_CONNECTION_MAX = 1_000;
/** A piece of a file and what is around it; a client's own limit is the same by default. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** A peer that is gone is noticed within these two together. */
const KEEPALIVE_MS = 25_000;
const KEEPALIVE_ANSWER_MS = 20_000;
/** Clients that ask for signs of life more often than this are sent away. */
const CLIENT_PINGS_MS = 5_000;
/** Calls that are under way may end; then they are ended. */
const DRAIN_MS = 5_000;

@Injectable()
export class GrpcServer implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly log = new Logger('Grpc');
  private server: Server | undefined;

  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly messages: MessageRpcs,
    private readonly rooms: RoomRpcs,
    private readonly users: UserRpcs,
    private readonly files: FileRpcs,
    private readonly streams: StreamRpcs,
    private readonly health: HealthRpcs,
  ) {}

  /** @throws ConfigError when the port is taken or a TLS file cannot be read */
  async onApplicationBootstrap(): Promise<void> {
    // Whatever the library would print comes to us as an error, too.
    setLogVerbosity(logVerbosity.NONE);
    const server = new Server({
      'grpc.max_receive_message_length': MESSAGE_BYTES_MAX,
      'grpc.max_concurrent_streams': CALLS_PER_CONNECTION_MAX,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_ANSWER_MS,
      'grpc.http2.min_ping_interval_without_data_ms': CLIENT_PINGS_MS,
    });
    const { messages, rooms, users, files, streams, health } = this;
    const all = [messages, rooms, users, files, streams, health].map(({ rpcs }) => rpcs);
    server.addService(chatService, Object.assign({}, ...all));
    health.addTo(server);
    new ReflectionService(chatPackage).addToServer(server);
    const port = await this.listen(server);
    this.server = server;
    this.log.log(`gRPC at ${this.config.host}:${port}${this.config.grpcTls === undefined ? '' : ' (TLS)'}`);
  }

  /** Streams have been told to come back by now; calls that are under way may end. */
  async beforeApplicationShutdown(): Promise<void> {
    const { server } = this;
    if (server === undefined) return;
    const cut = setTimeout(() => server.forceShutdown(), DRAIN_MS);
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
    clearTimeout(cut);
  }

  private async listen(server: Server): Promise<number> {
    const { host, grpcPort } = this.config;
    const address = `${host.includes(':') ? `[${host}]` : host}:${grpcPort}`;
    const credentials = await this.credentials();
    return new Promise((resolve, reject) => {
      server.bindAsync(address, credentials, (error, port) => {
        if (error === null) resolve(port);
        else reject(new ConfigError(`GRPC_PORT=${grpcPort}: nothing can listen at ${address} (${error.message})`));
      });
    });
  }

  private async credentials(): Promise<ServerCredentials> {
    const { grpcTls } = this.config;
    if (grpcTls === undefined) return ServerCredentials.createInsecure();
    const read = (variable: string, file: string): Promise<Buffer> =>
      readFile(file).catch((cause: unknown) => {
        throw new ConfigError(`${variable}=${file}: cannot be read (${String(cause)})`, { cause });
      });
    const [cert_chain, private_key] = await Promise.all([
      read('GRPC_TLS_CERT', grpcTls.certFile),
      read('GRPC_TLS_KEY', grpcTls.keyFile),
    ]);
    return ServerCredentials.createSsl(null, [{ cert_chain, private_key }]);
  }
}

/** Shares a file over gRPC and fetches it again, as a client of the contract does. */
import { credentials, loadPackageDefinition, Metadata, type requestCallback, type ServiceError } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { CHAT_PROTO } from '#contract';

interface Shared {
  readonly file_id: string;
  readonly success: boolean;
}
interface Fetched {
  readonly found: boolean;
  readonly data: Buffer;
}
interface ChatStub {
  ShareFile(metadata: Metadata, answer: requestCallback<Shared>): { write(part: object): void; end(): void };
  GetFile(request: object, metadata: Metadata, answer: requestCallback<Fetched>): unknown;
  close(): void;
}
type Stub = new (address: string, security: ReturnType<typeof credentials.createInsecure>) => ChatStub;

const chat = loadPackageDefinition(loadSync(CHAT_PROTO.file, { keepCase: true }))['chat'] as unknown as {
  readonly ChatService: Stub;
};

/** @returns the bytes that came back */
export async function shareAndFetch(
  address: string,
  token: string,
  file: { readonly userId: string; readonly roomId: string; readonly bytes: Buffer },
): Promise<Buffer> {
  const stub = new chat.ChatService(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  try {
    const { file_id } = await answered<Shared>((answer) => {
      const upload = stub.ShareFile(metadata, answer);
      const about = { filename: 'tea.bin', content_type: 'application/octet-stream', size: file.bytes.length };
      upload.write({ ...about, room_id: file.roomId, user_id: file.userId, data: file.bytes });
      upload.end();
    });
    const { data } = await answered<Fetched>((answer) => stub.GetFile({ file_id }, metadata, answer));
    return data;
  } finally {
    stub.close();
  }
}

function answered<T>(call: (answer: requestCallback<T>) => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error: ServiceError | null, value?: T) => {
      if (error === null && value !== undefined) resolve(value);
      else reject(error ?? new Error('an empty answer'));
    });
  });
}

/** Callers who ask for files and do not take them: what they leave in memory is bounded. */
import { randomBytes } from 'node:crypto';
import { connect, type ClientHttp2Session } from 'node:http2';
import { afterAll, expect, test } from '@jest/globals';
import { freePort, waitUntil } from '#embedded';
import { Grpc, methodOf } from '../../../test/grpc.js';
import { tokenFor, usePlatform } from '../test-platform.js';

const platform = usePlatform();
const WITHIN_MS = 30_000;
/** More than the windows of HTTP/2 and the network take of an answer that nobody reads. */
const FILE_BYTES = 16 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const sessions: ClientHttp2Session[] = [];
afterAll(() => sessions.forEach((session) => session.destroy()));

/** A call of GetFile whose answer is never read, on a connection of its own. */
async function unread(address: string, user: string, fileId: string): Promise<() => void> {
  const session = connect(`http://${address}`);
  sessions.push(session);
  session.on('error', () => undefined);
  const { path, requestSerialize } = methodOf('GetFile');
  const message = requestSerialize({ file_id: fileId });
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  const call = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    authorization: `Bearer ${tokenFor(user)}`,
  });
  call.on('error', () => undefined);
  let begun = false;
  call.once('response', () => (begun = true));
  call.end(Buffer.concat([header, message]));
  await waitUntil('the answer has begun', WITHIN_MS, () => begun);
  return () => session.destroy();
}

test('a user has two files under way at most, until they are taken or the caller has gone', async () => {
  const port = await freePort();
  await platform.gateway({ GRPC_PORT: String(port) });
  const address = `127.0.0.1:${port}`;
  const ann = new Grpc(address, tokenFor('ann'));
  const made = await platform.run('CreateRoom', 'ann', { roomId: 'shelf', name: 'Shelf' });
  const bytes = randomBytes(FILE_BYTES);
  const about = { room_id: 'shelf', user_id: 'ann', filename: 'big.bin', content_type: '' };
  const pieces = Array.from({ length: FILE_BYTES / PIECE_BYTES }, (_, i) => ({
    ...(i === 0 ? about : {}),
    data: bytes.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
  }));
  const shared = await ann.upload(pieces, { metadata: { 'parley-position': made.position } });
  expect(shared).toMatchObject({ code: 0 });
  const file_id = String(shared.value['file_id']);
  const [goOne, goOther] = [await unread(address, 'ann', file_id), await unread(address, 'ann', file_id)];
  const refused = await ann.call('GetFile', { file_id });
  expect(refused).toMatchObject({ code: 8, details: 'too many downloads at once' });
  expect(refused.trailers).toMatchObject({ 'grpc-retry-pushback-ms': expect.any(String) });
  goOne();
  goOther();
  const got = await waitUntil('it can be had again', WITHIN_MS, async () => {
    const answer = await ann.call('GetFile', { file_id });
    return answer.code === 0 ? answer : undefined;
  });
  expect((got.value['data'] as Buffer).equals(bytes)).toBe(true);
  ann.close();
}, 120_000);

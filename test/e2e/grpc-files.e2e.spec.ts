/** Files over gRPC: in pieces up, in one message down, for the members of their room. */
import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { BUCKETS, LIMITS } from '#contract';
import { textAt } from '../http.js';
import { embeddedNats } from '../platform.js';
import { grpcWorldOf } from './grpc-world.js';
import { eventually, joined, type Person, roomWith } from './world.js';

const { world, grpc, as } = await grpcWorldOf();

const PIECE_BYTES = 1024 * 1024;
const refusal = (code: number, details: string) => expect.objectContaining({ code, details });

function* piecesOf(bytes: Buffer, first: object, pieceBytes = PIECE_BYTES): Generator<object> {
  yield { ...first, data: bytes.subarray(0, pieceBytes) };
  for (let at = pieceBytes; at < bytes.length; at += pieceBytes) yield { data: bytes.subarray(at, at + pieceBytes) };
}

const file = (fields: object = {}) => ({
  room_id: 'room1',
  user_id: 'user1',
  filename: 'notes.txt',
  content_type: 'text/plain',
  ...fields,
});

async function shared(bytes: Buffer, fields: object = {}): Promise<string> {
  const { code, details, value } = await grpc.upload([...piecesOf(bytes, file(fields))]);
  expect({ code, details }).toEqual({ code: 0, details: '' });
  return textAt(value, 'file_id');
}

describe('a file', () => {
  test('is shared in pieces and comes back whole', async () => {
    const bytes = randomBytes(3 * PIECE_BYTES + 17);
    const { value } = await grpc.upload([...piecesOf(bytes, file({ size: bytes.length }), 700_000)]);
    const file_id = textAt(value, 'file_id');
    expect(value).toEqual({
      file_id: expect.stringMatching(/^file_[0-9a-f-]{36}$/),
      filename: 'notes.txt',
      url: `/api/attachments/${file_id}`,
      size: bytes.length,
      success: true,
      error_message: '',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    });
    const { value: got } = await grpc.call('GetFile', { file_id });
    const { data, ...rest } = got;
    expect(rest).toEqual({
      file_id,
      filename: 'notes.txt',
      content_type: 'text/plain',
      size: bytes.length,
      found: true,
    });
    expect((data as Buffer).equals(bytes)).toBe(true);
  });

  test('may be as large as the limit, and no larger', async () => {
    const bytes = randomBytes(LIMITS.attachmentBytes);
    const file_id = await shared(bytes);
    const { value } = await grpc.call('GetFile', { file_id });
    expect((value['data'] as Buffer).equals(bytes)).toBe(true);
    const tooLarge = refusal(8, `a file is at most ${LIMITS.attachmentBytes} bytes`);
    expect(await grpc.upload([...piecesOf(Buffer.concat([bytes, Buffer.from('!')]), file())])).toEqual(tooLarge);
    expect(await grpc.upload([file({ size: LIMITS.attachmentBytes + 1 })])).toEqual(tooLarge);
  });

  test('may be empty', async () => {
    const file_id = await shared(Buffer.alloc(0));
    expect(await grpc.call('GetFile', { file_id })).toMatchObject({ code: 0, value: { size: 0, found: true } });
  });

  test.each<[what: string, fields: object, code: number, details: string]>([
    ['without a room', { room_id: '' }, 3, 'room_id, user_id, and filename are required'],
    ['without a user', { user_id: '' }, 3, 'room_id, user_id, and filename are required'],
    ['without a name', { filename: '' }, 3, 'room_id, user_id, and filename are required'],
    ['for an unknown room', { room_id: 'nowhere' }, 5, 'room not found'],
    ['of a stranger', { user_id: 'user3' }, 7, 'user is not a member of this room'],
    ['of markup', { content_type: 'text/html; charset=utf-8' }, 3, 'content_type: this type of file is not allowed'],
    ['of scripts', { content_type: 'image/svg+xml' }, 3, 'content_type: this type of file is not allowed'],
    ['of nonsense', { content_type: 'nonsense' }, 3, 'content_type: this type of file is not allowed'],
    ['that is shorter than announced', { size: 9 }, 3, 'size: 9 bytes were announced and 4 came'],
  ])('%s is refused', async (_what, fields, code, details) => {
    expect(await grpc.upload([file({ data: Buffer.from('data'), ...fields })])).toEqual(refusal(code, details));
  });

  test('is refused while it is still on the way', async () => {
    const answer = await grpc.upload([...piecesOf(randomBytes(20 * PIECE_BYTES), file({ room_id: 'nowhere' }))]);
    expect(answer).toEqual(refusal(5, 'room not found'));
  });

  test('that is broken off leaves nothing in the store', async () => {
    await shared(Buffer.from('so that there is a store'));
    const nats = await connect({ servers: embeddedNats(world.platform) });
    const stored = async (): Promise<number> => {
      const { state } = await (await jetstreamManager(nats)).streams.info(`OBJ_${BUCKETS.attachments}`);
      return state.messages;
    };
    const before = await stored();
    const call = grpc.begin([file({ data: randomBytes(PIECE_BYTES) }), { data: randomBytes(PIECE_BYTES) }]);
    await eventually('some of it to be stored', async () => (await stored()) > before);
    call.cancel();
    await eventually('all of it to be gone', async () => (await stored()) === before);
    await nats.close();
  });

  test('of no message at all is refused', async () => {
    expect(await grpc.upload([])).toEqual(refusal(3, 'file cannot be nil'));
  });

  test('that is not there is not found', async () => {
    const file_id = 'file_00000000-0000-0000-0000-000000000000';
    expect(await grpc.call('GetFile', { file_id })).toMatchObject({ code: 0, value: { found: false } });
    expect(await grpc.call('GetFile', { file_id: '../etc' })).toMatchObject({ code: 0, value: { found: false } });
  });
});

describe('who may read it', () => {
  test('the members of its room', async () => {
    const [ann, ben] = [world.person('ann'), world.person('ben')] as [Person, Person];
    const room_id = await roomWith(ann);
    const { value } = await as(ann).upload([file({ room_id, user_id: ann.id, data: Buffer.from('tea') })]);
    const file_id = textAt(value, 'file_id');
    const notMember = refusal(7, 'user is not a member of this room');
    expect(await as(ben).call('GetFile', { file_id })).toEqual(notMember);
    await joined(ben, room_id);
    expect(await as(ben).call('GetFile', { file_id })).toMatchObject({ value: { found: true } });
    const forAnother = await as(ben).upload([file({ room_id, user_id: ann.id, data: Buffer.from('tea') })]);
    expect(forAnother).toEqual(refusal(7, 'forbidden'));
  });

  test('nobody else where the room is private', async () => {
    const [ann, ben] = [world.person('ann'), world.person('ben')] as [Person, Person];
    const room_id = await roomWith(ann, [], { isPrivate: true });
    const { value } = await as(ann).upload([file({ room_id, user_id: ann.id, data: Buffer.from('tea') })]);
    const request = { file_id: textAt(value, 'file_id') };
    expect(await as(ben).call('GetFile', request)).toEqual(refusal(5, 'room not found'));
    expect(await grpc.call('GetFile', request)).toEqual(refusal(5, 'room not found'));
    expect(await as(ben).upload([file({ room_id, user_id: ben.id })])).toEqual(refusal(5, 'room not found'));
  });
});

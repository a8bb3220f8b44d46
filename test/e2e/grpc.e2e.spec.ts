/** contracts.md section 1 over the wire, in demo mode: every RPC, every refusal with its number and text. */
import { randomBytes } from 'node:crypto';
import { Client, credentials } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { loadSync } from '@grpc/proto-loader';
import { chatService } from '../grpc.js';
import { type Fields, listAt, textAt } from '../http.js';
import { grpcWorldOf } from './grpc-world.js';
import { roomWith, say } from './world.js';

const { world, grpc } = await grpcWorldOf();

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;
const refusal = (code: number, details: string) => expect.objectContaining({ code, details });
const message = (fields: object = {}) => ({
  message: { user_id: 'user1', room_id: 'room1', content: 'hello', ...fields },
});
const unique = (name: string): string => `${name}-${randomBytes(4).toString('hex')}`;

/** A call that has to be answered. */
async function done(name: string, request: object): Promise<Fields> {
  const { code, details, value } = await grpc.call(name, request);
  expect({ name, code, details }).toEqual({ name, code: 0, details: expect.any(String) });
  return value;
}

const newRoom = async (fields: object = {}): Promise<string> =>
  textAt(await done('CreateRoom', { name: 'A room', created_by: 'user1', ...fields }), 'room.id');

describe('refusals', () => {
  test.each<[name: string, request: object, code: number, details: string]>([
    ['SendMessage', {}, 3, 'message cannot be nil'],
    ['SendMessage', message({ user_id: '' }), 3, 'user_id, room_id, and content are required'],
    ['SendMessage', message({ room_id: '' }), 3, 'user_id, room_id, and content are required'],
    ['SendMessage', message({ content: '' }), 3, 'user_id, room_id, and content are required'],
    ['SendMessage', message({ room_id: 'nowhere' }), 5, 'room not found'],
    ['SendMessage', message({ room_id: 'no room has such an id' }), 5, 'room not found'],
    ['SendMessage', message({ user_id: 'user3' }), 7, 'user is not a member of this room'],
    ['SendMessage', message({ user_id: 'nobody' }), 7, 'user is not a member of this room'],
    ['SendMessage', message({ content: 'a\u0000b' }), 3, 'text must be well-formed Unicode without control characters'],
    ['GetMessages', {}, 3, 'room_id is required'],
    ['GetMessages', { room_id: 'nowhere' }, 5, 'room not found'],
    ['GetMessageHistory', {}, 3, 'room_id is required'],
    ['GetMessageHistory', { room_id: 'nowhere' }, 5, 'room not found'],
    ['GetMessageHistory', { room_id: 'room1', before_message_id: 'first' }, 5, 'message not found'],
    ['SearchMessages', { room_id: 'room1' }, 3, 'query is required'],
    ['SearchMessages', { room_id: 'nowhere', query: 'x' }, 5, 'room not found'],
    ['SearchMessages', { room_id: 'room1', query: 'x', user_id: 'user3' }, 7, 'user is not a member of this room'],
    ['GetUsers', {}, 3, 'room_id is required'],
    ['GetUsers', { room_id: 'nowhere' }, 5, 'room not found'],
    ['ListUsers', {}, 3, 'room_id is required'],
    ['ListUsers', { room_id: 'nowhere' }, 5, 'room not found'],
    ['JoinRoom', { room_id: 'room1' }, 3, 'user_id and room_id are required'],
    ['JoinRoom', { user_id: 'user1' }, 3, 'user_id and room_id are required'],
    ['JoinRoom', { user_id: 'user1', room_id: 'nowhere' }, 5, 'room not found'],
    ['LeaveRoom', { room_id: 'room1' }, 3, 'user_id and room_id are required'],
    ['LeaveRoom', { user_id: 'user1' }, 3, 'user_id and room_id are required'],
    ['LeaveRoom', { user_id: 'user1', room_id: 'nowhere' }, 5, 'room not found'],
    ['GetUserProfile', {}, 3, 'user_id is required'],
    ['GetUserProfile', { user_id: 'nobody' }, 5, 'user not found'],
    ['UpdateUserStatus', { online: true }, 3, 'user_id is required'],
    ['UpdateUserStatus', { user_id: 'nobody', online: true }, 5, 'user not found'],
    ['GetUser', {}, 3, 'user_id is required'],
    ['UpdateUser', { username: 'x' }, 3, 'user_id is required'],
    ['UpdateUser', { user_id: 'nobody', username: 'x' }, 5, 'user not found'],
    ['CreateRoom', { name: 'x' }, 3, 'created_by is required'],
    ['CreateRoom', { created_by: 'user1' }, 3, 'name: must not be empty'],
    ['GetFile', {}, 3, 'file_id is required'],
  ])('%s %j', async (name, request, code, details) => {
    expect(await grpc.call(name, request)).toEqual(refusal(code, details));
  });

  test('content that is too large is 8', async () => {
    const answer = await grpc.call('SendMessage', message({ content: 'x'.repeat(16 * 1024 + 1) }));
    expect(answer).toEqual(refusal(8, 'content: must be at most 16384 bytes'));
  });

  test('a request that is too large is 8, on a stream as an answer', async () => {
    const content = 'x'.repeat(70_000);
    const details = 'a request is at most 65536 bytes';
    expect(await grpc.call('SendMessage', message({ content }))).toEqual(refusal(8, details));
    expect(await grpc.call('SearchMessages', { query: content })).toEqual(refusal(8, details));
    const stream = grpc.stream('ChatStream');
    stream.say('user1', 'room1', content);
    expect(await stream.action({ action_type: 'error' })).toMatchObject({ metadata: { code: '8', message: details } });
    await stream.join('user1', 'room1');
    stream.call.cancel();
  });

  test('a refusal names its code in the trailers', async () => {
    const { trailers } = await grpc.call('GetMessages', { room_id: 'nowhere' });
    expect(trailers).toMatchObject({ 'parley-code': 'room_not_found' });
    expect(trailers).not.toHaveProperty('grpc-retry-pushback-ms');
  });

  test('a full room is 8', async () => {
    const room_id = await newRoom({ max_members: 1 });
    const answer = await grpc.call('JoinRoom', { room_id, user_id: 'user2' });
    expect(answer).toEqual(refusal(8, 'room is at maximum capacity'));
  });

  test('a call that the service does not have is 12', async () => {
    const client = new Client(grpc.address, credentials.createInsecure());
    const error = await new Promise<{ code: number } | null>((resolve) =>
      client.makeUnaryRequest('/chat.ChatService/Nothing', () => Buffer.alloc(0), String, {}, resolve),
    );
    client.close();
    expect(error).toMatchObject({ code: 12 });
  });

  test.each([
    ['GetMessages', {}],
    ['GetMessageHistory', {}],
    ['GetUsers', {}],
    ['ListUsers', {}],
    ['SearchMessages', { query: 'x', user_id: 'user2' }],
    ['JoinRoom', { user_id: 'user2' }],
    ['LeaveRoom', { user_id: 'user2' }],
    ['SendMessage', { message: { user_id: 'user2', content: 'x' } }],
  ])('a private room that the caller is not in does not exist for %s', async (name, request: Fields) => {
    const room_id = await newRoom({ is_private: true });
    const sent = 'message' in request ? { message: { ...(request['message'] as Fields), room_id } } : request;
    expect(await grpc.call(name, { room_id, ...sent })).toEqual(refusal(5, 'room not found'));
  });
});

describe('messages', () => {
  test('what is sent has an id and a time of the log, and keeps what else it says', async () => {
    const said = { metadata: { client: 'test' }, mentions: ['user2'], reply_to: 'msg_1024', message_type: 'image' };
    const sent = await done('SendMessage', message({ ...said, id: 'mine', timestamp: '1999-01-01T00:00:00Z' }));
    expect(sent).toEqual({
      success: true,
      error_message: '',
      message: {
        ...said,
        id: expect.stringMatching(/^msg_\d+$/),
        timestamp: expect.stringMatching(RFC_3339),
        user_id: 'user1',
        room_id: 'room1',
        content: 'hello',
      },
    });
    expect(textAt(sent, 'message.timestamp') > '2020').toBe(true);
  });

  test('the type is text where none is given', async () => {
    expect(await done('SendMessage', message())).toMatchObject({ message: { message_type: 'text' } });
  });

  test('a repeated idempotency key is the first message', async () => {
    const options = { metadata: { 'idempotency-key': unique('key') } };
    const first = await grpc.call('SendMessage', message({ content: 'once' }), options);
    const second = await grpc.call('SendMessage', message({ content: 'once' }), options);
    expect(second.value).toEqual(first.value);
  });

  test('are paged oldest first, by offset, with the full count', async () => {
    const room_id = await newRoom();
    for (const content of ['one', 'two', 'three']) await done('SendMessage', message({ room_id, content }));
    const page = async (fields: object) => {
      const { messages, total } = await done('GetMessages', { room_id, ...fields });
      return { contents: listAt(messages).map(({ content }) => content), total };
    };
    expect(await page({})).toEqual({ contents: ['one', 'two', 'three'], total: 3 });
    expect(await page({ limit: -1 })).toEqual({ contents: ['one', 'two', 'three'], total: 3 });
    expect(await page({ limit: 1, offset: 1 })).toEqual({ contents: ['two'], total: 3 });
    expect(await page({ limit: 5, offset: 3 })).toEqual({ contents: [], total: 3 });
    expect(await page({ limit: 1, offset: -7 })).toEqual({ contents: ['one'], total: 3 });
  });

  test('the history is the newest ones, or those before one, oldest first', async () => {
    const room_id = await newRoom();
    for (const content of ['one', 'two', 'three']) await done('SendMessage', message({ room_id, content }));
    const history = async (fields: object) => (await grpc.call('GetMessageHistory', { room_id, ...fields })).values;
    const all = await history({});
    expect(all.map(({ content }) => content)).toEqual(['one', 'two', 'three']);
    expect(await history({ limit: 2 })).toEqual(all.slice(1));
    expect(await history({ limit: 1, before_message_id: all[2]?.['id'] })).toEqual(all.slice(1, 2));
  });

  test('are found by a part of them, in any case and any language, in one room or in all of the user’s', async () => {
    const [here, there] = [await newRoom(), await newRoom({ is_private: true })];
    const word = unique('Quince');
    for (const room_id of [here, there])
      await done('SendMessage', message({ room_id, content: `there is ${word} jam，今天天气很好` }));
    const found = async (fields: object) => {
      const { values } = await grpc.call('SearchMessages', { query: word, ...fields });
      return values.map(({ room_id }) => room_id).sort();
    };
    expect(await found({ room_id: here, user_id: 'user1' })).toEqual([here]);
    expect(await found({ room_id: here, user_id: 'user1', query: word.toUpperCase() })).toEqual([here]);
    expect(await found({ room_id: here, user_id: 'user1', query: '天气' })).toEqual([here]);
    expect(await found({ room_id: here, user_id: 'user1', query: '%' })).toEqual([]);
    expect(await found({ user_id: 'user1' })).toEqual([here, there].sort());
    expect(await found({ user_id: 'user1', limit: 1 })).toHaveLength(1);
    expect(await found({ user_id: 'user2' })).toEqual([]);
    // A guest is in no room, and may read a public one.
    expect(await found({})).toEqual([]);
    expect(await found({ room_id: here })).toEqual([here]);
  });
});

describe('rooms', () => {
  test('the demo has its two, and a private one shows only to who is in it', async () => {
    const secret = await newRoom({ is_private: true });
    const ids = async (name: string, request: object) => listAt(await done(name, request), 'rooms').map(({ id }) => id);
    expect(await ids('GetRooms', {})).toEqual(expect.arrayContaining(['room1', 'room2']));
    expect(await ids('GetRooms', {})).not.toContain(secret);
    expect(await ids('GetRooms', { user_id: 'user1' })).toContain(secret);
    expect(await ids('GetRooms', { user_id: 'user2' })).not.toContain(secret);
    expect(await ids('ListRooms', { user_id: 'user1' })).not.toContain(secret);
    expect(await ids('ListRooms', { user_id: 'user1', include_private: true })).toContain(secret);
    const { rooms, total_count } = await done('ListRooms', { user_id: 'user1', include_private: true });
    expect(total_count).toBe(listAt(rooms).length);
    expect(listAt(rooms).find(({ id }) => id === 'room1')).toEqual({
      id: 'room1',
      name: 'General Discussion',
      description: expect.any(String),
      created_by: 'user1',
      created_at: expect.stringMatching(RFC_3339),
      members: expect.arrayContaining(['user1', 'user2']),
      settings: {},
      is_private: false,
      max_members: 100,
    });
  });

  test('are created with their creator in them', async () => {
    const room = { name: 'Tea', description: 'and cake', is_private: true, max_members: 7 };
    expect(await done('CreateRoom', { ...room, created_by: 'user2' })).toEqual({
      success: true,
      error_message: '',
      room: {
        ...room,
        id: expect.any(String),
        created_by: 'user2',
        created_at: expect.stringMatching(RFC_3339),
        members: ['user2'],
        settings: {},
      },
    });
  });

  test('are joined and left, once', async () => {
    const room_id = await newRoom();
    const both = { room_id, user_id: 'user2' };
    const joined = 'Successfully joined the room';
    const members = { id: room_id, members: ['user1', 'user2'] };
    expect(await done('JoinRoom', both)).toMatchObject({
      success: true,
      message: joined,
      error_message: joined,
      room: members,
    });
    const already = 'User is already a member of this room';
    expect(await done('JoinRoom', both)).toMatchObject({ success: true, message: already, error_message: already });
    const users = async () => listAt(await done('GetUsers', { room_id }), 'users').map(({ id }) => id);
    expect(await users()).toEqual(['user1', 'user2']);
    const left = 'Successfully left the room';
    expect(await done('LeaveRoom', both)).toEqual({ success: true, message: left, error_message: left });
    const none = 'User is not a member of this room';
    expect(await done('LeaveRoom', both)).toEqual({ success: false, message: none, error_message: none });
    expect(await users()).toEqual(['user1']);
  });

  test('a room made over HTTP is joined at once, and its position can be waited for', async () => {
    const owner = world.person('owner');
    const room_id = await roomWith(owner);
    expect(await done('JoinRoom', { room_id, user_id: 'user2' })).toMatchObject({ success: true });
    const { position } = await say(owner, room_id, 'from HTTP');
    const { value } = await grpc.call('GetMessages', { room_id }, { metadata: { 'parley-position': position } });
    expect(listAt(value, 'messages').map(({ content }) => content)).toEqual(['from HTTP']);
    const wrong = await grpc.call('GetMessages', { room_id }, { metadata: { 'parley-position': 'soon' } });
    expect(wrong).toEqual(refusal(3, 'position: must be a position or a cursor of this log'));
  });
});

describe('users', () => {
  test('are shown with their names', async () => {
    const alice = { id: 'user1', username: 'alice', display_name: 'Alice Johnson' };
    expect(await done('GetUserProfile', { user_id: 'user1' })).toMatchObject({ found: true, user: alice });
    expect(await done('GetUser', { user_id: 'user1' })).toMatchObject({ found: true, user: alice });
    expect(await done('GetUser', { user_id: 'nobody' })).toEqual({ found: false, user: null });
    expect(listAt(await done('GetUsers', { room_id: 'room1' }), 'users')[0]).toMatchObject(alice);
  });

  test('say whether they are online, and keep their status unless they give another', async () => {
    const set = (fields: object) => done('UpdateUserStatus', { user_id: 'user2', ...fields });
    expect(await set({ online: true, status: { mood: 'glad' } })).toMatchObject({
      success: true,
      user: { id: 'user2', username: 'bob', online: true, status: { mood: 'glad' } },
    });
    const listed = async () => listAt(await done('ListUsers', { room_id: 'room1', online_only: true }), 'users');
    expect((await listed()).map(({ id }) => id)).toContain('user2');
    expect(await set({ online: false })).toMatchObject({ user: { online: false, status: { mood: 'glad' } } });
    expect((await listed()).map(({ id }) => id)).not.toContain('user2');
    expect(await done('ListUsers', { room_id: 'room1' })).toMatchObject({ total_count: 2 });
  });

  test('change what they give, and nothing else', async () => {
    const changed = await done('UpdateUser', { user_id: 'user3', display_name: 'Chuck', status: { mood: 'new' } });
    expect(changed).toMatchObject({
      success: true,
      user: { id: 'user3', username: 'charlie', display_name: 'Chuck', status: { mood: 'new' } },
    });
    await done('UpdateUser', { user_id: 'user3', display_name: 'Charlie Brown' });
  });
});

describe('the server', () => {
  test('says how it is', async () => {
    expect(await done('HealthCheck', { service: 'chat' })).toEqual({
      status: 'healthy',
      message: 'Chat service is running',
      timestamp: expect.stringMatching(RFC_3339),
      uptime: expect.stringMatching(/^\d+\.\d+s$/),
      details: expect.objectContaining({ database: 'ok' }),
    });
  });

  test('a call whose deadline passes is ended with 4', async () => {
    expect(await grpc.call('GetRooms', {}, { deadline: Date.now() - 1 })).toMatchObject({ code: 4 });
  });

  test('serves the standard health service', async () => {
    const health = loadSync('health/v1/health.proto', {
      includeDirs: ['node_modules/grpc-health-check/proto'],
    })['grpc.health.v1.Health'] as typeof chatService;
    const check = health['Check'];
    if (check === undefined) throw new Error('the health service has no Check');
    const client = new Client(grpc.address, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = check;
    const status = (service: string) =>
      new Promise((resolve) =>
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, { service }, (error, value) =>
          resolve(error?.code ?? value),
        ),
      );
    expect(await status('')).toMatchObject({ status: 1 });
    expect(await status('chat.ChatService')).toMatchObject({ status: 1 });
    expect(await status('nothing')).toBe(5);
    client.close();
  });

  test('tells what it serves: reflection gives the .proto back', async () => {
    const reflection = loadSync('reflection.proto', {
      includeDirs: ['node_modules/@grpc/reflection/build/proto/grpc/reflection/v1'],
      keepCase: true,
      enums: String,
    })['grpc.reflection.v1.ServerReflection'] as typeof chatService;
    const info = reflection['ServerReflectionInfo'];
    if (info === undefined) throw new Error('reflection has no ServerReflectionInfo');
    const client = new Client(grpc.address, credentials.createInsecure());
    const { path, requestSerialize, responseDeserialize } = info;
    const ask = (request: object): Promise<Fields> =>
      new Promise((resolve, reject) => {
        const call = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
        call.on('data', (value: Fields) => {
          resolve(value);
          call.end();
        });
        call.on('error', reject);
        call.write(request);
      });
    const listed = await ask({ list_services: '' });
    const names = listAt(listed, 'list_services_response.service').map(({ name }) => name);
    expect(names).toContain('chat.ChatService');
    const file = await ask({ file_containing_symbol: 'chat.ChatService' });
    const [descriptor] = (file['file_descriptor_response'] as Fields)['file_descriptor_proto'] as Buffer[];
    client.close();
    // Its text has every method's name.
    const text = Buffer.from(descriptor ?? '').toString('latin1');
    for (const name of Object.keys(chatService)) expect(text).toContain(name);
  });
});

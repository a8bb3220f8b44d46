/** The .proto against the contract's own table: a number or a name that changes breaks clients that nobody here sees. */
import { load, type MessageTypeDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { CHAT_PROTO } from './chat-proto.js';

/** By message, its fields in the order of their numbers; `[]` is repeated, `map` is of texts. */
const FIELDS: Readonly<Record<string, string>> = {
  ChatMessage:
    'string id, string user_id, string room_id, string content, string message_type, string timestamp, map metadata, string[] mentions, string reply_to',
  User: 'string id, string username, string display_name, string avatar_url, bool online, string last_seen, map status',
  ChatRoom:
    'string id, string name, string description, string created_by, string created_at, string[] members, map settings, bool is_private, int32 max_members',
  ChatAction: 'string user_id, string room_id, string action_type, ChatMessage message, map metadata',
  ChatResponse:
    'string user_id, string room_id, string action_type, ChatMessage message, User user, string timestamp, map metadata',
  FileUpload:
    'string file_id, string filename, string content_type, int64 size, bytes data, string room_id, string user_id, map metadata',
  FileUploadResponse:
    'string file_id, string filename, string url, int64 size, bool success, string error_message, string timestamp',
  CreateRoomRequest: 'string name, string description, bool is_private, int32 max_members, string created_by',
  CreateRoomResponse: 'ChatRoom room, bool success, string error_message',
  JoinRoomRequest: 'string room_id, string user_id',
  JoinRoomResponse: 'bool success, string error_message, ChatRoom room, string message',
  LeaveRoomRequest: 'string room_id, string user_id',
  LeaveRoomResponse: 'bool success, string error_message, string message',
  ListRoomsRequest: 'string user_id, bool include_private',
  ListRoomsResponse: 'ChatRoom[] rooms, int32 total_count',
  GetUserRequest: 'string user_id',
  GetUserResponse: 'User user, bool found',
  UpdateUserRequest: 'string user_id, string username, string display_name, string avatar_url, map status',
  UpdateUserResponse: 'User user, bool success, string error_message',
  ListUsersRequest: 'string room_id, bool online_only',
  ListUsersResponse: 'User[] users, int32 total_count',
  GetFileRequest: 'string file_id',
  GetFileResponse: 'string file_id, string filename, string content_type, int64 size, bytes data, bool found',
  GetMessageHistoryRequest: 'string room_id, int32 limit, string before_message_id',
  SearchMessagesRequest: 'string room_id, string query, int32 limit, string user_id',
  SendMessageRequest: 'ChatMessage message',
  SendMessageResponse: 'ChatMessage message, bool success, string error_message',
  GetMessagesRequest: 'string room_id, int32 limit, int32 offset',
  GetMessagesResponse: 'ChatMessage[] messages, int32 total',
  GetRoomsRequest: 'string user_id',
  GetRoomsResponse: 'ChatRoom[] rooms',
  GetUsersRequest: 'string room_id',
  GetUsersResponse: 'User[] users',
  GetUserProfileRequest: 'string user_id',
  GetUserProfileResponse: 'User user, bool found',
  UpdateUserStatusRequest: 'string user_id, bool online, map status',
  UpdateUserStatusResponse: 'User user, bool success, string error_message',
  HealthCheckRequest: 'string service',
  HealthCheckResponse: 'string status, string timestamp, map details, string message, string uptime',
};

/** By RPC: what it takes and gives; `...` is a stream. */
const RPCS: Readonly<Record<string, string>> = {
  ChatStream: '...ChatAction -> ...ChatAction',
  Chat: '...ChatAction -> ...ChatResponse',
  ShareFile: '...FileUpload -> FileUploadResponse',
  GetMessageHistory: 'GetMessageHistoryRequest -> ...ChatMessage',
  SearchMessages: 'SearchMessagesRequest -> ...ChatMessage',
  ...unary('SendMessage', 'GetMessages', 'GetRooms', 'GetUsers', 'JoinRoom', 'LeaveRoom', 'UpdateUserStatus'),
  ...unary('GetUserProfile', 'CreateRoom', 'ListRooms', 'GetUser', 'UpdateUser', 'ListUsers', 'GetFile', 'HealthCheck'),
};

function unary(...names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, `${name}Request -> ${name}Response`]));
}

interface Field {
  readonly name: string;
  readonly number: number;
  readonly type: string;
  readonly typeName: string;
  readonly label: string;
}
interface Descriptor {
  readonly name: string;
  readonly field: readonly Field[];
  readonly nestedType: readonly Descriptor[];
}

let messages: ReadonlyMap<string, Descriptor>;
let service: ServiceDefinition;

beforeAll(async () => {
  const definition = await load(CHAT_PROTO.file, { keepCase: true });
  service = definition[CHAT_PROTO.service] as ServiceDefinition;
  messages = new Map(
    Object.entries(definition).flatMap(([name, value]) =>
      'type' in value && name.startsWith('chat.')
        ? [[name.slice('chat.'.length), (value as MessageTypeDefinition).type as unknown as Descriptor]]
        : [],
    ),
  );
});

function written({ name, type, typeName, label }: Field, { nestedType }: Descriptor): string {
  const own = typeName.split('.').at(-1) ?? '';
  if (nestedType.some((nested) => nested.name === own)) return `map ${name}`;
  const base = type === 'TYPE_MESSAGE' ? own : type.replace('TYPE_', '').toLowerCase();
  return `${base}${label === 'LABEL_REPEATED' ? '[]' : ''} ${name}`;
}

describe('chat.proto', () => {
  test('has the messages of the contract', () => {
    expect([...messages.keys()].sort()).toEqual(Object.keys(FIELDS).sort());
  });

  test.each(Object.entries(FIELDS))('%s has its fields under their numbers', (name, fields) => {
    const message = messages.get(name);
    if (message === undefined) throw new Error(`no message ${name}`);
    const shown = message.field.map((field) => [field.number, written(field, message)]);
    expect(shown).toEqual(fields.split(', ').map((field, i) => [i + 1, field]));
  });

  test('maps are of texts', () => {
    const entries = [...messages.values()].flatMap(({ nestedType }) => nestedType);
    expect(entries.length).toBeGreaterThan(5);
    for (const { field } of entries) expect(field.map(({ type }) => type)).toEqual(['TYPE_STRING', 'TYPE_STRING']);
  });

  test('has the RPCs of the contract', () => {
    const shown = Object.entries(service).map(([name, rpc]) => {
      const side = (stream: boolean, type: unknown): string =>
        `${stream ? '...' : ''}${(type as { readonly type: Descriptor }).type.name}`;
      return [name, `${side(rpc.requestStream, rpc.requestType)} -> ${side(rpc.responseStream, rpc.responseType)}`];
    });
    expect(Object.fromEntries(shown)).toEqual(RPCS);
  });
});

export {
  ChatClient,
  type ChatClientOptions,
  type ConnectionChange,
  type PendingMessage,
  type SendOptions,
} from './chat-client.js';
export { type Clock, type ConnectionState, RECONNECT, type SocketConstructor, type SocketLike } from './connection.js';
export { Emitter, type Listener } from './emitter.js';
export { ClosedError, LimitError, RefusedError } from './errors.js';
export { type Fetch, type HistoryOptions, HttpApi } from './http.js';
export type { Ack } from './outbox.js';
export type { Presence } from './presence.js';
export type { ChatState, EventFrame, Member, Message, RoomState } from './state.js';

/**
 * The messages of `chat.proto` as the loader hands them over and takes them: every field is there, absent ones as proto3's
 * defaults, an absent message as null. `grpc.e2e.spec.ts` reads each of them back from a client made of the .proto itself.
 */
export type Texts = Record<string, string>;

export interface ChatMessage {
  id: string;
  user_id: string;
  room_id: string;
  content: string;
  message_type: string;
  timestamp: string;
  metadata: Texts;
  mentions: string[];
  reply_to: string;
}

export interface User {
  id: string;
  username: string;
  display_name: string;
  avatar_url: string;
  online: boolean;
  last_seen: string;
  status: Texts;
}

export interface ChatRoom {
  id: string;
  name: string;
  description: string;
  created_by: string;
  created_at: string;
  members: string[];
  settings: Texts;
  is_private: boolean;
  max_members: number;
}

export interface ChatAction {
  user_id: string;
  room_id: string;
  action_type: string;
  message: ChatMessage | null;
  metadata: Texts;
}

/** What a stream sends: `Chat` all of it, `ChatStream` what a `ChatAction` has a field for. */
export interface ChatResponse extends ChatAction {
  user: Partial<User> | null;
  timestamp: string;
}

export interface FileUpload {
  file_id: string;
  filename: string;
  content_type: string;
  size: number;
  data: Buffer;
  room_id: string;
  user_id: string;
  metadata: Texts;
}

export interface FileUploadResponse {
  file_id: string;
  filename: string;
  url: string;
  size: number;
  success: boolean;
  error_message?: string;
  timestamp: string;
}

export interface GetFileResponse {
  file_id: string;
  filename?: string;
  content_type?: string;
  size?: number;
  data?: Buffer;
  found: boolean;
}

export interface CreateRoomRequest {
  name: string;
  description: string;
  is_private: boolean;
  max_members: number;
  created_by: string;
}

/** Of JoinRoom and LeaveRoom. */
export interface MembershipRequest {
  room_id: string;
  user_id: string;
}

export interface MembershipResponse {
  success: boolean;
  error_message: string;
  message: string;
  room?: ChatRoom;
}

export interface ListRoomsRequest {
  user_id: string;
  include_private: boolean;
}

export interface UserRequest {
  user_id: string;
}

export interface UpdateUserRequest extends UserRequest {
  username: string;
  display_name: string;
  avatar_url: string;
  status: Texts;
}

export interface UpdateUserStatusRequest extends UserRequest {
  online: boolean;
  status: Texts;
}

/** Of UpdateUser and UpdateUserStatus. */
export interface UserChanged {
  user: User;
  success: true;
}

export interface RoomRequest {
  room_id: string;
}

export interface ListUsersRequest extends RoomRequest {
  online_only: boolean;
}

export interface GetMessagesRequest extends RoomRequest {
  limit: number;
  offset: number;
}

export interface GetMessageHistoryRequest extends RoomRequest {
  limit: number;
  before_message_id: string;
}

export interface SearchMessagesRequest extends RoomRequest {
  query: string;
  limit: number;
  user_id: string;
}

export interface SendMessageRequest {
  message: ChatMessage | null;
}

export interface HealthCheckResponse {
  status: string;
  timestamp: string;
  details: Texts;
  message: string;
  uptime: string;
}

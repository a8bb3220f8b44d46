/** What the read models know, as the messages of `chat.proto`. */
import type { MessageView, RoomView, UserView } from '#contract';
import type { ChatMessage, ChatRoom, User } from './messages.js';

export const chatMessage = (view: MessageView): ChatMessage => ({
  id: view.id,
  user_id: view.sender,
  room_id: view.roomId,
  content: view.content,
  message_type: view.type,
  timestamp: view.createdAt,
  metadata: { ...view.metadata },
  mentions: [...view.mentions],
  reply_to: view.replyTo ?? '',
});

export const chatRoom = (view: RoomView, members: readonly string[]): ChatRoom => ({
  id: view.id,
  name: view.name,
  description: view.description,
  created_by: view.createdBy,
  created_at: view.createdAt,
  members: [...members],
  settings: { ...view.settings },
  is_private: view.isPrivate,
  max_members: view.maxMembers,
});

export const chatUser = (view: UserView): User => ({
  id: view.id,
  username: view.username,
  display_name: view.displayName,
  avatar_url: view.avatarUrl,
  online: view.online,
  last_seen: view.lastSeen ?? '',
  status: { ...view.status },
});

/** What queries answer with: the shapes of the read side, as JSON prints them. Times are RFC 3339 in UTC. */
import type { MemberRole, MessageType } from './protocol.js';

export interface RoomView {
  readonly id: string;
  readonly kind: 'room' | 'channel';
  readonly name: string;
  readonly description: string;
  readonly isPrivate: boolean;
  readonly maxMembers: number;
  readonly memberCount: number;
  readonly settings: Readonly<Record<string, string>>;
  readonly createdBy: string;
  readonly createdAt: string;
  readonly archived: boolean;
  readonly participants?: readonly string[];
}

export interface MemberView {
  readonly userId: string;
  readonly username: string;
  readonly displayName: string;
  readonly role: MemberRole;
  readonly muted: boolean;
  readonly joinedAt: string;
}

export interface MessageView {
  readonly id: string;
  readonly roomId: string;
  readonly seq: number;
  /** 1 for the room's first message. */
  readonly ordinal: number;
  readonly sender: string;
  readonly content: string;
  readonly type: MessageType;
  readonly metadata: Readonly<Record<string, string>>;
  readonly mentions: readonly string[];
  readonly replyTo: string | null;
  readonly reactions: Readonly<Record<string, readonly string[]>>;
  readonly editedAt: string | null;
  readonly deletedAt: string | null;
  readonly createdAt: string;
}

export interface InboxEntry {
  readonly room: RoomView;
  readonly lastMessage: MessageView | null;
  readonly unread: number;
  readonly readUpTo: string | null;
}

export interface UserView {
  readonly id: string;
  readonly username: string;
  readonly displayName: string;
  readonly avatarUrl: string;
  readonly online: boolean;
  readonly lastSeen: string | null;
  readonly status: Readonly<Record<string, string>>;
}

/** One page of a list; `next` is the cursor of the page after it, null at the end. */
export interface Page<T> {
  readonly items: readonly T[];
  readonly next: string | null;
}

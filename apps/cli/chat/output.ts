/** What the chat has to say, as data: `--json` prints these as they are, a terminal shows them as text. */

/** A message as it is shown; `at` is RFC 3339, the log's time. */
export interface ShownMessage {
  readonly id: string;
  readonly seq: number;
  readonly sender: string;
  /** The sender's name, as others see it. */
  readonly name: string;
  readonly content: string;
  readonly at: string;
}

export interface ListedRoom {
  readonly id: string;
  readonly name: string;
  readonly joined: boolean;
  readonly unread: number;
  /** A conversation of its participants, not a room to be joined. */
  readonly direct: boolean;
}

export interface ShownMember {
  readonly userId: string;
  readonly name: string;
  readonly online: boolean;
  readonly status: Readonly<Record<string, string>>;
}

interface InRoom {
  readonly room: string;
  readonly roomName: string;
}

export type Output =
  | { readonly type: 'ready'; readonly user: string; readonly name: string; readonly url: string }
  | { readonly type: 'rooms'; readonly rooms: readonly ListedRoom[] }
  | ({ readonly type: 'joined' | 'messages'; readonly messages: readonly ShownMessage[] } & InRoom)
  | ({
      readonly type: 'message';
      /** In the room that the user is in now. */
      readonly here: boolean;
      readonly direct: boolean;
      /** Written by this user. */
      readonly own: boolean;
    } & InRoom &
      ShownMessage)
  /** The acknowledgement of a message of ours. */
  | ({
      readonly type: 'sent';
      /** The server had it already, from before a lost connection. */
      readonly duplicate: boolean;
      readonly here: boolean;
      readonly direct: boolean;
      /** It came as a message before, after a reconnect. */
      readonly seen: boolean;
    } & InRoom &
      ShownMessage)
  /** There is no connection: the message waits. */
  | { readonly type: 'kept'; readonly content: string }
  | ({ readonly type: 'left'; readonly byOthers: boolean } & InRoom)
  | ({ readonly type: 'members'; readonly members: readonly ShownMember[] } & InRoom)
  | ({
      readonly type: 'member';
      readonly user: string;
      readonly name: string;
      readonly change: 'joined' | 'left';
    } & InRoom)
  | { readonly type: 'presence'; readonly user: string; readonly name: string; readonly online: boolean }
  | ({ readonly type: 'typing'; readonly names: readonly string[] } & InRoom)
  | ({ readonly type: 'unread'; readonly count: number } & InRoom)
  | { readonly type: 'status'; readonly text: string }
  | { readonly type: 'connection'; readonly state: 'lost' | 'back'; readonly pending: number }
  | { readonly type: 'help'; readonly text: string }
  /** Something was refused or failed; `text` is for people. */
  | { readonly type: 'error'; readonly code: string; readonly text: string }
  | { readonly type: 'goodbye'; readonly unacknowledged: number };

/** With the name that a script gave its request. */
export type Say = (output: Output, request?: string | number) => void;

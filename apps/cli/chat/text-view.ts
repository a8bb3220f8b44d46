/** What is said, as text for people. */
import type { ListedRoom, Output, ShownMember, ShownMessage } from './output.js';

export interface TextStyle {
  readonly color: boolean;
  /** On a terminal rooms carry marks, and notices are shown; in a pipe there is only what was asked for. */
  readonly interactive: boolean;
}

/** The width of `[HH:MM:SS] `. */
const INDENT = 11;
/** Foreground colours that can be read on black and on white. */
const NAME_COLORS = [31, 32, 33, 34, 35, 36] as const;

/** Lines to print; none where a person need not be told. */
export function textOf(output: Output, style: TextStyle): string[] {
  const notice = (text: string): string[] => (style.interactive ? [dim(`* ${text}`, style)] : []);
  switch (output.type) {
    case 'ready':
      return notice(`Signed in as ${clean(output.name)} at ${output.url}. Type /help for available commands.`);
    case 'rooms':
      return ['Available Chatrooms:', ...output.rooms.flatMap((room) => listed(room, output.rooms, style))];
    case 'joined':
      return [`Joined chatroom ${clean(output.roomName)}`, ...output.messages.map((each) => line(each, style))];
    case 'messages':
      return [`Recent messages in [${clean(output.roomName)}]:`, ...output.messages.map((each) => line(each, style))];
    case 'message':
      if (output.here) return [line(output, style)];
      return output.direct ? [line(output, style, output.own ? `to ${output.roomName.slice(1)}` : 'to you')] : [];
    case 'sent':
      if (output.seen) return [];
      if (output.here) return [line(output, style)];
      return [line(output, style, output.direct ? `to ${output.roomName.slice(1)}` : `in ${output.roomName}`)];
    case 'kept':
      return notice(`Kept until the connection is back: ${clean(output.content)}`);
    case 'left':
      return output.byOthers
        ? [`You are no longer in ${clean(output.roomName)}`]
        : [`Left chatroom ${clean(output.roomName)}`];
    case 'members':
      return [`Members of [${clean(output.roomName)}]:`, ...output.members.map((each) => member(each, style))];
    case 'member':
      return notice(`${clean(output.name)} ${output.change}`);
    case 'presence':
      return notice(`${clean(output.name)} is ${output.online ? 'online' : 'offline'}`);
    case 'unread':
      return notice(`${output.count} unread in ${clean(output.roomName)}`);
    case 'status':
      return [`Your status: ${clean(output.text)}`];
    case 'connection':
      return notice(connection(output.state, output.pending));
    case 'help':
      return output.text.split('\n');
    case 'error':
      return [paint(clean(output.text), 31, style)];
    case 'goodbye':
      return ['Goodbye!'];
    case 'typing':
      return []; // shown beside the prompt, for as long as it lasts
  }
}

function connection(state: 'lost' | 'back', pending: number): string {
  if (state === 'lost') return 'Connection lost. Connecting again; what you write is kept and sent then.';
  return pending === 0 ? 'Connected again.' : `Connected again. Sending what was kept: ${pending}`;
}

function listed({ id, name, unread, direct }: ListedRoom, all: readonly ListedRoom[], style: TextStyle): string[] {
  const isAmbiguous = all.filter((room) => room.name === name).length > 1;
  const shown = isAmbiguous ? `${clean(name)} (${id})` : clean(name);
  if (!style.interactive) return direct ? [] : [` - ${shown}`];
  return [` - ${shown}${unread > 0 ? paint(` (${unread} unread)`, 33, style) : ''}`];
}

function member({ name, online, status }: ShownMember, style: TextStyle): string {
  const said = status['message'] ?? status['mood'];
  const shown = online ? paint('online', 32, style) : dim('offline', style);
  return ` - ${clean(name)} (${shown})${said === undefined || said === '' ? '' : ` ${clean(said)}`}`;
}

/** `[HH:MM:SS] <user>: <text>`, in the reader's time zone; further lines of a text stand below its first. */
function line({ at, name, content }: ShownMessage, style: TextStyle, note?: string): string {
  const time = new Date(at).toTimeString().slice(0, 8);
  const who = `${paint(clean(name), colorOf(name), style)}${note === undefined ? '' : dim(` (${clean(note)})`, style)}`;
  const text = content
    .split('\n')
    .map(clean)
    .join(`\n${' '.repeat(INDENT)}`);
  return `${dim(`[${time}]`, style)} ${who}: ${text}`;
}

/** What others have written must not move the cursor, or end the line. */
export const clean = (text: string): string => text.replace(/[\p{Cc}\u2028\u2029]/gu, (c) => (c === '\t' ? c : ''));

function colorOf(name: string): number {
  let sum = 0;
  for (const char of name) sum = (sum * 31 + (char.codePointAt(0) ?? 0)) % 1_000_003;
  return NAME_COLORS[sum % NAME_COLORS.length] ?? 36;
}

export const dim = (text: string, style: TextStyle): string => paint(text, 2, style);
const paint = (text: string, code: number, { color }: TextStyle): string =>
  color ? `\u001b[${code}m${text}\u001b[0m` : text;

/** What somebody asks for by typing a line, or a script by a JSON object. */

export type Request =
  | { readonly op: 'list' | 'messages' | 'leave' | 'who' | 'help' | 'quit' | 'nothing' }
  | { readonly op: 'join'; readonly room: string }
  | { readonly op: 'say'; readonly text: string; readonly room?: string }
  | { readonly op: 'dm'; readonly user: string; readonly text: string }
  | { readonly op: 'status'; readonly text: string }
  /** Not understood; `text` is for the one who typed it. */
  | { readonly op: 'wrong'; readonly code: 'usage' | 'unknown_command' | 'invalid_json'; readonly text: string };

/** A request, and the name that a script gave it. */
export interface Asked {
  readonly request: Request;
  readonly id?: string | number;
}

export const COMMANDS = ['/list', '/join', '/messages', '/dm', '/who', '/status', '/leave', '/help', '/quit'] as const;

export const HELP = `Available commands:
  /list                 rooms that you may join
  /join <room>          join a room, by name or id, and talk in it
  /messages             recent messages of the room
  /who                  who is in the room, and who is online
  /dm <user> <text>     a message to one person
  /status <text>        what others see beside your name
  /leave                leave the room
  /help                 this list
  /quit                 end
Anything else is sent to the room.`;

export function requestOf(line: string): Request {
  const text = line.trim();
  if (text === '') return { op: 'nothing' };
  if (!text.startsWith('/')) return { op: 'say', text: line };
  const [, command = '', rest = ''] = /^(\S+)\s*(.*)$/su.exec(text) ?? [];
  switch (command) {
    case '/list':
    case '/messages':
    case '/leave':
    case '/who':
    case '/help':
    case '/quit':
      return { op: command.slice(1) as 'list' };
    case '/join':
      return rest === '' ? usage('Usage: /join <roomname>') : { op: 'join', room: rest };
    case '/status':
      return rest === '' ? usage('Usage: /status <text>') : { op: 'status', text: rest };
    case '/dm': {
      const [, user = '', said = ''] = /^(\S+)\s+(.+)$/su.exec(rest) ?? [];
      return user === '' ? usage('Usage: /dm <user> <text>') : { op: 'dm', user, text: said };
    }
    default: {
      const problem = `Unknown command: ${command}. Type /help for available commands.`;
      return { op: 'wrong', code: 'unknown_command', text: problem };
    }
  }
}

const usage = (text: string): Request => ({ op: 'wrong', code: 'usage', text });

/** A line of a script: `{"op":"say","room":"General","text":"hello","id":1}`; what is no object is a line as a person types it. */
export function askedInJson(line: string): Asked {
  if (!line.trimStart().startsWith('{')) return { request: requestOf(line) };
  let given: Record<string, unknown>;
  try {
    given = JSON.parse(line) as Record<string, unknown>;
  } catch {
    return { request: { op: 'wrong', code: 'invalid_json', text: 'not a JSON object' } };
  }
  const { id } = given;
  return { request: requestIn(given), ...(typeof id === 'string' || typeof id === 'number' ? { id } : {}) };
}

const PLAIN = new Set(['list', 'messages', 'leave', 'who', 'help', 'quit']);

function requestIn({ op, room, text, user }: Record<string, unknown>): Request {
  if (typeof op === 'string' && PLAIN.has(op)) return { op: op as 'list' };
  if (op === 'join' && typeof room === 'string') return { op, room };
  if (op === 'say' && typeof text === 'string') return typeof room === 'string' ? { op, text, room } : { op, text };
  if (op === 'dm' && typeof user === 'string' && typeof text === 'string') return { op, user, text };
  if (op === 'status' && typeof text === 'string') return { op, text };
  const known =
    'list, messages, leave, who, help, quit, join {room}, say {text, room?}, dm {user, text}, status {text}';
  return { op: 'wrong', code: 'usage', text: `op takes one of ${known}` };
}

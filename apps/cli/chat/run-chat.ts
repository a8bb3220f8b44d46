/** `parley chat`: signs in, connects, and carries lines between whoever types and the chat. Gives the exit code. */
import type { ReadStream, WriteStream } from 'node:tty';
import WebSocket from 'ws';
import { ChatClient, ClosedError, RefusedError } from '#client';
import { Chat, problemOf } from './chat.js';
import { CHAT_USAGE, chatOptions, type ChatOptions, UsageError } from './options.js';
import type { Output, Say } from './output.js';
import { askedInJson, COMMANDS, requestOf } from './requests.js';
import { PipeScreen, type Screen, TerminalScreen } from './screen.js';
import { signIn, SignInError } from './sign-in.js';
import { clean, dim, textOf, type TextStyle } from './text-view.js';

export interface Streams {
  readonly stdin: NodeJS.ReadableStream & Partial<Pick<ReadStream, 'isTTY'>>;
  readonly stdout: NodeJS.WritableStream & Partial<Pick<WriteStream, 'isTTY'>>;
  readonly stderr: NodeJS.WritableStream;
}

const OK = 0;
const FAILED = 1;
const WRONG_USAGE = 2;
/** A server that takes a question and never answers it. */
const ANSWER_WITHIN_MS = 15_000;

export async function runChat(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  streams: Streams,
): Promise<number> {
  const complain = (text: string): void => void streams.stderr.write(`parley chat: ${text}\n`);
  try {
    const options = chatOptions(args, env);
    if (options !== undefined) return await talk(options, streams);
    streams.stdout.write(`${CHAT_USAGE}\n`);
    return OK;
  } catch (error) {
    if (error instanceof UsageError) {
      complain(`${error.message} (parley chat --help)`);
      return WRONG_USAGE;
    }
    complain(whyNot(error));
    return FAILED;
  }
}

async function talk(options: ChatOptions, streams: Streams): Promise<number> {
  const client = new ChatClient({
    url: options.url,
    token: await signIn(options),
    WebSocket,
    fetch: (url, init) => fetch(url, { ...init, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }),
  });
  try {
    return await talkOn(client, options, streams);
  } finally {
    client.close();
  }
}

/** The conversation on a client that is not connected yet; the client stays the caller's. */
export async function talkOn(client: ChatClient, options: ChatOptions, streams: Streams): Promise<number> {
  const onTerminal = streams.stdout.isTTY === true && !options.dumb;
  const interactive = onTerminal && streams.stdin.isTTY === true && !options.json;
  const style = { interactive, color: onTerminal && options.color };
  const screen = interactive ? terminalFor(client, streams, () => chat) : pipeFor(streams);
  const say = options.json ? inJson(screen) : inText(screen, style);
  const chat: Chat = new Chat(client, say, !interactive);
  const ended = new AbortController();
  client.connection.on(({ state }) => {
    if (state === 'closed') ended.abort();
  });
  try {
    await withinTime(chat.start(options.url), options);
    if (options.room !== undefined) await chat.perform({ request: { op: 'join', room: options.room } });
    await takeLines(chat, screen, options.json, ended.signal);
    const unacknowledged = await chat.finish(interactive ? await patience(client, screen, options) : options.waitMs);
    if (unacknowledged > 0) screen.complain(`not acknowledged, and perhaps not sent: ${unacknowledged}`);
    return unacknowledged > 0 || (chat.failures > 0 && !interactive) ? FAILED : OK;
  } finally {
    screen.close();
  }
}

/** On a terminal somebody is told what the end waits for. */
function patience(client: ChatClient, screen: Screen, { waitMs }: ChatOptions): Promise<number> {
  const { length } = client.pending;
  if (length > 0) screen.print(`Waiting for ${length} acknowledgements, at most ${waitMs / 1_000} s`);
  return Promise.resolve(waitMs);
}

async function takeLines(chat: Chat, screen: Screen, json: boolean, ended: AbortSignal): Promise<void> {
  const over = new Promise<never>((_resolve, reject) => {
    const end = (): void => reject(new ClosedError('the server ended the connection for good'));
    if (ended.aborted) end();
    ended.addEventListener('abort', end);
  });
  const taking = (async () => {
    for await (const line of screen.lines())
      if (!(await chat.perform(json ? askedInJson(line) : { request: requestOf(line) }))) return;
  })();
  await Promise.race([taking, over]);
}

async function withinTime(starting: Promise<void>, { waitMs, url }: ChatOptions): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no connection to ${url} within ${waitMs / 1_000} s`)), waitMs);
  });
  try {
    await Promise.race([starting, late]);
  } finally {
    clearTimeout(timer);
  }
}

// --- output

const inJson =
  (screen: Screen): Say =>
  (output, request) =>
    screen.print(JSON.stringify(request === undefined ? output : { ...output, request }));

function inText(screen: Screen, style: TextStyle): Say {
  return (output) => {
    const isRefusal = output.type === 'error' && !ANSWERS.has(output.code);
    for (const text of textOf(output, style)) {
      if (isRefusal && !style.interactive) screen.complain(text);
      else screen.print(text);
    }
    if (output.type === 'typing') screen.setNotice(typingText(output.names, style));
    const prompt = promptAfter(output);
    if (prompt !== undefined) screen.setPrompt(prompt);
  };
}

/** Texts of the contract: they answer a line, and stand where answers stand. */
const ANSWERS: ReadonlySet<string> = new Set(['usage', 'unknown_command', 'no_room']);

function promptAfter(output: Output): string | undefined {
  if (output.type === 'joined') return `[${clean(output.roomName)}] > `;
  return output.type === 'left' ? '> ' : undefined;
}

function typingText(names: readonly string[], style: TextStyle): string {
  if (names.length === 0) return '';
  const who = names.map(clean).join(', ');
  return dim(`* ${who} ${names.length === 1 ? 'is' : 'are'} typing`, style);
}

// --- input

function pipeFor({ stdin, stdout, stderr }: Streams): Screen {
  return new PipeScreen(stdin, stdout, stderr);
}

function terminalFor(client: ChatClient, { stdin, stdout }: Streams, chat: () => Chat): Screen {
  return new TerminalScreen({
    input: stdin as ReadStream,
    output: stdout as WriteStream,
    completions: (line) => completionsOf(client, line),
    onTyping: (line) => {
      const room = chat().conversation.current;
      if (room !== undefined && line.trim() !== '' && !line.startsWith('/')) client.userTyped(room);
    },
    isEchoed: (line) => requestOf(line).op === 'say' && chat().conversation.current !== undefined,
  });
}

function completionsOf(client: ChatClient, line: string): string[] {
  if (!line.startsWith('/')) return [];
  const rooms = [...client.state.rooms.values()]
    .filter(({ kind }) => kind === 'room')
    .map(({ name }) => `/join ${name}`);
  const all = line.startsWith('/join ') ? rooms : COMMANDS.map((command) => `${command} `);
  return all.filter((text) => text.toLowerCase().startsWith(line.toLowerCase()));
}

function whyNot(error: unknown): string {
  if (error instanceof SignInError) return error.message;
  if (error instanceof RefusedError && error.code === 'unauthenticated')
    return `the token is refused: ${error.message}`;
  return problemOf(error).text;
}

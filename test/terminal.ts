/**
 * A terminal for tests: a program runs in a pseudo terminal, and an emulator keeps the screen that a person would see. Where tmux is
 * installed the same tests can run in it, too: a terminal that we did not write.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { spawn } from '@lydell/node-pty';
import xterm from '@xterm/headless';
import { waitUntil } from '#embedded';

export interface Terminal {
  /** Keys; `\r` is Enter, `\u0003` Ctrl-C. */
  type(keys: string): void;
  /** The rows of the screen, without blanks at their ends and without empty rows below. */
  screen(): Promise<string[]>;
  /** Waits until some row holds the text. */
  shows(text: string): Promise<void>;
  /** Waits for the program's end; gives its exit code. */
  ended(): Promise<number>;
  close(): void;
}

export interface TerminalOptions {
  readonly cols?: number;
  readonly rows?: number;
  readonly env?: Readonly<Record<string, string>>;
}

const SHOWN_WITHIN_MS = 20_000;
const COLS = 60;
const ROWS = 24;

export function openTerminal(command: readonly string[], options: TerminalOptions = {}): Terminal & { raw(): string } {
  const { cols = COLS, rows = ROWS, env = {} } = options;
  const emulator = new xterm.Terminal({ cols, rows, allowProposedApi: true, scrollback: 1_000 });
  const [file = '', ...args] = command;
  const given = { PATH: process.env['PATH'] ?? '', TERM: 'xterm-256color', TZ: 'UTC', ...env };
  const program = spawn(file, args, { cols, rows, env: given, name: given.TERM });
  let raw = '';
  let exitCode: number | undefined;
  program.onData((data) => {
    raw += data;
    emulator.write(data);
  });
  program.onExit((exit) => (exitCode = exit.exitCode));
  const screen = async (): Promise<string[]> => {
    await new Promise<void>((resolve) => emulator.write('', resolve));
    const { active } = emulator.buffer;
    return trimmed(Array.from({ length: active.length }, (_, i) => active.getLine(i)?.translateToString(true) ?? ''));
  };
  return {
    raw: () => raw,
    type: (keys) => program.write(keys),
    screen,
    shows: (text) => untilShown(text, screen),
    ended: async () => {
      await waitUntil('the program ends', SHOWN_WITHIN_MS, () => exitCode !== undefined);
      return exitCode ?? -1;
    },
    close: () => {
      if (exitCode === undefined) program.kill('SIGKILL');
      emulator.dispose();
    },
  };
}

export const hasTmux = spawnSync('tmux', ['-V']).status === 0;

/** The same in tmux, on a server of its own. */
export function openTmux(command: readonly string[], options: TerminalOptions = {}): Terminal {
  const { cols = COLS, rows = ROWS, env = {} } = options;
  const socket = `parley-${randomBytes(4).toString('hex')}`;
  const tmux = (...args: string[]): string =>
    execFileSync('tmux', ['-L', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const variables = Object.entries({ TZ: 'UTC', ...env }).flatMap(([name, value]) => ['-e', `${name}=${value}`]);
  const size = ['-x', String(cols), '-y', String(rows)];
  // The shell stays for a moment, so that the last screen can be read.
  tmux('new-session', '-d', ...size, ...variables, `${quoted}; echo "ended with $?"; sleep 60`);
  const screen = (): Promise<string[]> => Promise.resolve(trimmed(tmux('capture-pane', '-p').split('\n')));
  return {
    type: (keys) => {
      for (const part of keys.split(/(\r|\u0003)/))
        if (part === '\r') tmux('send-keys', 'Enter');
        else if (part === '\u0003') tmux('send-keys', 'C-c');
        else if (part !== '') tmux('send-keys', '-l', part);
    },
    screen,
    shows: (text) => untilShown(text, screen),
    ended: async () => {
      await untilShown('ended with', screen);
      return Number(/ended with (\d+)/.exec((await screen()).join('\n'))?.[1]);
    },
    close: () => void spawnSync('tmux', ['-L', socket, 'kill-server']),
  };
}

/** A long text may be wrapped, so rows are looked at as one, too. */
async function untilShown(text: string, screen: () => Promise<string[]>): Promise<void> {
  let last: string[] = [];
  const isShown = async (): Promise<boolean> => {
    last = await screen();
    return last.join('\n').includes(text) || last.join('').includes(text);
  };
  await waitUntil(`the terminal shows ${text}`, SHOWN_WITHIN_MS, isShown).catch((cause: unknown) => {
    throw new Error(`the terminal does not show ${text}:\n${last.join('\n')}`, { cause });
  });
}

function trimmed(rows: readonly string[]): string[] {
  const lines = rows.map((row) => row.trimEnd());
  return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1);
}

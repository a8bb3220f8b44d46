/** What the operator's commands have in common: how they are called, and how they answer. */
import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Config } from '#service';

/** The exit codes, which `--help` states. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** A wrong command line; `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Where answers go. With `--json` there is one JSON object a line and nothing else. */
export interface Report {
  readonly json: boolean;
  /** For people; not with `--json`. */
  line(text: string): void;
  /** For programs: only with `--json`. Resolves when there is room for the next one. */
  item(record: object): Promise<void>;
  /** How far long work is, beside the answers; at most once a second. */
  progress(text: string): void;
}

export interface Invocation {
  readonly args: readonly string[];
  readonly report: Report;
  /** Reads the configuration. @throws ConfigError */
  config(): Config;
  /** Aborts when somebody presses Ctrl-C. */
  readonly stop: AbortSignal;
  readonly streams: Streams;
}

export interface Streams {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdin: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

export interface OperatorCommand {
  /** What `parley <command> --help` prints. */
  readonly usage: string;
  /** @returns the exit code */
  run(invocation: Invocation): Promise<number>;
}

type Options = NonNullable<ParseArgsConfig['options']>;

/** Reads a command's arguments. @throws UsageError */
export function parsedArgs<const O extends Options>(args: readonly string[], options: O) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true, strict: true });
  } catch (error) {
    const message = error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error);
    throw new UsageError(message, { cause: error });
  }
}

/** @throws UsageError naming the option */
export function wholeNumber(option: string, text: string | undefined, range: { min: number; max: number }) {
  if (text === undefined) return undefined;
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= range.min && number <= range.max) return number;
  throw new UsageError(`${option} ${text}: takes a whole number, ${range.min} to ${range.max}`);
}

/** @throws UsageError when there are more or fewer */
export function positionals<const N extends readonly string[]>(
  given: readonly string[],
  names: N,
): { [K in keyof N]: string } {
  if (given.length !== names.length)
    throw new UsageError(
      names.length === 0 ? `unexpected ${given[0]}` : `takes ${names.map((name) => `<${name}>`).join(' ')}`,
    );
  return given as { [K in keyof N]: string };
}

const PROGRESS_EVERY_MS = 1_000;

export function reportTo({ stdout, stderr }: Streams, json: boolean): Report & { end(): void } {
  let shownAt = performance.now();
  let shown = false;
  const onTerminal = stderr.isTTY === true;
  const clear = (): void => {
    if (shown && onTerminal) stderr.write('\r\u001b[K');
    shown = false;
  };
  const write = (text: string): boolean => {
    clear();
    return stdout.write(`${text}\n`);
  };
  return {
    json,
    line: (text) => {
      if (!json) write(inert(text));
    },
    item: async (record) => {
      if (json && !write(JSON.stringify(record))) await new Promise<void>((resolve) => stdout.once('drain', resolve));
    },
    progress: (text) => {
      if (performance.now() - shownAt < PROGRESS_EVERY_MS) return;
      shownAt = performance.now();
      shown = true;
      stderr.write(onTerminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end: clear,
  };
}

/** What is shown may be anybody's, of a damaged log: it stays on its line, and does nothing to the terminal. */
const inert = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cs}]/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

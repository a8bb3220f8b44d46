/** Where lines come from and where text goes: a terminal that somebody types at, or a pipe. */
import { createInterface, cursorTo, clearScreenDown, moveCursor, type Interface } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';

export interface Screen {
  /** Lines as they are entered; ends with the input, or when somebody asks to stop. */
  lines(): AsyncIterable<string>;
  print(text: string): void;
  /** What went wrong, where it must not stand among the output. */
  complain(text: string): void;
  setPrompt(prompt: string): void;
  /** A line above the prompt that is not part of the conversation; empty for none. */
  setNotice(text: string): void;
  close(): void;
}

type Input = NodeJS.ReadableStream;
type Output = NodeJS.WritableStream;

/** For what is not a terminal: lines in, lines out, and nothing else. */
export class PipeScreen implements Screen {
  constructor(
    private readonly input: Input,
    private readonly output: Output,
    private readonly errors: Output,
  ) {}

  lines(): AsyncIterable<string> {
    return createInterface({ input: this.input, crlfDelay: Infinity });
  }

  print(text: string): void {
    this.output.write(`${text}\n`);
  }

  complain(text: string): void {
    this.errors.write(`${text}\n`);
  }

  setPrompt(): void {
    // nobody types here
  }

  setNotice(): void {
    // nobody looks on
  }

  close(): void {
    this.input.pause();
  }
}

export interface TerminalOptions {
  readonly input: ReadStream;
  readonly output: WriteStream;
  /** What the Tab key can complete a line to. */
  readonly completions: (line: string) => readonly string[];
  /** At each key press, with the line so far. */
  readonly onTyping: (line: string) => void;
  /** Whether what was typed is shown again by what follows, so that the typed line may go. */
  readonly isEchoed: (line: string) => boolean;
}

/**
 * A terminal: readline edits the last line, everything else is printed above it. To print, the edited line is cleared, the text
 * written, and the prompt drawn again with what was typed so far and the cursor where it was.
 */
export class TerminalScreen implements Screen {
  private readonly line: Interface;
  private prompt = '> ';
  private notice = '';
  private closed = false;
  /** The prompt, and what was typed behind it, stand in the last rows. */
  private drawn = false;
  /** Lines that nobody has asked for yet: somebody types ahead while the chat connects. */
  private readonly entered: string[] = [];
  private wake = (): void => undefined;

  constructor(private readonly options: TerminalOptions) {
    const { input, output, completions } = options;
    this.line = createInterface({
      input,
      output,
      terminal: true,
      prompt: this.prompt,
      historySize: 500,
      completer: (text: string) => [completions(text), text],
    });
    // Ctrl-C takes back what was typed; on an empty line it ends.
    this.line.on('SIGINT', () => {
      if (this.line.line === '') return this.line.close();
      this.line.write(null, { ctrl: true, name: 'e' });
      this.line.write(null, { ctrl: true, name: 'u' });
    });
    this.line.on('SIGCONT', () => this.draw());
    this.line.on('line', (text) => this.take(text));
    this.line.on('close', () => {
      this.closed = true;
      this.wake();
    });
    input.on('keypress', () => {
      if (!this.closed) options.onTyping(this.line.line);
    });
    this.draw();
  }

  async *lines(): AsyncGenerator<string, void, undefined> {
    for (;;) {
      const next = this.entered.shift();
      if (next !== undefined) yield next;
      else if (this.closed) return;
      else await new Promise<void>((resolve) => (this.wake = resolve));
    }
  }

  print(text: string): void {
    if (this.closed) return void this.options.output.write(`${text}\n`);
    this.erase();
    this.options.output.write(`${text}\n`);
    this.show();
  }

  complain(text: string): void {
    this.print(text);
  }

  setPrompt(prompt: string): void {
    this.prompt = prompt;
    this.draw();
  }

  setNotice(text: string): void {
    if (this.notice === text) return;
    this.notice = text;
    this.draw();
  }

  close(): void {
    if (this.closed) return;
    this.erase();
    this.line.close();
  }

  private draw(): void {
    if (this.closed) return;
    this.erase();
    this.line.setPrompt(this.notice === '' ? this.prompt : `${this.notice}\n${this.prompt}`);
    this.show();
  }

  private show(): void {
    this.line.prompt(true);
    this.drawn = true;
  }

  /** Enter has moved the cursor below the line. What will be printed again as a message is taken away, the rest stays. */
  private take(text: string): void {
    this.drawn = false;
    if (this.options.isEchoed(text)) {
      const columns = this.options.output.columns || 80;
      // A line that fills its last row may or may not have begun another: rather leave a row than take one of the conversation.
      const typed = Math.max(1, Math.ceil(displayWidth(this.prompt + text) / columns));
      this.eraseFrom(typed + (this.notice === '' ? 0 : 1));
    }
    this.entered.push(text);
    this.wake();
    this.draw();
  }

  /** Takes away the prompt and what was typed; the cursor stands where they began. */
  private erase(): void {
    if (!this.drawn) return;
    this.drawn = false;
    const { rows, cols } = this.line.getCursorPos();
    // In a full row the cursor waits at its end; a blank takes it to the next row, where readline thinks that it is.
    if (rows > 0 && cols === 0) this.options.output.write(' ');
    this.eraseFrom(rows);
    // readline goes up by the rows that it remembers before it draws. It forgets them when much is typed at once, so we do not
    // rely on its memory.
    (this.line as Interface & { prevRows: number }).prevRows = 0;
  }

  private eraseFrom(rowsAbove: number): void {
    const { output } = this.options;
    moveCursor(output, 0, -rowsAbove);
    cursorTo(output, 0);
    clearScreenDown(output);
  }
}

const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]/u;
const NO_WIDTH = /[\p{Mn}\p{Me}\p{Cc}\u200b-\u200f\ufe00-\ufe0f]/u;

/** Columns that a text takes on a terminal, as readline counts them. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const char of text.normalize('NFC')) width += NO_WIDTH.test(char) ? 0 : WIDE.test(char) ? 2 : 1;
  return width;
}

/** Reads Markdown as far as the tests of the documents need: tables below a heading, fenced blocks, links, code spans. */

/** Cells of all tables below a heading, without the tables' own headings. */
export function rowsUnder(text: string, heading: string): string[][] {
  const [, rest] = text.split(new RegExp(`^#+ ${heading}$`, 'm'));
  if (rest === undefined) throw new Error(`there is no heading "${heading}"`);
  const lines = rest.slice(0, /^#+ /m.exec(rest)?.index).split('\n');
  return lines
    .filter((line, n) => isRow(line) && !isRule(line) && !isRule(lines[n + 1] ?? ''))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const isRow = (line: string): boolean => line.startsWith('|');
const isRule = (line: string): boolean => /^\|[\s|:-]+\|$/.test(line);

export interface FencedBlock {
  /** What stands behind the opening fence: `sh tour`. */
  readonly info: string;
  readonly text: string;
}

export function fencedBlocks(text: string): FencedBlock[] {
  return [...text.matchAll(/^```([^\n]*)\n([\s\S]*?)^```$/gm)].map(([, info = '', body = '']) => ({
    info,
    text: body,
  }));
}

/** Targets of links, in order. */
export function links(text: string): string[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => String(target));
}

/** Code spans outside of fenced blocks. */
export function codeSpans(text: string): string[] {
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '');
  return [...prose.matchAll(/`([^`\n]+)`/g)].map(([, code]) => String(code));
}

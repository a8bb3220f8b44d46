import { request } from 'node:http';

const TIMEOUT_MS = 2_000;

/** One plain GET on a connection of its own; undefined when nobody answers. For readiness, where silence is an answer. */
export function get(url: string): Promise<{ status: number; body: string } | undefined> {
  return new Promise((resolve) => {
    const asked = request(url, { agent: false, timeout: TIMEOUT_MS }, (answer) => {
      let body = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => (body += chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, body }));
      answer.on('error', () => resolve(undefined));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(undefined));
    asked.end();
  });
}

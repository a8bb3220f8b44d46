/** Requests that most specs make, and the people who make them. */
import { randomUUID } from 'node:crypto';
import type { Answer, Call } from './test-client.js';
import { type Api, foreignToken } from './test-platform.js';

export const ANNA = foreignToken({ sub: 'anna', username: 'Anna' });
export const BEN = foreignToken({ sub: 'ben' });
export const CLEO = foreignToken({ sub: 'cleo' });

export const newId = (): string => `r-${randomUUID()}`;
export const join = (roomId: string, body: object = {}): Call => ({ url: `/api/rooms/${roomId}/join`, body });
export const send = (roomId: string, content: string): Call => ({
  url: `/api/rooms/${roomId}/messages`,
  body: { content },
});

export interface Accepted {
  readonly id: string;
  readonly position: string;
  readonly seq: number;
  readonly duplicate: boolean;
  readonly changed: boolean;
}

/** What somebody does, and what they see of it afterwards. */
export class People {
  constructor(private readonly api: () => Api) {}

  ask(token: string, request: Call): Promise<Answer> {
    return this.api().ask({ token, ...request });
  }

  /** A command that has to be accepted; its position makes the next query see it. */
  async done(token: string, request: Call): Promise<Accepted> {
    const answer = await this.ask(token, request);
    if (answer.status !== 202) throw new Error(`${request.url}: ${answer.status} ${answer.text}`);
    return answer.json() as unknown as Accepted;
  }

  async seen<T>(token: string, url: string, position: string): Promise<T> {
    const answer = await this.ask(token, { url, headers: { 'parley-position': position } });
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${answer.text}`);
    return answer.json() as T;
  }

  async newRoom(options: object = {}, owner = ANNA): Promise<string> {
    const id = newId();
    const { position } = await this.done(owner, { url: '/api/rooms', body: { id, name: `Room ${id}`, ...options } });
    await this.seen(owner, `/api/rooms/${id}`, position);
    return id;
  }
}

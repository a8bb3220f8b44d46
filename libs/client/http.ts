/** The HTTP side of the client: queries, and the commands that need no connection. Refusals are `RefusedError`. */
import type { CommandResult, InboxEntry, MemberView, MessageView, Page, RoomView, UserView } from '#contract';
import { RefusedError } from './errors.js';

export type Fetch = (url: string, init?: RequestInit) => Promise<Response>;

export interface HistoryOptions {
  /** At most 100; 50 when not given. */
  readonly limit?: number;
  /** Message ids, exclusive. */
  readonly before?: string;
  readonly after?: string;
  readonly order?: 'asc' | 'desc';
  /** `next` of the page before. */
  readonly cursor?: string;
  /** Waits until the view has this position or cursor. */
  readonly position?: string;
}

export class HttpApi {
  constructor(
    private readonly url: () => string,
    private readonly token: () => Promise<string>,
    private readonly fetch: Fetch,
  ) {}

  history(roomId: string, options: HistoryOptions = {}): Promise<Page<MessageView>> {
    return this.get(`/api/rooms/${encodeURIComponent(roomId)}/messages`, { ...options });
  }

  rooms(options: { q?: string; cursor?: string; limit?: number; position?: string } = {}): Promise<Page<RoomView>> {
    return this.get('/api/rooms', options);
  }

  room(roomId: string): Promise<RoomView> {
    return this.get(`/api/rooms/${encodeURIComponent(roomId)}`, {});
  }

  async members(roomId: string, options: { position?: string } = {}): Promise<readonly MemberView[]> {
    const path = `/api/rooms/${encodeURIComponent(roomId)}/users`;
    return (await this.get<{ users: readonly MemberView[] }>(path, options)).users;
  }

  inbox(options: { cursor?: string; limit?: number; position?: string } = {}): Promise<Page<InboxEntry>> {
    return this.get('/api/inbox', options);
  }

  user(userId: string): Promise<UserView> {
    return this.get(`/api/users/${encodeURIComponent(userId)}`, {});
  }

  me(): Promise<UserView> {
    return this.get('/api/me', {});
  }

  createRoom(
    room: { id?: string; name: string; description?: string; isPrivate?: boolean; maxMembers?: number },
    key: string,
  ): Promise<CommandResult> {
    return this.request('POST', '/api/rooms', room, key);
  }

  invite(roomId: string, userId: string, key: string): Promise<CommandResult & { code: string }> {
    return this.request('POST', `/api/rooms/${encodeURIComponent(roomId)}/invites`, { userId }, key);
  }

  private get<T>(path: string, query: Readonly<Record<string, string | number | undefined>>): Promise<T> {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value));
    const text = search.toString();
    return this.request('GET', text === '' ? path : `${path}?${text}`);
  }

  private async request<T>(method: string, path: string, body?: object, key?: string): Promise<T> {
    const headers: Record<string, string> = {
      authorization: `Bearer ${await this.token()}`,
      accept: 'application/json',
    };
    if (body !== undefined) headers['content-type'] = 'application/json';
    if (key !== undefined) headers['idempotency-key'] = key;
    const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    const response = await this.fetch(this.url() + path, init);
    const answer: unknown = await response.json().catch(() => undefined);
    if (response.ok) return answer as T;
    throw refusalOf(response, answer);
  }
}

function refusalOf(response: Response, answer: unknown): RefusedError {
  const { code, detail } = (answer ?? {}) as { code?: string; detail?: string };
  const retryS = Number(response.headers.get('retry-after'));
  const temporary = response.status === 429 || response.status === 503;
  const retryMs = temporary && retryS > 0 ? retryS * 1_000 : undefined;
  return new RefusedError(code ?? 'internal', detail ?? `HTTP ${response.status}`, temporary, retryMs);
}

/** What the read models answer at the end, for the history checker. */
import type { Fetched, InboxRecord, RoomViewRecord } from '#testing';
import { type Http, listAt, textAt, type Fields } from '../http.js';

const PAGE = 100;

export async function readRoom(http: Http, room: string): Promise<RoomViewRecord> {
  const { json } = await http.get(`/api/rooms/${room}`);
  const members = listAt((await http.get(`/api/rooms/${room}/users`)).json, 'users');
  const messages = await everyPage(http, `/api/rooms/${room}/messages?order=asc&limit=${PAGE}`);
  return {
    room,
    memberCount: Number(json['memberCount']),
    members: members as unknown as RoomViewRecord['members'],
    messages: messages as unknown as Fetched[],
  };
}

export async function readInbox(http: Http, user: string): Promise<InboxRecord> {
  const items = await everyPage(http, `/api/inbox?limit=${PAGE}`);
  const entries = items.map((item) => ({
    room: textAt(item, 'room.id'),
    unread: Number(item['unread']),
    lastMessageId: item['lastMessage'] === null ? null : textAt(item, 'lastMessage.id'),
    readUpTo: item['readUpTo'] === null ? null : textAt(item, 'readUpTo'),
  }));
  return { user, entries };
}

async function everyPage(http: Http, path: string): Promise<Fields[]> {
  const items: Fields[] = [];
  for (let cursor = ''; ;) {
    const answer = await http.get(`${path}${cursor}`);
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    items.push(...listAt(answer.json, 'items'));
    const { next } = answer.json;
    if (typeof next !== 'string') return items;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
}

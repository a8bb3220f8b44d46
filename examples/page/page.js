// A whole client on `parley.v1`: resume by cursor, one reducer for replayed and live events, sends that arrive once.
const $ = (id) => document.getElementById(id);
const user = new URLSearchParams(location.search).get('user') ?? 'alice';
const rooms = new Map(); // id -> { name, last: highest sequence of its messages, lines: [{ seq, text }] }
const outbox = new Map(); // key -> frame; kept until acknowledged and sent again after a reconnect
let socket, token, cursor, current, typingTimer;
let attempt = 0;

async function api(path, body) {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const response = await fetch(path, body ? { method: 'POST', headers, body: JSON.stringify(body) } : { headers });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail);
  return answer;
}

async function connect() {
  ({ token } = await api('/api/auth/demo', { user }));
  for (const room of (await api('/api/rooms?limit=100')).items) roomOf(room.id).name = room.name;
  socket = new WebSocket(`${location.origin.replace('http', 'ws')}/ws`, 'parley.v1');
  socket.onopen = () => send({ op: 'hello', token, since: cursor, echo: 'all' });
  socket.onmessage = ({ data }) => receive(JSON.parse(data)).catch(tell);
  // 4500 and above are final, but for a token that can be had anew; the wait is random so that a crowd does not return at once.
  socket.onclose = ({ code }) => (code >= 4500 && code !== 4501 ? tell(`closed: ${code}`) : retry());
}

function retry() {
  $('state').textContent = 'reconnecting';
  setTimeout(() => connect().catch(retry), Math.random() * Math.min(10_000, 250 * 2 ** attempt++));
}

async function receive(frame) {
  if (frame.op === 'welcome') {
    for (const { room, name } of frame.rooms) roomOf(room).name = name;
    if (!cursor || !frame.recovered) await Promise.all(frame.rooms.map(({ room }) => refetch(room)));
  } else if (frame.op === 'caught_up') {
    attempt = 0;
    $('state').textContent = 'live';
    outbox.forEach(send);
    if (!current) await enter('room1');
  } else if (frame.op === 'event') await apply(frame);
  else if (frame.op === 'ack') outbox.delete(frame.id);
  else if (frame.op === 'error') {
    tell(frame.message);
    if (!frame.temporary) outbox.delete(frame.id);
  } else if (frame.op === 'typing' && frame.room === current) tell(frame.typing ? `${frame.user} is typing` : '');
  if (frame.cursor) cursor = frame.cursor;
  draw();
}

async function apply({ type, room: id, seq, prev, actor, data }) {
  const room = roomOf(id);
  if (type === 'message.sent' && seq > room.last) {
    if (prev > room.last) return refetch(id); // a hole: ask for the room again
    add(room, seq, `${data.sender}: ${data.content}`);
    room.last = seq;
    tell('');
  }
  if (type === 'member.joined' || type === 'member.left') add(room, seq, `${data.userId ?? actor} ${type.slice(7)}`);
}

async function refetch(id) {
  for (const { seq, sender, content } of (await api(`/api/rooms/${id}/messages?limit=50`)).items) {
    add(roomOf(id), seq, `${sender}: ${content}`);
    roomOf(id).last = Math.max(roomOf(id).last, seq);
  }
}

async function enter(id) {
  current = id;
  await api(`/api/rooms/${id}/join`, {});
  await refetch(id);
  draw();
}

function roomOf(id) {
  if (!rooms.has(id)) rooms.set(id, { name: id, last: 0, lines: [] });
  return rooms.get(id);
}

function add(room, seq, text) {
  if (room.lines.some((line) => line.seq === seq)) return;
  room.lines = [...room.lines, { seq, text }].sort((a, b) => a.seq - b.seq).slice(-500);
}

function draw() {
  $('room').replaceChildren(...[...rooms].map(([id, { name }]) => new Option(name, id, false, id === current)));
  const item = (text) => Object.assign(document.createElement('li'), { textContent: text });
  const pending = [...outbox.values()].filter((frame) => frame.room === current).map((frame) => `… ${frame.content}`);
  $('messages').replaceChildren(...roomOf(current).lines.map((line) => item(line.text)), ...pending.map(item));
  $('messages').scrollTop = $('messages').scrollHeight;
}

const tell = (text) => ($('note').textContent = text.message ?? text);
const send = (frame) => socket?.readyState === WebSocket.OPEN && socket.send(JSON.stringify(frame));

$('room').onchange = () => enter($('room').value).catch(tell);
$('form').onsubmit = (submit) => {
  submit.preventDefault();
  if (!$('text').value.trim()) return;
  const key = crypto.randomUUID();
  outbox.set(key, { op: 'send', id: key, key, room: current, content: $('text').value });
  send(outbox.get(key));
  $('text').value = '';
  draw();
};
$('text').oninput = () => {
  if (!typingTimer) send({ op: 'typing', room: current, typing: true });
  clearTimeout(typingTimer);
  typingTimer = setTimeout(() => {
    typingTimer = undefined;
    send({ op: 'typing', room: current, typing: false });
  }, 2_000);
};
connect().catch(retry);

/**
 * Prints what one user is told, a line an event: node examples/listen.mjs http://127.0.0.1:3000 <token>
 * The least that a client of `parley.v1` does: hello, then read. It does not resume; `libs/client` does.
 */
import process from 'node:process';
import WebSocket from 'ws';

const [url, token] = process.argv.slice(2);
if (!url || !token) {
  console.error('usage: node examples/listen.mjs http://127.0.0.1:3000 <token>');
  process.exit(64);
}

const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, 'parley.v1');

socket.on('open', () => socket.send(JSON.stringify({ op: 'hello', token })));

socket.on('message', (bytes) => {
  const frame = JSON.parse(bytes.toString());
  if (frame.op === 'welcome') console.log(`listening as ${frame.user}`);
  if (frame.op === 'event')
    console.log(`[${frame.room} ${frame.seq}] ${frame.type} ${frame.actor} ${frame.data.content ?? ''}`.trimEnd());
  if (frame.op === 'error') console.error(`refused: ${frame.code} ${frame.message}`);
});

// The server pings; `ws` answers by itself. A close code of 4500 or more means: do not come back.
socket.on('close', (code, reason) => console.log(`closed: ${code} ${reason}`));
socket.on('error', (error) => console.error(`no connection: ${error.message}`));

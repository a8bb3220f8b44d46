/**
 * A bot in forty lines: it joins a room, answers `!ping` and `!roll 20`, and goes on where it was after a restart of itself or of
 * the platform. Run it beside `npm start`: `node dist/examples/bot/bot.js http://127.0.0.1:3000 charlie General`
 */
import { randomInt } from 'node:crypto';
import WebSocket from 'ws';
import { ChatClient, type Message } from '#client';

const [url = 'http://127.0.0.1:3000', user = 'charlie', room = 'General'] = process.argv.slice(2);

/** A token for a demo user; asked for anew when it has expired. */
async function token(): Promise<string> {
  const response = await fetch(`${url}/api/auth/demo`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user }),
  });
  if (!response.ok) throw new Error(`sign-in refused: ${await response.text()}`);
  return ((await response.json()) as { token: string }).token;
}

function answerTo({ content }: Message): string | undefined {
  if (content === '!ping') return 'pong';
  const sides = Number(/^!roll ([0-9]{1,4})$/.exec(content)?.[1]);
  return sides > 0 ? `${randomInt(sides) + 1}` : undefined;
}

const client = new ChatClient({ url, token, WebSocket });
client.connection.on(({ state }) => console.log(`bot: ${state}`));
await client.connect();
await client.join(room);
console.log(`bot: listening in ${room}`);
process.on('SIGTERM', () => client.close());
for await (const message of client.messages.iterate()) {
  const answer = message.room === room && message.sender !== client.state.user ? answerTo(message) : undefined;
  // Not awaited: the outbox keeps it until it is acknowledged, and keeps the order.
  if (answer !== undefined) client.send(room, answer, { replyTo: message.id }).catch(console.error);
}

/** Commands and pages of users over HTTP, as a client asks for them: through the first api process, not the proxy. */
import type { Platform } from '#embedded';
import { SUBPROTOCOL } from '#contract';
import { tokenFor } from '../tokens.js';
import { rawHttp, type RawHttp } from './raw-http.js';
import type { Door } from './raw-socket.js';
import type { Way } from './senders.js';

export const apiOf = (platform: Platform): string => platform.services.get('api-1')?.url ?? '';

export const httpAs = (platform: Platform, user: string): Promise<RawHttp> => rawHttp(apiOf(platform), tokenFor(user));

/** @param gateway from 0 */
export function doorOf(platform: Platform, user: string, gateway = 0): Door {
  const { hostname, port, pathname } = new URL(platform.sockets[gateway] ?? '');
  const headers = { Authorization: `Bearer ${tokenFor(user)}`, 'Sec-WebSocket-Protocol': SUBPROTOCOL };
  return { host: hostname, port: Number(port), path: pathname, headers };
}

export const postingTo = (platform: Platform, room: string, user: string): Way => ({
  by: 'http',
  url: apiOf(platform),
  path: `/api/rooms/${room}/messages`,
  token: tokenFor(user),
});

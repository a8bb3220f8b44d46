/** The routes that change nothing in the log: queries, marks, accounts, health, and what describes the platform. */
import { z } from 'zod';
import { demoSignIn, refreshing, registration, signedIn, signedOut, signIn, signingOut } from '../accounts.js';
import { channelMessage, healthReport, markedAnswer, running } from '../answers.js';
import { LIMITS } from '../protocol.js';
import { eventsQuery, listQuery, messagesQuery } from '../queries.js';
import { messageIdText } from '../schemas.js';
import { written } from '../shapes.js';
import { inboxEntry, memberView, messageView, meView, pageOf, roomView, userView } from '../views.js';
import type { Route } from './route.js';

const read = { method: 'GET', signIn: 'token', positioned: true } as const;
const readByGuests = { ...read, signIn: 'guest' } as const;
const open = { method: 'GET', tag: 'platform', signIn: 'none', refusals: [] } as const;
const account = { method: 'POST', tag: 'accounts', signIn: 'none', only: 'accounts' } as const;

const marking = (kind: 'read' | 'delivered'): Route => ({
  method: 'PUT',
  path: `/api/rooms/:roomId/${kind}`,
  tag: 'messages',
  summary: `Mark everything up to a message as ${kind}`,
  signIn: 'token',
  positioned: true,
  body: z.object({ messageId: messageIdText }),
  answers: { 200: markedAnswer },
  refusals: ['room_not_found', 'not_member', 'message_not_found'],
});

export const QUERY_ROUTES: readonly Route[] = [
  {
    ...readByGuests,
    path: '/api/rooms',
    tag: 'rooms',
    summary: 'Public rooms, and those of the caller',
    query: listQuery,
    answers: { 200: pageOf(roomView, {}) },
    refusals: [],
  },
  {
    ...readByGuests,
    path: '/api/rooms/:roomId',
    tag: 'rooms',
    summary: 'One room',
    answers: { 200: roomView },
    refusals: ['room_not_found'],
  },
  {
    ...readByGuests,
    path: '/api/rooms/:roomId/users',
    tag: 'rooms',
    summary: 'The members of a room',
    answers: { 200: z.strictObject({ users: z.array(memberView) }) },
    refusals: ['room_not_found'],
  },
  {
    ...readByGuests,
    path: '/api/rooms/:roomId/messages',
    tag: 'messages',
    summary: 'A page of a room’s messages, newest first',
    query: messagesQuery,
    answers: { 200: pageOf(messageView, { position: written.position }) },
    refusals: ['room_not_found', 'not_member', 'message_not_found'],
  },
  {
    ...readByGuests,
    path: '/api/rooms/:roomId/messages/:messageId',
    tag: 'messages',
    summary: 'One message',
    answers: { 200: messageView },
    refusals: ['room_not_found', 'not_member', 'message_not_found'],
  },
  marking('read'),
  marking('delivered'),
  {
    ...read,
    path: '/api/inbox',
    tag: 'messages',
    summary: 'The caller’s rooms, the one with the newest message first',
    query: listQuery.omit({ q: true }),
    answers: { 200: pageOf(inboxEntry, {}) },
    refusals: [],
  },
  { ...read, path: '/api/me', tag: 'users', summary: 'The own profile', answers: { 200: meView }, refusals: [] },
  {
    ...read,
    path: '/api/users/:userId',
    tag: 'users',
    summary: 'A user’s profile',
    answers: { 200: userView },
    refusals: ['user_not_found'],
  },
  {
    ...read,
    path: '/api/messages/get',
    tag: 'participants',
    summary: 'A page of a participant channel, newest first',
    plainText: true,
    // Numbers out of range are taken as the nearest, and what is no number as the default.
    query: z.object({ participants: z.string(), page: z.string().optional(), size: z.string().optional() }),
    answers: { 200: z.array(channelMessage).max(LIMITS.page) },
    refusals: ['invalid_text'],
  },
  {
    method: 'POST',
    path: '/api/connections',
    tag: 'participants',
    summary: 'Live connections of users, over all gateways',
    signIn: 'guest',
    plainText: true,
    body: z.object({ users: z.array(z.string()).min(1).max(LIMITS.connectionsQueryUsers) }),
    answers: { 200: z.record(z.string(), z.int().min(0)) },
    refusals: [],
  },
  {
    method: 'GET',
    path: '/api/events',
    tag: 'live',
    summary: 'The feed as server-sent events; /asyncapi.json describes them',
    signIn: 'token',
    by: 'gateway',
    query: eventsQuery,
    answers: { 200: 'text/event-stream' },
    refusals: ['rate_limited'],
  },
  {
    method: 'GET',
    path: '/ws',
    tag: 'live',
    summary: 'The socket; /asyncapi.json describes it. Without an upgrade there is nothing to see',
    signIn: 'token',
    by: 'gateway',
    plainText: true,
    query: eventsQuery.pick({ echo: true }),
    answers: { 426: 'text/plain' },
    refusals: ['forbidden', 'rate_limited'],
  },
  {
    ...account,
    path: '/api/auth/register',
    summary: 'Sign up',
    body: registration,
    answers: { 201: signedIn },
    refusals: ['already_exists', 'rate_limited'],
  },
  {
    ...account,
    path: '/api/auth/login',
    summary: 'Sign in',
    body: signIn,
    answers: { 200: signedIn },
    refusals: ['unauthenticated', 'forbidden', 'rate_limited'],
  },
  {
    ...account,
    path: '/api/auth/refresh',
    summary: 'Stay signed in',
    body: refreshing,
    answers: { 200: signedIn },
    refusals: ['unauthenticated'],
  },
  {
    ...account,
    path: '/api/auth/logout',
    summary: 'Sign out, by the refresh token in the body or the access token',
    body: signingOut,
    answers: { 200: signedOut },
    refusals: ['unauthenticated', 'token_expired'],
  },
  {
    ...account,
    only: 'demo',
    path: '/api/auth/demo',
    summary: 'Sign in as a demo user',
    body: demoSignIn,
    answers: { 200: signedIn },
    refusals: ['forbidden', 'user_not_found'],
  },
  {
    ...open,
    path: '/.well-known/jwks.json',
    only: 'accounts',
    summary: 'The keys that access tokens are signed with',
    answers: { 200: z.strictObject({ keys: z.array(z.record(z.string(), z.unknown())) }) },
  },
  { ...open, path: '/health', summary: 'The process runs', answers: { 200: running } },
  { ...open, path: '/health/live', summary: 'The process runs', answers: { 200: running } },
  {
    ...open,
    path: '/health/ready',
    summary: 'The process can do its work, or which part of it cannot',
    answers: { 200: healthReport, 503: healthReport },
  },
  { ...open, path: '/', summary: 'A page to try the platform with', answers: { 200: 'text/html' } },
  { ...open, path: '/page.js', summary: 'Its script', answers: { 200: 'text/javascript' } },
  { ...open, path: '/page.css', summary: 'Its looks', answers: { 200: 'text/css' } },
  { ...open, path: '/docs', summary: 'This description, to read', answers: { 200: 'text/html' } },
  {
    ...open,
    path: '/openapi.json',
    summary: 'This description',
    answers: { 200: z.record(z.string(), z.unknown()) },
  },
  {
    ...open,
    path: '/asyncapi.json',
    summary: 'The description of the sockets and of the server-sent events',
    answers: { 200: z.record(z.string(), z.unknown()) },
  },
];

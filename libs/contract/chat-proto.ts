/** Where the gRPC contract lies: beside this file, in the sources as in the build (nest-cli.json copies it). */
import { fileURLToPath } from 'node:url';

export const CHAT_PROTO = {
  file: fileURLToPath(new URL('./chat.proto', import.meta.url)),
  service: 'chat.ChatService',
} as const;

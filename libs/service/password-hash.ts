/** Passwords as they are stored: argon2id in PHC format, with the parameters that OWASP gives as its minimum (19 MiB, two passes, one lane). */
import { hash, verify } from '@node-rs/argon2';

const ARGON2ID = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;

export const hashPassword = (password: string): Promise<string> => hash(password, ARGON2ID);
export const verifyPassword = (stored: string, password: string): Promise<boolean> => verify(stored, password);

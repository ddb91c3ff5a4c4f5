import { randomBytes } from 'node:crypto';

/** 64 hex digits, like Docker's ids. */
export function newId(): string {
  // An id whose first 12 digits are all decimal would be read as a number in the hostname made from
  // it, which some resolvers take for an address. Docker avoids those too (pkg/stringid).
  for (;;) {
    const id = randomBytes(32).toString('hex');
    if (!/^\d+$/.test(id.slice(0, 12))) return id;
  }
}

export const isId = (text: string) => /^[0-9a-f]{64}$/.test(text);

/** The short id that users see. */
export const shortId = (id: string) => id.slice(0, 12);

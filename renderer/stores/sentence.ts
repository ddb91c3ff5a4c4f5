import type { MessageDescriptor } from 'react-intl';

/** Text that a store wants shown: a message key and its values. Features put it into words. */
export interface Sentence {
  id: NonNullable<MessageDescriptor['id']>;
  values?: Record<string, string | number>;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

import { useMemo } from 'react';
import { useIntl } from 'react-intl';
import type { MessageKey } from './en.ts';

export type Text = (id: MessageKey, values?: Record<string, string | number | undefined>) => string;

/** The words of a message key, in the person's language. */
export function useText(): Text {
  const intl = useIntl();
  return useMemo(() => (id, values) => intl.formatMessage({ id }, values), [intl]);
}

/** Something that the engine says in English, with an id that stays the same. */
export interface Said {
  id: string;
  meaning: string;
}

/**
 * What the engine says of an item. Its sentences are not repeated here: a language that has its own
 * for the id (`meaning.namespace.pid.own`) shows that, every other one the engine's.
 */
export function useMeaning(): (said: Said) => string {
  const { messages } = useIntl();
  return useMemo(
    () =>
      ({ id, meaning }) => {
        const own = (messages as Record<string, unknown>)[`meaning.${id}`];
        return typeof own === 'string' ? own : meaning;
      },
    [messages],
  );
}

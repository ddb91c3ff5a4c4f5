import { useMemo } from 'react';
import { useIntl } from 'react-intl';
import type { MessageKey } from './en.ts';

export type Text = (id: MessageKey, values?: Record<string, string | number | undefined>) => string;

/** The words of a message key, in the person's language. */
export function useText(): Text {
  const intl = useIntl();
  return useMemo(() => (id, values) => intl.formatMessage({ id }, values), [intl]);
}

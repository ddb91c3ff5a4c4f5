import { useText } from './use-text.ts';

/** What every slider of a limit says of clearing it, of none, and of what is no number. */
export function useLimitWords() {
  const t = useText();
  return {
    clearLabel: t('limits.clear'),
    noLimitLabel: t('limits.none'),
    wrongLabel: (example: string) => t('limits.wrong', { example }),
  };
}

import { littleLeft } from '../stores/space.ts';
import { formatBytes } from './format.ts';
import type { Text } from './use-text.ts';

/** How much of its limit a disk holds, and a word before writing fails. */
export function spaceWords(
  usedBytes: number,
  maxBytes: number | null,
  t: Text,
): { held: string; warning: string | undefined } {
  const used = formatBytes(usedBytes);
  const left = littleLeft({ usedBytes, maxBytes });
  return {
    held:
      maxBytes === null
        ? t('limits.usedOfNone', { used })
        : t('limits.usedOf', { used, size: formatBytes(maxBytes) }),
    warning: left === undefined ? undefined : t('limits.nearlyFull', { left: formatBytes(left) }),
  };
}

/** The kernel's own values in a form that people read. */
import { formatBytes } from '../../messages/format.ts';

/** cgroup v1 says "no limit" with numbers near 2^63. */
const unlimitedFrom = 2 ** 60;
const inBytes = /(_in_bytes|\.rsvd\.max)$|^memory\.(min|low|high|max|swap\.(max|high)|zswap\.max)$/;

/** A note beside the value as the kernel has it; undefined where that says all. */
export function readControl(
  file: string,
  value: string,
): { none: true } | { text: string } | undefined {
  const [first = ''] = value.split(' ');
  const number = Number(first);
  if (first === 'max' || number >= unlimitedFrom) return { none: true };
  if (first === '-1' && /quota|limit/.test(file)) return { none: true };
  if (inBytes.test(file) && /^\d+$/.test(value)) return { text: formatBytes(number) };
  return undefined;
}

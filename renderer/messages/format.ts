/** Figures for people. Bytes count in powers of two, as the kernel's limits do. */

const byteUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  // 1023.95 would round up to "1024.0".
  while (value >= 1023.95 && unit < byteUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const rounded = unit === 0 || value >= 100 ? Math.round(value) : Math.round(value * 10) / 10;
  return `${rounded} ${byteUnits[unit]}`;
}

export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** CPUs in use as a percentage of one CPU, as `docker stats` shows it. */
export function formatCpuPercent(cpus: number): string {
  const percent = cpus * 100;
  return `${percent >= 99.95 ? percent.toFixed(0) : percent.toFixed(1)}%`;
}

/** As limits are set: in CPUs, not in percent. */
export function formatCpus(cpus: number): string {
  return `${cpus.toFixed(2)} CPUs`;
}

const ageUnits = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const;

/** The largest whole unit: `5 min`, `3 h`, `12 d`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  for (const [name, length] of ageUnits)
    if (seconds >= length) return `${Math.floor(seconds / length)} ${name}`;
  return '0 s';
}

const suffixes: Record<string, number> = { b: 0, k: 1, m: 2, g: 3, t: 4 };

/**
 * Bytes from what people type: `512m`, `1.5 GiB`, `64 MB`; a bare number counts in `bareUnit`.
 * Undefined for anything else.
 */
export function parseBytes(text: string, bareUnit: 'b' | 'm'): number | undefined {
  const match = /^\s*(\d+(?:[.,]\d+)?)\s*([bkmgt])?(?:i?b)?\s*$/i.exec(text);
  if (!match) return undefined;
  const value = Number(match[1]!.replace(',', '.'));
  const power = suffixes[(match[2] ?? bareUnit).toLowerCase()] ?? 0;
  return Math.round(value * 1024 ** power);
}

/**
 * Text that a container chose, such as a name, as it is and in one line: what would break the line,
 * turn its direction or not be seen at all is written out (`\\n`, `\\u202e`).
 */
export function visibleText(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => {
    const short = { '\n': '\\n', '\t': '\\t', '\r': '\\r' }[sign];
    return short ?? `\\u${sign.codePointAt(0)?.toString(16).padStart(4, '0')}`;
  });
}

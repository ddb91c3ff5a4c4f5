const powers = ['', 'k', 'm', 'g', 't'];

/**
 * `10m`, `1.5g`, `512`: bytes in powers of 1024, as Docker's options write them. Undefined for what is
 * no size.
 */
export function readByteSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)i?b?$/i.exec(text.trim());
  if (match === null) return undefined;
  const power = powers.indexOf((match[2] ?? '').toLowerCase());
  return Math.floor(Number(match[1]) * 1024 ** power);
}

import { invalid } from '../errors.ts';

const powers = ['', 'k', 'm', 'g', 't'];

/** `10m`, `1.5g`, `512`: bytes in powers of 1024, as Docker's options write them. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?([kmgt]?)i?b?$/i.exec(text.trim());
  if (match === null) throw invalid(`invalid size: '${text}'. Write it as 512, 10m or 1.5g.`);
  const power = powers.indexOf((match[2] ?? '').toLowerCase());
  return Math.floor(Number(match[1]) * 1024 ** power);
}

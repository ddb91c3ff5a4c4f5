/** Where sliders stop. Limits span orders of magnitude, so the steps grow with the value. */

const MiB = 1024 ** 2;

/** Tenths up to one CPU or so, halves above, up to what the machine has. */
export function cpuStops(count: number): number[] {
  const stops: number[] = [];
  for (let tenths = 1; tenths <= count * 10; tenths += tenths < 20 ? 1 : 5) stops.push(tenths / 10);
  return stops;
}

/** Four steps to each doubling from 8 MiB on, in whole MiB, up to what the machine has. */
export function byteStops(maxBytes: number, firstBytes = 8 * MiB): number[] {
  const stops: number[] = [];
  for (let power = firstBytes; power < maxBytes; power *= 2)
    for (let step = 0; step < 4; step++) {
      const value = Math.round((power + (power * step) / 4) / MiB) * MiB;
      if (value < maxBytes && value !== stops.at(-1)) stops.push(value);
    }
  return [...stops, maxBytes];
}

/** From one bound to the other, four steps to each doubling, each a whole number of steps. */
export function boundStops({
  min,
  max,
  step,
}: {
  min: number;
  max: number;
  step: number;
}): number[] {
  const stops = [min];
  for (let power = Math.max(min, step); power < max; power *= 2)
    for (let quarter = 0; quarter < 4; quarter++) {
      const value = Math.round((power + (power * quarter) / 4) / step) * step;
      if (value < max && value > stops.at(-1)!) stops.push(value);
    }
  return max > min ? [...stops, max] : stops;
}

/** Disk space: nobody asks for more than a TiB by hand. */
export const spaceStops: readonly number[] = byteStops(1024 ** 4, 16 * MiB);

/** Files and folders, from a small program's to a large tree's. */
export const inodeStops: readonly number[] = [
  1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000, 2_000_000,
  5_000_000,
];

/** 1, 2, 5 of each ten, from 5 to 5000. */
export const pidStops: readonly number[] = [
  5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000,
];

/** Doubled from 8 KiB a second to 1 GiB: from a slow modem to ten gigabits. */
export const rateStops: readonly number[] = Array.from({ length: 18 }, (_, n) => 8192 * 2 ** n);

/** Milliseconds of CPU time, within the tenth of a second that quotas are counted in. */
export const burstStops: readonly number[] = [1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200];

export const openFileStops: readonly number[] = [
  64, 128, 256, 512, 1024, 2048, 4096, 8192, 16_384, 32_768, 65_536, 262_144, 1_048_576,
];

export const logStops: readonly number[] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].map(
  (size) => size * MiB,
);
export const logFileStops: readonly number[] = [1, 2, 3, 4, 5, 7, 10, 15, 20, 50];

/** Docker's scale; 500 is what one without a weight has. */
export const ioWeightStops: readonly number[] = [
  10, 50, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
];

/** Docker's shares: 1024 is one share. */
export const shareStops: readonly number[] = [
  128, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 8192,
];

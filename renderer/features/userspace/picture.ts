/** Where everything lies in the picture: boxes of owners, and tiles of processes. */
import type { OwnedProcess, Owner } from '../../stores/processes.ts';
import { type Box, inset, treemap } from './treemap.ts';

export type Measure = 'cpus' | 'memoryBytes';
export type Arrangement = 'shared' | 'boxed';

export interface Tile {
  key: string;
  /** Undefined for what stands for all that are too small or too many. */
  process: OwnedProcess | undefined;
  /** How many it stands for. */
  count: number;
  ofContainer: boolean;
  box: Box;
}

export interface OwnerBox {
  owner: Owner;
  box: Box;
}

/** Beyond these of one owner nobody can tell one from another. */
const mostTiles = 120;
/** Of a box: its name, its figures in one line or two, and the gauge. */
const headPixels = { wide: 48, narrow: 66 };
const wideFrom = 420;
/** Of the area, shared equally, so that what uses nothing can still be seen and reached. */
const evenPart = { owners: 0.4, processes: 0.35 };

export function arrange(
  owners: readonly Owner[],
  measure: Measure,
  arrangement: Arrangement,
  width: number,
  height: number,
): { boxes: OwnerBox[]; tiles: Tile[] } {
  const area = { x: 0, y: 0, width, height };
  if (arrangement === 'shared') return { boxes: [], tiles: shared(owners, measure, area) };
  const places = treemap(
    weights(
      owners.map((owner) => owner[measure]),
      evenPart.owners,
    ),
    area,
  );
  const boxes = owners.map((owner, index) => ({ owner, box: inset(places[index] ?? area, 3) }));
  const tiles = boxes.flatMap(({ owner, box }) =>
    laid(tilesOf(owner), measure, inset(box, 6, headOf(box))),
  );
  return { boxes, tiles };
}

function headOf({ width }: Box): number {
  return width >= wideFrom ? headPixels.wide : headPixels.narrow;
}

function shared(owners: readonly Owner[], measure: Measure, area: Box): Tile[] {
  return laid(owners.flatMap(tilesOf), measure, inset(area, 2));
}

type Unlaid = Omit<Tile, 'box'> & { cpus: number; memoryBytes: number };

/** The largest one by one, the others as one. */
function tilesOf(owner: Owner): Unlaid[] {
  const ofContainer = owner.container !== undefined;
  const shown = owner.processes.slice(0, mostTiles);
  const rest = owner.processes.slice(mostTiles);
  const tiles = shown.map(
    (process): Unlaid => ({
      key: `${owner.key} ${process.pid}`,
      process,
      count: 1,
      ofContainer,
      cpus: process.cpus,
      memoryBytes: process.memoryBytes,
    }),
  );
  const hidden = owner.processCount - shown.length;
  if (hidden <= 0) return tiles;
  const sum = (key: Measure) => rest.reduce((total, process) => total + process[key], 0);
  const others = { cpus: sum('cpus'), memoryBytes: sum('memoryBytes') };
  return [
    ...tiles,
    { key: `${owner.key} others`, process: undefined, count: hidden, ofContainer, ...others },
  ];
}

function laid(tiles: readonly Unlaid[], measure: Measure, area: Box): Tile[] {
  const places = treemap(
    weights(
      tiles.map((tile) => tile[measure]),
      evenPart.processes,
    ),
    area,
  );
  return tiles.map(({ cpus: _, memoryBytes: __, ...tile }, index) => ({
    ...tile,
    box: inset(places[index] ?? area, 1),
  }));
}

/** Shares of 1, an even part of which goes to each alike. */
export function weights(values: readonly number[], even: number): number[] {
  const total = values.reduce((sum, value) => sum + value, 0);
  return values.map((value) =>
    total > 0 ? (1 - even) * (value / total) + even / values.length : 1 / values.length,
  );
}

/**
 * Rectangles whose areas are in proportion to weights, as near to squares as they go: the squarified
 * treemap of Bruls, Huizing and van Wijk (2000).
 */
export interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** One box for each weight, in the same order; together they fill `area`. Weights are above 0. */
export function treemap(weights: readonly number[], area: Box): Box[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const scale = total > 0 ? (area.width * area.height) / total : 0;
  const order = weights.map((weight, index) => ({ index, size: weight * scale }));
  order.sort((a, b) => b.size - a.size);
  const boxes: Box[] = weights.map(() => ({ x: area.x, y: area.y, width: 0, height: 0 }));
  let rest = area;
  for (let from = 0; from < order.length; ) {
    const side = Math.min(rest.width, rest.height);
    let to = from + 1;
    // A strip takes one more as long as that makes its worst box no longer than it was.
    while (to < order.length && worst(order, from, to + 1, side) <= worst(order, from, to, side))
      to += 1;
    rest = placeStrip(order.slice(from, to), rest, boxes);
    from = to;
  }
  return boxes;
}

interface Sized {
  index: number;
  size: number;
}

/** How far the longest box of a strip is from a square: 1 is one. */
function worst(order: readonly Sized[], from: number, to: number, side: number): number {
  let sum = 0;
  for (let at = from; at < to; at++) sum += order[at]?.size ?? 0;
  const largest = order[from]?.size ?? 0;
  const smallest = order[to - 1]?.size ?? 0;
  if (sum === 0 || smallest === 0) return Number.POSITIVE_INFINITY;
  return Math.max((side * side * largest) / (sum * sum), (sum * sum) / (side * side * smallest));
}

/** Along the shorter side; what is left of the area comes back. */
function placeStrip(strip: readonly Sized[], area: Box, boxes: Box[]): Box {
  const sum = strip.reduce((total, { size }) => total + size, 0);
  const isColumn = area.width >= area.height;
  const side = isColumn ? area.height : area.width;
  const depth = side > 0 ? sum / side : 0;
  let offset = 0;
  for (const { index, size } of strip) {
    const length = depth > 0 ? size / depth : 0;
    boxes[index] = isColumn
      ? { x: area.x, y: area.y + offset, width: depth, height: length }
      : { x: area.x + offset, y: area.y, width: length, height: depth };
    offset += length;
  }
  return isColumn
    ? { ...area, x: area.x + depth, width: Math.max(0, area.width - depth) }
    : { ...area, y: area.y + depth, height: Math.max(0, area.height - depth) };
}

/** The box without a margin on each side. */
export function inset({ x, y, width, height }: Box, margin: number, top = margin): Box {
  return {
    x: x + margin,
    y: y + top,
    width: Math.max(0, width - 2 * margin),
    height: Math.max(0, height - margin - top),
  };
}

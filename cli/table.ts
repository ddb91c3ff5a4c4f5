/** Columns that line up, two spaces apart; the last is not padded. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows];
  const widths = heads.map((_, column) =>
    Math.max(...lines.map((cells) => (cells[column] ?? '').length)),
  );
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => (column === heads.length - 1 ? cell : cell.padEnd(widths[column]!)))
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('');
}

/** The same without a head. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widest = Math.max(0, ...rows.map((cells) => cells.length));
  const text = table(Array(widest).fill(''), rows);
  return text.slice(text.indexOf('\n') + 1);
}

/** One line of comma-separated values, as options of mounts are written (RFC 4180; Go's encoding/csv). */

/** Throws an Error for quotes in the wrong place and for an empty line. */
export function csvFields(line: string): string[] {
  if (line === '') throw new Error('no fields');
  const fields: string[] = [];
  let at = 0;
  for (;;) {
    const { field, end } = line[at] === '"' ? quotedField(line, at) : plainField(line, at);
    fields.push(field);
    if (end >= line.length) return fields;
    at = end + 1;
  }
}

interface Field {
  field: string;
  /** The comma behind it, or the end of the line. */
  end: number;
}

function plainField(line: string, at: number): Field {
  const comma = line.indexOf(',', at);
  const end = comma === -1 ? line.length : comma;
  const field = line.slice(at, end);
  if (field.includes('"')) throw new Error(`a quote inside of the unquoted field ${field}`);
  return { field, end };
}

function quotedField(line: string, start: number): Field {
  let field = '';
  let at = start + 1;
  for (;;) {
    const quote = line.indexOf('"', at);
    if (quote === -1) throw new Error(`the quote in ${line.slice(start)} does not end`);
    field += line.slice(at, quote);
    at = quote + 1;
    if (line[at] === '"') {
      field += '"';
      at++;
    } else if (at >= line.length || line[at] === ',') return { field, end: at };
    else throw new Error(`something follows the quote in ${line.slice(start)}`);
  }
}

/** Licences out of Debian's copyright files (packaging-manuals/copyright-format/1.0). */

/** The short names in the order in which they come first; `NOASSERTION` for a file in prose. */
export function licencesIn(copyright: string): string {
  const names = [...copyright.matchAll(/^License:[ \t]*(\S.*)$/gm)]
    .flatMap(([, name = '']) => name.trim().split(/\s+(?:and|or|and\/or)\s+|,\s*/))
    .map((name) => spdxName(name.trim()))
    .filter((name) => name !== undefined);
  const unique = [...new Set(names.length > 0 ? names : mentioned(copyright))];
  return unique.length === 0 ? 'NOASSERTION' : unique.join(' AND ');
}

/** What SPDX has no name for, in the file's own words: licences by our reference to them. */
export function licenceTexts(copyright: string): Map<string, string> {
  const texts = new Map<string, string>();
  for (const [, name = '', lines = ''] of copyright.matchAll(
    /^License:[ \t]*(\S.*)\n((?:[ \t]+\S.*\n?)+)/gm,
  )) {
    const reference = spdxName(name.trim()) ?? '';
    // A line of its own with a dot is an empty one; of two parts with one name the first stays.
    const text = lines.replace(/^[ \t]+\.?(?=$)|^[ \t]/gm, '').trim();
    if (reference.startsWith(ownPrefix) && !texts.has(reference)) texts.set(reference, text);
  }
  return texts;
}

/** Older files are prose, which names Debian's copies of the licences that it means. */
function mentioned(copyright: string): string[] {
  const named = [
    ...copyright.matchAll(/\/usr\/share\/common-licenses\/([A-Za-z]+(?:-[0-9.]*[0-9])?)/g),
  ].flatMap(([, name = '']) => known[name] ?? known[`${name}+`] ?? []);
  // What gcc puts into every program.
  return /GCC Runtime Library Exception/i.test(copyright)
    ? ['GPL-3.0-or-later WITH GCC-exception-3.1', ...named]
    : named;
}

/** Names that SPDX leaves to whoever writes a document (SPDX 2.3, clause 10). */
export const ownPrefix = 'LicenseRef-Debian-';

/** Debian's short names beside those of SPDX. */
const known: Record<string, string> = {
  Apache: 'Apache-2.0',
  'Apache-2': 'Apache-2.0',
  'BSD-2-clause': 'BSD-2-Clause',
  'BSD-3-clause': 'BSD-3-Clause',
  'BSD-4-clause': 'BSD-4-Clause',
  Expat: 'MIT',
  'GPL-1': 'GPL-1.0-only',
  'GPL-1+': 'GPL-1.0-or-later',
  'GPL-2': 'GPL-2.0-only',
  'GPL-2+': 'GPL-2.0-or-later',
  'GPL-3': 'GPL-3.0-only',
  'GPL-3+': 'GPL-3.0-or-later',
  'LGPL-2': 'LGPL-2.0-only',
  'LGPL-2+': 'LGPL-2.0-or-later',
  'LGPL-2.1': 'LGPL-2.1-only',
  'LGPL-2.1+': 'LGPL-2.1-or-later',
  'LGPL-3': 'LGPL-3.0-only',
  'LGPL-3+': 'LGPL-3.0-or-later',
  'MPL-2.0': 'MPL-2.0',
  MIT: 'MIT',
  ISC: 'ISC',
  GPL: 'GPL-1.0-or-later',
  LGPL: 'LGPL-2.0-or-later',
  Zlib: 'Zlib',
};

/** Which some copyright files use already. */
const spdxNames = new Set([
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BSL-1.0',
  'CC0-1.0',
  'CC-BY-4.0',
  'CC-BY-SA-4.0',
  'Unlicense',
  'X11',
]);

function spdxName(name: string): string | undefined {
  if (name === '') return undefined;
  if (spdxNames.has(name)) return name;
  const found = known[name] ?? known[name.replace(/\.0(?=\+?$)/, '')];
  return found ?? `${ownPrefix}${name.replace(/[^A-Za-z0-9.-]+/g, '-')}`;
}

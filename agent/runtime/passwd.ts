/**
 * passwd(5) of an image or a container. Parsing is strict: a line with a field that makes no sense is no
 * entry (CVE-2026-30892).
 */

export interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
  home: string;
}

export const maxId = 2 ** 31 - 1;

export function parsePasswd(text: string): PasswdEntry[] {
  return fieldsOf(text).flatMap(([name = '', , uid = '', gid = '', , home = '']) =>
    name !== '' && isId(uid) && isId(gid)
      ? [{ name, uid: Number(uid), gid: Number(gid), home }]
      : [],
  );
}

/** Each line's fields, here as in group(5). */
export function fieldsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

export function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= maxId;
}

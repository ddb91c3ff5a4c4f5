/** Parses passwd(5) strictly: a line with an invalid field is ignored (CVE-2026-30892). */

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

/** The fields of each line of passwd(5) or group(5). */
export function fieldsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}

export function isId(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) <= maxId;
}

/** The page's own scheme: the built renderer by name, with the same headers as the browser shell. */
import type { Protocol } from 'electron';
import { securityHeaders } from '../contract/page-headers.ts';

const scheme = 'app';
const pageHost = 'corten';
export const pageOrigin = `${scheme}://${pageHost}`;
export const pageAddress = `${pageOrigin}/`;

/** The part of host/renderer-files.ts that this needs. */
export interface PageFiles {
  read(path: string): { type: string; bytes: Uint8Array<ArrayBuffer> } | undefined;
}

/** Before Electron is ready: gives the page an origin of its own, and fetch for its own assets. */
export function registerPageScheme(protocol: Pick<Protocol, 'registerSchemesAsPrivileged'>): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true } },
  ]);
}

export function servePage(protocol: Pick<Protocol, 'handle'>, files: PageFiles): void {
  const headers = securityHeaders("'self'");
  protocol.handle(scheme, ({ url }) => {
    // Not `origin`: node's URL says "null" for schemes that it does not know.
    const { host, pathname } = new URL(url);
    const file = host === pageHost ? files.read(pathname) : undefined;
    return file === undefined
      ? new Response('There is no such page.', { status: 404, headers })
      : new Response(file.bytes, { headers: { ...headers, 'content-type': file.type } });
  });
}

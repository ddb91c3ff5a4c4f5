/**
 * The built renderer, read once at the start: no request can name another file, and a window that is
 * open gets the parts it was built with, also after the next build has replaced them on disk.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
  '.woff2': 'font/woff2',
};

export interface RendererFile {
  type: string;
  /** Vite puts a digest into these names, so they never change. */
  immutable: boolean;
  bytes: Buffer<ArrayBuffer>;
}

export interface RendererFiles {
  /** By the path of an address, such as `/assets/index-1a2b.js`; `/` is index.html. */
  read(path: string): RendererFile | undefined;
}

export function openRendererFiles(directory: string): RendererFiles {
  const files = new Map(
    pathsIn(directory).map((name) => [
      name,
      {
        type: types[extname(name)] ?? 'application/octet-stream',
        immutable: name.startsWith('/assets/'),
        bytes: readFileSync(join(directory, name)),
      },
    ]),
  );
  return { read: (path) => files.get(path === '/' ? '/index.html' : path) };
}

function pathsIn(directory: string): string[] {
  try {
    return readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
      .map((path) => `/${path.split(sep).join('/')}`);
  } catch (error) {
    throw new Error(
      `The user interface is not built: ${(error as Error).message}. Run "npm run build".`,
      { cause: error },
    );
  }
}

/** The built renderer, read by name from a list made at the start: no request can name another file. */
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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
  read(path: string): Promise<RendererFile | undefined>;
}

export function openRendererFiles(directory: string): RendererFiles {
  const known = new Set(pathsIn(directory));
  return {
    async read(path) {
      const name = path === '/' ? '/index.html' : path;
      if (!known.has(name)) return undefined;
      return {
        type: types[extname(name)] ?? 'application/octet-stream',
        immutable: name.startsWith('/assets/'),
        bytes: await readFile(join(directory, name)),
      };
    },
  };
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

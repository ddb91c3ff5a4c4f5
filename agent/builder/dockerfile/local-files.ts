/** Reading single files of a source, such as the Dockerfile itself. */
import { CortenError } from '../../errors.ts';
import type { FrontEndBridge, FrontEndRef } from '../front-end.ts';
import { definitionOf, outputOf, type Vertex } from '../llb/graph.ts';
import type { Definition } from '../llb/ops.ts';

export interface TextFile {
  path: string;
  data: Buffer;
  text: string;
  /** Of the source that it was read from. */
  definition: Definition;
}

/** The first of the files that is there; undefined when none is. */
export async function readTextFile(
  bridge: FrontEndBridge,
  source: Vertex,
  paths: readonly string[],
): Promise<TextFile | undefined> {
  const definition = definitionOf(outputOf(source))!;
  return firstFile(bridge.load(definition), paths, definition);
}

export async function firstFile(
  ref: FrontEndRef,
  paths: readonly string[],
  definition: Definition,
): Promise<TextFile | undefined> {
  for (const path of paths) {
    try {
      const data = await ref.readFile(path);
      return { path, data, text: data.toString('utf8'), definition };
    } catch (error) {
      if (!(error instanceof CortenError && error.kind === 'not-found')) throw error;
    }
  }
  return undefined;
}

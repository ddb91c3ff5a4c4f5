/** Every kind of output, by the name that clients give it. */
import { type ArchiveExporterParts, archiveExporter } from './archive.ts';
import type { Exporter } from './exporter.ts';
import { type ImageExporterParts, imageExporter } from './image.ts';
import { localExporter, tarExporter } from './tree.ts';

export type ExporterParts = ArchiveExporterParts & ImageExporterParts;

export function createExporters(parts: ExporterParts): Readonly<Record<string, Exporter>> {
  return {
    moby: imageExporter(parts, { pushes: false }),
    image: imageExporter(parts, { pushes: true }),
    oci: archiveExporter(parts, 'oci'),
    docker: archiveExporter(parts, 'docker'),
    tar: tarExporter(parts),
    local: localExporter(parts),
    cacheonly: async () => ({}),
  };
}

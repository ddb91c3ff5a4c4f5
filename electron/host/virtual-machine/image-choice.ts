/**
 * Which image a start uses: the app's own, unless that one has already failed to reach its engine
 * and there is one before it that did.
 */
import type { MachineDirectory } from './directory.ts';
import {
  type GuestImage,
  hasImage,
  imageDigestOf,
  installedImage,
  installImage,
  removeOtherImages,
} from './image.ts';
import { defaultSettings, type MachineRecord, readRecord, writeRecord } from './record.ts';

/** Leaves in the record which one is being tried, so that a crash on the way counts as well. */
export async function chooseImage(
  source: string,
  files: MachineDirectory,
  { images, settings }: MachineRecord,
  note: (text: string) => void,
): Promise<GuestImage> {
  const offered = imageDigestOf(source);
  const hasFallback = images.current !== undefined && hasImage(files.images, images.current);
  const hasFailed = offered === images.refused || offered === images.trying;
  if (hasFailed && offered !== images.current && hasFallback) {
    change(files, ({ trying: _tried, ...rest }) => ({ ...rest, refused: offered }), settings);
    note(
      'The new system image did not start its engine, so the machine uses the one before. The next update of the app is tried again.',
    );
    return installedImage(files.images, images.current!);
  }
  const image = await installImage(source, files.images);
  if (image.digest !== images.current) {
    change(files, (known) => ({ ...known, trying: image.digest }), settings);
    if (images.current !== undefined) note('A new system image: containers and images are kept.');
  }
  return image;
}

/** It reached its engine: from now on it is the one to go back to. */
export function imageProved(files: MachineDirectory, digest: string): void {
  change(files, (images) => {
    if (images.current === digest) return { current: digest, ...previousOf(images) };
    return { current: digest, ...(images.current !== undefined && { previous: images.current }) };
  });
  const { images } = readRecord(files.settings, defaultSettings);
  // Room is not worth a failure here: what stays is removed after the next start.
  void removeOtherImages(files.images, [images.current, images.previous]).catch(() => {});
}

/** The next start goes back, where there is something to go back to. */
export function imageFailed(files: MachineDirectory, digest: string): void {
  change(files, (images) => {
    const { trying: _tried, ...rest } = images;
    return images.current === undefined || images.current === digest
      ? rest
      : { ...rest, refused: digest };
  });
}

/** The start ended before the image could show anything. */
export function imageUntried(files: MachineDirectory): void {
  change(files, ({ trying: _tried, ...rest }) => rest);
}

function previousOf({ previous, refused }: MachineRecord['images']) {
  return { ...(previous !== undefined && { previous }), ...(refused !== undefined && { refused }) };
}

/** `settings`: of a machine that has no record yet. */
function change(
  files: MachineDirectory,
  changed: (images: MachineRecord['images']) => MachineRecord['images'],
  settings = defaultSettings(),
): void {
  const record = readRecord(files.settings, () => settings);
  writeRecord(files.settings, { ...record, images: changed(record.images) });
}

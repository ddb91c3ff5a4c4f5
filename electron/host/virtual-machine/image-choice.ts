/**
 * Chooses the guest image of a start: the app's own, unless its engine has failed to answer and the
 * image before it worked.
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

/** Records the image that is being tried, so that a crash during the start counts as a failure too. */
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

/** Records that the engine answered, so that this image is the one to fall back to. */
export function imageProved(files: MachineDirectory, digest: string): void {
  change(files, (images) => {
    if (images.current === digest) return { current: digest, ...previousOf(images) };
    return { current: digest, ...(images.current !== undefined && { previous: images.current }) };
  });
  const { images } = readRecord(files.settings, defaultSettings);
  // A failed removal only costs disk space, and the next start tries again.
  void removeOtherImages(files.images, [images.current, images.previous]).catch(() => {});
}

/** Records a failure, so that the next start falls back to the image before. */
export function imageFailed(files: MachineDirectory, digest: string): void {
  change(files, (images) => {
    const { trying: _tried, ...rest } = images;
    return images.current === undefined || images.current === digest
      ? rest
      : { ...rest, refused: digest };
  });
}

/** Records that the start ended before the image could prove itself. */
export function imageUntried(files: MachineDirectory): void {
  change(files, ({ trying: _tried, ...rest }) => rest);
}

function previousOf({ previous, refused }: MachineRecord['images']) {
  return { ...(previous !== undefined && { previous }), ...(refused !== undefined && { refused }) };
}

/** `settings` are for a machine that has no record yet. */
function change(
  files: MachineDirectory,
  changed: (images: MachineRecord['images']) => MachineRecord['images'],
  settings = defaultSettings(),
): void {
  const record = readRecord(files.settings, () => settings);
  writeRecord(files.settings, { ...record, images: changed(record.images) });
}

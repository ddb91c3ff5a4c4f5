import { type FormEvent, useState } from 'react';
import { formatBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { dryRunSize, resizeVolume, useVolumes, type VolumeRow } from '../../stores/volumes.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/page.tsx';
import { focusWrong } from '../../ui/wrong-field.ts';
import { SizeSlider } from './size-slider.tsx';

/** Another size, or none, while it is used. What the engine warns of is read before it is applied. */
export function ResizeVolume({ row, onClose }: { row: VolumeRow; onClose: () => void }) {
  const t = useText();
  const now = useVolumes(({ rows }) => rows.find(({ name }) => name === row.name)) ?? row;
  const before = row.usage?.maxBytes ?? undefined;
  const [sizeBytes, setSizeBytes] = useState(before);
  const [busy, setBusy] = useState(false);
  const [warnings, setWarnings] = useState<string[]>();
  const [failure, setFailure] = useState<string>();
  const used = now.usage?.usedBytes ?? 0;
  const set = (bytes: number | undefined) => {
    setSizeBytes(bytes);
    setWarnings(undefined);
    setFailure(undefined);
  };
  const apply = async () => {
    const wanted = sizeBytes ?? null;
    const foreseen = warnings === undefined ? await dryRunSize(row.name, wanted) : undefined;
    if (foreseen?.refusal !== undefined) return setFailure(foreseen.refusal);
    if (foreseen !== undefined && foreseen.warnings.length > 0)
      return setWarnings(foreseen.warnings);
    const reason = await resizeVolume(row.name, wanted, before ?? null);
    if (reason === undefined) onClose();
    setFailure(reason);
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (focusWrong(event.currentTarget)) return;
    setBusy(true);
    void apply().finally(() => setBusy(false));
  };
  return (
    <Dialog title={t('volumes.resize', { name: row.name })} open wide onClose={onClose}>
      <form className="volume-form" noValidate onSubmit={submit}>
        <p className="muted">{t('volumes.resizeHelp')}</p>
        <SizeSlider
          value={sizeBytes}
          onChange={set}
          used={used}
          note={t('limits.use', { use: formatBytes(used) })}
        />
        {warnings === undefined ? null : (
          <Notice kind="warn">
            {warnings.map((warning) => (
              <p key={warning}>{warning}</p>
            ))}
          </Notice>
        )}
        {failure === undefined ? null : <Notice>{failure}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit" disabled={busy || sizeBytes === before}>
            {t(warnings === undefined ? 'volumes.apply' : 'volumes.applyAnyway')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

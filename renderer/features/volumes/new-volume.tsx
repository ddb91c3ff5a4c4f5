import { type FormEvent, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import { makeVolume } from '../../stores/volumes.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import { Notice } from '../../ui/page.tsx';
import { focusWrong } from '../../ui/wrong-field.ts';
import { SizeSlider } from './size-slider.tsx';

export function NewVolume({ onClose }: { onClose: () => void }) {
  const t = useText();
  const [name, setName] = useState('');
  const [sizeBytes, setSizeBytes] = useState<number>();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const isWrong = name !== '' && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name);
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (focusWrong(event.currentTarget)) return;
    setBusy(true);
    const reason = await makeVolume(name || undefined, sizeBytes);
    setBusy(false);
    setFailure(reason);
    if (reason === undefined) onClose();
  };
  return (
    <Dialog title={t('volumes.new')} open wide onClose={onClose}>
      <form className="volume-form" noValidate onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('volumes.name')}
          value={name}
          onChange={(text) => setName(text.trim())}
          note={t('volumes.nameNote')}
          error={isWrong ? t('volumes.nameWrong') : undefined}
          autoFocus
        />
        <SizeSlider value={sizeBytes} onChange={setSizeBytes} note={t('volumes.sizeNote')} />
        {failure === undefined ? null : <Notice>{failure}</Notice>}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit" disabled={busy}>
            {t(busy ? 'volumes.creating' : 'volumes.create')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import type { MachineKind } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { addAndStart, useMachines } from '../../stores/machines.ts';
import { messageOf } from '../../stores/sentence.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import { Notice } from '../../ui/page.tsx';
import { Select } from '../../ui/select.tsx';
import { type AddressForm, addressOf, problemsOf } from './address.ts';
import './machines.css';

const emptyAddress: AddressForm = { host: '', user: '', port: '', keyFile: '' };

/** One click away from a machine that starts: what it goes through is shown where it will be used. */
export function AddMachine({ onClose }: { onClose: () => void }) {
  const t = useText();
  const [, navigate] = useLocation();
  const kinds = useMachines((state) => state.kinds);
  const [kind, setKind] = useState<MachineKind>(kinds[0] ?? 'remote');
  const [name, setName] = useState('');
  const [address, setAddress] = useState(emptyAddress);
  const [tried, setTried] = useState(false);
  const [failure, setFailure] = useState<string>();
  const isRemote = kind === 'remote';
  const { host } = addressOf(address);
  const usedName = name.trim() || (isRemote ? host : '');
  const problems = isRemote ? problemsOf(address) : {};
  const set = (part: Partial<AddressForm>) => setAddress((before) => ({ ...before, ...part }));
  const problem = (field: keyof AddressForm) => {
    const found = problems[field];
    return tried && found ? t(found) : undefined;
  };

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length > 0 || usedName === '') return;
    try {
      const { id } = await addAndStart({
        name: usedName,
        kind,
        ...(isRemote ? { remote: addressOf(address) } : {}),
      });
      onClose();
      navigate(`~/m/${id}`);
    } catch (error) {
      setFailure(messageOf(error));
    }
  };

  return (
    <Dialog title={t('add.title')} open onClose={onClose}>
      <form className="machine-form" onSubmit={(event) => void submit(event)} noValidate>
        {kinds.length > 1 ? (
          <Select
            label={t('add.kind')}
            value={kind}
            choices={kinds.map((one) => ({ value: one, label: t(`add.kind.${one}`) }))}
            onChange={setKind}
          />
        ) : null}
        {isRemote ? (
          <>
            <TextField
              label={t('add.host')}
              value={address.host}
              onChange={(value) => set({ host: value })}
              note={t('add.hostNote')}
              error={problem('host')}
              placeholder="server.example.org"
              autoFocus
              mono
            />
            <div className="machine-form-pair">
              <TextField
                label={t('add.user')}
                value={address.user}
                onChange={(value) => set({ user: value })}
                note={t('add.userNote')}
                placeholder={t('add.fromConfig', { value: 'root' })}
              />
              <TextField
                label={t('add.port')}
                value={address.port}
                onChange={(value) => set({ port: value })}
                error={problem('port')}
                inputMode="numeric"
                placeholder="22"
              />
            </div>
            <TextField
              label={t('add.key')}
              value={address.keyFile}
              onChange={(value) => set({ keyFile: value })}
              note={t('add.keyNote')}
              placeholder="~/.ssh/id_ed25519"
              mono
            />
          </>
        ) : null}
        <TextField
          label={t('add.name')}
          value={name}
          onChange={setName}
          placeholder={isRemote ? host : undefined}
          error={tried && usedName === '' && !isRemote ? t('add.noName') : undefined}
        />
        {isRemote ? <p className="muted">{t('add.what')}</p> : null}
        {failure ? <Notice>{failure}</Notice> : null}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit">
            {t(isRemote ? 'add.submit' : 'add.submitLocal')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

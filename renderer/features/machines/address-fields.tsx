import { useText } from '../../messages/use-text.ts';
import { TextField } from '../../ui/field.tsx';
import { type AddressForm, problemsOf } from './address.ts';
import './machines.css';

/** Where a computer is and who logs in, as people write it after `ssh`. */
export function AddressFields({
  address,
  onChange,
  showsProblems,
}: {
  address: AddressForm;
  onChange: (address: AddressForm) => void;
  showsProblems: boolean;
}) {
  const t = useText();
  const problems = problemsOf(address);
  const set = (part: Partial<AddressForm>) => onChange({ ...address, ...part });
  const problem = (field: keyof AddressForm) => {
    const found = problems[field];
    return showsProblems && found ? t(found) : undefined;
  };
  return (
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
  );
}

import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useText } from '../../messages/use-text.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { TextField } from '../../ui/field.tsx';
import type { DeviceDraft } from './draft.ts';
import { LimitCard } from './sliders.tsx';

/** Disk speed, device by device: most containers need none. */
export function DeviceLimits({
  devices,
  onChange,
}: {
  devices: DeviceDraft[];
  onChange: (devices: DeviceDraft[]) => void;
}) {
  const t = useText();
  const replace = (index: number, change: Partial<DeviceDraft>) =>
    onChange(devices.map((one, at) => (at === index ? { ...one, ...change } : one)));
  const empty = { device: '', readBytesPerSecond: undefined, writeBytesPerSecond: undefined };
  return (
    <LimitCard title={t('limits.disk')}>
      {devices.map((device, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the device's name is what is being typed.
        <div key={index} className="device-row">
          <TextField
            label={t('limits.device')}
            placeholder="/dev/vda"
            mono
            value={device.device}
            error={
              device.device === '' || device.device.startsWith('/dev/')
                ? undefined
                : t('limits.deviceWrong')
            }
            onChange={(name) => replace(index, { device: name })}
          />
          <RateField
            label={t('limits.readRate')}
            value={device.readBytesPerSecond}
            onChange={(readBytesPerSecond) => replace(index, { readBytesPerSecond })}
          />
          <RateField
            label={t('limits.writeRate')}
            value={device.writeBytesPerSecond}
            onChange={(writeBytesPerSecond) => replace(index, { writeBytesPerSecond })}
          />
          <IconButton
            icon="close"
            label={t('limits.removeDevice')}
            onClick={() => onChange(devices.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => onChange([...devices, empty])}>
          {t('limits.addDevice')}
        </Button>
      </div>
    </LimitCard>
  );
}

function RateField({
  label,
  value,
  onChange,
}: {
  label: string;
  value: number | undefined;
  onChange: (value: number | undefined) => void;
}) {
  const t = useText();
  return (
    <div className="field">
      <label>
        <span className="field-label">{label}</span>
        <input
          // What the engine holds is shown anew when it changes, not while somebody types.
          key={value}
          className="input"
          placeholder={t('limits.none')}
          defaultValue={value === undefined ? '' : formatBytes(value)}
          onBlur={(event) => onChange(parseBytes(event.target.value, 'm'))}
        />
      </label>
    </div>
  );
}

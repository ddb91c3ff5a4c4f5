import { useId } from 'react';
import { formatBytes, parseBytes } from '../../messages/format.ts';
import { useLimitWords } from '../../messages/use-limit-words.ts';
import { useText } from '../../messages/use-text.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { FieldNote, TextField } from '../../ui/field.tsx';
import { SliderField } from '../../ui/slider-field.tsx';
import { ioWeightStops } from '../../ui/stops.ts';
import { useTyped } from '../../ui/use-typed.ts';
import { type DeviceDraft, noDevice } from './draft-lists.ts';
import { LimitCard, type Part, whole } from './sliders.tsx';

const byteRates = ['readBytesPerSecond', 'writeBytesPerSecond'] as const;
const operationRates = ['readOperationsPerSecond', 'writeOperationsPerSecond'] as const;
const bytesOf = (text: string) => parseBytes(text, 'm');

/** Disk speed, device by device: most containers need none. */
export function DeviceLimits({ draft: { devices, ioWeight }, set }: Part) {
  const t = useText();
  const words = useLimitWords();
  const onChange = (changed: DeviceDraft[]) => set({ devices: changed });
  const replace = (index: number, change: Partial<DeviceDraft>) =>
    onChange(devices.map((one, at) => (at === index ? { ...one, ...change } : one)));
  return (
    <LimitCard title={t('limits.disk')}>
      <SliderField
        {...words}
        label={t('limits.ioWeight')}
        unit=""
        noLimitLabel={t('limits.default')}
        value={ioWeight}
        onChange={(weight) => set({ ioWeight: weight })}
        stops={ioWeightStops}
        format={String}
        parse={whole}
        useLabel={t('limits.ioWeightHelp')}
        error={
          ioWeight !== undefined && (ioWeight < 10 || ioWeight > 1000)
            ? t('limits.ioWeightWrong')
            : undefined
        }
      />
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
          {[...byteRates, ...operationRates].map((name) => (
            <ValueField
              key={name}
              label={t(`limits.${name}`)}
              placeholder={t('limits.none')}
              value={device[name]}
              {...(isByteRate(name)
                ? { format: formatBytes, parse: bytesOf, example: '10 MiB' }
                : { format: String, parse: whole, example: '500' })}
              onChange={(value) => replace(index, { [name]: value })}
            />
          ))}
          <IconButton
            icon="close"
            label={t('limits.removeDevice')}
            onClick={() => onChange(devices.filter((_, at) => at !== index))}
          />
        </div>
      ))}
      <div>
        <Button icon="plus" onClick={() => onChange([...devices, noDevice])}>
          {t('limits.addDevice')}
        </Button>
      </div>
    </LimitCard>
  );
}

const isByteRate = (name: string) => (byteRates as readonly string[]).includes(name);

/** A figure that is read when the field is left; empty is no limit. */
export function ValueField({
  label,
  placeholder,
  value,
  format,
  parse,
  onChange,
  example,
}: {
  label: string;
  placeholder: string;
  /** Of what can be typed. */
  example: string;
  value: number | undefined;
  format: (value: number) => string;
  parse: (text: string) => number | undefined;
  onChange: (value: number | undefined) => void;
}) {
  const t = useText();
  const id = useId();
  const { isRefused, input } = useTyped({ value, format, parse, onChange, mayBeEmpty: true });
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input"
        placeholder={placeholder}
        autoComplete="off"
        aria-invalid={isRefused}
        aria-describedby={`${id}-note`}
        {...input}
      />
      <FieldNote id={`${id}-note`} error={isRefused ? t('limits.wrong', { example }) : undefined} />
    </div>
  );
}

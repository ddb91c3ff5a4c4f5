/** What the stand-in for wsl.exe says to people. Nothing may depend on it: each language has its own. */
export type Language = 'en' | 'de' | 'ja';

interface Sentences {
  notInstalled: string;
  noVirtualization: string;
  noneRunning: string;
  done: string;
  failed: string;
  unknown: string;
}

export const sentences: Record<Language, Sentences> = {
  en: {
    notInstalled: 'WSL is missing on this computer.',
    noVirtualization: 'There is no virtualization. See',
    noneRunning: 'Nothing runs.',
    done: 'Done.',
    failed: 'That did not work.',
    unknown: 'Not an option',
  },
  de: {
    notInstalled: 'WSL fehlt auf diesem Rechner.',
    noVirtualization: 'Es gibt keine Virtualisierung. Siehe',
    noneRunning: 'Nichts läuft.',
    done: 'Fertig.',
    failed: 'Das ging nicht: ungültig „überhaupt“.',
    unknown: 'Keine Option',
  },
  ja: {
    notInstalled: 'WSLがありません。',
    noVirtualization: '仮想化がありません。',
    noneRunning: '実行中のものはありません。',
    done: '完了。',
    failed: '失敗しました。',
    unknown: '不明な引数',
  },
};

/** Of `--version`, in its order. */
export const versionLabels: Record<Language, readonly string[]> = {
  en: [
    'WSL version',
    'Kernel version',
    'WSLg version',
    'MSRDC version',
    'Direct3D version',
    'DXCore version',
    'Windows version',
  ],
  de: [
    'WSL-Version',
    'Kernelversion',
    'WSLg-Version',
    'MSRDC-Version',
    'Direct3D-Version',
    'DXCore-Version',
    'Windows-Version',
  ],
  ja: [
    'WSL バージョン',
    'カーネル バージョン',
    'WSLg バージョン',
    'MSRDC バージョン',
    'Direct3D バージョン',
    'DXCore バージョン',
    'Windows バージョン',
  ],
};

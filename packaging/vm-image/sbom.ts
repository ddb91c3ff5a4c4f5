/** The manifest's packages as an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3). */
import { ownPrefix } from './licences.ts';
import type { Manifest, PackageRecord } from './manifest.ts';

/** `texts`: of licences that SPDX does not know, by our reference to them. */
export function spdxDocument(manifest: Manifest, texts: ReadonlyMap<string, string>): unknown {
  const { architecture, packages, files, time } = manifest;
  const image = 'SPDXRef-Image';
  const references = [...new Set(packages.flatMap(({ licence }) => ownReferences(licence)))].sort();
  return {
    spdxVersion: 'SPDX-2.3',
    dataLicense: 'CC0-1.0',
    SPDXID: 'SPDXRef-DOCUMENT',
    name: `corten-machine-${architecture}`,
    // Unique for the content, as the specification wants, and the same for the same content.
    documentNamespace: `https://corten.invalid/spdx/${architecture}/${files['root.erofs']?.sha256}`,
    creationInfo: {
      created: new Date(time * 1000).toISOString().replace('.000Z', 'Z'),
      creators: ['Tool: corten-vm-image'],
    },
    documentDescribes: [image],
    packages: [
      {
        ...described(image, `corten-machine-${architecture}`, String(time), 'NOASSERTION'),
        primaryPackagePurpose: 'OPERATING_SYSTEM',
      },
      ...packages.map((each) => packageEntry(each, architecture)),
    ],
    relationships: [
      {
        spdxElementId: 'SPDXRef-DOCUMENT',
        relationshipType: 'DESCRIBES',
        relatedSpdxElement: image,
      },
      ...packages.map((each) => ({
        spdxElementId: image,
        relationshipType: 'CONTAINS',
        relatedSpdxElement: idOf(each),
      })),
    ],
    ...(references.length === 0
      ? {}
      : {
          hasExtractedLicensingInfos: references.map((licenseId) => ({
            licenseId,
            name: licenseId.replace(ownPrefix, ''),
            extractedText:
              texts.get(licenseId) ??
              `Named, without a text of its own, in the file copyright of ${namedBy(packages, licenseId)} in Debian.`,
          })),
        }),
  };
}

function packageEntry(each: PackageRecord, architecture: string) {
  const { name, version, type, licence } = each;
  const locator =
    type === 'deb'
      ? `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=trixie`
      : `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    ...described(idOf(each), name, version, licence),
    ...checksums(each),
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: locator,
      },
    ],
  };
}

function checksums({ sha256, sha512 }: PackageRecord) {
  const found = [
    { algorithm: 'SHA256', checksumValue: sha256 },
    { algorithm: 'SHA512', checksumValue: sha512 },
  ].filter(({ checksumValue }) => checksumValue !== undefined);
  return found.length === 0 ? {} : { checksums: found };
}

function described(SPDXID: string, name: string, versionInfo: string, licence: string) {
  return {
    SPDXID,
    name,
    versionInfo,
    downloadLocation: 'NOASSERTION',
    filesAnalyzed: false,
    licenseConcluded: 'NOASSERTION',
    licenseDeclared: licence,
    copyrightText: 'NOASSERTION',
    supplier: 'NOASSERTION',
  };
}

/** Letters, digits, dots and hyphens only. */
function idOf({ type, name, version }: PackageRecord): string {
  return `SPDXRef-${type}-${name}-${version}`.replace(/[^A-Za-z0-9.-]+/g, '-');
}

const ownReferences = (licence: string): string[] =>
  licence.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [];

const namedBy = (packages: readonly PackageRecord[], reference: string) =>
  packages
    .filter(({ licence }) => ownReferences(licence).includes(reference))
    .map(({ name }) => name)
    .join(', ');

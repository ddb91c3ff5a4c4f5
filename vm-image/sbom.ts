/** The manifest's packages as an SPDX 2.3 document (spdx.github.io/spdx-spec/v2.3). */
import type { Manifest, PackageRecord } from './manifest.ts';

export function spdxDocument(manifest: Manifest): unknown {
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
            name: licenseId.replace('LicenseRef-Debian-', ''),
            extractedText:
              "See the file /usr/share/doc/<package>/copyright of the Debian package; Debian's short name is this licence's name here.",
          })),
        }),
  };
}

function packageEntry(each: PackageRecord, architecture: string) {
  const { name, version, type, licence, sha256 } = each;
  const locator =
    type === 'deb'
      ? `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=trixie`
      : `pkg:npm/${name.replace('@', '%40')}@${version}`;
  return {
    ...described(idOf(each), name, version, licence),
    ...(sha256 === undefined
      ? {}
      : { checksums: [{ algorithm: 'SHA256', checksumValue: sha256 }] }),
    externalRefs: [
      {
        referenceCategory: 'PACKAGE-MANAGER',
        referenceType: 'purl',
        referenceLocator: locator,
      },
    ],
  };
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

const ownReferences = (licence: string) => licence.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [];

// SPDX-License-Identifier: Apache-2.0
// Checks a Sigstore bundle with Sigstore's own JavaScript library, unmodified:
//   node verify.mjs BUNDLE TRUSTED_ROOT KEY.pem STATEMENT
// Accepts it, then alters the bundle in each part that is signed or hashed, and fails unless each
// alteration is refused. Exit code 0: all of that held.
import { readFileSync } from 'node:fs';
import { createPublicKey } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { Verifier, toSignedEntity, toTrustMaterial } from '@sigstore/verify';

const [bundleFile, rootFile, keyFile, statementFile] = process.argv.slice(2);
const bundle = JSON.parse(readFileSync(bundleFile, 'utf8'));
const statement = readFileSync(statementFile);
// The key is the caller's own, whatever the bundle hints at.
const rawBytes = createPublicKey(readFileSync(keyFile)).export({ type: 'spki', format: 'der' });
const material = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(readFileSync(rootFile, 'utf8'))), {
  [bundle.verificationMaterial.publicKey.hint]: { rawBytes, validFor: {} },
});

function verify(json, artifact) {
  // A log of Rekor's second kind says no time of its own, so none is asked for.
  const verifier = new Verifier(material, { tlogThreshold: 1, timestampThreshold: 0 });
  verifier.verify(toSignedEntity(bundleFromJSON(json), artifact));
}

function altered(change) {
  const copy = structuredClone(bundle);
  change(copy, copy.verificationMaterial.tlogEntries[0]);
  return copy;
}
// Another byte in front, still base64.
const otherBase64 = (text) => (text[0] === 'A' ? 'B' : 'A') + text.slice(1);

verify(bundle, statement);
console.log('accepted: the bundle');

const alterations = {
  signature: altered((b) => {
    const bytes = Buffer.from(b.messageSignature.signature, 'base64');
    bytes[bytes.length - 1] ^= 1;
    b.messageSignature.signature = bytes.toString('base64');
  }),
  'entry body': altered((b, entry) => {
    entry.canonicalizedBody = Buffer.from(
      Buffer.from(entry.canonicalizedBody, 'base64').toString().replace('"content":"M', '"content":"N'),
    ).toString('base64');
  }),
  'log index': altered((b, entry) => {
    entry.inclusionProof.logIndex = String(Number(entry.inclusionProof.logIndex) + 1);
  }),
  'proof hash': altered((b, entry) => {
    entry.inclusionProof.hashes[0] = otherBase64(entry.inclusionProof.hashes[0]);
  }),
  'proof length': altered((b, entry) => {
    entry.inclusionProof.hashes.pop();
  }),
  'checkpoint size': altered((b, entry) => {
    const lines = entry.inclusionProof.checkpoint.envelope.split('\n');
    lines[1] += '0';
    entry.inclusionProof.checkpoint.envelope = lines.join('\n');
  }),
  // Of both log keys, while one follows the other: either is enough.
  'checkpoint signature': altered((b, entry) => {
    const lines = entry.inclusionProof.checkpoint.envelope.split('\n').map((line) => {
      if (!line.startsWith('— ')) return line;
      const [dash, name, signature] = line.split(' ');
      const bytes = Buffer.from(signature, 'base64');
      bytes[bytes.length - 1] ^= 1;
      return [dash, name, bytes.toString('base64')].join(' ');
    });
    entry.inclusionProof.checkpoint.envelope = lines.join('\n');
  }),
};
const attempts = Object.entries(alterations).map(([what, json]) => [what, json, statement]);
attempts.push(['statement', bundle, Buffer.concat([statement, Buffer.from(' ')])]);
for (const [what, json, artifact] of attempts) {
  let refusal;
  try {
    verify(json, artifact);
  } catch (error) {
    refusal = error;
  }
  if (refusal === undefined) {
    console.error(`accepted with another ${what}`);
    process.exit(1);
  }
  console.log(`refused: another ${what} (${refusal.code ?? refusal.name})`);
}

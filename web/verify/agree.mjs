// SPDX-License-Identifier: Apache-2.0
// Whether verify.ts gives the verdicts that the C++ verifier gave.
// Usage: node agree.mjs VERIFY_JS CASES
// CASES: lines of {"name", "file", "keys", "policy"?, "verdict", "failed": [failed checks]}
import { readFileSync } from "node:fs";
import { webcrypto } from "node:crypto";
import { pathToFileURL } from "node:url";

globalThis.crypto ??= webcrypto; // Node 18 has it only here
const [, , script, cases] = process.argv;
const { verify } = await import(pathToFileURL(script).href);
const lines = readFileSync(cases, "utf8").split("\n").filter((line) => line !== "");
let differing = 0;
for (const line of lines) {
  const { name, file, keys, policy, verdict, failed } = JSON.parse(line);
  const { verdict: ours, checks } = await verify(file, { keys, policy });
  const fails = checks.filter((check) => check.outcome === "failed");
  const names = fails.map((check) => check.check).join();
  if (ours === verdict && names === failed.join()) continue;
  ++differing;
  console.log(`${name}: C++ says ${verdict} [${failed}], verify.ts ${ours} [${names}]`);
  for (const check of fails) console.log(`  ${check.check}: ${check.detail}`);
}
console.log(`${lines.length} files, ${differing} verdicts differ`);
process.exit(differing === 0 && lines.length > 0 ? 0 : 1);

// SPDX-License-Identifier: Apache-2.0
// verify.ts: whether a receipt or bundle proves what it says, in a browser, without asking any server
// (docs/formats/receipt.md). One file without dependencies; WebCrypto does the cryptography. It gives
// the verdict that `avow verify` gives.
//
//   const result = await verify(text, { keys: ["log.example.com+04603546+AYqI..."] });
//   if (result.verdict === "VALID") ...
//
// The file is hostile. What is believed comes from the caller alone: keys inside the file are hints.

export type Verdict =
  | "MALFORMED"
  | "EVENT_MISMATCH"
  | "RUN_PROOF_INVALID"
  | "STATEMENT_MISMATCH"
  | "STATEMENT_SIGNATURE_INVALID"
  | "LOG_PROOF_INVALID"
  | "CHECKPOINT_SIGNATURE_INVALID"
  | "KEY_UNTRUSTED"
  | "WITNESSES_INSUFFICIENT"
  | "CONTENT_MISMATCH"
  | "INCOMPLETE"
  | "VALID";

/** One check: its name is the verdict that its failure means. */
export interface Check {
  check: Verdict;
  outcome: "passed" | "failed" | "skipped";
  detail: string; // why it failed; empty unless it did
}

export interface Verification {
  verdict: Verdict; // of the first check that failed, else VALID
  checks: Check[];
  statement?: Json; // as the file has it; absent if it is malformed
}

export interface Trust {
  keys?: string[]; // vkeys of logs
  policy?: string; // a C2SP tlog-policy: its logs are believed too, and its quorum must have cosigned
}

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject {
  [key: string]: Json;
}

/** Reads and checks a receipt or bundle. Never throws for anything that is in `text`. */
export async function verify(text: string, trust: Trust): Promise<Verification> {
  const believed = await readTrust(trust);
  let verifier: Verifier;
  try {
    verifier = await Verifier.read(text, believed);
  } catch (error) {
    const checks: Check[] = [{ check: "MALFORMED", outcome: "failed", detail: message(error) }];
    for (const [check] of CHECKS) checks.push({ check, outcome: "skipped", detail: "" });
    return { verdict: "MALFORMED", checks };
  }
  const checks: Check[] = [{ check: "MALFORMED", outcome: "passed", detail: "" }];
  let verdict: Verdict = "VALID";
  for (const [check, run] of CHECKS) {
    try {
      const applies = await run(verifier);
      checks.push({ check, outcome: applies ? "passed" : "skipped", detail: "" });
    } catch (error) {
      if (verdict === "VALID") verdict = check;
      checks.push({ check, outcome: "failed", detail: message(error) });
    }
  }
  return { verdict, checks, statement: verifier.statement.value };
}

/** Each throws what is wrong, and says whether there was anything to check. */
const CHECKS: [Verdict, (verifier: Verifier) => boolean | Promise<boolean>][] = [
  ["EVENT_MISMATCH", (v) => v.checkEvents()],
  ["RUN_PROOF_INVALID", (v) => v.checkRunProof()],
  ["STATEMENT_MISMATCH", (v) => v.checkStatements()],
  ["STATEMENT_SIGNATURE_INVALID", (v) => v.checkStatementSignatures()],
  ["LOG_PROOF_INVALID", (v) => v.checkLogProofs()],
  ["CHECKPOINT_SIGNATURE_INVALID", (v) => v.checkCheckpointSignature()],
  ["KEY_UNTRUSTED", (v) => v.checkTrust()],
  ["WITNESSES_INSUFFICIENT", (v) => v.checkWitnesses()],
  ["CONTENT_MISMATCH", (v) => v.checkContents()],
  ["INCOMPLETE", (v) => v.checkCompleteness()],
];

class Fault extends Error {}

function message(error: unknown): string {
  if (error instanceof Fault) return error.message;
  return `it cannot be read: ${error instanceof Error ? error.message : String(error)}`;
}

function demand(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Fault(what);
}

// ------------------------------------------------------------------------------------------- bytes

type Bytes = Uint8Array;

const utf8 = (text: string): Bytes => new TextEncoder().encode(text);
/** What WebCrypto takes; newer compilers want to know that no memory is shared. */
const source = (bytes: Bytes): BufferSource => bytes as BufferSource;

function concat(...parts: Uint8Array[]): Bytes {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

function compare(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < Math.min(a.length, b.length); ++i) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

const same = (a: Uint8Array, b: Uint8Array): boolean => compare(a, b) === 0;

const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}

/** Standard alphabet, padded, one spelling. */
function fromBase64(text: string): Bytes {
  demand(/^[A-Za-z0-9+/]*={0,2}$/.test(text), "base64 of another form");
  let binary = "";
  try {
    binary = atob(text);
  } catch {
    throw new Fault("base64 of another form");
  }
  const bytes = Uint8Array.from(binary, (character) => character.charCodeAt(0));
  demand(toBase64(bytes) === text, "base64 that is spelled another way");
  return bytes;
}

async function sha256(...parts: Uint8Array[]): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", source(concat(...parts))));
}

// -------------------------------------------------------------------------------------------- JSON

// How deep arrays and objects may nest.
const FILE_DEPTH_MAX = 1024 + 8;
const EVENT_DEPTH_MAX = 64;
const STATEMENT_DEPTH_MAX = 4;
const hasOwn = (object: object, key: string): boolean =>
  Object.prototype.hasOwnProperty.call(object, key);

/** A strict reader: JSON.parse takes the last of two members with one name, and we take neither. */
class JsonReader {
  private at = 0;
  private constructor(
    private readonly text: string,
    private readonly depthMax: number,
  ) {}

  static read(text: string, depthMax: number): Json {
    const reader = new JsonReader(text, depthMax);
    const value = reader.value(0);
    reader.space();
    demand(reader.at === text.length, `JSON: something follows at ${reader.at}`);
    return value;
  }

  private space(): void {
    while (" \t\n\r".includes(this.text[this.at] ?? "x")) ++this.at;
  }

  private take(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const token = pattern.exec(this.text)?.[0];
    demand(token !== undefined, `JSON: not a value at ${this.at}`);
    this.at += token.length;
    return token;
  }

  private string(): string {
    const token = this.take(/"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y);
    const text = JSON.parse(token) as string;
    demand(isWellFormed(text), "JSON: half a surrogate pair");
    return text;
  }

  private value(depth: number): Json {
    this.space();
    const first = this.text[this.at];
    const isScalar = first !== "{" && first !== "[";
    demand(isScalar || depth < this.depthMax, "JSON: nested too deep");
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    if (first === "t" || first === "f" || first === "n") {
      return JSON.parse(this.take(/true|false|null/y)) as Json;
    }
    const number = Number(this.take(/-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y));
    demand(Number.isFinite(number), "JSON: a number that is too large");
    return number;
  }

  private array(depth: number): Json[] {
    const out: Json[] = [];
    ++this.at;
    this.space();
    if (this.text[this.at] === "]") {
      ++this.at;
      return out;
    }
    for (;;) {
      out.push(this.value(depth + 1));
      this.space();
      if (this.take(/[,\]]/y) === "]") return out;
    }
  }

  private object(depth: number): JsonObject {
    // No prototype: a member may be called "__proto__".
    const out = Object.create(null) as JsonObject;
    ++this.at;
    this.space();
    if (this.text[this.at] === "}") {
      ++this.at;
      return out;
    }
    for (;;) {
      this.space();
      const key = this.string();
      demand(!hasOwn(out, key), `JSON: two members "${key}"`);
      this.space();
      this.take(/:/y);
      out[key] = this.value(depth + 1);
      this.space();
      if (this.take(/[,}]/y) === "}") return out;
    }
  }
}

function isWellFormed(text: string): boolean {
  return !/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/.test(text);
}

/** RFC 8785. Its numbers and strings are those of JSON.stringify; its keys sort by UTF-16 units. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key]!)}`);
  return `{${members.join(",")}}`;
}

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isText = (value: Json | undefined): value is string =>
  typeof value === "string" && value !== "";
const isCount = (value: Json | undefined, min = 0, max = Number.MAX_SAFE_INTEGER): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= min && value <= max;
const isDigest = (value: Json | undefined): value is string =>
  typeof value === "string" && /^[0-9a-f]{64}$/.test(value);
const isUuid = (value: Json | undefined): value is string =>
  typeof value === "string" &&
  /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(value);
const isZeroUuid = (value: Json): boolean => value === "00000000-0000-0000-0000-000000000000";

function isTime(value: Json | undefined): value is string {
  if (typeof value !== "string") return false;
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value)) return false;
  const time = new Date(value);
  return !Number.isNaN(time.getTime()) && time.toISOString() === value;
}

function demandOnly(object: JsonObject, names: string[], what: string): void {
  for (const key of Object.keys(object)) {
    demand(names.includes(key), `${what} has an unknown member "${key.slice(0, 64)}"`);
  }
}

function hashList(value: Json | undefined, what: string): Bytes[] {
  demand(Array.isArray(value), `${what} is no list of hashes`);
  return value.map((one) => {
    const bytes = typeof one === "string" ? fromBase64(one) : new Uint8Array();
    demand(bytes.length === 32, `${what} has something that is no hash`);
    return bytes;
  });
}

// --------------------------------------------------------------------------------- trees (RFC 6962)

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);
const hashLeaf = (leaf: string): Promise<Bytes> => sha256(LEAF, utf8(leaf));
const hashChildren = (left: Uint8Array, right: Uint8Array): Promise<Bytes> =>
  sha256(NODE, left, right);

/** The root that `path` leads to from the leaf at `index` of `size` (RFC 6962, section 2.1.1). */
async function climb(leaf: Bytes, index: number, size: number, path: Bytes[]): Promise<Bytes> {
  demand(index < size, `leaf ${index} is outside a tree of ${size}`);
  let node = leaf;
  let at = index;
  let last = size - 1;
  let used = 0;
  for (; last > 0; at = Math.floor(at / 2), last = Math.floor(last / 2)) {
    const isRight = at % 2 === 1;
    if (!isRight && at === last) continue; // the last node of an odd level has no sibling
    demand(used < path.length, "the path ends below the root");
    const sibling = path[used++]!;
    node = isRight ? await hashChildren(sibling, node) : await hashChildren(node, sibling);
  }
  demand(used === path.length, "the path goes on above the root");
  return node;
}

async function rootOf(leaves: string[]): Promise<Bytes> {
  if (leaves.length === 0) return sha256();
  let level: Bytes[] = [];
  for (const leaf of leaves) level.push(await hashLeaf(leaf));
  while (level.length > 1) {
    const above: Bytes[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) {
      above.push(await hashChildren(level[i]!, level[i + 1]!));
    }
    if (level.length % 2 === 1) above.push(level[level.length - 1]!);
    level = above;
  }
  return level[0]!;
}

// ------------------------------------------------------------- keys and notes (C2SP signed-note)

const ED25519 = 1;
const COSIGNATURE = 4;

interface VerifierKey {
  text: string; // the vkey
  name: string;
  id: string; // 8 hex digits
  type: number;
  key: Bytes;
}

const isKeyName = (name: string): boolean => name !== "" && !/[\s\u0000-\u0020\u0085+]/u.test(name);

async function readVerifierKey(text: string): Promise<VerifierKey> {
  const parts = /^([^+]+)\+([0-9a-f]{8})\+(.+)$/s.exec(text);
  demand(parts !== null && isKeyName(parts[1]!), `"${text.slice(0, 64)}" is no vkey`);
  const [, name, id, base64] = parts as unknown as [string, string, string, string];
  const typed = fromBase64(base64);
  demand(typed.length >= 2, "a vkey without a key");
  const type = typed[0]!;
  const isEd25519 = type === ED25519 || type === COSIGNATURE;
  demand(!isEd25519 || typed.length === 33, "an Ed25519 key has 32 bytes");
  const expected = (await sha256(utf8(name + "\n"), typed)).slice(0, 4);
  demand(toHex(expected) === id, "a vkey whose id is not its key's");
  return { text, name, id, type, key: typed.slice(1) };
}

async function verifiesEd25519(key: Bytes, text: Bytes, signature: Bytes): Promise<boolean> {
  if (signature.length !== 64) return false;
  try {
    const algorithm = { name: "Ed25519" };
    const imported = await crypto.subtle.importKey("raw", source(key), algorithm, false, ["verify"]);
    return await crypto.subtle.verify(algorithm, imported, source(signature), source(text));
  } catch (error) {
    // A browser without Ed25519 must not call a good signature false.
    if (error instanceof Error && error.name === "NotSupportedError") throw error;
    return false; // no point of the curve
  }
}

interface Note {
  text: string;
  signatures: { name: string; id: string; bytes: Bytes }[];
}

function readNote(text: string): Note {
  demand(text.endsWith("\n") && !/[\u0000-\u0009\u000b-\u001f]/.test(text), "not a note");
  const end = text.lastIndexOf("\n\n");
  demand(end >= 0, "a note has no empty line before its signatures");
  const lines = text.slice(end + 2, -1).split("\n");
  demand(lines.length <= 64, "a note has too many signatures");
  const signatures = lines.map((line) => {
    const parts = /^\u2014 (\S+) (\S+)$/u.exec(line);
    demand(parts !== null && isKeyName(parts[1]!), "a signature of another form");
    const bytes = fromBase64(parts[2]!);
    demand(bytes.length >= 5, "a signature that is too short");
    return { name: parts[1]!, id: toHex(bytes.slice(0, 4)), bytes: bytes.slice(4) };
  });
  return { text: text.slice(0, end + 1), signatures };
}

/** Which of `keys` have signed; throws if a signature that names one of them does not hold. */
async function signersOf(note: Note, keys: VerifierKey[]): Promise<VerifierKey[]> {
  const signers: VerifierKey[] = [];
  for (const { name, id, bytes } of note.signatures) {
    const key = keys.find(
      (one) =>
        one.name === name && one.id === id && (one.type === ED25519 || one.type === COSIGNATURE),
    );
    if (key === undefined) continue;
    let signed = utf8(note.text);
    let signature = bytes;
    if (key.type === COSIGNATURE) {
      demand(bytes.length === 72, "a cosignature of another length");
      const time = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0);
      signed = utf8(`cosignature/v1\ntime ${time}\n${note.text}`);
      signature = bytes.slice(8);
    }
    demand(
      await verifiesEd25519(key.key, signed, signature),
      `the checkpoint's signature by ${name}+${id} does not hold`,
    );
    if (!signers.some((one) => one.text === key.text)) signers.push(key);
  }
  demand(signers.length > 0, "nobody who is known has signed the checkpoint");
  return signers;
}

interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
}

function readCheckpoint(text: string): Checkpoint {
  const lines = text.slice(0, -1).split("\n");
  const [origin, size, root] = lines;
  demand(lines.length >= 3 && lines.every((line) => line !== ""), "not a checkpoint");
  demand(/^(0|[1-9][0-9]*)$/.test(size!), "a checkpoint without a size");
  const number = Number(size);
  demand(Number.isSafeInteger(number), "a checkpoint of a larger log than this can read");
  const hash = fromBase64(root!);
  demand(hash.length === 32, "a checkpoint without a root");
  return { origin: origin!, size: number, root: hash };
}

// -------------------------------------------------------------------------- whom the caller trusts

interface Believed {
  keys: VerifierKey[]; // of logs and witnesses
  hasQuorum?: (signers: VerifierKey[]) => boolean;
}

/** Throws if the caller's own keys or policy are wrong: that is no verdict on the file. */
async function readTrust(trust: Trust): Promise<Believed> {
  const keys = await Promise.all((trust.keys ?? []).map(readVerifierKey));
  if (trust.policy === undefined) return { keys };
  const witnesses = new Map<string, VerifierKey>();
  const groups: { name: string; threshold: number; members: string[] }[] = [];
  let quorum = "";
  for (const line of trust.policy.split("\n")) {
    const [word, ...rest] = line.split(/[ \t]+/).filter((item) => item !== "");
    if (word === undefined || word.startsWith("#")) continue;
    const isTaken = (name: string): boolean =>
      name === "none" || witnesses.has(name) || groups.some((group) => group.name === name);
    if (word === "log") {
      keys.push(await readVerifierKey(rest[0] ?? ""));
    } else if (word === "witness") {
      const key = await readVerifierKey(rest[1] ?? "");
      demand(key.type !== ED25519, "policy: a witness's key is not one for cosignatures");
      demand(!isTaken(rest[0]!), `policy: the name ${rest[0]} is taken`);
      witnesses.set(rest[0]!, key);
      keys.push(key);
    } else if (word === "group") {
      const [name, count, ...members] = rest;
      const threshold =
        count === "all" ? members.length : count === "any" ? 1 : Number.parseInt(count ?? "", 10);
      demand(threshold >= 1 && threshold <= members.length, `policy: group ${name} is wrong`);
      demand(!isTaken(name!) && members.every(isTaken), `policy: group ${name} is wrong`);
      const others = groups.flatMap((group) => group.members);
      demand(
        members.every((member, i) => !others.includes(member) && members.indexOf(member) === i),
        `policy: a member of ${name} counts twice`,
      );
      groups.push({ name: name!, threshold, members });
    } else {
      demand(word === "quorum" && quorum === "" && isTaken(rest[0] ?? ""), `policy: "${word}"`);
      quorum = rest[0]!;
    }
  }
  demand(quorum !== "", "policy: no quorum");
  const hasQuorum = (signers: VerifierKey[]): boolean => {
    const satisfied = new Set(["none"]);
    for (const [name, key] of witnesses) {
      if (signers.some((signer) => signer.text === key.text)) satisfied.add(name);
    }
    // A group's members stand before it.
    for (const { name, threshold, members } of groups) {
      if (members.filter((member) => satisfied.has(member)).length >= threshold) {
        satisfied.add(name);
      }
    }
    return satisfied.has(quorum);
  };
  return { keys, hasQuorum };
}

// ------------------------------------------------------- statements (docs/formats/statement.md)

const SEQ_MAX = 2 ** 20 - 1;
const isWord = (value: Json | undefined): boolean =>
  typeof value === "string" && /^[a-z_]{1,64}$/.test(value);
const isShort = (value: Json | undefined): boolean => isText(value) && utf8(value).length <= 256;

const MEMBERS: Record<string, (value: Json) => boolean> = {
  actor: isShort,
  agent: isUuid,
  change: isWord,
  completed_at: isTime,
  created_at: isTime,
  erased: isErasedList,
  events: (value) => isCount(value, 1, SEQ_MAX),
  id: isUuidWithoutSeq,
  keys: isKeyList,
  log_keys: (value) => isTextList(value) && value.length <= 8,
  nonce: isDigest,
  old_head: (value) =>
    isObject(value) &&
    Object.keys(value).sort().join() === "origin,root,size" &&
    isShort(value["origin"]) &&
    isDigest(value["root"]) &&
    isCount(value["size"]),
  origin: isShort,
  plan: isDigest,
  prev: isDigest,
  reason: isDigest,
  record: isDigest,
  root: isDigest,
  signatures: (value) => isTextList(value) && value.every((one) => fromBase64(one).length === 64),
  started_at: isTime,
  status: isWord,
  subject: isWord,
  tenant: isUuid,
  tenant_seq: (value) => isCount(value, 1),
  type: isText,
  v: (value) => value === 1,
  version: isShort,
  workflow_digest: isDigest,
};

function isTextList(value: Json): value is string[] {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function isUuidWithoutSeq(value: Json): boolean {
  return isUuid(value) && value.endsWith("00000");
}

function isKeyList(value: Json): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  return value.every((one) => {
    if (!isObject(one) || !isCount(one["from"]) || !isText(one["key"])) return false;
    if (fromBase64(one["key"]).length === 0) return false;
    const to = one["to"];
    const isRange = to === undefined || (isCount(to) && to > one["from"]);
    return isRange && Object.keys(one).every((key) => ["from", "key", "to"].includes(key));
  });
}

function isErasedList(value: Json): boolean {
  if (!Array.isArray(value) || value.length === 0) return false;
  let before: [string, number, string] | undefined;
  return value.every((one) => {
    if (!isObject(one) || !isUuid(one["run"])) return false;
    const isWhole = Object.keys(one).join() === "run";
    const isOne = Object.keys(one).sort().join() === "member,run,seq";
    if (!isWhole && !(isOne && isText(one["member"]) && isCount(one["seq"], 1, SEQ_MAX))) return false;
    const place: [string, number, string] = isWhole
      ? [one["run"], 0, ""]
      : [one["run"], one["seq"] as number, one["member"] as string];
    const ascends = before === undefined || isBefore(before, place);
    before = place;
    return ascends;
  });
}

function isBefore(a: [string, number, string], b: [string, number, string]): boolean {
  if (a[0] !== b[0]) return a[0] < b[0];
  if (a[1] !== b[1]) return a[1] < b[1];
  return compare(utf8(a[2]), utf8(b[2])) < 0;
}

/** By type: members that must be there, and those that may. Those of every type stand in COMMON. */
const COMMON = ["created_at", "id", "nonce", "tenant", "tenant_seq", "type", "v"];
const RUN = ["events", "plan", "root", "started_at", "status"];
const SHAPES: Record<string, [string[], string[]]> = {
  "log.genesis": [["keys", "log_keys", "origin", "signatures"], ["old_head"]],
  "key.rotated": [["keys", "log_keys", "origin", "signatures"], ["actor"]],
  "run.finished": [
    [...RUN, "completed_at"],
    ["agent", "workflow_digest"],
  ],
  "run.open": [RUN, ["agent", "workflow_digest"]],
  "run.progress": [RUN, ["agent", "workflow_digest"]],
  "workflow.published": [["version", "workflow_digest"], ["actor"]],
  "agent.changed": [
    ["change", "status"],
    ["actor", "record"],
  ],
  "admin.changed": [
    ["change", "subject"],
    ["actor", "record"],
  ],
  "content.erased": [["erased"], ["actor", "reason"]],
  "journal.retired": [["events", "root"], []],
};

interface Logged {
  statement: string;
  value: JsonObject;
  entry: string;
  fields: Entry;
  index: number;
  path: Bytes[];
}

const typeOf = (logged: Logged): string => logged.value["type"] as string;
const isOfRun = (logged: Logged): boolean =>
  ["run.finished", "run.open", "run.progress"].includes(typeOf(logged));

function readStatement(text: string): JsonObject {
  demand(utf8(text).length <= 2 ** 20, "a statement is too long");
  const value = JsonReader.read(text, STATEMENT_DEPTH_MAX);
  demand(isObject(value) && canonical(value) === text, "a statement is not spelled canonically");
  const type = value["type"];
  demand(isText(type) && hasOwn(SHAPES, type), "a statement of an unknown type");
  const [required, optional] = SHAPES[type]!;
  const isFirst = value["tenant_seq"] === 1;
  const needed = [...COMMON, ...required, ...(isFirst ? [] : ["prev"])];
  for (const name of needed) demand(hasOwn(value, name), `a ${type} without "${name}"`);
  demandOnly(value, [...needed, ...optional], `a ${type}`);
  for (const [name, member] of Object.entries(value)) {
    demand(MEMBERS[name]!(member), `a ${type} with a wrong "${name}"`);
  }
  if (type === "run.finished") {
    demand(
      ["completed", "failed", "cancelled"].includes(value["status"] as string),
      "a run.finished with a wrong status",
    );
  } else if (type === "run.open" || type === "run.progress") {
    demand(value["status"] === "running", `a ${type} with a wrong status`);
  } else if (type === "log.genesis" || type === "key.rotated") {
    demand(isZeroUuid(value["tenant"]!), `a ${type} of a tenant`);
    const logKeys = value["log_keys"] as string[];
    demand(logKeys.length === (value["signatures"] as Json[]).length, `a ${type} half signed`);
    demand(type !== "log.genesis" || isFirst || hasOwn(value, "old_head"), "a second log.genesis");
  }
  return value;
}

interface Entry {
  digest: Bytes;
  signature: Bytes;
  publicKey: Bytes;
}

/** The canonical hashedrekord 0.0.2 has no place for a choice (docs/formats/entry.md). */
function readEntry(text: string): Entry {
  const form =
    /^\{"apiVersion":"0\.0\.2","kind":"hashedrekord","spec":\{"hashedRekordV002":\{"data":\{"algorithm":"SHA2_256","digest":"([^"]+)"\},"signature":\{"content":"([^"]+)","verifier":\{"keyDetails":"PKIX_ECDSA_P256_SHA_256","publicKey":\{"rawBytes":"([^"]+)"\}\}\}\}\}\}$/;
  const parts = form.exec(text);
  demand(parts !== null, "an entry of another form");
  const digest = fromBase64(parts[1]!);
  demand(digest.length === 32, "an entry without a digest");
  return { digest, signature: fromBase64(parts[2]!), publicKey: fromBase64(parts[3]!) };
}

function readLogged(value: Json | undefined, what: string): Logged {
  demand(isObject(value), `"${what}" is missing`);
  demandOnly(value, ["entry", "index", "path", "statement"], what);
  const { statement, entry, index, path } = value as { [key: string]: Json | undefined };
  demand(isText(statement) && isText(entry) && isCount(index), `"${what}" is wrong`);
  return {
    statement,
    value: readStatement(statement),
    entry,
    fields: readEntry(entry),
    index,
    path: hashList(path, `${what}.path`),
  };
}

/** ECDSA signatures stand in DER; WebCrypto wants r and s at 32 bytes each. */
function fromDer(der: Bytes): Bytes {
  let at = 0;
  const take = (tag: number): number => {
    demand(der[at] === tag && (der[at + 1] ?? 128) < 128, "a signature of another form");
    at += 2;
    return der[at - 1]!;
  };
  demand(take(0x30) === der.length - 2, "a signature of another length");
  const numbers = [0, 1].map(() => {
    const length = take(0x02);
    const bytes = der.slice(at, at + length);
    at += length;
    demand(bytes.length === length && length > 0 && bytes[0]! < 128, "a signature of another form");
    demand(length === 1 || bytes[0] !== 0 || bytes[1]! >= 128, "a signature with a zero in front");
    const number = bytes[0] === 0 ? bytes.slice(1) : bytes;
    demand(number.length <= 32, "a signature with a number that is too large");
    return concat(new Uint8Array(32 - number.length), number);
  });
  demand(at === der.length, "a signature with something behind it");
  return concat(...numbers);
}

async function verifiesP256(spki: Bytes, text: string, signature: Bytes): Promise<boolean> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  try {
    const key = await crypto.subtle.importKey("spki", source(spki), algorithm, false, ["verify"]);
    const hash = { name: "ECDSA", hash: "SHA-256" };
    return await crypto.subtle.verify(hash, key, source(fromDer(signature)), source(utf8(text)));
  } catch {
    return false;
  }
}

// -------------------------------------------------------------- events (docs/formats/event.md)

interface Event {
  bytes: string;
  run: string;
  seq: number;
  time: string;
  type: string;
  step: string; // empty: none
  attempt: number; // 0: none
  agent?: Json;
  data: JsonObject;
  path: Bytes[]; // to the statement's root; of a bundle's events empty
}

function readEvent(bytes: string, path: Bytes[]): Event {
  const value = JsonReader.read(bytes, EVENT_DEPTH_MAX);
  demand(isObject(value) && canonical(value) === bytes, "an event is not spelled canonically");
  const names = ["actor", "agent", "attempt", "data", "run", "seq", "step", "time", "type", "v"];
  demandOnly(value, names, "an event");
  const { run, seq, time, type, data } = value as { [key: string]: Json | undefined };
  demand(value["v"] === 1 && isUuid(run) && isCount(seq, 1, SEQ_MAX), "an event is wrong");
  demand(isTime(time) && isText(type) && isObject(data), `event ${seq} is wrong`);
  for (const name of ["actor", "step"]) {
    demand(!hasOwn(value, name) || isText(value[name]), `event ${seq}: "${name}" is wrong`);
  }
  demand(!hasOwn(value, "agent") || isUuid(value["agent"]), `event ${seq}: "agent" is wrong`);
  const attempt = hasOwn(value, "attempt") ? value["attempt"] : undefined;
  demand(attempt === undefined || isCount(attempt, 1, 2 ** 32 - 1), `event ${seq}: "attempt"`);
  return {
    bytes,
    run,
    seq,
    time,
    type,
    step: (value["step"] as string | undefined) ?? "",
    attempt: attempt ?? 0,
    agent: value["agent"],
    data,
    path,
  };
}

const committedMembers = (data: JsonObject): string[] =>
  Object.keys(data).filter((key) => !key.endsWith("_digest") && isDigest(data[key]));

// ------------------------------------------------------ contents (docs/formats/commitment.md)

type Hmac = (input: Uint8Array) => Promise<Bytes>;

async function hmacOf(salt: Bytes): Promise<Hmac> {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", source(salt), algorithm, false, ["sign"]);
  return async (input) => new Uint8Array(await crypto.subtle.sign("HMAC", key, source(input)));
}

const memberSalt = async (hmac: Hmac, key: string): Promise<string> =>
  toBase64((await hmac(concat(Uint8Array.of(1), utf8(key)))).slice(0, 16));
const digestOf = (parts: Json[]): Promise<Bytes> =>
  sha256(Uint8Array.of(0), utf8(canonical(parts)));

async function commitmentOf(kind: number, mask: Bytes, digests: Bytes[]): Promise<string> {
  const sorted = [...digests].sort(compare);
  return toHex(await sha256(Uint8Array.of(1, kind), mask, ...sorted));
}

const OBJECT = 0x6f;
const OTHER = 0x76;

async function commit(value: Json, salt: Bytes): Promise<string> {
  const hmac = await hmacOf(salt);
  const mask = await hmac(Uint8Array.of(2));
  if (!isObject(value)) {
    return commitmentOf(OTHER, mask, [await digestOf([await memberSalt(hmac, ""), value])]);
  }
  const digests: Bytes[] = [];
  for (const [key, member] of Object.entries(value)) {
    digests.push(await digestOf([await memberSalt(hmac, key), key, member]));
  }
  return commitmentOf(OBJECT, mask, digests);
}

interface Account {
  seq: number;
  member: string;
  opened?: { salt: Bytes; value: Json };
  disclosed?: { members: [string, string, Json][]; mask: Bytes; digests: Bytes[] };
  withheld?: "from_reader" | "erased";
}

function readAccount(value: Json): Account {
  demand(isObject(value), "a content is no object");
  const { seq, member } = value as { [key: string]: Json | undefined };
  demand(isCount(seq, 0, 2 ** 32 - 1) && isText(member), "a content without a place");
  if (hasOwn(value, "value")) {
    demandOnly(value, ["member", "salt", "seq", "value"], "a content");
    demand(isText(value["salt"]), "a content without its salt");
    const salt = fromBase64(value["salt"]);
    demand(salt.length === 32, "a content without its salt");
    return { seq, member, opened: { salt, value: value["value"]! } };
  }
  if (hasOwn(value, "disclosed")) {
    demandOnly(value, ["disclosed", "member", "seq"], "a content");
    return { seq, member, disclosed: readDisclosure(value["disclosed"]!) };
  }
  demandOnly(value, ["member", "seq", "withheld"], "a content");
  const withheld = value["withheld"];
  demand(withheld === "erased" || withheld === "from_reader", "a content that is not accounted for");
  return { seq, member, withheld };
}

function readDisclosure(value: Json): NonNullable<Account["disclosed"]> {
  demand(isObject(value), "a disclosure is no object");
  demandOnly(value, ["digests", "mask", "members"], "a disclosure");
  const members = value["members"];
  demand(Array.isArray(members) && isText(value["mask"]), "a disclosure is wrong");
  const mask = fromBase64(value["mask"]);
  demand(mask.length === 32, "a disclosure without its mask");
  return {
    mask,
    digests: hashList(value["digests"], "a disclosure's digests"),
    members: members.map((one) => {
      demand(Array.isArray(one) && one.length === 3, "a disclosed member is wrong");
      const [salt, key, shown] = one;
      demand(isText(salt) && typeof key === "string", "a disclosed member is wrong");
      return [salt, key, shown!];
    }),
  };
}

async function checkDisclosure(
  disclosed: NonNullable<Account["disclosed"]>,
  committed: string,
): Promise<void> {
  const { members, mask, digests } = disclosed;
  const isSorted = digests.every((one, i) => i === 0 || compare(digests[i - 1]!, one) <= 0);
  demand(isSorted, "the digests of a disclosure are not sorted");
  demand((await commitmentOf(OBJECT, mask, digests)) === committed, "a disclosure of another content");
  const seen = new Set<string>();
  for (const member of members) {
    demand(!seen.has(member[1]), `"${member[1].slice(0, 64)}" is shown twice`);
    seen.add(member[1]);
    const digest = await digestOf(member);
    demand(
      digests.some((one) => same(one, digest)),
      `"${member[1].slice(0, 64)}" is not what was committed to`,
    );
  }
}

// ------------------------------------------------------------------------------------- the receipt

const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** The id in "rcpt_<ULID>" as 32 hex digits. */
function readReceiptId(value: Json | undefined): string {
  const parts = typeof value === "string" ? /^rcpt_([0-7][0-9A-HJKMNP-TV-Z]{25})$/.exec(value) : null;
  demand(parts !== null, "the receipt has no id");
  let id = 0n;
  for (const digit of parts[1]!) id = id * 32n + BigInt(CROCKFORD.indexOf(digit));
  return id.toString(16).padStart(32, "0");
}

const ENDS_OF_STEPS = ["step.completed", "step.failed", "step.skipped", "step.cancelled"];
const ENDS_OF_RUNS = ["run.completed", "run.failed", "run.cancelled"];

/** All parts of a file, read, and one function for each check. None relies on an earlier one. */
class Verifier {
  private found: Promise<VerifierKey[]> | undefined; // what signers() gives, checked once

  private constructor(
    readonly statement: Logged,
    private readonly keys: Logged,
    private readonly erasures: Logged[],
    private readonly statementId: string, // 32 hex digits
    private readonly seq: number,
    private readonly isBundle: boolean,
    private readonly events: Event[],
    private readonly contents: Account[],
    private readonly note: Note,
    private readonly checkpoint: Checkpoint,
    private readonly hints: VerifierKey[],
    private readonly believed: Believed,
  ) {}

  static async read(text: string, believed: Believed): Promise<Verifier> {
    const file = JsonReader.read(text, FILE_DEPTH_MAX);
    demand(isObject(file), "a receipt is no object");
    const { v, kind, journal, contents, erasures } = file as { [key: string]: Json | undefined };
    demand(v === 1, "a receipt of another version");
    demand(kind === "receipt" || kind === "bundle", "neither a receipt nor a bundle");
    const isBundle = kind === "bundle";
    const list = isBundle ? "journal" : "events";
    demandOnly(
      file,
      ["v", "kind", "id", "statement", "keys", "checkpoint", list, "contents", "erasures"],
      `a ${kind}`,
    );
    const id = readReceiptId(file["id"]);
    const statement = readLogged(file["statement"], "statement");
    const keys = readLogged(file["keys"], "keys");
    const hints = await Promise.all(
      ((keys.value["log_keys"] as string[] | undefined) ?? []).map(readVerifierKey),
    );
    for (const hint of hints) {
      const isNamed = hint.type === ED25519 && hint.name === keys.value["origin"];
      demand(isNamed, "keys that are not the log's");
    }
    demand(isText(file["checkpoint"]), "there is no checkpoint");
    const note = readNote(file["checkpoint"]);
    const checkpoint = readCheckpoint(note.text);
    return new Verifier(
      statement,
      keys,
      readErasures(erasures),
      id.slice(0, -5) + "00000",
      parseInt(id.slice(-5), 16),
      isBundle,
      isBundle ? readJournal(journal) : readEvents(file["events"]),
      readContents(contents),
      note,
      checkpoint,
      hints,
      believed,
    );
  }

  private eventAt(seq: number): Event | undefined {
    return this.events.find((event) => event.seq === seq);
  }

  checkEvents(): boolean {
    if (this.events.length === 0 && !this.isBundle && this.seq === 0) return false;
    demand(isOfRun(this.statement), `a ${typeOf(this.statement)} has no events to show`);
    let last = 0;
    for (const event of this.events) {
      demand(event.run === this.statement.value["id"], `event ${event.seq} is of another run`);
      const follows = this.isBundle ? event.seq === last + 1 : event.seq > last;
      demand(follows, `event ${event.seq} stands behind event ${last}`);
      last = event.seq;
    }
    if (this.seq !== 0) this.checkStepEvents();
    return true;
  }

  private checkStepEvents(): void {
    const end = this.events[this.events.length - 1];
    const isPair = !this.isBundle && this.events.length <= 2;
    demand(isPair && end !== undefined, "a step is shown by its start and its end");
    const isEnd = end.seq === this.seq && ENDS_OF_STEPS.includes(end.type) && end.step !== "";
    demand(isEnd, `event ${end.seq} is not the end of the step that the receipt's id names`);
    if (this.events.length === 1) return;
    const start = this.events[0]!;
    const isStart =
      start.type === "step.started" && start.step === end.step && start.attempt <= end.attempt;
    demand(isStart, `event ${start.seq} is not the start of step "${end.step}"`);
  }

  async checkRunProof(): Promise<boolean> {
    const { events, root } = this.statement.value;
    if (this.isBundle) {
      demand(this.events.length === events, `${this.events.length} events, of ${String(events)}`);
      const found = toHex(await rootOf(this.events.map((event) => event.bytes)));
      demand(found === root, "the events lead to another root");
      return true;
    }
    if (this.events.length === 0) return false;
    demand(isDigest(root) && isCount(events), "the statement has no root");
    for (const event of this.events) {
      const found = await climb(await hashLeaf(event.bytes), event.seq - 1, events, event.path);
      demand(toHex(found) === root, `event ${event.seq} leads to another root`);
    }
    return true;
  }

  private logged(): Logged[] {
    return [this.statement, this.keys, ...this.erasures];
  }

  async checkStatements(): Promise<boolean> {
    const id = (this.statement.value["id"] as string).replaceAll("-", "");
    demand(id === this.statementId, "the receipt's id names another statement");
    for (const logged of this.logged()) {
      const digest = await sha256(utf8(logged.statement));
      demand(same(digest, logged.fields.digest), `the entry at ${logged.index} is of another statement`);
      const isFirst = typeOf(logged) !== "log.genesis" || logged.index === 0;
      demand(isFirst, `the log's first entry stands at ${logged.index}`);
    }
    const isAboutKeys = ["log.genesis", "key.rotated"].includes(typeOf(this.keys));
    demand(isAboutKeys, `a ${typeOf(this.keys)} names no keys`);
    for (const erasure of this.erasures) {
      const isErasure =
        typeOf(erasure) === "content.erased" &&
        erasure.value["tenant"] === this.statement.value["tenant"];
      demand(isErasure, `a ${typeOf(erasure)} erases nothing here`);
    }
    if (isOfRun(this.statement)) this.checkFacts();
    return true;
  }

  /** What the statement says of the run, against its first and last event if they are here. */
  private checkFacts(): void {
    const said = this.statement.value;
    const first = this.eventAt(1);
    if (first !== undefined) {
      demand(first.type === "run.started", `event 1 is a ${first.type}`);
      const digestIn = (name: string): Json | undefined =>
        hasOwn(first.data, name) && isDigest(first.data[name]) ? first.data[name] : undefined;
      demand(digestIn("plan") === said["plan"], "event 1 commits to another plan");
      const isWorkflow = digestIn("workflow_digest") === said["workflow_digest"];
      demand(isWorkflow, "event 1 names another workflow");
      demand(first.agent === said["agent"], "event 1 names another agent");
      demand(first.time === said["started_at"], "event 1 has another time of start");
    }
    const last = this.eventAt(said["events"] as number);
    if (last === undefined) return;
    if (typeOf(this.statement) !== "run.finished") {
      demand(!ENDS_OF_RUNS.includes(last.type), `the run had ended with ${last.type}`);
      return;
    }
    demand(last.type === `run.${said["status"] as string}`, `the last event is a ${last.type}`);
    demand(last.time === said["completed_at"], "the last event has another time of end");
  }

  async checkStatementSignatures(): Promise<boolean> {
    const named = (this.keys.value["keys"] ?? []) as { from: number; to?: number; key: string }[];
    for (const { index, fields, statement } of this.logged()) {
      const key = toBase64(fields.publicKey);
      const isNamed = named.some(
        (one) => one.key === key && one.from <= index && (one.to === undefined || index < one.to),
      );
      demand(isNamed, `the key of the entry at ${index} is not one that the log named for it`);
      const holds = await verifiesP256(fields.publicKey, statement, fields.signature);
      demand(holds, `the signature of the entry at ${index} does not hold`);
    }
    const signatures = (this.keys.value["signatures"] ?? []) as string[];
    const unsigned = Object.assign(Object.create(null), this.keys.value) as JsonObject;
    delete unsigned["signatures"];
    const signed = utf8(canonical(unsigned));
    demand(this.hints.length > 0, "there are no log keys");
    for (const [i, hint] of this.hints.entries()) {
      const holds = await verifiesEd25519(hint.key, signed, fromBase64(signatures[i] ?? ""));
      demand(holds, `the log keys have not signed the ${typeOf(this.keys)}`);
    }
    return true;
  }

  async checkLogProofs(): Promise<boolean> {
    for (const { entry, index, path } of this.logged()) {
      const root = await climb(await hashLeaf(entry), index, this.checkpoint.size, path);
      demand(same(root, this.checkpoint.root), `the entry at ${index} leads to another root`);
    }
    return true;
  }

  /** The caller's keys stand first: a key in the file with the same name does not take their place. */
  private signers(): Promise<VerifierKey[]> {
    this.found ??= signersOf(this.note, [...this.believed.keys, ...this.hints]);
    return this.found;
  }

  private isLogKey(key: VerifierKey): boolean {
    return key.type === ED25519 && key.name === this.checkpoint.origin;
  }

  async checkCheckpointSignature(): Promise<boolean> {
    const isOurs = this.checkpoint.origin === this.keys.value["origin"];
    demand(isOurs, "the checkpoint is of another log than the keys");
    const signers = await this.signers();
    demand(
      signers.some((key) => this.isLogKey(key)),
      "the log has not signed the checkpoint",
    );
    return true;
  }

  async checkTrust(): Promise<boolean> {
    const isTrusted = (key: VerifierKey): boolean =>
      this.isLogKey(key) && this.believed.keys.some((one) => one.text === key.text);
    const signers = await this.signers().catch((): VerifierKey[] => []);
    demand(signers.some(isTrusted), "no key that you trust has signed the checkpoint");
    demand(this.hints.some(isTrusted), `no key that you trust has signed the ${typeOf(this.keys)}`);
    return true;
  }

  async checkWitnesses(): Promise<boolean> {
    if (this.believed.hasQuorum === undefined) return false;
    const signers = await this.signers().catch((): VerifierKey[] => []);
    const hasQuorum = this.believed.hasQuorum(signers);
    demand(hasQuorum, "the cosignatures are fewer than the policy's quorum");
    return true;
  }

  async checkContents(): Promise<boolean> {
    for (const account of this.contents) await this.checkAccount(account);
    return this.contents.length > 0;
  }

  private async checkAccount({ seq, member, opened, disclosed, withheld }: Account): Promise<void> {
    const event = this.eventAt(seq);
    const committed =
      event !== undefined && hasOwn(event.data, member) ? event.data[member] : undefined;
    const place = `"${member.slice(0, 64)}" of event ${seq}`;
    demand(isDigest(committed), `${place} is not here, or no commitment`);
    if (opened !== undefined) {
      const found = await commit(opened.value, opened.salt);
      demand(found === committed, `${place} is not what was committed to`);
    } else if (disclosed !== undefined) {
      await checkDisclosure(disclosed, committed);
    } else if (withheld === "erased") {
      const run = this.statement.value["id"];
      const isErased = this.erasures.some((erasure) =>
        ((erasure.value["erased"] ?? []) as JsonObject[]).some(
          (one) =>
            one["run"] === run &&
            (one["seq"] === undefined || (one["seq"] === seq && one["member"] === member)),
        ),
      );
      demand(isErased, `no statement of the file erases ${place}`);
    }
  }

  checkCompleteness(): boolean {
    if (this.seq !== 0) {
      const end = this.events[this.events.length - 1];
      const hasStarted = end !== undefined && end.attempt !== 0;
      demand(!hasStarted || this.events.length >= 2, "the start of the step is missing");
      return true;
    }
    const isOver = !isOfRun(this.statement) || typeOf(this.statement) === "run.finished";
    demand(isOver, "the run had not ended");
    if (!this.isBundle) return true;
    const accounted = new Set(this.contents.map(({ seq, member }) => `${seq}/${member}`));
    for (const { seq, data } of this.events) {
      for (const member of committedMembers(data)) {
        demand(
          accounted.has(`${seq}/${member}`),
          `"${member.slice(0, 64)}" of event ${seq} is neither shown nor said to be withheld`,
        );
      }
    }
    return true;
  }
}

/** A list that is left out where it would be empty. */
function optionalList(value: Json | undefined, what: string): Json[] {
  if (value === undefined) return [];
  demand(Array.isArray(value) && value.length > 0, `"${what}" is no list, or empty`);
  return value;
}

/** Each is checked like the file's own statement: no file may ask for more work than this. */
const ERASURES_MAX = 64;

function readErasures(value: Json | undefined): Logged[] {
  const erasures = optionalList(value, "erasures").map((one) => readLogged(one, "erasures"));
  const ascend = erasures.every((one, i) => i === 0 || erasures[i - 1]!.index < one.index);
  demand(ascend && erasures.length <= ERASURES_MAX, "the erasures do not ascend, or are too many");
  return erasures;
}

function readJournal(value: Json | undefined): Event[] {
  demand(Array.isArray(value), "a bundle without its journal");
  return value.map((bytes) => {
    demand(isText(bytes), "an event is no text");
    return readEvent(bytes, []);
  });
}

function readEvents(value: Json | undefined): Event[] {
  return optionalList(value, "events").map((one) => {
    demand(isObject(one) && isText(one["event"]), "an event is no text");
    demandOnly(one, ["event", "path"], "an event's proof");
    return readEvent(one["event"], hashList(one["path"], "an event's path"));
  });
}

function readContents(value: Json | undefined): Account[] {
  const contents = optionalList(value, "contents").map(readAccount);
  contents.forEach((one, i) => {
    const before = contents[i - 1];
    const ascends =
      before === undefined || isBefore(["", before.seq, before.member], ["", one.seq, one.member]);
    demand(ascends, "the contents do not ascend");
  });
  return contents;
}

// The clinic application's cells: opened and sealed with node:crypto as the application does it, DEKs unwrapped by KMS over HTTP.
// Text form: prefix, then base64 of IV (12) | tag (16) | ciphertext. A jsonb column holds the text form as a JSON string.
'use strict';

const crypto = require('node:crypto');

const PREFIXES = ['enc:v1:', 'enc:t2:v1:'];

/** The plaintext, or null when this key does not open the value. */
function open(dek, stored) {
  const prefix = PREFIXES.find((p) => stored.startsWith(p));
  if (!prefix) return stored;
  const raw = Buffer.from(stored.slice(prefix.length), 'base64');
  const decipher = crypto.createDecipheriv('aes-256-gcm', dek, raw.subarray(0, 12));
  decipher.setAuthTag(raw.subarray(12, 28));
  try {
    return Buffer.concat([decipher.update(raw.subarray(28)), decipher.final()]);
  } catch {
    return null;
  }
}

/** A plaintext under a key, as it is stored. */
function seal(dek, plaintext, like) {
  const prefix = PREFIXES.find((p) => like.startsWith(p));
  const iv = crypto.randomBytes(12);
  const cipher = crypto.createCipheriv('aes-256-gcm', dek, iv);
  const body = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return prefix + Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64');
}

/** Unwraps a DEK. The sandbox's KMS takes region and service from the signature's scope and does not check the signature. */
async function unwrap(kms, wrapped) {
  const answer = await fetch(kms.endpoint, {
    method: 'POST',
    headers: {
      'content-type': 'application/x-amz-json-1.1',
      'x-amz-target': 'TrentService.Decrypt',
      'x-amz-date': '20260101T000000Z',
      authorization:
        `AWS4-HMAC-SHA256 Credential=bench/20260101/${kms.region}/kms/aws4_request, ` +
        `SignedHeaders=host;x-amz-date, Signature=${'0'.repeat(64)}`,
    },
    body: JSON.stringify({ CiphertextBlob: wrapped }),
  });
  if (!answer.ok) throw new Error(`KMS Decrypt: ${answer.status}`);
  return Buffer.from((await answer.json()).Plaintext, 'base64');
}

/** Everything on standard input, as JSON: what to do comes this way, since it may hold keys. */
async function task() {
  const chunks = [];
  for await (const chunk of process.stdin) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8'));
}

module.exports = { open, seal, unwrap, task };

import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import type { TlsKeyPair } from "../../ports/http.ts";
import { TlsKeyError } from "../../ports/tls_key_error.ts";

/** Throws TlsKeyError when this is no certificate with its key: each runtime words that its own way,
 * and one of them only when the first client comes. */
export function checkTlsKeyPair({ certificate, key }: TlsKeyPair): void {
  const leaf = certificateIn(certificate);
  if (!leaf.checkPrivateKey(keyIn(key))) {
    throw new TlsKeyError("key", "it does not belong to the certificate");
  }
}

function certificateIn(pem: string): X509Certificate {
  if (!pem.includes("-----BEGIN CERTIFICATE-----")) {
    throw new TlsKeyError("certificate", "it is no certificate in PEM form");
  }
  try {
    return new X509Certificate(pem);
  } catch (error) {
    throw new TlsKeyError("certificate", "it is a damaged certificate", error);
  }
}

function keyIn(pem: string): KeyObject {
  if (/-----BEGIN ENCRYPTED|^Proc-Type:.*ENCRYPTED/m.test(pem)) {
    throw new TlsKeyError("key", "it is encrypted, and nobody is there to give the password");
  }
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    throw new TlsKeyError("key", "it is no private key in PEM form");
  }
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new TlsKeyError("key", "it is a damaged private key", error);
  }
}

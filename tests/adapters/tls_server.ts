import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";

/**
 * A certificate for localhost and 127.0.0.1 that only tests know, signed by itself, good until 2126,
 * and its key. Made by `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes
 * -days 36500 -subj "/CN=test only" -addext "subjectAltName=DNS:localhost,IP:127.0.0.1"`.
 */
export const testCertificate = `\
-----BEGIN CERTIFICATE-----
MIIBmzCCAUGgAwIBAgIUeH/7DcfY+MEuWVUrBs2NzYbwJsQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJdGVzdCBvbmx5MCAXDTI2MTEyMjA0MTUxM1oYDzIxMjYxMDI5
MDQxNTEzWjAUMRIwEAYDVQQDDAl0ZXN0IG9ubHkwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAASncvdznjlaB8Fnbz8iY3R5ldeo4WR6dU5O4rF1zD6tc07QePvLYQYz
5SptP+8JSw8YdKoIDcoVyOFYFbK30rhHo28wbTAdBgNVHQ4EFgQUrV6QetsNaCrN
wVnXdDtnglIGuJMwHwYDVR0jBBgwFoAUrV6QetsNaCrNwVnXdDtnglIGuJMwDwYD
VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
zj0EAwIDSAAwRQIgQXNCHEuoacOGzoCkj5KTXWMwnaH8cSpNqYZtQ25EgSECIQDi
J0TVFHfuS4qMuj19a2M1JixWwImErrGG8At3Qx2u2A==
-----END CERTIFICATE-----
`;

export const testKey = `\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgRHoofFci+qp8IzS0
77kXONcBDNClAgMQIsi64J/DxYGhRANCAASncvdznjlaB8Fnbz8iY3R5ldeo4WR6
dU5O4rF1zD6tc07QePvLYQYz5SptP+8JSw8YdKoIDcoVyOFYFbK30rhH
-----END PRIVATE KEY-----
`;

/** Another one, made the same way for "other test only". */
export const otherCertificate = `\
-----BEGIN CERTIFICATE-----
MIIBqDCCAU2gAwIBAgIUXnH4WT0l19Vkak4Wsuv2bwaoGo8wCgYIKoZIzj0EAwIw
GjEYMBYGA1UEAwwPb3RoZXIgdGVzdCBvbmx5MCAXDTI2MTEyMjA1MDcyN1oYDzIx
MjYxMDI5MDUwNzI3WjAaMRgwFgYDVQQDDA9vdGhlciB0ZXN0IG9ubHkwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAAQIQKk2qkz1OwjM6sLZE2BZnsmkv2zh8O7or2fK
E+q0TVP848/2RwybLf8y5x3mz2OM5Q7IgwbHi54Rc2U9RmLgo28wbTAdBgNVHQ4E
FgQU74UeU7v9tdLqyVq0LEAmQhaDf5QwHwYDVR0jBBgwFoAU74UeU7v9tdLqyVq0
LEAmQhaDf5QwDwYDVR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SH
BH8AAAEwCgYIKoZIzj0EAwIDSQAwRgIhANfoCfkYHEg9aptVLM8lQIKdNXol2VP4
SqLzZ4mNOJmAAiEAlLIrfvRGjzP579LpvLTd8U/ygyaGSvdjqFITsAmLguY=
-----END CERTIFICATE-----
`;

export const otherKey = `\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgEU/KN9zl+x0dXuJq
EyIP2Fj04cDvHqhoO63MC+Hi6MehRANCAAQIQKk2qkz1OwjM6sLZE2BZnsmkv2zh
8O7or2fKE+q0TVP848/2RwybLf8y5x3mz2OM5Q7IgwbHi54Rc2U9RmLg
-----END PRIVATE KEY-----
`;

export interface TlsServer {
  readonly port: number;
  /** Connections whose handshake is done, in order. */
  readonly sockets: readonly TLSSocket[];
  close(): void;
}

/** A TLS server on 127.0.0.1 with the test certificate, whose sockets `accept` gets. */
export async function listenTls(accept: (socket: TLSSocket) => void): Promise<TlsServer> {
  const sockets: TLSSocket[] = [];
  const options = { key: testKey, cert: testCertificate, allowHalfOpen: true };
  const server = createServer(options, (socket) => {
    sockets.push(socket);
    // Its peer may well go without a word.
    socket.on("error", () => {});
    accept(socket);
  });
  // A client that does not trust it ends the handshake.
  server.on("tlsClientError", () => {});
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    close() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/**
 * Whether two texts are equal, in a time that depends on the length of `given` alone: how far a
 * guess is right cannot be measured.
 */
export function equalInConstantTime(given: string, secret: string): boolean {
  const encoder = new TextEncoder();
  const a = encoder.encode(given);
  const b = encoder.encode(secret);
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) {
    difference |= (a[i] as number) ^ (b[b.length === 0 ? 0 : i % b.length] ?? 0);
  }
  return difference === 0;
}

/** What the benchmark gave this load as its one argument: a JSON object of numbers and texts. */
export function loadOptions<T>(): T {
  const text = process.argv[2];
  if (text === undefined) throw new Error("A load is started by a benchmark, with its options");
  return JSON.parse(text) as T;
}

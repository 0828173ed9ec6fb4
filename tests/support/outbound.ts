// What workers fetch leaves through this process's `fetch`, which by default follows redirects. The
// runtime leaves that to the worker, and so does this.

const follow = globalThis.fetch;

globalThis.fetch = (input, init) => {
  const manual = { get: (target: object, key: PropertyKey) => (key === "redirect" ? "manual" : Reflect.get(target, key)) };
  return follow(input, new Proxy(init ?? {}, manual) as RequestInit);
};

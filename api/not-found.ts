import { KindredError } from "../schemas/errors.js";
import { pathOf } from "./problems.js";
import type { Api } from "./server-parts.js";

/** Which methods each path takes, as routes are registered: so that a wrong method is told from a wrong path. Call before any route. */
export function addNotFound(api: Api): void {
  const known: { readonly pattern: RegExp; readonly methods: string[] }[] = [];
  api.addHook("onRoute", ({ url, method }) => {
    const pattern = new RegExp(
      `^${url
        .split(/:[^/]+|\*/)
        .map(quote)
        .join("[^/]+")}$`,
    );
    known.push({ pattern, methods: [method].flat() });
  });
  api.setNotFoundHandler((request, reply) => {
    const path = pathOf(request.url);
    const allowed = [...new Set(known.filter(({ pattern }) => pattern.test(path)).flatMap(({ methods }) => methods))];
    if (allowed.length === 0) throw new KindredError("NOT_FOUND", `there is no ${path.slice(0, 128)}; /docs lists what there is`);
    reply.header("allow", allowed.join(", "));
    throw new KindredError("METHOD_NOT_ALLOWED", `${path.slice(0, 128)} takes ${allowed.join(", ")}`);
  });
}

const quote = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

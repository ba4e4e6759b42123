import { Compile } from "typebox/compile";
import { describe, expect, it } from "vitest";
import { ERRORS } from "../../schemas/errors.js";
import { NOW, sharedServer, type TestServer, testServer } from "./test-server.js";

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required?: boolean; readonly schema: object }[];
  readonly requestBody?: { readonly content: Record<string, { readonly schema: object }> };
  readonly responses: Record<string, { readonly description: string; readonly content?: Record<string, { readonly schema: object }> }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly tags: readonly { readonly name: string }[];
  readonly components: { readonly schemas: Record<string, object> };
}

const REFUSED_LINE = { code: "FILE_LINE", message: "a column too few", origin: "file 1f2e3d4c line 12", original: "u,song:1" };
const HASH = "1f2e3d4c".repeat(8);
const SLICE = { run: 1, after: 0, rows: 1, events: [], done: true };

const ROUTES = [
  "GET /healthz",
  "GET /metrics",
  "GET /readyz",
  "GET /v1/admin/dead-letters",
  "POST /v1/admin/dead-letters/replay",
  "GET /v1/admin/files/{hash}",
  "POST /v1/admin/files/{hash}/rows",
  "GET /v1/admin/stats",
  "POST /v1/admin/state/verify",
  "GET /v1/admin/users/{user}",
  "POST /v1/events",
  "DELETE /v1/generations/{id}",
  "GET /v1/generations",
  "POST /v1/generations",
  "POST /v1/generations/{id}/activate",
  "POST /v1/items",
  "GET /v1/items/{item}",
  "PUT /v1/items/{item}",
  "GET /v1/items/{item}/neighbors",
  "GET /v1/recall/{scenario}",
  "POST /v1/recall/{scenario}",
  "GET /v1/scenarios",
  "GET /v1/state/hash",
  "GET /v1/state/histories",
  "DELETE /v1/users/{user}",
  "GET /v1/users/{user}",
  "GET /v1/users/{user}/neighbors",
];

const document = async (server: TestServer): Promise<Document> => (await server.call<Document>("GET", "/openapi.json")).body;
const operations = ({ paths }: Document): [string, Operation][] =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method.toUpperCase()} ${path}`, operation]),
  );

describe("the OpenAPI document", () => {
  const shared = sharedServer();
  it("has every route, each named, described and tagged", async () => {
    const doc = await document(shared());
    expect(doc.openapi).toBe("3.1.0");
    const all = operations(doc);
    expect(all.map(([name]) => name).sort()).toEqual([...ROUTES].sort());
    expect(new Set(all.map(([, { operationId }]) => operationId)).size).toBe(all.length);
    const tags = doc.tags.map(({ name }) => name);
    for (const [, operation] of all) {
      expect(operation.summary).toBeTypeOf("string");
      expect(tags).toContain(operation.tags?.[0]);
    }
  });

  it("declares each path's parameters, all of them with a schema", async () => {
    for (const [name, { parameters = [] }] of operations(await document(shared()))) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect(
        parameters.filter((p) => p.in === "path" && p.required === true).map((p) => p.name),
        name,
      ).toEqual(inPath);
      for (const { schema } of parameters) expect(schema).toHaveProperty("type");
    }
  });

  it("declares the answers and the errors of each route, errors as problem details with their codes", async () => {
    for (const [name, { responses }] of operations(await document(shared()))) {
      const statuses = Object.keys(responses);
      expect(
        statuses.some((status) => status.startsWith("2")),
        name,
      ).toBe(true);
      expect(statuses, name).toEqual(expect.arrayContaining(["500", "503"]));
      for (const [status, { description, content }] of Object.entries(responses)) {
        if (status.startsWith("2")) continue;
        expect(Object.keys(content ?? {}), `${name} ${status}`).toEqual(["application/problem+json"]);
        const codes = Object.entries(ERRORS).filter(([code, error]) => String(error.status) === status && description.includes(`${code}:`));
        expect(codes.length, `${name} ${status}`).toBeGreaterThan(0);
      }
    }
  });

  it("declares both content types of events, and what an event is", async () => {
    const doc = await document(shared());
    expect(Object.keys(doc.paths["/v1/events"]?.post?.requestBody?.content ?? {})).toEqual(["application/json", "application/x-ndjson"]);
    expect(Object.keys(doc.components.schemas)).toEqual(expect.arrayContaining(["Event", "Problem"]));
  });

  it("refers to nothing that it does not hold", async () => {
    const doc = await document(shared());
    for (const [, ref] of JSON.stringify(doc).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      const target = (ref ?? "").split("/").reduce<unknown>((at, part) => (at as Record<string, unknown> | undefined)?.[part], doc);
      expect(target, ref).toBeDefined();
    }
  });

  it("is what /docs shows", async () => {
    const { api } = shared();
    const page = await api.inject({ url: "/docs/" });
    expect([page.statusCode, String(page.headers["content-type"])]).toEqual([200, expect.stringContaining("text/html")]);
    expect((await api.inject({ url: "/docs/json" })).json().paths).toEqual((await api.inject({ url: "/openapi.json" })).json().paths);
  });
});

describe("every answer is as declared", () => {
  const events = [{ item: "song:1", action: "play" }];
  const asked: [string, string, string, unknown?][] = [
    ["GET", "/healthz", "/healthz"],
    ["GET", "/readyz", "/readyz"],
    ["GET", "/v1/admin/dead-letters", "/v1/admin/dead-letters"],
    ["GET", "/v1/admin/dead-letters", "/v1/admin/dead-letters?limit=0"],
    ["POST", "/v1/admin/dead-letters/replay", "/v1/admin/dead-letters/replay", { all: true }],
    ["POST", "/v1/admin/dead-letters/replay", "/v1/admin/dead-letters/replay", {}],
    ["GET", "/v1/admin/files/{hash}", `/v1/admin/files/${HASH}`],
    ["GET", "/v1/admin/files/{hash}", "/v1/admin/files/1f2e"],
    ["POST", "/v1/admin/files/{hash}/rows", `/v1/admin/files/${HASH}/rows`, { ...SLICE, refused: [REFUSED_LINE] }],
    ["POST", "/v1/admin/files/{hash}/rows", `/v1/admin/files/${HASH}/rows`, { ...SLICE, refused: [{ ...REFUSED_LINE, code: "NO_CODE" }] }],
    ["GET", "/v1/admin/stats", "/v1/admin/stats"],
    ["POST", "/v1/admin/state/verify", "/v1/admin/state/verify"],
    ["GET", "/v1/admin/users/{user}", "/v1/admin/users/ada"],
    ["GET", "/v1/admin/users/{user}", "/v1/admin/users/nobody"],
    ["POST", "/v1/events", "/v1/events", { events: [{ user: "x", item: "y", action: "play", ts: NOW }, {}] }],
    ["POST", "/v1/events", "/v1/events", "{"],
    ["DELETE", "/v1/generations/{id}", "/v1/generations/0"],
    ["DELETE", "/v1/generations/{id}", "/v1/generations/5"],
    ["GET", "/v1/generations", "/v1/generations"],
    ["POST", "/v1/generations", "/v1/generations", { folder: "/models/a" }],
    ["POST", "/v1/generations", "/v1/generations", { folder: "models/a" }],
    ["POST", "/v1/generations/{id}/activate", "/v1/generations/0/activate"],
    ["POST", "/v1/generations/{id}/activate", "/v1/generations/5/activate"],
    ["POST", "/v1/items", "/v1/items", { items: [{ item: "song:1", title: "A" }, {}] }],
    ["PUT", "/v1/items/{item}", "/v1/items/song:1", { title: "A", tags: ["b"] }],
    ["PUT", "/v1/items/{item}", "/v1/items/plain", {}],
    ["GET", "/v1/items/{item}", "/v1/items/song:1"],
    ["GET", "/v1/items/{item}", "/v1/items/none"],
    ["GET", "/v1/items/{item}/neighbors", "/v1/items/song:1/neighbors"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2u?user=ada&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2u?user=mia&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2u2i?user=ada&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2i?user=ada&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/i2i?item=song:1&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2i?user=nobody&explain=true"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/none?user=nobody"],
    ["GET", "/v1/recall/{scenario}", "/v1/recall/u2u"],
    ["POST", "/v1/recall/{scenario}", "/v1/recall/u2u", { users: ["ada", "nobody"], explain: true }],
    ["POST", "/v1/recall/{scenario}", "/v1/recall/u2u", { events, explain: true }],
    ["POST", "/v1/recall/{scenario}", "/v1/recall/u2u", {}],
    ["GET", "/v1/scenarios", "/v1/scenarios"],
    ["GET", "/v1/state/hash", "/v1/state/hash"],
    ["GET", "/v1/users/{user}", "/v1/users/ada?fields=vector"],
    ["GET", "/v1/users/{user}", "/v1/users/mia?fields=vector"],
    ["GET", "/v1/users/{user}", "/v1/users/nobody"],
    ["GET", "/v1/users/{user}/neighbors", "/v1/users/ada/neighbors"],
    ["GET", "/v1/users/{user}/neighbors", "/v1/users/mia/neighbors?by=simhash"],
    ["DELETE", "/v1/users/{user}", "/v1/users/ada"],
  ];

  it.each(asked)("%s %s: %s", async (method, path, url, body) => {
    const server = testServer();
    server.intake.fingerprints.set("mia", 1).set("max", 2);
    await server.plays("ada", "song:1", "song:2");
    await server.plays("bob", "song:1", "song:3");
    await server.plays("mia", "mute:1");
    await server.plays("max", "mute:1");
    const doc = await document(server);
    const answer = await server.call(method as "GET", url, body);
    const declared = doc.paths[path]?.[method.toLowerCase()]?.responses[String(answer.status)]?.content ?? {};
    const type = String(answer.headers["content-type"]).split(";")[0] ?? "";
    expect(Object.keys(declared)).toContain(type);
    const validator = Compile(declared[type]?.schema ?? {});
    expect(validator.Errors(answer.body)).toEqual([]);
  });

  it("asks every route but those that answer text", () => {
    const routes = new Set(asked.map(([method, path]) => `${method} ${path}`));
    expect([...routes, "GET /metrics", "GET /v1/state/histories"].sort()).toEqual([...ROUTES].sort());
  });
});

it("every route under /v1 says what a key for it must allow", async () => {
  const scopes = new Map<string, unknown>();
  const { api } = testServer();
  api.addHook("onRoute", ({ method, url, config }) => {
    for (const one of [method].flat()) scopes.set(`${one} ${url.replace(/:(\w+)/g, "{$1}")}`, config?.scope);
  });
  await api.ready();
  expect([...scopes.keys()]).toEqual(expect.arrayContaining(ROUTES));
  for (const route of ROUTES) expect(scopes.get(route), route).toBe(route.includes(" /v1/") ? expectedScope(route) : undefined);
});

function expectedScope(route: string): string {
  if (/\/v1\/(admin|state)\/|^DELETE|activate$|^POST \/v1\/generations$/.test(route)) return "admin";
  return /^(POST|PUT) \/v1\/(events|items)/.test(route) ? "events" : "recall";
}

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RegistryClient, shownUrl } from "../../../streams/registry/registry-client.js";
import { temporaryDirectory } from "../../harness/kindred-process.js";

const SECRET = "s3cret-of-the-registry";
type Answer = (request: IncomingMessage, response: ServerResponse) => void;
const json =
  (status: number, body: unknown): Answer =>
  (_, response) =>
    void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

/** What a real registry seldom says; test/kafka/registry.test.ts has what it does. */
describe("RegistryClient", () => {
  let server: Server;
  let url = "";
  let answer: Answer;
  let asked: IncomingMessage[];
  beforeEach(async () => {
    asked = [];
    server = createServer((request, response) => {
      asked.push(request);
      answer(request, response);
    });
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  const fails = async (work: Promise<unknown>): Promise<Error & { code: string }> => {
    try {
      await work;
    } catch (error) {
      return error as Error & { code: string };
    }
    throw new Error("it did not fail");
  };

  it("tells an id that is not there from a path, a proxy or a server that is not right", async () => {
    const client = new RegistryClient({ url });
    answer = json(404, { error_code: 40403, message: "Schema not found" });
    expect(await client.schemaOf(1)).toBeUndefined();
    for (const other of [
      json(404, { error_code: 404, message: "HTTP 404 Not Found" }),
      json(404, "not here"),
      json(500, { error_code: 50001, message: "Error in the backend" }),
      json(401, { error_code: 401, message: "Unauthorized" }),
      ((_: IncomingMessage, response: ServerResponse) => void response.destroy()) as Answer,
    ]) {
      answer = other;
      expect(await fails(client.schemaOf(1))).toMatchObject({ code: "REGISTRY_FAILED", canRetry: true });
    }
    await client.close();
  });

  it("says who we are, and never tells the password to anybody else", async () => {
    const quoting: Answer = (request, response) =>
      json(401, { error_code: 401, message: `refused: ${SECRET} of ${request.headers.authorization}` })(request, response);
    for (const address of [{ url, username: "me", password: SECRET }, { url: url.replace("//", `//me:${SECRET}@`) }]) {
      const client = new RegistryClient(address);
      answer = json(404, { error_code: 40403, message: "" });
      await client.schemaOf(1);
      expect(asked.at(-1)?.headers.authorization).toBe(`Basic ${Buffer.from(`me:${SECRET}`).toString("base64")}`);
      answer = quoting;
      const errors = [await fails(client.schemaOf(1)), await fails(client.register("s", { type: "AVRO", schema: '"int"' }))];
      answer = (_, response) => void response.destroy();
      errors.push(await fails(client.versionsOf("s")));
      for (const error of errors) {
        const everything = inspect(error, { depth: 10, showHidden: true });
        expect(error.code).toBe("REGISTRY_FAILED");
        expect(everything).not.toContain(SECRET);
        expect(everything).not.toContain(Buffer.from(`me:${SECRET}`).toString("base64"));
      }
      await client.close();
    }
    expect(shownUrl(`http://me:${SECRET}@registry:8081/api/`)).toBe("http://registry:8081/api");
  });

  it("trusts a registry by the authority it is told, and no other", async () => {
    const place = await temporaryDirectory("registry-tls");
    const [cert, key] = [join(place.path, "cert.pem"), join(place.path, "key.pem")];
    const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const name = ["-subj", "/CN=registry", "-addext", "subjectAltName=IP:127.0.0.1"];
    expect(spawnSync("openssl", ["req", "-x509", ...curve, ...name, "-keyout", key, "-out", cert]).status).toBe(0);
    const secure = createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, (_, response) => {
      response.writeHead(200, { "content-type": "application/json" }).end('{"schema":"top"}');
    });
    await new Promise<void>((listening) => secure.listen(0, "127.0.0.1", listening));
    const address = { url: `https://127.0.0.1:${(secure.address() as AddressInfo).port}` };
    const [trusting, strange] = [new RegistryClient({ ...address, caFile: cert }), new RegistryClient(address)];
    expect(await trusting.schemaOf(1)).toMatchObject({ schema: "top" });
    expect(await fails(strange.schemaOf(1))).toMatchObject({ code: "REGISTRY_FAILED", message: expect.stringContaining("self-signed") });
    await Promise.all([trusting.close(), strange.close()]);
    secure.closeAllConnections();
    secure.close();
    await place.remove();
  });

  it("fetches what a schema refers to, what that refers to before it, and once", async () => {
    const refer = (...names: string[]) => names.map((name) => ({ name, subject: name, version: 1 }));
    const schemas: Record<string, object> = {
      "/schemas/ids/1": { schema: "top", references: refer("left", "right") },
      "/subjects/left/versions/1": { schema: "left", references: refer("bottom") },
      "/subjects/right/versions/1": { schema: "right", references: refer("bottom") },
      "/subjects/bottom/versions/1": { schema: "bottom", schemaType: "AVRO" },
    };
    answer = (request, response) => {
      const found = schemas[request.url?.split("?")[0] ?? ""];
      json(found ? 200 : 404, found ?? { error_code: 40401, message: "no subject" })(request, response);
    };
    const client = new RegistryClient({ url });
    expect(await client.schemaOf(1)).toEqual({
      type: "AVRO",
      schema: "top",
      references: ["bottom", "left", "right"].map((name) => ({ name, schema: name })),
    });
    schemas["/schemas/ids/2"] = { schema: "top", references: refer("gone") };
    expect(await fails(client.schemaOf(2))).toMatchObject({ code: "UNKNOWN_SCHEMA", message: expect.stringContaining("gone") });
    schemas["/schemas/ids/3"] = { schema: "top", references: refer("ring") };
    schemas["/subjects/ring/versions/1"] = { schema: "ring", references: refer("ring") };
    expect(await fails(client.schemaOf(3))).toMatchObject({ code: "UNKNOWN_SCHEMA" });
    schemas["/schemas/ids/4"] = { schema: "top", schemaType: "THRIFT" };
    expect(await fails(client.schemaOf(4))).toMatchObject({ code: "UNKNOWN_SCHEMA", message: expect.stringContaining("THRIFT") });
    await client.close();
  });
});

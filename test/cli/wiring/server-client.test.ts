import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { ServerClient } from "../../../cli/wiring/server-client.js";

describe("ServerClient", () => {
  let server: Server;
  afterEach(() => server.close());

  async function serve(handle: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
    server = createServer(handle);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const problem = (response: ServerResponse, status: number, code: string, headers = {}): void =>
    void response
      .writeHead(status, { "content-type": "application/problem+json", ...headers })
      .end(JSON.stringify({ code, detail: `because of ${code}` }));

  it("gives answers, and problem details as the errors they are", async () => {
    const url = await serve((request, response) =>
      request.url === "/ok" ? response.end('{"a":1}') : problem(response, 404, "UNKNOWN_USER"),
    );
    expect(await new ServerClient(url).get("/ok")).toEqual({ a: 1 });
    await expect(new ServerClient(url).get("/other")).rejects.toMatchObject({
      code: "UNKNOWN_USER",
      message: expect.stringContaining("because of UNKNOWN_USER"),
    });
  });

  it("comes back later where the server asks for it, and gives up where it does not", async () => {
    let asked = 0;
    const url = await serve((_, response) =>
      ++asked < 3 ? problem(response, 503, "OVERLOADED", { "retry-after": "0" }) : response.end('{"accepted":1}'),
    );
    expect(await new ServerClient(url).postPatiently("/v1/events", {})).toEqual({ accepted: 1 });
    expect(asked).toBe(3);
    server.close();
    const refusing = await serve((_, response) => problem(response, 400, "INVALID_BODY"));
    await expect(new ServerClient(refusing).postPatiently("/v1/events", {})).rejects.toMatchObject({ code: "INVALID_BODY" });
  });

  it("says so when nobody answers, and when a stranger does", async () => {
    const url = await serve((_, response) => response.writeHead(500).end("<html>"));
    await expect(new ServerClient(url).get("/x")).rejects.toMatchObject({ code: "INTERNAL" });
    await expect(new ServerClient("http://127.0.0.1:1").get("/x")).rejects.toMatchObject({ code: "NOT_READY" });
  });

  it("stops waiting when it is told to", async () => {
    const stop = new AbortController();
    const url = await serve((_, response) => problem(response, 503, "OVERLOADED", { "retry-after": "60" }));
    const posting = new ServerClient(url, stop.signal).postPatiently("/v1/events", {});
    setTimeout(() => stop.abort(), 50);
    await expect(posting).rejects.toMatchObject({ name: "AbortError" });
  });
});

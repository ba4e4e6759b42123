import { type AddressInfo, connect } from "node:net";
import { describe, expect, it } from "vitest";
import { KindredError } from "../../schemas/errors.js";
import { sharedServer, testServer } from "./test-server.js";

describe("problem details", () => {
  const cases: [string, string, string, number, string][] = [
    ["an unknown path", "GET", "/v1/nothing", 404, "NOT_FOUND"],
    ["the root", "GET", "/", 404, "NOT_FOUND"],
    ["a wrong method", "POST", "/v1/state/hash", 405, "METHOD_NOT_ALLOWED"],
    ["a wrong method on a path with an id", "PATCH", "/v1/users/ada", 405, "METHOD_NOT_ALLOWED"],
    ["broken percent-encoding in the path", "GET", "/v1/users/%ZZ", 400, "INVALID_PARAMETER"],
    ["half an encoded character in the path", "GET", "/v1/users/%C3", 400, "INVALID_PARAMETER"],
    ["a lone surrogate in the path", "GET", "/v1/users/%ED%A0%80", 400, "INVALID_PARAMETER"],
    ["a lone surrogate in the query", "GET", "/v1/recall/u2u?user=%ED%A0%80", 400, "INVALID_PARAMETER"],
    ["broken percent-encoding in the query", "GET", "/v1/recall/u2u?user=%Z", 400, "INVALID_PARAMETER"],
    ["an id of 129 characters", "GET", `/v1/users/${"x".repeat(129)}`, 400, "INVALID_PARAMETER"],
    ["an id of 5,000 characters", "GET", `/v1/users/${"x".repeat(5000)}`, 400, "INVALID_PARAMETER"],
    ["an id of 65 characters of two code units each", "GET", `/v1/users/${"%F0%9F%8E%B5".repeat(65)}`, 400, "INVALID_PARAMETER"],
  ];
  const shared = sharedServer();
  it.each(cases)("answers %s", async (_name, method, url, status, code) => {
    const { call } = shared();
    const { status: got, headers, body } = await call(method as "GET", url);
    expect([got, body.code]).toEqual([status, code]);
    expect(headers["content-type"]).toContain("application/problem+json");
    expect(body).toMatchObject({ type: `urn:kindred:error:${code}`, status, requestId: headers["x-request-id"] });
    expect(body.title).toBeTypeOf("string");
    expect(body.detail).toBeTypeOf("string");
    expect(body.instance).toBe(url.split("?")[0]);
  });

  it("names the methods that a path takes", async () => {
    const { call } = testServer();
    expect((await call("PATCH", "/v1/users/ada")).headers.allow).toBe("GET, HEAD, DELETE");
  });

  it("takes an id of 128 characters of nine encoded bytes each", async () => {
    const { call, plays } = testServer();
    const user = "界".repeat(128);
    await plays(user, "song:1");
    const answer = await call("GET", `/v1/users/${encodeURIComponent(user)}`);
    expect([answer.status, answer.body.user]).toEqual([200, user]);
  });

  it("tells nothing of an internal error but its code", async () => {
    const { call } = testServer({
      rules: () => {
        throw new Error("secret path /home/x");
      },
    });
    const answer = await call("POST", "/v1/events", { events: [] });
    expect([answer.status, answer.body.code]).toEqual([500, "INTERNAL"]);
    expect(answer.text).not.toContain("secret");
    expect(answer.text).not.toContain("    at ");
  });

  it("shows an error of ours with status 500 as internal too", async () => {
    const { call } = testServer({
      rules: () => {
        throw new KindredError("STATE_CORRUPT", "row of ada is damaged");
      },
    });
    const answer = await call("POST", "/v1/events", { events: [] });
    expect([answer.status, answer.body.code]).toEqual([500, "INTERNAL"]);
    expect(answer.text).not.toContain("ada");
  });

  it("answers what is not HTTP with a problem on the bare socket, and goes on", async () => {
    const { api, call } = testServer();
    await api.listen({ port: 0, host: "127.0.0.1" });
    const { port } = api.server.address() as AddressInfo;
    const text = await new Promise<string>((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => socket.write("NOT HTTP AT ALL\r\n\r\n"));
      let got = "";
      socket.on("data", (chunk) => (got += chunk));
      socket.on("close", () => resolve(got));
      socket.on("error", reject);
    });
    expect(text).toContain("HTTP/1.1 400");
    expect(JSON.parse(text.split("\r\n\r\n")[1] ?? "")).toMatchObject({ code: "INVALID_PARAMETER", status: 400 });
    expect((await call("GET", "/healthz")).status).toBe(200);
  });
});

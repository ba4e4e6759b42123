import type { Static } from "typebox";
import { isErrorCode, KindredError } from "../../schemas/errors.js";
import { FileParams, FileProgressAnswer, FileSliceAnswer, FileSliceBody } from "../../schemas/http.js";
import type { RefusedLine } from "../../schemas/ports/admin.js";
import { formatPosition } from "../../schemas/position.js";
import { acceptEvents } from "../accept-events.js";
import { INTAKE_PROBLEMS, problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

const config = { scope: "admin" } as const;
const tags = ["admin"];

/** Backfills of files that a command reads: each row is taken once, however often it is sent. */
export function fileRoutes(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/admin/files/:hash",
    {
      config,
      schema: {
        operationId: "fileProgress",
        tags,
        summary: "How far a file was read",
        params: FileParams,
        response: { 200: FileProgressAnswer, ...problemResponses("INVALID_PARAMETER") },
      },
    },
    async (request) => ({
      ...(await parts.files.progress(request.params.hash)),
      position: formatPosition(parts.applied.current().position),
    }),
  );

  api.post(
    "/v1/admin/files/:hash/rows",
    {
      config,
      schema: {
        operationId: "takeFileRows",
        tags,
        summary: "Take the next rows of a file",
        description:
          "All or none, together with how far the file has come. Rows that do not come next are not taken: the answer says which do. Events that are refused here are kept as dead letters.",
        params: FileParams,
        body: FileSliceBody,
        response: {
          200: FileSliceAnswer,
          ...problemResponses("INVALID_PARAMETER", ...INTAKE_PROBLEMS),
        },
      },
    },
    async (request) => {
      const { hash } = request.params;
      const { run, after, rows, done, events: raws, refused: lines } = request.body;
      if (raws.length + lines.length > rows)
        throw new KindredError("INVALID_BODY", `${rows} rows cannot hold ${raws.length} events and ${lines.length} refused lines`);
      const { events, rejected } = acceptEvents(raws, parts.rules(), parts.settings);
      const origin = `file ${hash.slice(0, 8)} rows ${after + 1} to ${after + rows}`;
      const refused = [...lines.map(checkedLine), ...rejected.map(({ index, ...why }) => refusedEvent(raws[index], why, origin))];
      const { taken, progress, position } = await parts.files.take({ file: hash, run, after, rows, events, refused, done });
      parts.metrics.countEvents("http", "accepted", taken ? events.length : 0);
      parts.metrics.countEvents("http", "rejected", taken ? rejected.length : 0);
      return { taken, progress, position: formatPosition(position) };
    },
  );
}

function checkedLine({ code, ...line }: Static<typeof FileSliceBody>["refused"][number]): RefusedLine {
  if (!isErrorCode(code)) throw new KindredError("INVALID_BODY", `${code} is no code of the error table`);
  return { code, ...line };
}

/** What the sender took for an event and this server does not: its rules may be others. */
function refusedEvent(raw: unknown, { code, message }: Pick<RefusedLine, "code" | "message">, origin: string): RefusedLine {
  const user = (raw as { user?: unknown } | null)?.user;
  return { code, message, origin, original: JSON.stringify(raw), raw, ...(code !== "EVENT_USER" && typeof user === "string" && { user }) };
}

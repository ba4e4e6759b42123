import Type from "typebox";
import { KindredError } from "../../schemas/errors.js";
import { EventsAnswer, EventsBody } from "../../schemas/http.js";
import { formatPosition } from "../../schemas/position.js";
import { acceptEvents, acceptLines } from "../accept-events.js";
import { addLinesParser, LINES_TYPE } from "../body-parsers.js";
import { INTAKE_PROBLEMS, problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

/** `POST /v1/events`: durable before it is acknowledged; the good events of a request are taken when others are refused. */
export function eventRoutes(api: Api, parts: ResolvedParts): void {
  addLinesParser(api);
  api.post(
    "/v1/events",
    {
      config: { scope: "events" },
      schema: {
        operationId: "postEvents",
        tags: ["events"],
        summary: "Take behaviour events",
        description: `At most ${parts.settings.maxEvents} events, as JSON or as newline-delimited JSON. Each is checked alone.`,
        body: {
          content: {
            "application/json": { schema: EventsBody },
            [LINES_TYPE]: { schema: Type.Unsafe<Buffer>({ description: "One event a line; blank lines are skipped" }) },
          },
        },
        response: {
          202: EventsAnswer,
          ...problemResponses(...INTAKE_PROBLEMS),
        },
      },
    },
    async (request, reply) => {
      // The two content types have a schema each; the type provider sees neither.
      const body = request.body as Buffer | { readonly events: readonly unknown[] } | undefined;
      if (body === undefined) throw new KindredError("INVALID_BODY", `a body is wanted: {"events": [...]} or ${LINES_TYPE}`);
      const rules = parts.rules();
      const { events, rejected } = Buffer.isBuffer(body)
        ? acceptLines(body, rules, parts.settings)
        : acceptEvents(body.events, rules, parts.settings);
      const position = events.length === 0 ? parts.applied.current().position : await append(parts, events);
      parts.metrics.countEvents("http", "accepted", events.length);
      parts.metrics.countEvents("http", "rejected", rejected.length);
      return reply.code(202).send({ accepted: events.length, rejected, position: formatPosition(position) });
    },
  );
}

async function append({ intake, metrics }: ResolvedParts, events: Parameters<ResolvedParts["intake"]["append"]>[0]) {
  try {
    return await intake.append(events);
  } catch (error) {
    if (error instanceof KindredError && error.code === "OVERLOADED") metrics.countEvents("http", "overloaded", events.length);
    throw error;
  }
}

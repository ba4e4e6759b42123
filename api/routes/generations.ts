import { isAbsolute } from "node:path";
import { KindredError } from "../../schemas/errors.js";
import { GenerationParams, GenerationsAnswer, PublishBody, PublishedAnswer } from "../../schemas/http.js";
import type { Generation } from "../../schemas/ids.js";
import { generationsAnswer } from "../admin-answers.js";
import { problemResponses } from "../problems.js";
import type { Api, ResolvedParts } from "../server-parts.js";

const tags = ["generations"];
const admin = { scope: "admin" } as const;

/** Versions of models and indexes: what is live, what answers, and how that is changed. */
export function generationRoutes(api: Api, parts: ResolvedParts): void {
  api.get(
    "/v1/generations",
    {
      config: { scope: "recall" },
      schema: {
        operationId: "generations",
        tags,
        summary: "Versions of models and indexes",
        response: { 200: GenerationsAnswer, ...problemResponses() },
      },
    },
    async () => generationsAnswer(await parts.generations.list()),
  );
  publishRoute(api, parts);
  changeRoutes(api, parts);
}

function publishRoute(api: Api, { generations }: ResolvedParts): void {
  api.post(
    "/v1/generations",
    {
      config: admin,
      schema: {
        operationId: "publishGeneration",
        tags,
        summary: "Make a model the next generation",
        description:
          "Accepted once it is durable: users are pooled and shards built in the background while events go on, and it becomes active when that is done. The same model again answers with the number that it has.",
        body: PublishBody,
        response: {
          202: PublishedAnswer,
          ...problemResponses("INVALID_JSON", "INVALID_BODY", "MODEL_INVALID", "TOO_MANY_GENERATIONS", "STORAGE_FAILED", "WRONG_ROLE"),
        },
      },
    },
    async (request, reply) => {
      const { folder } = request.body;
      if (!isAbsolute(folder))
        throw new KindredError("INVALID_BODY", "the folder is named by an absolute path of the server's machine", "folder");
      const id = await generations.publish(folder);
      reply.code(202);
      return { id, generations: generationsAnswer(await generations.list()) };
    },
  );
}

function changeRoutes(api: Api, { generations }: ResolvedParts): void {
  api.post(
    "/v1/generations/:id/activate",
    {
      config: admin,
      schema: {
        operationId: "activateGeneration",
        tags,
        summary: "Answer with this generation from now on",
        description:
          "In one step, also back to an earlier one. Activating the active one changes nothing, but that what is being published does not follow by itself.",
        params: GenerationParams,
        response: {
          200: GenerationsAnswer,
          ...problemResponses("UNKNOWN_GENERATION", "GENERATION_NOT_READY", "INVALID_PARAMETER", "STORAGE_FAILED", "WRONG_ROLE"),
        },
      },
    },
    async (request) => generationsAnswer(await generations.activate(request.params.id as Generation)),
  );

  api.delete(
    "/v1/generations/:id",
    {
      config: admin,
      schema: {
        operationId: "retireGeneration",
        tags,
        summary: "Give up a generation that does not answer",
        description: "At most three are live. Its number is not given again.",
        params: GenerationParams,
        response: {
          200: GenerationsAnswer,
          ...problemResponses("UNKNOWN_GENERATION", "GENERATION_IN_USE", "INVALID_PARAMETER", "STORAGE_FAILED", "WRONG_ROLE"),
        },
      },
    },
    async (request) => generationsAnswer(await generations.retire(request.params.id as Generation)),
  );
}

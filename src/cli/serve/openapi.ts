import { VERSION } from "../../runtime/version.ts";
import { MAX_PIXELS } from "../../node/images.ts";
import type { ServeLimits } from "./limits.ts";
import { ROUTES, type PARAMETERS, type Path } from "./routes.ts";

const NUMBER = { type: "number" } as const;
const WHOLE = { type: "integer", minimum: 0 } as const;
const TEXT = { type: "string" } as const;
const FLAG = { type: "boolean" } as const;
const IMAGE = { type: "string", format: "binary" } as const;

/** A schema of an object, all of whose properties are required but for those named. */
function objectOf(properties: Readonly<Record<string, object>>, optional: readonly string[] = []): object {
  return {
    type: "object",
    required: Object.keys(properties).filter((name) => !optional.includes(name)),
    properties,
    additionalProperties: false,
  };
}

const listOf = (items: object): object => ({ type: "array", items });
const named = (name: string): object => ({ $ref: `#/components/schemas/${name}` });

const SCHEMAS: Readonly<Record<string, object>> = {
  Error: objectOf({ error: { ...TEXT, description: "The problem and what to do about it, in one line." } }),
  Health: objectOf({ status: { ...TEXT, const: "ok" }, queue: WHOLE }),
  Models: objectOf({ default: TEXT, models: listOf(named("Model")) }),
  Model: objectOf(
    {
      name: TEXT,
      method: TEXT,
      backbone: TEXT,
      size: { ...WHOLE, description: "Side of the square input, pixels." },
      tiles: {
        ...objectOf({ tile: WHOLE, overlap: WHOLE }),
        description:
          "The tiles that images are cut into, each of which fills the square; absent where a whole image does.",
      },
      classes: { ...listOf(TEXT), description: "Classes that it was trained on, each with thresholds of its own." },
      regions: { ...FLAG, description: "Trained with a region of interest." },
    },
    ["tiles"],
  ),
  Inspections: objectOf({
    threshold: { ...NUMBER, description: "Score above which an image is defective." },
    pixelThreshold: { ...NUMBER, description: "Map value above which a pixel is defective." },
    images: listOf(named("Inspection")),
    skipped: listOf(objectOf({ image: TEXT, reason: TEXT })),
  }),
  Inspection: objectOf(
    {
      image: { ...TEXT, description: "The file's name." },
      score: NUMBER,
      calibrated: { ...NUMBER, minimum: 0, maximum: 1, description: "0.5 at the model's threshold." },
      verdict: { ...TEXT, enum: ["good", "defective"] },
      peak: { ...NUMBER, description: "The map's largest value." },
      width: WHOLE,
      height: WHOLE,
      area: { ...WHOLE, description: "Pixels of all defects." },
      defects: listOf(named("Defect")),
      heatMap: { ...TEXT, contentEncoding: "base64", contentMediaType: "image/png" },
    },
    ["heatMap"],
  ),
  Defect: objectOf({
    bbox: { ...listOf(WHOLE), minItems: 4, maxItems: 4, description: "Left, top, width, height, pixels." },
    area: WHOLE,
    peak: NUMBER,
  }),
};

const answer = (description: string, type: string, schema: object): object => ({
  description,
  content: { [type]: { schema } },
});
const problem = (description: string): object => answer(description, "application/json", named("Error"));

const PARAMETER_SCHEMAS: Readonly<Record<(typeof PARAMETERS)[number], readonly [description: string, schema: object]>> =
  {
    model: ["Name of a model of /v1/models. Default: the first.", TEXT],
    class: ["Name of a class of the model, whose thresholds apply. Default: the highest of all classes'.", TEXT],
    heat: ["png adds each image's heat map.", { ...TEXT, enum: ["png", "none"], default: "none" }],
    threshold: [
      "Calibrated score above which an image is defective; the pixel threshold moves along.",
      { ...NUMBER, exclusiveMinimum: 0, exclusiveMaximum: 1, default: 0.5 },
    ],
  };

/** The summaries, bodies and answers of each path but for what all have in common. */
function operationsOf(limits: ServeLimits): Readonly<Record<Path, object>> {
  const { body, pixels, send, wait } = limits;
  return {
    "/": { summary: "A page to drop an image on.", responses: { 200: answer("The page.", "text/html", TEXT) } },
    "/health": {
      summary: "Says that the service answers.",
      responses: { 200: answer("It does.", "application/json", named("Health")), 503: problem("It is ending.") },
    },
    "/openapi.json": {
      summary: "This document.",
      responses: { 200: answer("The document.", "application/json", { type: "object" }) },
    },
    "/metrics": {
      summary: "Metrics in the text format of Prometheus.",
      responses: { 200: answer("The metrics.", "text/plain", TEXT) },
    },
    "/v1/models": {
      summary: "The models.",
      responses: { 200: answer("The models.", "application/json", named("Models")) },
    },
    "/v1/inspect": {
      summary: "Inspects images.",
      description: "Several images of one request are answered in their order; those that cannot be used are skipped.",
      parameters: Object.entries(PARAMETER_SCHEMAS).map(([name, [description, schema]]) => ({
        name,
        in: "query",
        required: false,
        description,
        schema,
      })),
      requestBody: {
        required: true,
        content: {
          "image/*": { schema: IMAGE },
          "application/octet-stream": { schema: IMAGE },
          "multipart/form-data": { schema: { type: "object", additionalProperties: IMAGE } },
        },
      },
      responses: {
        200: answer("The results, as bigrid predict has them.", "application/json", named("Inspections")),
        400: problem("A wrong parameter, a class that the model does not know, or a malformed body."),
        404: problem("An unknown model."),
        408: problem(`The body did not arrive within ${send / 1000} s.`),
        413: problem(`More than ${body} bytes, or the image has more than ${Math.min(pixels, MAX_PIXELS)} pixels.`),
        415: problem("A body of another type."),
        422: problem("The image cannot be read."),
        429: problem("The queue is full; Retry-After says when to come back."),
        500: problem("The model failed on the image."),
        503: problem(`No answer within ${wait / 1000} s, the device is lost, or the service is ending.`),
      },
    },
  };
}

/** The service's description, as OpenAPI 3.1. */
export function openApi(limits: ServeLimits): object {
  const operations = operationsOf(limits);
  const paths = Object.entries(ROUTES).map(([path, { method, isOpen }]) => {
    const operation = operations[path as Path] as { readonly responses: object };
    const responses = {
      ...operation.responses,
      403: problem("Another site's page, or another host's name."),
      ...(!isOpen && { 401: problem("A token is missing or wrong.") }),
    };
    const id = path === "/" ? "page" : path.replace(/^\/(v1\/)?|\.json$/g, "");
    return [
      path,
      { [method.toLowerCase()]: { operationId: id, ...operation, ...(isOpen && { security: [] }), responses } },
    ] as const;
  });
  return {
    openapi: "3.1.0",
    info: { title: "bigrid serve", version: VERSION, description: "Finds defects in images that programs send." },
    security: [{}, { token: [] }],
    paths: Object.fromEntries(paths),
    components: {
      schemas: SCHEMAS,
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "Needed with --token-file." } },
    },
  };
}

/** A path that is served. */
export interface Route {
  readonly method: "GET" | "POST";
  /** True if it needs no token. */
  readonly isOpen: boolean;
}

/** Everything that is served, by its path. */
export const ROUTES = {
  "/": { method: "GET", isOpen: true },
  "/health": { method: "GET", isOpen: true },
  "/openapi.json": { method: "GET", isOpen: true },
  "/metrics": { method: "GET", isOpen: false },
  "/v1/models": { method: "GET", isOpen: false },
  "/v1/inspect": { method: "POST", isOpen: false },
} as const satisfies Readonly<Record<string, Route>>;

export type Path = keyof typeof ROUTES;

export const isPath = (path: string): path is Path => Object.hasOwn(ROUTES, path);

/** The query parameters of an inspection. */
export const PARAMETERS = ["model", "class", "heat", "threshold"] as const;

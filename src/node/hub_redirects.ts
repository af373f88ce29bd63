import { excerptOf } from "../io/hub.ts";
import { InputError } from "../runtime/errors.ts";

const MOST_REDIRECTS = 5;

/**
 * A `fetch` that follows redirects only where it may. Nothing that names the user goes along: there are no credentials.
 * @param mayFollow says so of where it was sent from, and where to
 */
export const followed =
  (mayFollow: (from: URL, to: URL) => boolean): typeof fetch =>
  async (address, init) => {
    let from = new URL(address instanceof Request ? address.url : address);
    for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
      const response = await fetch(from, { ...init, redirect: "manual" });
      const location = response.status >= 300 && response.status < 400 ? response.headers.get("location") : null;
      if (location === null) return response;
      await response.body?.cancel().catch(() => undefined);
      const to = URL.canParse(location, from) ? new URL(location, from) : null;
      if (!to || to.username || to.password || !mayFollow(from, to)) {
        throw new InputError(
          `${from.host} sends on to ${excerptOf(location)}, where no hub's files are; try again later, or another HF_ENDPOINT`,
        );
      }
      from = to;
    }
    throw new InputError(
      `${from.host} sends on more than ${MOST_REDIRECTS} times; try again later, or another HF_ENDPOINT`,
    );
  };

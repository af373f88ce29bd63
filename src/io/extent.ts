import { ShapeError } from "../runtime/errors.ts";

/**
 * Requires an extent that its values fill.
 * @param name the function's, for errors
 * @throws ShapeError if there are not width x height values
 */
export function requireExtent(
  name: string,
  what: string,
  values: ArrayLike<number>,
  width: number,
  height: number,
): void {
  const counts = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!counts || values.length !== width * height) {
    throw new ShapeError(
      `${name}: expected width x height values, got ${what} [${values.length}] for ${width} x ${height}`,
    );
  }
}

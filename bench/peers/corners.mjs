/**
 * Bilinear sampling as four gathers, for libraries without grid_sample.
 * @param grid positions (x, y) in [-1, 1], which span the centres of the outermost pixels
 * @returns for each corner the pixel that every sample reads, and its weight
 */
export function cornersOf(grid, height, width) {
  const count = grid.length / 2;
  const corners = [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ].map(([down, right]) => ({ down, right, places: new Int32Array(count), weights: new Float32Array(count) }));
  for (let i = 0; i < count; i++) {
    const [x, y] = [((grid[2 * i] + 1) / 2) * (width - 1), ((grid[2 * i + 1] + 1) / 2) * (height - 1)];
    const [left, top] = [Math.min(Math.floor(x), width - 2), Math.min(Math.floor(y), height - 2)];
    for (const { down, right, places, weights } of corners) {
      places[i] = (top + down) * width + left + right;
      weights[i] = (right ? x - left : 1 - (x - left)) * (down ? y - top : 1 - (y - top));
    }
  }
  return corners;
}

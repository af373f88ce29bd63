// perlin_mask: marks irregular patches of maps, where Perlin noise of a random scale exceeds a threshold.
//
//   training_step  [1]        u32   step: in a tensor, so that each run of a captured draw can have another
//   mask           [N, H, W]  f32   1 at marked cells, 0 elsewhere
//
//   clean      = U(0, 1) < clean_share: such an image has no marks
//   nx, ny     = 2^k, k uniform in 0 .. levels - 1: squares of the lattice along W and H
//   u, v       = (x + 1/2) nx / W, (y + 1/2) ny / H
//   g(i, j)    = (cos a, sin a), a = U(0, 2 pi), at each of the (nx + 1) x (ny + 1) points of the lattice
//   noise      = sqrt(2) times g . (u - i, v - j) of the four points around the cell, mixed by 6 t^5 - 15 t^4 + 10 t^3 of u and v's fractions
//   mask       = noise > threshold, of an image that is not clean
//
// Draws come from philox(counter (draw, image, step, stream), key (seed, 1)); draw 0 is the image's, 1 + (j 2^8 + i) a point's. Equal marks on
// one device; across devices a cell at the threshold may differ (cos and sin are the vendor's).
// Definition: Perlin, "An image synthesizer", 1985, with the curve of "Improving noise", 2002; SuperSimpleNet's masks.
// Cost: one write and five draws a cell, about 600 operations.

struct Params {
  batch: u32,       // N
  height: u32,      // H
  width: u32,       // W
  levels: u32,      // at most 8: points have numbers of 8 bits
  clean_share: f32,
  threshold: f32,
  seed: u32,
  stream: u32,
}

const TURN = 6.283185307179586;
const ROOT_2 = 1.4142135623730951;

@group(0) @binding(0) var<storage, read> training_step: array<u32>;
@group(0) @binding(1) var<storage, read_write> mask: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn draw(image: u32, index: u32) -> vec4u {
  return philox(vec4u(index, image, training_step[0], params.stream), vec2u(params.seed, 1u));
}

// The number of squares along a side.
fn squares(word: u32) -> u32 { return 1u << min(u32(unit(word) * f32(params.levels)), params.levels - 1u); }

// The slope at a lattice point, times the way from it to a position.
fn ramp(image: u32, point: vec2u, at: vec2f) -> f32 {
  let angle = TURN * unit(draw(image, 1u + (point.y << 8u) + point.x).x);
  return dot(vec2f(cos(angle), sin(angle)), at - vec2f(point));
}

// One invocation per cell.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let cells = params.height * params.width;
  if (i >= params.batch * cells) { return; }
  let image = i / cells;
  let x = i % params.width;
  let y = (i / params.width) % params.height;
  let of_image = draw(image, 0u);
  let lattice = vec2f(f32(squares(of_image.y)), f32(squares(of_image.z)));
  let at = (vec2f(f32(x), f32(y)) + 0.5) * lattice / vec2f(f32(params.width), f32(params.height));
  let point = vec2u(at);
  let t = at - floor(at);
  let share = t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
  let above = mix(ramp(image, point, at), ramp(image, point + vec2u(1u, 0u), at), share.x);
  let below = mix(ramp(image, point + vec2u(0u, 1u), at), ramp(image, point + vec2u(1u, 1u), at), share.x);
  let noise = ROOT_2 * mix(above, below, share.y);
  mask[i] = select(0.0, 1.0, noise > params.threshold && unit(of_image.x) >= params.clean_share);
}

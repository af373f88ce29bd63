// feature_block_paste: disturbs features in irregular blocks, drawn by random walks.
//
//   mask           [N, H, W]     f32    1 at marked cells, 0 elsewhere
//   weights        [N, H, W, K]  f32    each block's intensity at the cells that it marked, 0 elsewhere
//   blurred        [N, H, W, K]  f32    those, spread by a Gaussian
//   features       [N, H, W, C]  elem
//   channel_std    [C]           f32    standard deviation of each channel, for the direction RANDOM
//   training_step  [1]           u32    step: in a tensor, so that each run of a captured draw can have another
//   output         [N, H, W, C]  elem   features + sum over blocks of blurred * direction * sign
//
//   b      = floor(U(0.5, b_max))                     half side of the window
//   I      = U(intensity_low, intensity_high)
//   cx, cy = uniform whole numbers in [b, W-b-1], [b, H-b-1], as far as these lie within [left, right), [top, bottom)
//   walk   = from the window's centre, STEPS steps to one of 4 neighbours (PAPER_WALK: a number of them uniform in [STEPS, 2 STEPS],
//            to one of 8 neighbours or none); each cell stepped on inside the window is marked, steps outside go on but mark nothing
//   direction, in channel c of a cell (y, x) whose features are a:
//     equal         1
//     random        std_c (sqrt(t) g_c + sqrt(1 - t) e_yxc), g and e normal, g of the block, e of the cell, t = U(shared_low, shared_high)
//     differences   f_c - a_c, f the features at ((y + dy) mod H, (x + dx) mod W) of another image, or of the same one; image, dy
//                   and dx are drawn for each block
//   sign   = 1; or a coin a block; a coin a channel of a block; a coin a channel of a cell
//
// Draws come from philox(counter (draw / 4, image, step, stream), key (seed, block)); two bits a step of the walk, for PAPER_WALK a word.
// Definition: GRAD, Feature Block Paste.
// Cost: `walk` two writes a cell, and about 30 operations for 16 steps; `paste` reads and writes each feature once.

// true: a number of steps from STEPS to twice that, to 8 neighbours or none. false: STEPS steps to 4 neighbours.
override PAPER_WALK: bool = false;
// true: every image gets the blocks of the first. false: each has its own.
override PER_BATCH: bool = false;
// 0 equal, 1 random, 2 differences.
override DIRECTION: u32 = 0;
// 0 none, 1 of a block, 2 of a channel, 3 of a channel of a cell.
override SIGNS: u32 = 0;
// true: differences are to another place of the same image. false: to another image of the batch.
override SAME_IMAGE: bool = false;

struct Params {
  batch: u32,           // N
  height: u32,          // H
  width: u32,           // W
  channels: u32,        // C
  blocks: u32,          // K
  half_max: f32,        // b_max, with 2 floor(b_max) + 1 <= min(H, W)
  intensity_low: f32,
  intensity_high: f32,
  shared_low: f32,      // of t
  shared_high: f32,
  left: u32,            // cells that a centre may lie on
  top: u32,
  right: u32,
  bottom: u32,
  steps: u32,           // STEPS
  seed: u32,
  stream: u32,
}

@group(0) @binding(0) var<storage, read_write> mask: array<f32>;
@group(0) @binding(1) var<storage, read_write> weights: array<f32>;
@group(0) @binding(2) var<storage, read> training_step: array<u32>;
@group(0) @binding(3) var<storage, read> features: array<elem>;
@group(0) @binding(4) var<storage, read> blurred: array<f32>;
@group(0) @binding(5) var<storage, read> channel_std: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<elem>;
@group(1) @binding(0) var<uniform> params: Params;

const NEIGHBOURS = array(
  vec2i(-1, 0), vec2i(1, 0), vec2i(0, -1), vec2i(0, 1), vec2i(-1, -1), vec2i(1, -1), vec2i(-1, 1), vec2i(1, 1), vec2i(0, 0)
);
const RANDOM = 1u;
const DIFFERENCES = 2u;
const OF_BLOCK = 1u;
const OF_CHANNEL = 2u;
const OF_CELL = 3u;
const TURN = 6.283185307179586;

// Draw 0 of a block is size, intensity, centre; from 1 on its walk. Others:
const FURTHER = 0xffffffffu;              // number of steps, sign, t
const OTHER = 0xfffffffeu;                // dx, dy, image
const OF_BLOCK_NORMALS = 0x80000000u;     // and a quarter of the channel
const OF_CELL_NORMALS = 0xa0000000u;      // and that, behind those of earlier cells
const SIGN_BITS = 0xc0000000u;            // and a 128th of the channel, or of the feature's index within its image

fn draw(image: u32, k: u32, index: u32) -> vec4u {
  return philox(vec4u(index, select(image, 0u, PER_BATCH), training_step[0], params.stream), vec2u(params.seed, k));
}

// A whole number in [low, low + count), each as likely up to 2^-23.
fn whole(word: u32, low: u32, count: u32) -> u32 { return low + min(u32(unit(word) * f32(count)), count - 1u); }

// A centre's coordinate: at least `half` cells from the border, and within [low, end) if possible.
fn centre_along(word: u32, half: u32, extent: u32, low: u32, end: u32) -> i32 {
  let first = clamp(low, half, extent - 1u - half);
  let last = clamp(end - 1u, first, extent - 1u - half);
  return i32(whole(word, first, last - first + 1u));
}

// One invocation per image: it clears its image and walks. Sequential by nature, and short.
@compute @workgroup_size(WORKGROUP_SIZE)
fn walk(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat_index(id, groups);
  if (n >= params.batch) { return; }
  let start = n * params.height * params.width;
  for (var i = start; i < start + params.height * params.width; i++) {
    mask[i] = 0.0;
    for (var k = 0u; k < params.blocks; k++) { weights[i * params.blocks + k] = 0.0; }
  }
  for (var k = 0u; k < params.blocks; k++) {
    let drawn = draw(n, k, 0u);
    let half = u32(mix(0.5, params.half_max, unit(drawn.x)));
    let intensity = mix(params.intensity_low, params.intensity_high, unit(drawn.y));
    let centre = vec2i(
      centre_along(drawn.z, half, params.width, params.left, params.right),
      centre_along(drawn.w, half, params.height, params.top, params.bottom),
    );
    let steps = select(params.steps, whole(draw(n, k, FURTHER).x, params.steps, params.steps + 1u), PAPER_WALK);
    var offset = vec2i();
    var words = vec4u();
    for (var i = 0u; i < steps; i++) {
      if (PAPER_WALK) {
        if (i % 4u == 0u) { words = draw(n, k, 1u + i / 4u); }
        offset += NEIGHBOURS[whole(words[i % 4u], 0u, 9u)];
      } else {
        if (i % 64u == 0u) { words = draw(n, k, 1u + i / 64u); }
        offset += NEIGHBOURS[(words[i / 16u % 4u] >> (2u * (i % 16u))) & 3u];
      }
      if (all(abs(offset) <= vec2i(i32(half)))) {
        let at = vec2u(centre + offset);
        let cell = start + at.y * params.width + at.x;
        mask[cell] = 1.0;
        weights[cell * params.blocks + k] = intensity;
      }
    }
  }
}

// Four normal numbers, of four neighbouring channels, as random.wgsl's.
fn normals(n: u32, k: u32, index: u32) -> vec4f {
  let drawn = draw(n, k, index);
  let radius = sqrt(-2.0 * log(vec2f(unit(drawn.x), unit(drawn.z))));
  let angle = TURN * vec2f(unit(drawn.y), unit(drawn.w));
  return vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y));
}

// The block's and the cell's normal numbers, mixed in the block's proportion, in four channels of a cell of an image.
fn random_direction(n: u32, k: u32, cell: u32, four: u32) -> vec4f {
  let t = mix(params.shared_low, params.shared_high, unit(draw(n, k, FURTHER).z));
  let of_cell = normals(n, k, OF_CELL_NORMALS + cell * ((params.channels + 3u) / 4u) + four);
  return sqrt(t) * normals(n, k, OF_BLOCK_NORMALS + four) + sqrt(1.0 - t) * of_cell;
}

// First of the features that block k of image n compares cell (x, y) with.
fn other_features(n: u32, k: u32, x: u32, y: u32) -> u32 {
  let drawn = draw(n, k, OTHER);
  let at_x = (x + whole(drawn.x, 0u, params.width)) % params.width;
  let at_y = (y + whole(drawn.y, 0u, params.height)) % params.height;
  let ahead = 1u + whole(drawn.z, 0u, max(params.batch, 2u) - 1u);
  let image = select((n + ahead) % params.batch, n, SAME_IMAGE);
  return ((image * params.height + at_y) * params.width + at_x) * params.channels;
}

// One of many coin flips: bit `index` of a block's.
fn coin(n: u32, k: u32, index: u32) -> f32 {
  let word = draw(n, k, SIGN_BITS + index / 128u)[index / 32u % 4u];
  return select(-1.0, 1.0, ((word >> (index % 32u)) & 1u) == 1u);
}

// One invocation per cell and four channels, or fewer if fewer are left.
@compute @workgroup_size(WORKGROUP_SIZE)
fn paste(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let fours = (params.channels + 3u) / 4u;
  let at = i / fours;
  let cells = params.height * params.width;
  if (at >= params.batch * cells) { return; }
  let channel = 4u * (i % fours);
  let count = min(4u, params.channels - channel);
  let first = at * params.channels + channel;
  let n = at / cells;
  let cell = at % cells;
  var pasted = vec4f();
  for (var lane = 0u; lane < count; lane++) { pasted[lane] = f32(features[first + lane]); }
  for (var k = 0u; k < params.blocks; k++) {
    var weight = blurred[at * params.blocks + k];
    if (weight == 0.0) { continue; }
    if (SIGNS == OF_BLOCK) { weight *= select(-1.0, 1.0, (draw(n, k, FURTHER).y & 1u) == 1u); }
    var direction = vec4f(1.0);
    if (DIRECTION == RANDOM) { direction = random_direction(n, k, cell, channel / 4u); }
    var other = 0u;
    if (DIRECTION == DIFFERENCES) { other = channel + other_features(n, k, cell % params.width, cell / params.width); }
    for (var lane = 0u; lane < count; lane++) {
      var value = weight * direction[lane];
      if (DIRECTION == RANDOM) { value *= channel_std[channel + lane]; }
      if (DIRECTION == DIFFERENCES) { value *= f32(features[other + lane]) - f32(features[first + lane]); }
      if (SIGNS == OF_CHANNEL) { value *= coin(n, k, channel + lane); }
      if (SIGNS == OF_CELL) { value *= coin(n, k, cell * params.channels + channel + lane); }
      pasted[lane] += value;
    }
  }
  for (var lane = 0u; lane < count; lane++) { output[first + lane] = elem(pasted[lane]); }
}

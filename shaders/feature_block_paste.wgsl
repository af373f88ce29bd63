// feature_block_paste: disturbs features in irregular blocks, drawn by random walks.
//
//   mask           [N, H, W]     f32    1 at marked cells, 0 elsewhere
//   weights        [N, H, W, K]  f32    each block's intensity at its marked cells, 0 elsewhere; `paste` reads them blurred
//   features       [N, H, W, C]  elem
//   deviations     [C]           f32    of each channel, for the direction "channels"
//   training_step  [1]           u32    step: in a tensor, so that captured draws go on from run to run
//   output         [N, H, W, C]  elem   features + sum over blocks of weight * direction
//
//   b      = floor(U(0.5, b_max))                     half side of the window
//   I      = U(intensity_low, intensity_high)
//   cx, cy = uniform whole numbers in [b, W-b-1], [b, H-b-1], as far as these lie within [left, right), [top, bottom)
//   walk   = from the window's centre, STEPS steps to one of 4 neighbours (PAPER_WALK: a number of them uniform in [STEPS, 2 STEPS],
//            to one of 8 neighbours or none); each cell stepped on inside the window is marked, steps outside go on but mark nothing
//   direction, of block k in channel c of a cell with features a:
//     equal        1
//     signs        +1 or -1, one sign a block
//     channels     z_c deviation_c, z normal, one vector a block
//     differences  f_c - a_c
//     difference signs   the sign of f_c - a_c
//   f = features of another image of the batch, or of the same one: where the cell would lie if the block's centre lay at another place,
//       drawn as the centre was; beyond the border the outermost cell
//
// Draws come from philox(counter (draw / 4, image, step, stream), key (seed, block)); two bits a step of the walk, for PAPER_WALK a word.
// Definition: GRAD, Feature Block Paste.
// Cost: `walk` two writes a cell, and about 30 operations for 16 steps; `paste` reads and writes each feature once.

// true: a number of steps from STEPS to twice that, to 8 neighbours or none. false: STEPS steps to 4 neighbours.
override PAPER_WALK: bool = false;
// true: every image gets the blocks of the first. false: each has its own.
override PER_BATCH: bool = false;
// 0 equal, 1 signs, 2 channels, 3 differences, 4 difference signs.
override DIRECTION: u32 = 0;
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
@group(0) @binding(5) var<storage, read> deviations: array<f32>;
@group(0) @binding(6) var<storage, read_write> output: array<elem>;
@group(1) @binding(0) var<uniform> params: Params;

const NEIGHBOURS = array(
  vec2i(-1, 0), vec2i(1, 0), vec2i(0, -1), vec2i(0, 1), vec2i(-1, -1), vec2i(1, -1), vec2i(-1, 1), vec2i(1, 1), vec2i(0, 0)
);
const EQUAL = 0u;
const SIGNS = 1u;
const CHANNELS = 2u;
const DIFFERENCES = 3u;
const TURN = 6.283185307179586;

// What is drawn beside size, intensity, centre (draw 0) and the walk (from 1 on).
const FURTHER = 0xffffffffu;        // number of steps, sign, other image
const OTHER_PLACE = 0xfffffffeu;
const NORMALS = 0x80000000u;        // and a quarter of the channel

fn draw(image: u32, k: u32, index: u32) -> vec4u {
  return philox(vec4u(index, select(image, 0u, PER_BATCH), training_step[0], params.stream), vec2u(params.seed, k));
}

// A whole number in [low, low + count), each as likely but for 2^-23.
fn whole(word: u32, low: u32, count: u32) -> u32 { return low + min(u32(unit(word) * f32(count)), count - 1u); }

// A centre's coordinate: `half` cells from the border, and in [low, end) as far as that goes.
fn centre_along(word: u32, half: u32, extent: u32, low: u32, end: u32) -> i32 {
  let first = clamp(low, half, extent - 1u - half);
  let last = clamp(end - 1u, first, extent - 1u - half);
  return i32(whole(word, first, last - first + 1u));
}

fn centre_of(words: vec2u, half: u32) -> vec2i {
  return vec2i(
    centre_along(words.x, half, params.width, params.left, params.right),
    centre_along(words.y, half, params.height, params.top, params.bottom),
  );
}

fn half_of(word: u32) -> u32 { return u32(mix(0.5, params.half_max, unit(word))); }

// One invocation per image: it clears its image and walks. Sequential by nature, and short.
@compute @workgroup_size(WORKGROUP_SIZE)
fn walk(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flat_index(id, groups);
  if (n >= params.batch) { return; }
  let first = n * params.height * params.width;
  for (var i = first; i < first + params.height * params.width; i++) {
    mask[i] = 0.0;
    for (var k = 0u; k < params.blocks; k++) { weights[i * params.blocks + k] = 0.0; }
  }
  for (var k = 0u; k < params.blocks; k++) {
    let drawn = draw(n, k, 0u);
    let half = half_of(drawn.x);
    let intensity = mix(params.intensity_low, params.intensity_high, unit(drawn.y));
    let centre = centre_of(drawn.zw, half);
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
        let cell = first + at.y * params.width + at.x;
        mask[cell] = 1.0;
        weights[cell * params.blocks + k] = intensity;
      }
    }
  }
}

// First element of what the block of image n moves cell (x, y) towards.
fn other_cell(n: u32, k: u32, x: u32, y: u32) -> u32 {
  let drawn = draw(n, k, 0u);
  let half = half_of(drawn.x);
  let place = centre_of(draw(n, k, OTHER_PLACE).xy, half);
  let at = clamp(vec2i(vec2u(x, y)) - centre_of(drawn.zw, half) + place, vec2i(), vec2i(vec2u(params.width, params.height)) - 1);
  let others = max(params.batch, 2u) - 1u;
  let image = select((n + 1u + whole(draw(n, k, FURTHER).z, 0u, others)) % params.batch, n, SAME_IMAGE);
  return ((image * params.height + u32(at.y)) * params.width + u32(at.x)) * params.channels;
}

// Four normal numbers, of four neighbouring channels, as random.wgsl's.
fn normals(n: u32, k: u32, four: u32) -> vec4f {
  let drawn = draw(n, k, NORMALS + four);
  let radius = sqrt(-2.0 * log(vec2f(unit(drawn.x), unit(drawn.z))));
  let angle = TURN * vec2f(unit(drawn.y), unit(drawn.w));
  return vec4f(radius.x * cos(angle.x), radius.x * sin(angle.x), radius.y * cos(angle.y), radius.y * sin(angle.y));
}

// Direction of a block in up to four neighbouring channels of a cell whose features `a` are.
fn direction_of(n: u32, k: u32, x: u32, y: u32, first: u32, count: u32, a: vec4f) -> vec4f {
  if (DIRECTION == EQUAL) { return vec4f(1.0); }
  if (DIRECTION == SIGNS) { return vec4f(select(-1.0, 1.0, (draw(n, k, FURTHER).y & 1u) == 1u)); }
  var direction = vec4f();
  if (DIRECTION == CHANNELS) {
    let normal = normals(n, k, first / 4u);
    for (var lane = 0u; lane < count; lane++) { direction[lane] = normal[lane] * deviations[first + lane]; }
    return direction;
  }
  let other = other_cell(n, k, x, y) + first;
  for (var lane = 0u; lane < count; lane++) { direction[lane] = f32(features[other + lane]) - a[lane]; }
  if (DIRECTION == DIFFERENCES) { return direction; }
  return sign(direction);
}

// One invocation per cell and four channels, as many as there are: it reads what blocks of its cell move towards.
@compute @workgroup_size(WORKGROUP_SIZE)
fn paste(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  let fours = (params.channels + 3u) / 4u;
  let cell = i / fours;
  if (cell >= params.batch * params.height * params.width) { return; }
  let first = 4u * (i % fours);
  let count = min(4u, params.channels - first);
  let x = cell % params.width;
  let y = cell / params.width % params.height;
  let n = cell / params.width / params.height;
  var a = vec4f();
  for (var lane = 0u; lane < count; lane++) { a[lane] = f32(features[cell * params.channels + first + lane]); }
  var pasted = a;
  for (var k = 0u; k < params.blocks; k++) {
    let weight = blurred[cell * params.blocks + k];
    if (weight != 0.0) { pasted += weight * direction_of(n, k, x, y, first, count, a); }
  }
  for (var lane = 0u; lane < count; lane++) { output[cell * params.channels + first + lane] = elem(pasted[lane]); }
}
